# SPDX-License-Identifier: Apache-2.0
"""Temporary copies of the tree, in which tests run: the working tree is never changed."""

from __future__ import annotations

import compileall
import contextlib
import hashlib
import json
import os
import py_compile
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

#: No file that a test writes is larger: a change that makes a loop endless must not fill the disk.
LARGEST_FILE = 2 << 30
DECIDING = ("airgap/", "tests/", "samples/", "manifests/", "pyproject.toml")
SELECTOR = """
def pytest_collection_modifyitems(config, items):
    import json, os, pathlib
    import airgap
    root = pathlib.Path(__file__).parent
    assert pathlib.Path(airgap.__file__).parent.parent == root, "tests would run against another tree"
    wanted = {name: number for number, name in enumerate(json.loads((root / ".selected.json").read_text()))}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
    items[:] = sorted((item for item in items if item.nodeid in wanted), key=lambda item: wanted[item.nodeid])
"""


@dataclass(frozen=True)
class Test:
    """What a test costs and runs: functions as ``file:line`` of their code."""

    name: str
    seconds: float
    functions: frozenset[str]

    @property
    def file(self) -> str:
        return self.name.partition("::")[0]


def tracked(root: Path) -> list[str]:
    """The files of the tree, new ones too, without what git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout.decode().split("\0")
    return sorted(name for name in set(names) if name and (root / name).is_file())


def tree_sum(root: Path) -> str:
    """Changes with every file that decides which test runs what."""
    hash_ = hashlib.sha256(sys.version.encode())
    for name in tracked(root):
        if not name.startswith(DECIDING):
            continue
        hash_.update(name.encode() + b"\0" + hashlib.sha256((root / name).read_bytes()).digest())
    return hash_.hexdigest()[:20]


class Copy:
    """One copy, for one run of pytest at a time."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        for name in tracked(root):
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, place)
        (folder / "mutants_selector.py").write_text(SELECTOR)
        # Compiled files are checked by content: a change within the same second and of the same length counts.
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        for part in ("airgap", "tests"):
            compileall.compile_dir(folder / part, quiet=1, invalidation_mode=mode)

    def trace(self, paths: Iterable[str]) -> list[Test]:
        """Run all tests at ``paths`` and see what they run. Those that fail or are skipped are left out."""
        traced = self.folder / ".traced"
        traced.mkdir()
        shutil.copyfile(Path(__file__).with_name("tracer.py"), self.folder / "sitecustomize.py")
        code, said = self._pytest(["-p", "sitecustomize", *paths], seconds=7200)
        if code not in (0, 1):
            raise RuntimeError(f"the tests cannot be traced:\n{said}")
        found = []
        for line in (traced / "tests.jsonl").read_text().splitlines():
            entry = json.loads(line)
            if entry["outcome"] == "passed":
                functions = frozenset((traced / entry["file"]).read_text().split())
                found.append(Test(entry["test"], entry["seconds"], functions))
        (self.folder / "sitecustomize.py").unlink()
        shutil.rmtree(traced)
        return found

    def fails(self, tests: Sequence[Test], seconds: float) -> str:
        """Run these in this order up to the first that fails; its name, ``"hung"``, or nothing where all pass."""
        (self.folder / ".selected.json").write_text(json.dumps([test.name for test in tests]))
        files = list(dict.fromkeys(test.file for test in tests))
        code, said = self._pytest(["-x", "-p", "mutants_selector", *files], seconds)
        if code is None:
            return "hung"
        if code == 0:
            return ""
        failed = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return failed[0].partition(" ")[2].partition(" - ")[0] if failed else f"pytest ended with {code}"

    def _pytest(self, arguments: Sequence[str], seconds: float) -> tuple[int | None, str]:
        scratch = self.folder / ".scratch"
        scratch.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "-m"]
        command += ["not long and not interop", "--hypothesis-seed=0", f"--basetemp={scratch}/pytest", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "TMPDIR": str(scratch), "HOME": str(scratch)}
        with (self.folder / ".output").open("w+b") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_limit,
            )
            try:
                code: int | None = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                # What a test left running is in the same session's process group.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            said = output.read().decode(errors="replace")
        shutil.rmtree(scratch, ignore_errors=True)
        return code, said


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
