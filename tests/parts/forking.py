# SPDX-License-Identifier: Apache-2.0
"""A Python that has read airgap's modules already, and runs command lines without reading them again.

Each run is a process of its own, with the given environment, working folder and pipes, ended by its own exit code;
but it is forked from one that has imported everything, which saves most of the time that a short command takes.
What only a fresh interpreter shows is not proven by it: an import that is missing, what Python reads when it starts
and takes apart when it ends, peak memory.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import itertools
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.parts.service import clean_environment

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "airgap"
#: What the program imports only where it needs it.
LAZY = (
    "cheroot.server",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "ctypes",
    "encodings.idna",
    "http.client",
    "httpx",
    "minisign",
    "rich.console",
    "rich.live",
    "rich.progress",
    "yaml",
    "zstandard",
)
#: Arguments and environment are one message of at most so many bytes.
_LONGEST = 100_000
_NUMBER = struct.Struct("<i")


class Prepared:
    """The process that forks. It ends when this end of the channel is closed, or is gone."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            environment = clean_environment(ROOT, PYTHONPATH=str(ROOT))
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, cwd=ROOT, env=environment, pass_fds=[theirs.fileno()]
            )

    def run(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        stdin: bytes | None = None,
        timeout: float = 60,
        module: str = PROGRAM,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run ``python -m module`` as ``subprocess.run`` does it with captured output; standard input is ``/dev/null``
        if nothing is given.

        Raises :class:`subprocess.TimeoutExpired` after ``timeout`` seconds, once the process has been killed.
        """
        words = json.dumps([module, list(arguments), dict(environment), str(folder)]).encode()
        streams = [(os.open(os.devnull, os.O_RDONLY), -1) if stdin is None else os.pipe(), *(os.pipe() for _ in "123")]
        theirs, ours = [streams[0][0], *(write for _, write in streams[1:])], [read for read, _ in streams[1:]]
        socket.send_fds(self._channel, [words], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        said = [b"", b""]
        work: list[Callable[[], None]] = [
            functools.partial(_read, ours[0], said, 0),
            functools.partial(_read, ours[1], said, 1),
        ]
        if stdin is not None:
            work.append(functools.partial(_write, streams[0][1], stdin))
        threads = [threading.Thread(target=one, daemon=True) for one in work]
        for thread in threads:
            thread.start()
        with os.fdopen(ours[2], "rb", 0) as status:
            pid = _NUMBER.unpack(status.read(_NUMBER.size))[0]
            late = not _readable(status.fileno(), timeout)
            if late:
                os.kill(pid, signal.SIGKILL)
            code = _NUMBER.unpack(status.read(_NUMBER.size))[0]
        for thread in threads:
            thread.join()
        if late:
            raise subprocess.TimeoutExpired(list(arguments), timeout, *said)
        return subprocess.CompletedProcess(list(arguments), code, *said)

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._process.wait()


@functools.cache
def _both() -> itertools.cycle[Prepared]:
    # Each has a hash seed of its own, so what depends on the order of a set differs from one run to the next.
    return itertools.cycle((Prepared(), Prepared()))


def prepared() -> Prepared:
    """One of two that this test process keeps, in turn; they end with it."""
    return next(_both())


def _read(descriptor: int, said: list[bytes], place: int) -> None:
    with os.fdopen(descriptor, "rb") as file:
        said[place] = file.read()


def _write(descriptor: int, content: bytes) -> None:
    # A command may end before it has read everything.
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _serve(channel: socket.socket) -> str:
    """Fork for each request. Returns in the child, which then runs the module that is returned; ends the process when
    nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    #: What becomes readable when a child ends: the child, and where its end is told.
    children: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    while True:
        for readable, _ in poll.poll():
            if readable != channel.fileno():
                pid, status = children.pop(readable)
                _tell(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                poll.unregister(readable)
                os.close(readable)
                os.close(status)
                continue
            words, descriptors, _, _ = socket.recv_fds(channel, _LONGEST, 4)
            if not words:
                os._exit(0)
            *streams, status = descriptors
            pid = os.fork()
            if not pid:
                for descriptor in (status, *children, *(other for _, other in children.values())):
                    os.close(descriptor)
                channel.close()
                module, *request = json.loads(words)
                arguments, environment, folder = request
                _become(arguments, environment, folder, streams)
                return str(module)
            _tell(status, pid)
            ended = os.pidfd_open(pid)
            children[ended] = (pid, status)
            poll.register(ended, select.POLLIN)
            for descriptor in streams:
                os.close(descriptor)


def _tell(descriptor: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, _NUMBER.pack(number))


def _become(arguments: list[str], environment: dict[str, str], folder: str, descriptors: Sequence[int]) -> None:
    """What a fresh interpreter is given: signals, environment, folder, arguments, standard streams."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv[1:] = arguments
    for number, (name, descriptor) in enumerate(zip(("stdin", "stdout", "stderr"), descriptors, strict=True)):
        os.dup2(descriptor, number)
        os.close(descriptor)
        old = getattr(sys, name)
        raw = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115 - stays open to the end
        new = io.TextIOWrapper(raw, old.encoding, old.errors, line_buffering=old.line_buffering)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


class _Ending:
    """Ends the process once its threads and exit functions are done, as Python would, but without taking every module
    apart: that would be most of the time of a short command."""

    code: int | None = None

    def __call__(self) -> None:
        if self.code is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # Python has its own words and exit code for this
        os._exit(self.code)


def main() -> None:
    ending = _Ending()
    atexit.register(ending)  # the first to be registered is the last to be called
    for found in pkgutil.walk_packages(importlib.import_module(PROGRAM).__path__, f"{PROGRAM}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for name in LAZY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    module = _serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        ending.code = ended.code if isinstance(ended.code, int) else None
        raise


if __name__ == "__main__":
    main()
