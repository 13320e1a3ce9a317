# SPDX-License-Identifier: Apache-2.0
"""Runs a program on each file: ``{}`` in its command line is the file's path, ``-`` at the end standard input.

Exit code 0 means that nothing was found, 1 a finding, anything else a failure, as for clamscan and grep's relatives.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import threading
import time

from airgap import limits
from airgap.dossier.scanning.engine import EngineIdentity
from airgap.dossier.scanning.spool import Spool
from airgap.dossier.scanning.unscannable import Unscannable
from airgap.errors import ScanFailure, UsageError
from airgap.formatting import escaped
from airgap.i18n import tr

_PLACEHOLDER = "{}"
_STANDARD_INPUT = "-"
_MOST_OUTPUT = 64 * 1024
_LONGEST_MESSAGE = 300


class Command:
    """``line`` is a command line in the words of a POSIX shell; no shell runs.

    Raises :class:`UsageError` for a line without a place for the file, and for a program that is not there.
    """

    def __init__(self, line: str) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(tr("cannot be read: {error}", error=error), where="--command") from None
        self._reads_input = words[-1:] == [_STANDARD_INPUT]
        self.named_files = not self._reads_input
        if not words or (self.named_files and not any(_PLACEHOLDER in word for word in words[1:])):
            raise UsageError(
                tr("it has no place for the file"),
                where=escaped(line),
                hint=tr("write '{}' where the path belongs, or end it in - for standard input"),
            )
        if shutil.which(words[0]) is None:
            raise UsageError(tr("{program} is not on the PATH", program=words[0]), where="--command")
        self._line, self._words = line, words
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._aborted = False

    def identify(self) -> EngineIdentity:
        """Return the command line as the name."""
        return EngineIdentity(escaped(self._line))

    def abort(self) -> None:
        """Kill the programs that are running or being started, with what they have started."""
        with self._lock:
            self._aborted = True
            for group in self._running:
                _kill(group)

    def accepts(self, size: int) -> bool:
        """Say yes: a program that cannot scan a file ends with an exit code that says so."""
        return True

    def scan(self, spool: Spool) -> str:
        """Run the program. Raises :class:`Unscannable` if it fails, :class:`ScanFailure` if it cannot be started."""
        words = [word.replace(_PLACEHOLDER, spool.name) if self.named_files else word for word in self._words]
        try:
            process = subprocess.Popen(
                words,
                stdin=spool.fileno() if self._reads_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for airgap, which then ends the program
            )
        except OSError as error:
            raise ScanFailure(
                tr("{program} cannot be run: {reason}", program=words[0], reason=error.strerror or error)
            ) from error
        seconds = limits.value("scan-time")
        with process:
            with self._lock:
                self._running.add(process.pid)
                if self._aborted:  # while the program was being started
                    _kill(process.pid)
            try:
                output = _read(process, time.monotonic() + seconds)
                code = process.wait(seconds)
            except (TimeoutError, subprocess.TimeoutExpired):
                raise Unscannable("engine", tr("no answer after {seconds} s", seconds=seconds)) from None
            finally:
                with self._lock:
                    self._running.discard(process.pid)
                if process.poll() is None:
                    _kill(process.pid)
        message = _last_line(output)
        if code == 1:
            return message or tr("reported by {program}", program=self._words[0])
        if code:
            raise Unscannable(
                "engine",
                tr("{program} ended with exit code {code}: {message}", program=words[0], code=code, message=message),
            )
        return ""


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return the end of what the program prints. Raises TimeoutError at the ``deadline``."""
    assert process.stdout is not None
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            piece = os.read(process.stdout.fileno(), _MOST_OUTPUT)
            if not piece:
                return output
            output = (output + piece)[-_MOST_OUTPUT:]
    raise TimeoutError


def _last_line(output: bytes) -> str:
    lines = [line for line in output.decode(errors="backslashreplace").splitlines() if line.strip()]
    return escaped(lines[-1].strip()[:_LONGEST_MESSAGE]) if lines else ""


def _environment() -> dict[str, str]:
    """Return the environment without what this program's own variables hold, passwords among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRGAP_")}
