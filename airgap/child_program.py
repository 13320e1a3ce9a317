# SPDX-License-Identifier: Apache-2.0
"""Runs another program, and bounds what it prints while it prints it, and its time.

A program that prints without end is killed as soon as it is past the limit; nothing beyond it is kept.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Collection, Mapping, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

from airgap.i18n import tr

if TYPE_CHECKING:
    import subprocess

#: Bytes of standard error that are kept: the last ones, since messages end with what matters.
ERROR_BYTES = 64 * 1024
_PIECE = 64 * 1024


class Finished(NamedTuple):
    """How a program has ended: its exit code, standard output, and the end of standard error."""

    returncode: int
    stdout: bytes
    stderr: bytes


class TooMuchOutput(Exception):
    """A program has printed more than ``most`` bytes, and was killed."""

    def __init__(self, most: int) -> None:
        super().__init__(tr("more than {most:,} bytes of output", most=most))
        self.most = most


class TooSlow(Exception):
    """A program has not ended in time, and was killed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(tr("not done after {seconds} seconds", seconds=round(seconds)))


def run(
    command: Sequence[str],
    *,
    most: int,
    seconds: float,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    pass_fds: Collection[int] = (),
) -> Finished:
    """Run a program without a shell or a terminal, with ``stdin`` as its input.

    Raises OSError if it cannot be started, :class:`TooMuchOutput` past ``most`` bytes of standard output, and
    :class:`TooSlow` after ``seconds``.
    """
    import subprocess

    pipe = subprocess.PIPE
    given = pipe if stdin else subprocess.DEVNULL
    process = subprocess.Popen(
        list(command), stdin=given, stdout=pipe, stderr=pipe, env=environment, pass_fds=tuple(pass_fds)
    )
    try:
        output, errors = _exchange(process, stdin, most, seconds)
    except BaseException:
        process.kill()
        raise
    finally:
        # Not until the pipes end: a program that it has started may hold them open.
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()
    return Finished(process.returncode, output, errors)


def _exchange(process: subprocess.Popen[bytes], stdin: bytes, most: int, seconds: float) -> tuple[bytes, bytes]:
    """Send the input, and return standard output and the end of standard error once the program has ended."""
    import subprocess

    assert process.stdout is not None
    assert process.stderr is not None
    deadline = time.monotonic() + seconds
    output, size, errors = [], 0, b""
    with selectors.DefaultSelector() as selector:
        unsent = memoryview(stdin)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        for stream in (process.stdout, process.stderr):
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TooSlow(seconds)
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    unsent = unsent[_write(process.stdin, unsent) :]
                    if not unsent:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif not (piece := os.read(key.fd, _PIECE)):
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    output.append(piece)
                    size += len(piece)
                    if size > most:
                        raise TooMuchOutput(most)
                else:
                    errors = (errors + piece)[-ERROR_BYTES:]
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TooSlow(seconds) from None
    return b"".join(output), errors


def _write(stream: IO[bytes], text: memoryview) -> int:
    """Write a part of ``text``; return its length. A program that reads nothing more has taken all of it."""
    try:
        return os.write(stream.fileno(), text)
    except BrokenPipeError:
        return len(text)
