# SPDX-License-Identifier: Apache-2.0
"""A tar as byte ranges of several files, which may lie on several media, or come one after another in one drive."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from airgap.bundle.media.base import Pieces, translate_read_errors
from airgap.bundle.media.file import BlobRange, open_regular
from airgap.bundle.media.naming import siblings_of
from airgap.errors import BundleError
from airgap.records import Record
from airgap.store.protocols import Reader

Ask = Callable[[Path], "Path | None"]
"""Told where a volume should be and is not, gives the path where it now is; ``None`` gives up."""


class _Volume(Record, frozen=False):
    path: Path
    fd: int = -1


class VolumesMedium:
    """All volumes of one bundle. Without ``ask`` they must all be there; with it, missing ones are asked for when
    they are read, one at a time, and a volume is closed before the next is asked for, so that it can be taken out."""

    def __init__(self, paths: Sequence[Path], ask: Ask | None = None) -> None:
        self._volumes = [_Volume(path) for path in paths]
        self._ask = ask
        self._lock = threading.RLock()
        self.where = str(paths[0])
        missing = [path.name for path in paths if not path.exists()]
        self.ordered = bool(missing)
        try:
            if missing and ask is None:
                raise _missing(missing, len(paths))
            # All but the last have the first one's size, and the first one's head tells the whole.
            self._each = self._opened(0)[1]
            self._starts = [number * self._each for number in range(len(paths))]
            self.size: int | None = None if missing else self._check_sizes()
        except BaseException:
            self.close()
            raise

    def pread(self, count: int, offset: int) -> bytes:
        parts = []
        while count > 0 and offset < len(self._volumes) * self._each:
            number = self._at(offset)
            at = offset - self._starts[number]
            with translate_read_errors(str(self._volumes[number].path), at), self._lock:
                part = os.pread(self._opened(number)[0], min(count, self._each - at), at)
            if not part:
                break
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return b"".join(parts)

    def open(self, offset: int, length: int) -> Reader:
        first, last = self._at(offset), self._at(offset + max(length, 1) - 1)
        if first == last and not self.ordered:
            fd, _ = self._opened(first)
            return BlobRange(fd, offset - self._starts[first], length, where=str(self._volumes[first].path))
        return Pieces(self.pread, offset, length, self.where)

    def files_of(self, offset: int, length: int) -> Sequence[str]:
        first, last = self._at(offset), self._at(offset + max(length, 1) - 1)
        return [str(volume.path) for volume in self._volumes[first : last + 1]]

    def expect(self, total: int) -> None:
        count = -(-total // self._each)
        more = [self._named(number) for number in range(len(self._volumes), count)]
        if more and self._ask is None:
            raise _missing([path.name for path in more], count)
        for path in more:
            self._starts.append(len(self._volumes) * self._each)
            self._volumes.append(_Volume(path))
            self.ordered, self.size = True, None
        if self.size is not None and self.size < total:
            raise BundleError(
                f"cut short: the volumes have {self.size:,} bytes together and should have {total:,}",
                where=str(self._volumes[-1].path),
                hint="copy it once more from the other side",
            )

    def _named(self, number: int) -> Path:
        first = self._volumes[0].path
        base, _, digits = first.name.rpartition(".")
        return first.with_name(f"{base}.{number + 1:0{len(digits)}}")

    def close(self) -> None:
        for volume in self._volumes:
            if volume.fd >= 0:
                os.close(volume.fd)
                volume.fd = -1

    def _at(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def _opened(self, number: int) -> tuple[int, int]:
        volume = self._volumes[number]
        with self._lock:
            if volume.fd < 0:
                if not volume.path.exists():
                    self.close()
                    self._await(volume)
                volume.fd, size = open_regular(volume.path)
            else:
                size = os.fstat(volume.fd).st_size
        return volume.fd, size

    def _await(self, volume: _Volume) -> None:
        while self._ask is not None:
            found = self._ask(volume.path)
            if found is None:
                break
            if found.exists():
                volume.path = found
                return
        raise BundleError(
            f"the volume {volume.path.name} is missing",
            where=str(volume.path.parent),
            hint="put it there and run the same command again",
        )

    def _check_sizes(self) -> int:
        total = 0
        for number, volume in enumerate(self._volumes):
            size = self._opened(number)[1]
            last = number == len(self._volumes) - 1
            if size > self._each or (not last and size != self._each):
                raise BundleError(
                    f"this volume has {size:,} bytes and should have {self._each:,}",
                    where=str(volume.path),
                    hint="copy it once more from the other side",
                )
            total += size
        return total


def _missing(names: Sequence[str], count: int) -> BundleError:
    return BundleError(
        f"{len(names)} of {count} volumes are missing: {', '.join(names)}",
        hint="put them beside the others, or name each of them where it lies",
    )


def volumes_from(paths: Sequence[Path], ask: Ask | None = None) -> VolumesMedium | None:
    """The volumes that one or several given ``paths`` belong to, ``None`` if the only one is no volume. Of several,
    each may lie in a folder of its own, and none need lie beside the one with the highest number."""
    known = [found for path in paths if path.parent.is_dir() and (found := siblings_of(path)) is not None]
    if not known:
        if len(paths) > 1:
            raise BundleError(
                f"{paths[0].name} is no volume of a bundle", hint="several files are given for volumes alone, .001 …"
            )
        return None
    siblings = max(known, key=len)
    given: Mapping[str, Path] = {path.name: path for path in paths}
    if strangers := sorted(given.keys() - {path.name for path in siblings}):
        raise BundleError(f"{', '.join(strangers)} belongs to another bundle than {siblings[0].name}")
    return VolumesMedium([given.get(path.name, path) for path in siblings], ask)
