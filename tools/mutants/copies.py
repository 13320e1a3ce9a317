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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: No file that a test writes is larger: a change that makes a loop endless must not fill the disk.
LARGEST_FILE = 2 << 30
#: Exit code of pytest where nothing was selected.
NO_TEST = 5
DECIDING = ("airgap/", "tests/", "samples/", "manifests/", "pyproject.toml")


@dataclass(frozen=True)
class Test:
    """A test and what it costs."""

    name: str
    seconds: float

    @property
    def file(self) -> str:
        return self.name.partition("::")[0]


@dataclass
class Trace:
    """Tests, and the numbers of those that run a line, by ``FILE:LINE``."""

    tests: list[Test]
    lines: dict[str, list[int]]

    def running(self, file: str, lines: range) -> set[Test]:
        """The tests that run one of the lines; without lines, those that run anything of the file."""
        if lines:
            places = [f"{file}:{line}" for line in lines]
        else:
            places = [place for place in self.lines if place.startswith(f"{file}:")]
        return {self.tests[number] for place in places for number in self.lines.get(place, ())}


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
        self._process: subprocess.Popen[bytes] | None = None
        for name in tracked(root):
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, place)
        shutil.copyfile(Path(__file__).with_name("plugin.py"), folder / "mutants_plugin.py")
        # Compiled files are checked by content: a change within the same second and of the same length counts.
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        for part in ("airgap", "tests"):
            compileall.compile_dir(folder / part, quiet=1, invalidation_mode=mode)

    def trace(self, paths: Sequence[str]) -> Trace:
        """Run all tests at ``paths`` and see what they run. Those that fail, which are told, and skipped ones are left
        out."""
        traced = self.folder / ".traced"
        traced.mkdir()
        tracer = self.folder / "sitecustomize.py"
        shutil.copyfile(Path(__file__).with_name("tracer.py"), tracer)
        code, said = self._pytest(paths, seconds=7200)
        if code not in (0, 1):
            raise RuntimeError(f"the tests cannot be traced:\n{said}")
        tests: list[Test] = []
        lines: dict[str, list[int]] = {}
        for line in (traced / "tests.jsonl").read_text().splitlines():
            entry = json.loads(line)
            outcome = entry.get("outcome", "passed")
            if outcome == "failed":
                print(f"left out, since it fails: {entry['test']}", flush=True)
            if outcome == "passed":
                notes = [traced / name for name in entry["notes"]]
                for run in {run for note in notes if note.exists() for run in note.read_text().split()}:
                    lines.setdefault(run, []).append(len(tests))
                tests.append(Test(entry["test"], entry["seconds"]))
        tracer.unlink()
        shutil.rmtree(traced)
        return Trace(tests, lines)

    def fails(self, tests: Sequence[Test], seconds: float) -> str:
        """Run these in this order up to the first that fails; its name, ``"hung"``, or nothing where all pass."""
        (self.folder / ".selected.json").write_text(json.dumps([test.name for test in tests]))
        files = list(dict.fromkeys(test.file for test in tests))
        code, said = self._pytest(["-x", *files], seconds)
        if code is None:
            return "hung"
        if code in (0, NO_TEST):
            return ""
        failed = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return failed[0].partition(" ")[2].partition(" - ")[0] if failed else f"pytest ended with {code}"

    def stop(self) -> None:
        """End the run that is under way, and what a test left running in its process group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _pytest(self, arguments: Sequence[str], seconds: float) -> tuple[int | None, str]:
        scratch = self.folder / ".scratch"
        scratch.mkdir(exist_ok=True)
        options = ["-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "mutants_plugin"]
        options += ["-m", "not long and not interop", "--hypothesis-seed=0", f"--basetemp={scratch}/pytest"]
        command = [sys.executable, "-m", "pytest", *options, *arguments]
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
            )
            self._process = process
            try:
                code: int | None = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                self.stop()
                process.wait()
                self._process = None
            output.seek(0)
            said = output.read().decode(errors="replace")
        shutil.rmtree(scratch, ignore_errors=True)
        return code, said


def limit_files() -> None:
    """For this process and all that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, most))
