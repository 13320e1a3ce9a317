# SPDX-License-Identifier: Apache-2.0
"""Writes a bundle as a folder. A file is in it only when it is whole; until then it is in ``NAME.partial``.

Whoever carries away what appears in the folder, file by file, always takes whole files. ``index.json`` comes last, so
that the folder is a layout for other programs only when it has everything.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from airgap.bundle.folder.files import FolderFiles
from airgap.bundle.folder.virtual_tar import VirtualTar
from airgap.bundle.inventory import INVENTORY_MEMBER
from airgap.bundle.media.checksums import checksums_path, csv_path, file_sha256, format_checksums, format_csv
from airgap.bundle.media.file import check_largest, partial_path
from airgap.bundle.tar import Member, TarLayout
from airgap.durable import publish, replace_file, sync_folder, write_at, writing
from airgap.errors import OutputError
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.system import sync_data

#: In this order after everything else: each of them tells other programs that the folder is complete.
_LAST = (INVENTORY_MEMBER, "index.json")
_TOP_FILES = ("oci-layout", "index.json", "manifest.json")
_TOP_FOLDERS = ("airgap", "blobs")


class FolderDraft:
    """An unfinished folder. Made by :meth:`begin` or :meth:`resume`; methods as in :class:`Draft`. Thread-safe."""

    ordered = False

    def __init__(self, path: Path, layout: TarLayout) -> None:
        self.path = path
        self._partial = partial_path(path)
        self._layout = layout
        self._tar = VirtualTar.of(layout)
        self._lock = threading.Lock()
        #: The names of the files that were written since the last sync.
        self._unsynced: set[str] = set()
        self._ended = False

    @classmethod
    def begin(cls, path: Path, layout: TarLayout) -> FolderDraft:
        """Make the folder. Of an earlier bundle in it only those files of blobs stay that this one has too.

        Raises :class:`OutputError`, also for too little space on the disk.
        """
        draft, is_new = cls(path, layout), not path.exists()
        with writing(path):
            shutil.rmtree(draft._partial, ignore_errors=True)
            draft._make_folders()
            try:
                draft._check_space()
            except BaseException:
                shutil.rmtree(draft._partial, ignore_errors=True)
                if is_new:
                    remove_unfinished(path)
                raise
            _remove_files(path, {layout.places[blob.digest].name for blob in layout.blobs})
            draft._make_folders()
        return draft

    @classmethod
    def resume(cls, path: Path, layout: TarLayout) -> FolderDraft | None:
        """Reopen the folder of an earlier run, or return ``None`` where there is none."""
        draft = cls(path, layout)
        if not draft._partial.is_dir() and not path.is_dir():
            return None
        with writing(path):
            draft._make_folders()
            for name in reversed(_LAST):
                draft._take_back(name)
            draft._check_space()
        return draft

    def write(self, piece: memoryview, offset: int) -> None:
        """Write what of ``piece`` is content of files; the headers and zeros of a tar are left out."""
        for member, position, start, end in self._tar.contents(len(piece), offset):
            with writing(self._partial / member.name):
                fd = self._open_partial(member)
                try:
                    write_at(fd, piece[start:end], position)
                finally:
                    os.close(fd)
            with self._lock:
                self._unsynced.add(member.name)

    def read(self, count: int, offset: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``; fewer where a file is missing or too short."""
        with writing(self.path):
            return self._tar.read(count, offset, self._read_content)

    def holds(self, member: Member) -> bool:
        """Whether there is a file with the size of the member, whatever its content."""
        return member.size in (_size(self._partial / member.name), _size(self.path / member.name))

    def is_settled(self, member: Member) -> bool:
        """Whether the whole file is in the folder."""
        return not os.path.lexists(self._partial / member.name) and _size(self.path / member.name) == member.size

    def settle(self, member: Member) -> None:
        """Give a whole file its name in the folder. Raises :class:`OutputError`."""
        if self.is_settled(member):
            return
        temporary, path = self._partial / member.name, self.path / member.name
        with writing(path):
            fd = self._open_partial(member)
            try:
                os.ftruncate(fd, member.size)
                publish(fd, temporary, path)
            finally:
                os.close(fd)
        with self._lock:
            self._unsynced.discard(member.name)

    def rewind(self, offset: int) -> int:
        """Return ``offset``: files can be overwritten anywhere."""
        return offset

    def sync(self) -> None:
        """Make everything that was written survive a power cut."""
        with self._lock:
            names, self._unsynced = self._unsynced, set()
        with writing(self.path):
            for name in names:
                # A file that has been settled meanwhile was synced for that.
                with contextlib.suppress(FileNotFoundError):
                    fd = os.open(self._partial / name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                    try:
                        sync_data(fd)
                    finally:
                        os.close(fd)
            for folder in {(self._partial / name).parent for name in names}:
                sync_folder(folder)

    def finish(self) -> None:
        """Put all files into the folder, and their checksums beside it. Raises :class:`OutputError`."""
        blobs = [self._layout.places[blob.digest] for blob in self._layout.blobs]
        others = [member for member, _ in self._layout.head if not member.directory] + self._tar.signatures
        for member in [*blobs, *(member for member in others if member.name not in _LAST)]:
            self.settle(member)
        self._write_checksums()
        by_name = {member.name: member for member in others}
        for name in _LAST:
            self.settle(by_name[name])
        self._ended = True
        with writing(self.path):
            shutil.rmtree(self._partial)
            sync_folder(self.path.parent)

    def keep(self) -> None:
        """Leave everything for the next run."""
        self._ended = True

    def discard(self) -> None:
        """Delete everything that was written. After :meth:`finish` or :meth:`keep` this does nothing."""
        if not self._ended:
            self._ended = True
            remove_unfinished(self.path)

    def _make_folders(self) -> None:
        for folder in (self._partial, self.path):
            folder.mkdir(exist_ok=True)
            for name in self._tar.folders:
                (folder / name).mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        if os.stat(self._partial).st_dev != os.stat(self.path).st_dev:
            raise OutputError(
                tr("a disk is mounted at this folder"),
                where=str(self.path),
                hint=tr("name a folder below it: -o {path}", path=self.path / "bundle"),
            )

    def _check_space(self) -> None:
        """Raise :class:`OutputError` if the disk has too little space, or its file system no room for such a file."""
        disk = os.statvfs(self.path)
        size = sum(member.size for member in self._tar.files())
        available = disk.f_bavail * disk.f_frsize + _bytes_below(self._partial) + _bytes_below(self.path)
        # File systems that do not count blocks (ramfs, some network file systems) report 0 of them.
        if disk.f_blocks and size > available:
            raise OutputError(
                tr(
                    "the bundle needs {size:,} bytes and this disk has {available:,} free",
                    size=size,
                    available=available,
                ),
                where=str(self.path),
                hint=tr("free space, choose another disk with -o, or fewer platforms with --platform"),
            )
        largest = max(self._tar.files(), key=lambda member: member.size)
        if not self.holds(largest):
            fd = self._open_partial(largest)
            try:
                check_largest(fd, largest.size)
            finally:
                os.close(fd)

    def _open_partial(self, member: Member) -> int:
        """Open the temporary file; one that is in the folder already becomes temporary again."""
        self._take_back(member.name)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self._partial / member.name, flags, 0o666)

    def _take_back(self, name: str) -> None:
        if not os.path.lexists(self._partial / name) and os.path.lexists(self.path / name):
            os.rename(self.path / name, self._partial / name)

    def _read_content(self, member: Member, position: int, count: int) -> bytes:
        for folder in (self._partial, self.path):
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(folder / member.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    return os.pread(fd, count, position)
                finally:
                    os.close(fd)
        return b""

    def _write_checksums(self) -> None:
        """Write the list of all files in both forms, from what is known of them: blobs are not read again."""
        rows = [(f"{self.path.name}/{name}", size, sha256) for name, size, sha256 in self._checksums()]
        for path, content in (
            (checksums_path(self.path), format_checksums([(name, sha256) for name, _, sha256 in rows])),
            (csv_path(self.path), format_csv(rows)),
        ):
            with writing(path):
                replace_file(path, content)

    def _checksums(self) -> Iterator[tuple[str, int, str]]:
        blobs = {self._layout.places[blob.digest].name: blob.digest for blob in self._layout.blobs}
        contents = {member.name: content for member, content in self._layout.head if not member.directory}
        for member in sorted(self._tar.files(), key=lambda member: member.name):
            digest = blobs.get(member.name, "")
            if member.name in contents:
                digest = digests.of(contents[member.name])
            elif digests.algorithm(digest) != "sha256":
                digest = self._hash(member)
            yield member.name, member.size, digests.encoded(digest)

    def _hash(self, member: Member) -> str:
        with writing(self.path / member.name):
            fd = os.open(self.path / member.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                return f"sha256:{file_sha256(fd)}"
            finally:
                os.close(fd)


def remove_unfinished(path: Path) -> None:
    """Delete what an unfinished run left of the bundle folder ``path``. Raises :class:`OutputError`."""
    with writing(path):
        shutil.rmtree(partial_path(path), ignore_errors=True)
        if path.is_dir() and not path.is_symlink():
            _remove_files(path, set())
            with contextlib.suppress(OSError):
                path.rmdir()


def _remove_files(path: Path, kept: set[str]) -> None:
    """Delete the files of a bundle below ``path`` except those that are ``kept``, and the folders that are then empty.

    Nothing is deleted that has no place in a bundle. The folder is no layout any more from the first deletion on.
    """
    files = FolderFiles(path)
    try:
        names = [name for name in files.walk() if name not in kept]
    finally:
        files.close()
    ours = [name for name in names if name in _TOP_FILES or name.startswith(tuple(f"{top}/" for top in _TOP_FOLDERS))]
    for name in sorted(ours, key=lambda name: (name != "index.json", name)):
        (path / name).unlink()
    for top in _TOP_FOLDERS:
        for folder, _, _ in os.walk(path / top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def _size(path: Path) -> int | None:
    try:
        return os.lstat(path).st_size
    except OSError:
        return None


def _bytes_below(folder: Path) -> int:
    return sum(_size(Path(parent) / name) or 0 for parent, _, names in os.walk(folder) for name in names)
