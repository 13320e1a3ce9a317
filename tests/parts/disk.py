# SPDX-License-Identifier: Apache-2.0
"""What a disk may hold after a kill or a power cut at any moment.

:func:`recording` notes every creation, write, truncation, fsync, rename and removal below a folder, in order.
:class:`Disk` plays a prefix of them and gives the states that the file system may then be left in: what was fsynced is
there, everything later may or may not be, for each file and for the names of the folder on their own. The names are
those of POSIX, stricter than ext4: a new name is certain only after the fsync of its folder.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Operation:
    """``kind`` is ``create write truncate sync rename remove sync-folder``; ``file`` numbers files as they appear."""

    kind: str
    file: int = -1
    name: str = ""
    other: str = ""
    offset: int = 0
    content: bytes = b""
    size: int = 0


@contextlib.contextmanager
def recording(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Operation]]:
    """Note what the block does to files below ``folder``, which is flat. Files that are there already are noted first
    as created and synced."""
    operations: list[Operation] = []
    files: dict[tuple[int, int], int] = {}
    real: dict[str, Any] = {
        name: getattr(os, name)
        for name in ("open", "write", "pwrite", "ftruncate", "fsync", "fdatasync", "rename", "replace", "unlink")
    }

    def known(fd: int) -> int | None:
        found = os.fstat(fd)
        return files.get((found.st_dev, found.st_ino))

    def enter(path: Path) -> None:
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in files:
            files[found.st_dev, found.st_ino] = len(files)
            operations.append(Operation("create", len(files) - 1, path.name))

    for path in sorted(folder.iterdir()):
        enter(path)
        number = len(files) - 1
        operations.append(Operation("write", number, content=path.read_bytes()))
        operations.append(Operation("sync", number))
    operations.append(Operation("sync-folder"))

    def inside(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(path).parent == folder

    def open_(path: Any, flags: int, *more: Any, **named: Any) -> int:
        fd: int = real["open"](path, flags, *more, **named)
        if inside(path) and flags & os.O_CREAT:
            enter(Path(path))
        if inside(path) and flags & os.O_TRUNC and (number := known(fd)) is not None:
            operations.append(Operation("truncate", number))
        return fd

    def pwrite(fd: int, content: Any, offset: int) -> int:
        count: int = real["pwrite"](fd, content, offset)
        if (number := known(fd)) is not None:
            operations.append(Operation("write", number, offset=offset, content=bytes(content)[:count]))
        return count

    def write(fd: int, content: Any) -> int:
        if known(fd) is not None:
            raise AssertionError("files are written by pwrite, at a place that is known")
        count: int = real["write"](fd, content)
        return count

    def ftruncate(fd: int, size: int) -> None:
        real["ftruncate"](fd, size)
        if (number := known(fd)) is not None:
            operations.append(Operation("truncate", number, size=size))

    def sync(name: str) -> Any:
        def call(fd: int) -> None:
            real[name](fd)
            if os.path.samestat(os.fstat(fd), os.stat(folder)):
                operations.append(Operation("sync-folder"))
            elif (number := known(fd)) is not None:
                operations.append(Operation("sync", number))

        return call

    def rename(name: str) -> Any:
        def call(source: Any, target: Any) -> None:
            real[name](source, target)
            if inside(target):
                operations.append(Operation("rename", name=Path(source).name, other=Path(target).name))

        return call

    def unlink(path: Any, **named: Any) -> None:
        found = os.stat(path)
        real["unlink"](path, **named)
        # The number may be given to another file now.
        if files.pop((found.st_dev, found.st_ino), None) is not None:
            operations.append(Operation("remove", name=Path(path).name))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_)
        patch.setattr(os, "write", write)
        patch.setattr(os, "pwrite", pwrite)
        patch.setattr(os, "ftruncate", ftruncate)
        patch.setattr(os, "fsync", sync("fsync"))
        patch.setattr(os, "fdatasync", sync("fdatasync"))
        patch.setattr(os, "rename", rename("rename"))
        patch.setattr(os, "replace", rename("replace"))
        patch.setattr(os, "unlink", unlink)
        yield operations


@dataclass
class _File:
    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


class Disk:
    """The file system after some operations."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._files: dict[int, _File] = {}
        self._names: dict[str, int] = {}
        self._synced_names: dict[str, int] = {}
        for operation in operations:
            self._play(operation)

    def _play(self, operation: Operation) -> None:
        if operation.kind == "create":
            self._files[operation.file] = _File()
            self._names[operation.name] = operation.file
        elif operation.kind == "write":
            content, end = self._files[operation.file].now, operation.offset + len(operation.content)
            content.extend(bytes(max(0, end - len(content))))
            content[operation.offset : end] = operation.content
        elif operation.kind == "truncate":
            content = self._files[operation.file].now
            del content[operation.size :]
            content.extend(bytes(operation.size - len(content)))
        elif operation.kind == "sync":
            self._files[operation.file].synced = bytes(self._files[operation.file].now)
        elif operation.kind == "rename":
            self._names[operation.other] = self._names.pop(operation.name)
        elif operation.kind == "remove":
            self._names.pop(operation.name)
        else:
            self._synced_names = dict(self._names)

    def after_a_kill(self) -> dict[str, bytes]:
        """The content of each file by name: everything that was done."""
        return {name: bytes(self._files[number].now) for name, number in self._names.items()}

    def after_a_power_cut(self) -> dict[str, bytes]:
        """Only what was synced."""
        return {name: self._files[number].synced for name, number in self._synced_names.items()}

    def states(self) -> list[dict[str, bytes]]:
        """Every combination: the names as they are now or as they were synced, each file as it is now, as it was
        synced, or with half of what came last and nothing or zeros behind it; each different state once."""
        found: dict[tuple[tuple[str, bytes], ...], dict[str, bytes]] = {}
        for names in (self._names, self._synced_names):
            choices = [self._contents(self._files[number]) for number in names.values()]
            for contents in itertools.product(*choices):
                state = dict(zip(names, contents, strict=True))
                found[tuple(sorted(state.items()))] = state
        return list(found.values())

    @staticmethod
    def _contents(file: _File) -> list[bytes]:
        now = bytes(file.now)
        if now == file.synced:
            return [now]
        if len(now) <= len(file.synced):
            return [now, file.synced]
        torn = now[: (len(file.synced) + len(now)) // 2]
        return [now, file.synced, torn, torn.ljust(len(now), b"\0")]


def restore(state: dict[str, bytes], folder: Path) -> None:
    """Make ``folder`` hold these files and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in state.items():
        (folder / name).write_bytes(content)
