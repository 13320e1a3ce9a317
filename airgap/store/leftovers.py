# SPDX-License-Identifier: Apache-2.0
"""Temporary files of a layout folder: made and locked in one step, and swept when no living process holds them.

A killed process leaves the file of a push that it had begun. Each such file is locked (flock) by its process, so what
can be locked by another is left over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from pathlib import Path

from airgap.durable.files import is_same_file
from airgap.store.layout_index import IndexFile

_PUSH = ".push-"
#: Blobs that an interrupted garbage collection had put aside.
ASIDE = ".gc-"
_NAME = re.compile(r"\.(?:push|airgap|airgap-new|airgap-upload)-[a-z0-9_]{8}", re.ASCII)
_ASIDE_NAME = re.compile(r"\.gc-([0-9a-f]{32,128})", re.ASCII)


def create_temporary(folder: Path) -> tuple[int, Path]:
    """Create a file to write a blob to, and lock it. Raises OSError."""
    while True:
        fd, name = tempfile.mkstemp(prefix=_PUSH, dir=folder)
        path = Path(name)
        try:
            with contextlib.suppress(BlockingIOError):
                _lock(fd)
                if is_same_file(fd, path):
                    return fd, path
        except OSError:  # a file system without locks; leftovers are then not swept either
            return fd, path
        os.close(fd)  # a sweep came between, and has removed it or is about to


def sweep_leftovers(folder: Path) -> int:
    """Remove the temporary files that killed processes left in a layout folder; return how many bytes that freed.

    Other processes may use the layout meanwhile. Raises OSError.
    """
    freed = 0
    for algorithm in _folders(folder / "blobs"):
        for path in _entries(algorithm):
            aside = _ASIDE_NAME.fullmatch(path.name)
            if aside:
                # It may have been put aside in the moment in which a client was told of it: keep it.
                _put_back(path, algorithm / aside[1])
            elif _NAME.fullmatch(path.name):
                freed += _remove_if_unused(path)
    # Those for index.json are written under the lock of the index.
    with IndexFile(folder).locked():
        for path in _entries(folder):
            if _NAME.fullmatch(path.name):
                freed += _remove_if_unused(path)
    return freed


def _remove_if_unused(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return 0
        _lock(fd)
        if not is_same_file(fd, path):
            return 0
        path.unlink()
        return status.st_size
    except OSError:  # locked by a living process, or no locks here
        return 0
    finally:
        os.close(fd)


def _put_back(path: Path, blob: Path) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode):
            os.rename(path, blob)


def _folders(path: Path) -> list[Path]:
    return [entry for entry in _entries(path) if entry.is_dir() and not entry.is_symlink()]


def _entries(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            return sorted(Path(entry) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _lock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
