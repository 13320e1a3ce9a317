# SPDX-License-Identifier: Apache-2.0
"""Reading a tar from volumes, which may lie on several media or be inserted into one drive in turn."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from airgap.bundle.media.base import PreadReader
from airgap.bundle.media.file import BlobRange, open_regular_file
from airgap.bundle.media.volume_names import is_parity_name, sibling_volumes, volumes_called
from airgap.durable import require_file
from airgap.errors import BundleError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import Record
from airgap.store.protocols import Reader
from airgap.store.readers import translate_read_errors

AskForVolume = Callable[[Path], "Path | None"]
"""Gets the path at which a volume is missing, and returns the path where it now is, or ``None`` to give up."""


class _Volume(Record, frozen=False):
    """``fd`` is -1 while the file is closed. ``found`` is set if airgap has found the path, and nobody has named it."""

    path: Path
    found: bool
    fd: int = -1


class VolumesMedium:
    """All volumes of one bundle. Made by :meth:`open`. Thread-safe.

    All volumes but the last have the same size, ``volume_size`` in bytes. Without ``ask`` all of them must exist.
    With it, ``ask`` is called for a missing volume when it is read; before that all files are closed, so that the
    medium in the drive can be taken out. With ``partial`` only the first must exist, and the others are never read.

    ``named`` are the paths that the user has named, all of them by default. The others were found beside them, and may
    be no links: a stranger's medium could otherwise have a file of this machine served as part of a bundle.
    """

    def __init__(
        self, paths: Sequence[Path], ask: AskForVolume | None = None, named: Collection[Path] | None = None
    ) -> None:
        self.where = str(paths[0])
        self.ordered = False
        self.size: int | None = None
        self._volumes = [_Volume(path, named is not None and path not in named) for path in paths]
        self._ask = ask
        self._lock = threading.RLock()
        self._volume_size = 0
        #: The offset in the tar at which each volume begins.
        self._starts: list[int] = []
        #: The numbers, from 0, of the volumes that are missing and are not asked for.
        self._absent: frozenset[int] = frozenset()

    @classmethod
    def open(
        cls,
        paths: Sequence[Path],
        ask: AskForVolume | None = None,
        named: Collection[Path] | None = None,
        *,
        partial: bool = False,
    ) -> VolumesMedium:
        """Open the volumes ``paths``. Raises :class:`BundleError` where one is missing or has a wrong size."""
        medium = cls(paths, ask, named)
        missing = [path.name for path in paths if not path.exists()]
        medium.ordered = bool(missing) and not partial
        if partial:
            medium._absent = frozenset(number for number, path in enumerate(paths) if path.name in missing)
        try:
            if missing and ask is None and not partial:
                raise _missing_volumes(missing, paths)
            medium._volume_size = medium._file(0)[1]
            medium._starts = [number * medium._volume_size for number in range(len(paths))]
            medium.size = None if missing else medium._total_size()
        except BaseException:
            medium.close()
            raise
        return medium

    def pread(self, count: int, offset: int) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the tar ends. Raises :class:`BundleError`."""
        parts = []
        while count > 0 and offset < len(self._volumes) * self._volume_size:
            number = self._volume_at(offset)
            position = offset - self._starts[number]
            with translate_read_errors(str(self._volumes[number].path), position), self._lock:
                part = os.pread(self._file(number)[0], min(count, self._volume_size - position), position)
            if not part:
                break
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return b"".join(parts)

    def open_range(self, offset: int, length: int) -> Reader:
        """Open a reader; if the bytes lie in one volume and none is missing, it can hand its file to ``sendfile``."""
        first, last = self._volume_at(offset), self._volume_at(offset + max(length, 1) - 1)
        if first == last and not self.ordered:
            fd, _ = self._file(first)
            return BlobRange(fd, offset - self._starts[first], length, where=str(self._volumes[first].path))
        return PreadReader(self.pread, offset, length, self.where)

    def files_at(self, offset: int, length: int) -> Sequence[str]:
        """Return the paths of the volumes that store these bytes."""
        first, last = self._volume_at(offset), self._volume_at(offset + max(length, 1) - 1)
        return [str(volume.path) for volume in self._volumes[first : last + 1]]

    @property
    def partial(self) -> bool:
        """Whether volumes are missing that are not asked for."""
        return bool(self._absent)

    def lacks(self, offset: int, end: int) -> bool:
        """Whether some of these bytes lie in a volume that is missing and is not asked for."""
        return any(number in self._absent for number in range(self._volume_at(offset), self._volume_at(end - 1) + 1))

    def expect_size(self, total: int) -> None:
        """Add the volumes that a tar of ``total`` bytes must have besides the known ones.

        Raises :class:`BundleError` if they are missing and there is nobody to ask, or if the last volume is too short.
        """
        count = -(-total // self._volume_size)
        further = [self._path_of(number) for number in range(len(self._volumes), count)]
        if further and self._ask is None:
            raise _missing_volumes([path.name for path in further], [volume.path for volume in self._volumes], count)
        for path in further:
            self._starts.append(len(self._volumes) * self._volume_size)
            self._volumes.append(_Volume(path, found=True))
            self.ordered, self.size = True, None
        if self.size is not None and self.size < total:
            raise BundleError(
                tr(
                    "cut short: the volumes have {size:,} bytes together and should have {total:,}",
                    size=self.size,
                    total=total,
                ),
                where=str(self._volumes[-1].path),
                hint=tr("copy it once more from the other side"),
            )

    def close(self) -> None:
        """Close all files. Closing twice does nothing."""
        for volume in self._volumes:
            if volume.fd >= 0:
                os.close(volume.fd)
                volume.fd = -1

    def _path_of(self, number: int) -> Path:
        """Return the path of a volume after the known ones."""
        first = self._volumes[0].path
        base, _, digits = first.name.rpartition(".")
        return first.with_name(f"{base}.{number + 1:0{len(digits)}}")

    def _volume_at(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def _file(self, number: int) -> tuple[int, int]:
        """Return the file descriptor and the size of a volume; open it, or ask for it, if necessary."""
        volume = self._volumes[number]
        with self._lock:
            if volume.fd < 0:
                if not volume.path.exists():
                    self.close()
                    self._ask_for(volume)
                volume.fd, size = open_regular_file(volume.path, follow=not volume.found)
            else:
                size = os.fstat(volume.fd).st_size
        return volume.fd, size

    def _ask_for(self, volume: _Volume) -> None:
        """Ask until the volume exists. Raises :class:`BundleError` where the user gives up."""
        while self._ask is not None:
            path = self._ask(volume.path)
            if path is None:
                break
            if path.exists():
                volume.path, volume.found = path, volume.found and path == volume.path
                return
        raise BundleError(
            tr("the volume {name} is missing", name=volume.path.name),
            where=str(volume.path.parent),
            hint=tr("put it there"),
            again=True,
        )

    def _total_size(self) -> int:
        """Return the size of all volumes together. Raises :class:`BundleError` for a volume of a wrong size."""
        sizes = [self._file(number)[1] for number in range(len(self._volumes))]
        for number, (volume, size) in enumerate(zip(self._volumes, sizes, strict=True)):
            # Where the room for a signature needs a volume of its own, the tar ends in the one before that.
            is_last = not any(sizes[number + 1 :])
            if size > self._volume_size or (not is_last and size != self._volume_size):
                raise BundleError(
                    tr(
                        "this volume has {size:,} bytes and should have {volume_size:,}",
                        size=size,
                        volume_size=self._volume_size,
                    ),
                    where=str(volume.path),
                    hint=tr("copy it once more from the other side"),
                )
        return sum(sizes)


#: How many missing volumes a message names.
_NAMED_VOLUMES = 100


def _missing_volumes(names: Sequence[str], paths: Sequence[Path], count: int = 0) -> BundleError:
    """The error for missing volumes of a bundle of ``count``, or as many as there are ``paths``."""
    count = count or len(paths)
    hint = tr("put them beside the others, or name each of them where it lies")
    present = next((path for path in paths if path.exists()), None)
    if present is not None and any(is_parity_name(file.name) for file in present.parent.iterdir()):
        repair = tr("airgap repair {volume} makes them again from parity", volume=quoted(present))
        hint = f"{repair}; {hint}"
    return BundleError(
        tr(
            "{names_count} of {count} volumes are missing: {names}",
            names_count=len(names),
            count=count,
            names=", ".join([*names[:_NAMED_VOLUMES], *(["…"] if len(names) > _NAMED_VOLUMES else [])]),
        ),
        hint=hint,
        again=True,
    )


def find_volumes(paths: Sequence[Path], ask: AskForVolume | None = None) -> VolumesMedium | None:
    """Open the bundle that ``paths`` are volumes of; return ``None`` if there is one path and it is no volume.

    One path may also be the bundle's own name, which no file has.

    Several paths may lie in different folders, and the other volumes need not lie beside the last one. Raises
    :class:`BundleError`, and :class:`airgap.errors.UsageError` for a given path that does not exist.
    """
    if len(paths) == 1 and (called := volumes_called(paths[0])) is not None:
        return VolumesMedium.open(called, ask, named=())
    if ask is None:
        for path in paths:
            require_file(path)
    volume_sets = [
        siblings for path in paths if path.parent.is_dir() and (siblings := sibling_volumes(path)) is not None
    ]
    if not volume_sets:
        if len(paths) > 1:
            raise BundleError(
                tr("{name} is no volume of a bundle", name=paths[0].name),
                hint=tr("several files are given for volumes alone, .001 …"),
            )
        return None
    volumes = max(volume_sets, key=len)
    given: Mapping[str, Path] = {path.name: path for path in paths}
    if unrelated := sorted(given.keys() - {path.name for path in volumes}):
        raise BundleError(
            tr(
                "{unrelated} belongs to another bundle than {name}",
                unrelated=", ".join(unrelated),
                name=volumes[0].name,
            )
        )
    return VolumesMedium.open([given.get(path.name, path) for path in volumes], ask, named=paths)
