# SPDX-License-Identifier: Apache-2.0
"""Writing a tar as volumes.

Each volume is written as ``.partial``. At the end all are read back and their checksums written; then they are renamed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from airgap.bundle.media.checksums import checksums_path, file_sha256, format_checksums, read_checksums
from airgap.bundle.media.file import create_partial, partial_path, reopen_partial, reserve
from airgap.durable import publish, replace_file, write_at, writing
from airgap.errors import DigestMismatch
from airgap.i18n import tr
from airgap.system import sync_data, sync_file


class VolumeDraft:
    """Unfinished volumes of the bundle ``path``. Made by :meth:`open`; methods as in :class:`Draft`.

    ``paths`` are the names of all volumes of ``volume_size`` bytes, ``total`` is the size of the tar. ``only`` is the
    index of the one volume to write, or ``None`` for all of them.
    """

    def __init__(
        self, path: Path, paths: Sequence[Path], total: int, volume_size: int, *, only: int | None = None
    ) -> None:
        self.path = path
        self.ordered = False
        self._paths = list(paths)
        self._volume_size = volume_size
        self._sizes = [max(0, min(volume_size, total - number * volume_size)) for number in range(len(paths))]
        self._only = only
        #: The open files by the index of their volume.
        self._fds: dict[int, int] = {}

    @classmethod
    def open(
        cls,
        path: Path,
        paths: Sequence[Path],
        total: int,
        volume_size: int,
        *,
        only: int | None = None,
        resume: bool = False,
    ) -> VolumeDraft:
        """Open the partial files and reserve their space; with ``resume`` keep what an earlier run wrote.

        Raises :class:`OutputError`.
        """
        draft = cls(path, paths, total, volume_size, only=only)
        try:
            draft._open_files(resume=resume)
        except BaseException:
            if resume:
                draft.keep()
            else:
                draft.discard()
            raise
        return draft

    def _open_files(self, *, resume: bool) -> None:
        for number in range(len(self._paths)) if self._only is None else (self._only,):
            path, trusted = self._paths[number], bool(self._fds) or resume
            fd = reopen_partial(path, self._sizes[number], trusted=True) if resume else None
            if fd is None:
                fd = create_partial(path, trusted=trusted)
                with writing(path):
                    os.ftruncate(fd, 0)
            self._fds[number] = fd
        for number, fd in self._fds.items():
            with writing(self._paths[number]):
                self.ordered |= not reserve(fd, self._sizes[number], self._paths[number])

    def write(self, piece: memoryview, offset: int) -> None:
        """Write ``piece`` at ``offset`` of the tar; skip the part that belongs to volumes that are not written."""
        for number, position, start, end in self._parts(len(piece), offset):
            if number in self._fds:
                with writing(self._paths[number]):
                    write_at(self._fds[number], piece[start:end], position)

    def read(self, count: int, offset: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``, up to the first volume that is not written."""
        parts = []
        for number, position, start, end in self._parts(count, offset):
            if number not in self._fds:
                break
            with writing(self._paths[number]):
                parts.append(os.pread(self._fds[number], end - start, position))
        return b"".join(parts)

    def overlaps(self, offset: int, end: int) -> bool:
        """Whether any of the bytes from ``offset`` to ``end`` belong to a volume that is written."""
        return any(number in self._fds for number, *_ in self._parts(end - offset, offset))

    def holds(self, content: bytes, offset: int) -> bool:
        """Whether ``content`` is what lies at ``offset``, as far as it belongs to a volume that is written."""
        for number, position, start, end in self._parts(len(content), offset):
            if number in self._fds:
                with writing(self._paths[number]):
                    if os.pread(self._fds[number], end - start, position) != content[start:end]:
                        return False
        return True

    def rewind(self, offset: int) -> int:
        """Return ``offset``: files can be overwritten anywhere."""
        return offset

    def sync(self) -> None:
        """Make everything that was written survive a power cut."""
        for number, fd in self._fds.items():
            with writing(self._paths[number]):
                sync_data(fd)

    def finish(self) -> None:
        """Sync the volumes, write or check the checksums, and rename the volumes to their final names.

        Raises :class:`DigestMismatch` where the only volume that was written differs from the known checksum.
        """
        checksums = []
        for number, fd in self._fds.items():
            with writing(self._paths[number]):
                os.ftruncate(fd, self._sizes[number])
                sync_file(fd)
                checksums.append((self._paths[number].name, file_sha256(fd)))
        self._check_or_write(checksums)
        with writing(self.path):
            for number, fd in self._fds.items():
                publish(fd, partial_path(self._paths[number]), self._paths[number])
        self.keep()

    def _check_or_write(self, checksums: list[tuple[str, str]]) -> None:
        target = checksums_path(self.path)
        if self._only is None:
            with writing(target):
                replace_file(target, format_checksums(checksums))
            return
        expected = read_checksums(target)
        for name, sha256 in checksums:
            if expected.get(name, sha256) != sha256:
                raise DigestMismatch(
                    tr(
                        "{name} hashes to {sha256}, and {target_name} says {expected}",
                        name=name,
                        sha256=sha256,
                        target_name=target.name,
                        expected=expected[name],
                    ),
                    where=str(self.path.parent),
                    hint=tr("the lock, the resource files or airgap's version differ from when the bundle was made"),
                )

    def keep(self) -> None:
        """Close the files and leave them for the next run."""
        fds, self._fds = self._fds, {}
        for fd in fds.values():
            os.close(fd)

    def discard(self) -> None:
        """Delete and close the files."""
        for number in self._fds:
            with contextlib.suppress(OSError):
                partial_path(self._paths[number]).unlink()
        self.keep()

    def _parts(self, count: int, offset: int) -> Iterator[tuple[int, int, int, int]]:
        """Split ``count`` bytes at ``offset`` of the tar by volume.

        Yields the volume's index, the position in it, and the start and end within the ``count`` bytes.
        """
        start = 0
        while start < count:
            number, position = divmod(offset + start, self._volume_size)
            end = min(count, start + self._volume_size - position)
            yield number, position, start, end
            start = end
