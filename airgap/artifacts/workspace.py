# SPDX-License-Identifier: Apache-2.0
"""What resolvers work with: a folder of their own, HTTP, and programs without a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap import limits
from airgap.artifacts.web import WebServer
from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.records import Record, field

if TYPE_CHECKING:
    from airgap.registry import Credential, Registries
    from airgap.transfer import Context

#: The suffix of the folder beside a bundle in which its artifacts are fetched, and the part of it with whole files.
FOLDER_SUFFIX = ".artifacts"
FETCHED = "files"
#: Seconds that a resolver may take.
_TIMEOUT = 3600.0
_POLL_SECONDS = 0.2
#: Bytes at the end of what a program prints that are looked at for its messages.
_SHOWN_OUTPUT = 20_000
_SECRET_IN_URL = re.compile(r"://[^/\s@]+@")


class ResolverFailed(ResourceError):
    """A program that resolves dependencies has failed; ``output`` is the end of what it printed, its errors last."""

    output = ""


class Workspace(Record, frozen=False, eq=False):
    """One run's folder for files that are fetched, and the means of its resolvers.

    ``folder`` is kept when a run is stopped and removed when its bundle is done.
    """

    folder: Path
    registries: Registries
    context: Context
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _servers: dict[tuple[str, Credential | None], WebServer] = field(default_factory=dict)
    _url_locks: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url_lock(self, url: str) -> threading.Lock:
        """Return the lock to hold while the file of an address is fetched: two artifacts may share it."""
        with self._lock:
            return self._url_locks.setdefault(url, threading.Lock())

    def subfolder(self, name: str) -> Path:
        """Return a folder of this workspace, made if it is missing."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def server(self, url: str, credential: Credential | None = None) -> WebServer:
        """Return the server at an address; the same one for the same arguments."""
        with self._lock:
            key = (url, credential)
            if key not in self._servers:
                self._servers[key] = WebServer.at(self.registries, url, credential)
            return self._servers[key]

    def program(self, *names: str) -> str | None:
        """Return the path of the first of these programs that is there, or ``None``."""
        path = self.environment.get("PATH")
        return next((found for name in names if (found := shutil.which(name, path=path))), None)

    def run(
        self,
        command: Sequence[str],
        *,
        where: str,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> bytes:
        """Run a program without standard input, and return its standard output.

        ``environment`` is added to the user's. Raises :class:`ResolverFailed` if it fails or takes more than an hour;
        Ctrl-C ends it.
        """
        whole = {**self.environment, **(environment or {})}
        out, errors = self.subfolder("output") / "stdout", self.subfolder("output") / "stderr"
        with out.open("wb") as stdout, errors.open("wb") as stderr:
            try:
                process = subprocess.Popen(
                    list(command), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=whole,
                    cwd=folder or self.folder, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise ResourceError(
                    tr("{program} cannot be run: {strerror}", program=command[0], strerror=error.strerror), where=where
                ) from error
            try:
                self._wait(process, os.path.basename(command[0]), (out, errors), where)
            except BaseException:
                _kill(process)
                raise
        if process.returncode:
            raise _failure(command[0], process.returncode, _end_of(errors), _end_of(out), where)
        return out.read_bytes()

    def _wait(self, process: subprocess.Popen[bytes], program: str, outputs: Sequence[Path], where: str) -> None:
        most, waited, running = limits.value("resolver-bytes"), 0.0, True
        while running:
            try:
                process.wait(_POLL_SECONDS)
                running = False
            except subprocess.TimeoutExpired:
                self.context.cancel.check()
                waited += _POLL_SECONDS
                if waited >= _TIMEOUT:
                    raise ResourceError(tr("{program} was not done in an hour", program=program), where=where) from None
            if sum(path.stat().st_size for path in outputs) > most:
                raise ResourceError(
                    tr("{program} prints more than {most:,} bytes", program=program, most=most),
                    where=where,
                    hint=limits.hint("resolver-bytes"),
                )


def without_secrets(text: str) -> str:
    """Return ``text`` without the users and passwords of addresses in it."""
    return _SECRET_IN_URL.sub("://", text)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(program: str, code: int, errors: bytes, output: bytes, where: str) -> ResolverFailed:
    told = _lines(errors) or _lines(output)
    telling = [line for line in told if re.match(r"(?i)(npm )?(err|error|e:)", line)] or told
    error = ResolverFailed(
        tr(
            "{program} failed with exit code {code}: {said}",
            program=os.path.basename(program),
            code=code,
            said=" / ".join(telling[-3:])[:600] or tr("it printed nothing"),
        ),
        where=where,
    )
    error.output = "\n".join((*_lines(output), *_lines(errors)))
    return error


def _end_of(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _SHOWN_OUTPUT))
        return file.read(_SHOWN_OUTPUT)


def _lines(printed: bytes) -> list[str]:
    lines = without_secrets(printed.decode(errors="replace")).splitlines()
    return [line.strip() for line in lines if line.strip()]
