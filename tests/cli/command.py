# SPDX-License-Identifier: Apache-2.0
"""``airgap`` as users run it: a process of its own, with an environment in which nothing is set, and registries to
run it against. What the tests of commands and flows share.

Most runs are forks of a Python that has read the modules (tests/parts/forking.py); ``fresh`` ones, and all that are
``started``, begin with an interpreter, as users' do. tests/cli/test_fresh.py runs each command so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap.oci import Descriptor
from airgap.server import Server
from airgap.store import MemoryStore
from tests.parts.forking import prepared
from tests.parts.images import Images
from tests.parts.service import clean_environment

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
TRACEBACK = re.compile(r"Traceback|this should not have happened|File \"")


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it said."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def errors(self) -> list[str]:
        """The ``error:`` lines of standard error, without that word."""
        return [line.removeprefix("error: ") for line in self.stderr.splitlines() if line.startswith("error: ")]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What ``--progress json`` told."""
        return [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]


@dataclass
class Airgap:
    """Runs commands in ``folder``; ``home`` is the user's. ``fresh``: each by an interpreter of its own."""

    folder: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    fresh: bool = False

    def started(self, *arguments: str | Path, **more: Any) -> subprocess.Popen[bytes]:
        """A process with its output in pipes, for tests that interrupt it."""
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.whole_environment(),
            **more,
        )

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "airgap", *map(str, arguments)]

    def whole_environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return clean_environment(self.home, PYTHONPATH=str(ROOT), **{**self.environment, **(more or {})})

    def run(
        self,
        *arguments: str | Path,
        code: int | None = 0,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Result:
        """Run to the end. Whatever happens there is no traceback, and the exit code is ``code`` (``None``: any)."""
        whole = self.whole_environment(environment)
        if self.fresh or self._starts_otherwise(whole):
            done = subprocess.run(
                self.command(*arguments),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                cwd=self.folder,
                env=whole,
                timeout=timeout,
                check=False,
            )
        else:
            words = [str(argument) for argument in arguments]
            done = prepared().run(words, environment=whole, folder=self.folder, stdin=stdin, timeout=timeout)
        result = Result(done.returncode, done.stdout, done.stderr.decode())
        assert not TRACEBACK.search(result.stderr), result.stderr
        assert code is None or result.code == code, f"exit code {result.code}:\n{result.stderr}\n{result.text}"
        return result

    def _starts_otherwise(self, environment: Mapping[str, str]) -> bool:
        """Whether the environment says what Python reads only when it starts."""
        usual = clean_environment(self.home, PYTHONPATH=str(ROOT))
        names = {name for name in (*usual, *environment) if name.startswith(("PYTHON", "LC_", "LANG"))}
        return any(environment.get(name) != usual.get(name) for name in names)

    def fails(self, code: int, *arguments: str | Path, **more: Any) -> Result:
        """Run to an error: the exit code, exactly one ``error:`` line, nothing on standard output."""
        result = self.run(*arguments, code=code, **more)
        assert len(result.errors) == 1, result.stderr
        assert result.stdout == b""
        return result

    def write(self, name: str, content: str | bytes) -> Path:
        """A file in the working folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def files(self) -> dict[str, bytes]:
        """Everything in the working folder: what a command changed shows by comparing."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


class Registry:
    """The embedded registry over memory, with every request kept: ``METHOD /path status``."""

    def __init__(
        self, *, store: MemoryStore | None = None, credentials: tuple[str, str] | None = None, **more: Any
    ) -> None:
        self.store = store or MemoryStore()
        self._requests: list[str] = []
        self._lock = threading.Lock()
        self.server = Server(self.store, writable=True, credentials=credentials, on_request=self._note, **more)

    def _note(self, method: str, path: str, status: int) -> None:
        with self._lock:
            self._requests.append(f"{method} {path} {status}")

    def requests(self) -> list[str]:
        """What was asked since the last call."""
        with self._lock:
            asked, self._requests = self._requests, []
        return asked

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def url(self) -> str:
        return self.server.url

    def fill(self, images: Images, names: Mapping[str, Descriptor]) -> None:
        """Put images in under ``repository:tag``, and by their digests, as a push does: a tag that moves later
        leaves them there."""
        by_digest = {f"{name.rpartition(':')[0]}@{root.digest}": root for name, root in names.items()}
        images.push_to(self.store, {**names, **by_digest})

    def refer(self, name: str) -> None:
        """Put a signature-like artifact beside ``repository:tag``."""
        images = Images(77)
        made = images.artifact(subject=self.store.resolve(name))
        images.push_to(self.store, {f"{name.rpartition(':')[0]}@{made.digest}": made})

    def digest(self, name: str) -> str:
        """What ``repository:tag`` stands for."""
        return self.store.resolve(name).digest

    def names(self) -> list[str]:
        """Every ``repository:tag``."""
        return sorted(name for name in self.store.names() if "@" not in name)

    def __enter__(self) -> Registry:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()


def pod(*images: str) -> str:
    """A Pod with one container for each image."""
    lines = ["apiVersion: v1", "kind: Pod", "metadata: {name: p}", "spec:", "  containers:"]
    for number, image in enumerate(images):
        lines += [f"  - name: c{number}", f"    image: {image}"]
    return "\n".join(lines) + "\n"


def settings(registries: Mapping[str, Mapping[str, object]], **more: object) -> str:
    """An ``airgap.yaml`` (JSON is YAML)."""
    return json.dumps({"registries": registries, **more})
