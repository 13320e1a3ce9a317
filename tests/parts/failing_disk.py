# SPDX-License-Identifier: Apache-2.0
"""``airgap`` on a disk that fails.

``python -m tests.parts.failing_disk MODE COUNT MARKER ARGUMENTS...`` runs the command line; of the calls that make,
move, remove or sync a file, number COUNT fails. MARKER is a file that is made when that happens, so that a caller can
count up until there is no such call any more.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

#: The process is killed before the call; the call fails with ENOSPC.
KILLED, FULL = "killed", "full"
MODES = (KILLED, FULL)
_CALLS = ("rename", "replace", "link", "unlink", "remove", "fsync", "fdatasync", "ftruncate")


class Disk:
    """Counts the calls and breaks one of them."""

    def __init__(self, mode: str, count: int, marker: str) -> None:
        self._mode, self._left, self._marker = mode, count, marker

    def install(self) -> None:
        """Replace the functions of :mod:`os` by ones that are counted."""
        for name in _CALLS:
            setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left:
                return function(*arguments, **more)
            with open(self._marker, "wb"):
                pass
            if self._mode == FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return os.kill(os.getpid(), signal.SIGKILL)

        return counted


if __name__ == "__main__":
    mode, count, marker, *arguments = sys.argv[1:]
    sys.argv = ["airgap", *arguments]
    from airgap.cli import main

    Disk(mode, int(count), marker).install()
    main()
