# SPDX-License-Identifier: Apache-2.0
"""Volumes being written: each has its ``.partial``; at the end all are read back, their checksums written, and only
then do they get their names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from airgap.bundle.media.file import begin_partial, partial_of, reopen_partial, reserve
from airgap.bundle.media.sums import read_sums, sha256_of, sums_of, sums_text
from airgap.durable import publish, replace_file, write_at, writing
from airgap.errors import DigestMismatch


class VolumeDraft:
    """``paths`` are all volumes' names; ``only`` is the index of the one to write, ``None`` for all."""

    def __init__(
        self, path: Path, paths: Sequence[Path], total: int, each: int, *, only: int | None = None, resume: bool = False
    ) -> None:
        self.path = path
        self.ordered = False
        self._paths = list(paths)
        self._each = each
        self._sizes = [max(0, min(each, total - number * each)) for number in range(len(paths))]
        self._wanted = range(len(paths)) if only is None else range(only, only + 1)
        self._only = only
        self._fds: dict[int, int] = {}
        try:
            for number in self._wanted:
                self._open(number, resume=resume)
            for number, fd in self._fds.items():
                with writing(self._paths[number]):
                    self.ordered |= not reserve(fd, self._sizes[number], self._paths[number])
        except BaseException:
            if resume:
                self.keep()
            else:
                self.discard()
            raise

    def _open(self, number: int, *, resume: bool) -> None:
        path, trusted = self._paths[number], bool(self._fds) or resume
        fd = reopen_partial(path, self._sizes[number], trusted=True) if resume else None
        if fd is None:
            fd = begin_partial(path, trusted=trusted)
            with writing(path):
                os.ftruncate(fd, 0)
        self._fds[number] = fd

    def write(self, piece: memoryview, offset: int) -> None:
        for number, at, start, end in self._parts(len(piece), offset):
            if number in self._fds:
                with writing(self._paths[number]):
                    write_at(self._fds[number], piece[start:end], at)

    def read(self, count: int, offset: int) -> bytes:
        found = []
        for number, at, start, end in self._parts(count, offset):
            if number not in self._fds:
                break
            with writing(self._paths[number]):
                found.append(os.pread(self._fds[number], end - start, at))
        return b"".join(found)

    def holds(self, offset: int, end: int) -> bool:
        """Whether any of these bytes are of a volume that is written."""
        return any(number in self._fds for number, *_ in self._parts(end - offset, offset))

    def cut(self, offset: int) -> int:
        return offset

    def sync(self) -> None:
        for number, fd in self._fds.items():
            with writing(self._paths[number]):
                os.fdatasync(fd)

    def finish(self) -> None:
        sums = []
        for number, fd in self._fds.items():
            with writing(self._paths[number]):
                os.ftruncate(fd, self._sizes[number])
                os.fsync(fd)
                sums.append((self._paths[number].name, sha256_of(fd)))
        self._check_or_write(sums)
        with writing(self.path):
            for number, fd in self._fds.items():
                publish(fd, partial_of(self._paths[number]), self._paths[number])
        self.keep()

    def _check_or_write(self, sums: list[tuple[str, str]]) -> None:
        target = sums_of(self.path)
        if self._only is None:
            with writing(target):
                replace_file(target, sums_text(sums))
            return
        known = read_sums(target)
        for name, digest in sums:
            if known.get(name, digest) != digest:
                raise DigestMismatch(
                    f"{name} hashes to {digest}, and {target.name} says {known[name]}",
                    where=str(self.path.parent),
                    hint="the lock, the resource files or airgap's version differ from when the bundle was made",
                )

    def keep(self) -> None:
        fds, self._fds = self._fds, {}
        for fd in fds.values():
            os.close(fd)

    def discard(self) -> None:
        for number in self._fds:
            with contextlib.suppress(OSError):
                partial_of(self._paths[number]).unlink()
        self.keep()

    def _parts(self, count: int, offset: int) -> Iterator[tuple[int, int, int, int]]:
        """Volume, offset in it, and the range of a piece of ``count`` bytes that lies there."""
        start = 0
        while start < count:
            number, at = divmod(offset + start, self._each)
            end = min(count, start + self._each - at)
            yield number, at, start, end
            start = end
