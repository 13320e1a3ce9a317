# SPDX-License-Identifier: Apache-2.0
"""Runs ``openssl`` with content that is only in memory: nothing is written to a disk, no secret is an argument."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from airgap import child_program, limits
from airgap.child_program import Finished
from airgap.errors import AirgapError
from airgap.i18n import tr

#: openssl needs a fraction of a second; a smart card may take longer.
_TIMEOUT = 120


class OpenSsl:
    """One run of ``openssl``: files for it by :meth:`file`, then :meth:`run`. Made by :func:`openssl`."""

    def __init__(self, program: str, stack: ExitStack) -> None:
        self._program = program
        self._stack = stack
        self._fds: list[int] = []

    def file(self, content: bytes = b"") -> str:
        """Return the path of a file with ``content`` that only ``openssl`` and this process see."""
        return f"/dev/fd/{self._open(content)}"

    def password(self, text: str) -> str:
        """Return the argument by which ``openssl`` reads a password that no other process sees."""
        read_end, write_end = os.pipe()
        self._stack.callback(os.close, read_end)
        self._fds.append(read_end)
        with open(write_end, "wb") as pipe:
            pipe.write(f"{text}\n".encode())
        return f"fd:{read_end}"

    def content(self, path: str) -> bytes:
        """Return what ``openssl`` has written to a path of :meth:`file`."""
        fd = int(path.rpartition("/")[2])
        return os.pread(fd, os.fstat(fd).st_size, 0)

    def without_system_authorities(self) -> list[str]:
        """Return the arguments without which ``openssl`` also trusts every authority of the system."""
        version = re.match(rb"OpenSSL (\d+)\.", self.run("version").stdout)
        return ["-no-CApath", *(["-no-CAstore"] if version is not None and int(version[1]) >= 3 else [])]

    def run(self, *arguments: str) -> Finished:
        """Run it without a terminal. Raises :class:`AirgapError` where it cannot be started or does not end."""
        try:
            return child_program.run(
                [self._program, *arguments],
                most=limits.value("program-bytes"),
                seconds=_TIMEOUT,
                environment={**os.environ, "LC_ALL": "C.UTF-8"},
                pass_fds=self._fds,
            )
        except (OSError, child_program.TooSlow, child_program.TooMuchOutput) as error:
            raise AirgapError(tr("openssl cannot be run: {error}", error=error)) from error

    def _open(self, content: bytes) -> int:
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("airgap")
            self._stack.callback(os.close, fd)
        else:
            # Other systems than Linux: an unnamed file. A password never gets here.
            file = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
            fd = self._stack.enter_context(file).fileno()
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        self._fds.append(fd)
        return fd


@contextmanager
def openssl() -> Iterator[OpenSsl]:
    """Prepare a run of ``openssl``. Raises :class:`AirgapError` where it is not installed."""
    program = shutil.which("openssl")
    if program is None:
        raise AirgapError(
            tr("signatures with certificates need the program openssl, which is not installed"),
            hint=tr("apt-get install openssl, or dnf install openssl"),
        )
    with ExitStack() as stack:
        yield OpenSsl(program, stack)
