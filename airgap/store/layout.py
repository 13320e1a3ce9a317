# SPDX-License-Identifier: Apache-2.0
"""An OCI image layout folder (image-spec image-layout.md): ``oci-layout``, ``index.json``, ``blobs/``.

A blob is written to a temporary file in the folder, synced, and renamed to its digest, so a file under ``blobs/`` is
always complete. Tags are kept in ``index.json``, which is replaced in the same way under a lock file that other
processes respect.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from airgap.durable import new_file_mode, publish, replace_file, sync_folder, write_at
from airgap.errors import BundleError, ContentError, ContentMissing, DigestMismatch, NotFound, OutputError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.layout_index import REF_NAME, IndexFile
from airgap.store.leftovers import create_temporary
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import FileRange, read_verified, translate_read_errors

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
#: Error numbers that mean "no such blob". Links are not followed, so ELOOP is one of them.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
#: Seconds for which garbage collection keeps a blob after the last time that a client was told that it is here.
GRACE_PERIOD = 3600.0


class ImageLayout:
    """An existing layout folder.

    Raises :class:`NotFound` if ``path`` is not a layout, :class:`BundleError` if a file or folder of it is a link or
    something else that its name does not promise: a stranger's layout must not lead to other files of this machine.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.index = IndexFile(self.path)
        with translate_read_errors(str(self.path)):
            if not (self.path / "oci-layout").exists():
                raise NotFound(
                    tr("this folder is no OCI image layout: it has no oci-layout file"), where=str(self.path)
                )
            self._check_kinds()

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> ImageLayout:
        """Open the layout at ``path``, and make it first if it does not exist. Raises :class:`OutputError`."""
        folder = Path(path)
        try:
            (folder / "blobs").mkdir(parents=True, exist_ok=True)
            if not (folder / "oci-layout").exists():
                replace_file(folder / "oci-layout", LAYOUT)
            if not (folder / "index.json").exists():
                IndexFile(folder).replace([])
        except OSError as error:
            raise OutputError(
                tr("cannot make a layout here: {strerror}", strerror=error.strerror), where=str(folder)
            ) from error
        return cls(folder)

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a tag or digest; raise :class:`NotFound`.

        The media type is empty for a digest that is not listed in ``index.json``.
        """
        index = self.index.read()
        entry = index.names.get(name) or index.by_digest.get(name)
        if entry is not None:
            return entry
        if digests.is_digest(name):
            size = self.blob_size(name)
            if size is not None:
                return Descriptor("", name, size)
        raise NotFound(tr("{name} is not in this layout", name=name), where=str(self.path))

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether there is a file of the right size for the content."""
        return self.blob_size(descriptor.digest) == descriptor.size

    def blob_size(self, digest: str) -> int | None:
        """Return the size of a blob's file, or ``None`` if there is no regular file. The index is not read."""
        status = self._blob_status(digest)
        return status.st_size if status else None

    def renew(self, digest: str) -> bool:
        """Keep a blob from garbage collection for at least half of the grace period; return whether it is here."""
        status = self._blob_status(digest)
        if status is None:
            return False
        if time.time() - status.st_mtime > GRACE_PERIOD / 2:
            # Collection renames a file before it looks at its time for the last time: where this succeeds, it is kept.
            path = self._blob_path(digest)
            with _translate_write_errors(path):
                try:
                    os.utime(path, follow_symlinks=False)
                except FileNotFoundError:
                    return False
                except PermissionError:
                    pass  # another user's file
        return True

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Open content at a byte offset; from offset 0 it is verified while it is read.

        Raises :class:`ContentMissing` if there is no such file, :class:`ContentError` for one of another size or kind.
        """
        path = self._blob_path(descriptor.digest)
        with translate_read_errors(str(path)):
            try:
                # The layout may be untrusted: links are not followed, and opening a pipe must not block.
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                raise ContentMissing(
                    tr("{digest} is not in this layout", digest=descriptor.digest), where=str(self.path)
                ) from error
            status = os.fstat(fd)
        is_file = stat.S_ISREG(status.st_mode)
        if not is_file or status.st_size != descriptor.size:
            os.close(fd)
            what = (
                tr("has {st_size} bytes, not {size}", st_size=status.st_size, size=descriptor.size)
                if is_file
                else tr("is no regular file")
            )
            raise ContentError(what, where=str(path))
        return VerifiedRange(descriptor, fd, offset, where=str(path))

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        """Store content after verifying it.

        Raises :class:`OutputError` if it cannot be written, and what :func:`read_verified` raises.
        """
        path = self._blob_path(descriptor.digest)
        with _translate_write_errors(path):
            if not path.parent.is_dir():
                path.parent.mkdir(exist_ok=True)
                sync_folder(path.parent.parent)
            fd, temporary = create_temporary(path.parent)

        def write(piece: memoryview, offset: int) -> None:
            with _translate_write_errors(path):
                write_at(fd, piece, offset)

        try:
            reader = opener(0)
            try:
                read_verified(descriptor, reader, write)
            finally:
                reader.close()
            with _translate_write_errors(path):
                os.fchmod(fd, new_file_mode())
                publish(fd, temporary, path)
        finally:
            os.close(fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Give a name to content; raise :class:`ContentMissing` if the content is not here."""
        if not self.exists(descriptor):
            raise ContentMissing(tr("{digest} is not in this layout", digest=descriptor.digest), where=str(self.path))
        with self._changing_index():
            entries = [entry for entry in self.index.read().entries if entry.annotations.get(REF_NAME) != name]
            entries.append(
                Descriptor(
                    descriptor.media_type, descriptor.digest, descriptor.size, descriptor.platform, {REF_NAME: name}
                )
            )
            self.index.replace(entries)

    def untag(self, name: str) -> None:
        """Remove a name. Its content stays."""
        with self._changing_index():
            self.index.replace(
                [entry for entry in self.index.read().entries if entry.annotations.get(REF_NAME) != name]
            )

    def delete(self, digest: str) -> bool:
        """Remove content and all its names; return whether it was here."""
        with self._changing_index():
            self.index.replace([entry for entry in self.index.read().entries if entry.digest != digest])
            try:
                self._blob_path(digest).unlink()
            except FileNotFoundError:
                return False
            return True

    def names(self) -> Mapping[str, Descriptor]:
        """Return every name with its descriptor: the same mapping until a name changes."""
        return self.index.read().names

    def entries(self) -> list[Descriptor]:
        """Return the descriptors in ``index.json``, with their annotations."""
        return list(self.index.read().entries)

    def size(self, digest: str) -> int | None:
        """Return the size of content in bytes, or ``None`` if it is not here."""
        status = self._blob_status(digest)
        return status.st_size if status is not None else None

    def _blob_path(self, digest: str) -> Path:
        digests.check(digest)
        return self.path / "blobs" / digests.algorithm(digest) / digests.encoded(digest)

    def _blob_status(self, digest: str) -> os.stat_result | None:
        path = self._blob_path(digest)
        with translate_read_errors(str(path)):
            try:
                status = path.lstat()
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                return None
        return status if stat.S_ISREG(status.st_mode) else None

    def _check_kinds(self) -> None:
        blobs = self.path / "blobs"
        folders = [blobs, *(Path(entry) for entry in os.scandir(blobs))] if is_folder(blobs) else [blobs]
        for path in folders:
            # A file beside the folders of the algorithms harms nobody.
            if path.is_symlink() or (path == blobs and path.exists() and not is_folder(path)):
                raise BundleError(
                    tr("is a link or a file, where a layout has a folder"),
                    where=str(path),
                    hint=tr("copy the layout with its blobs in it, such as with cp -rL"),
                )
        for path in (self.path / "oci-layout", self.path / "index.json", self.path / ".lock"):
            if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
                raise BundleError(
                    tr("is no regular file"),
                    where=str(path),
                    hint=tr("copy the layout with its files in it, such as with cp -rL"),
                )

    @contextlib.contextmanager
    def _changing_index(self) -> Iterator[None]:
        with _translate_write_errors(self.path / "index.json"), self.index.locked():
            yield


def is_folder(path: Path) -> bool:
    """Whether there is a folder at ``path``, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


class VerifiedRange(FileRange):
    """A file range that hashes what is read from offset 0 on, and raises at the end if the digest does not match.

    A caller that sends ``fd`` with ``sendfile`` bypasses this check and relies on the receiver to verify.
    """

    def __init__(self, descriptor: Descriptor, fd: int, offset: int, *, where: str) -> None:
        super().__init__(fd, offset, descriptor.size - offset, owned=True, where=where)
        self._hash = digests.hasher(descriptor.digest) if offset == 0 else None
        self._descriptor = descriptor

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` or a part of it; raise :class:`DigestMismatch` at the end of damaged content."""
        count = super().readinto(buffer)
        if self._hash is not None:
            self._hash.update(buffer[:count])
            if self.length == 0 and self._hash.hexdigest() != digests.encoded(self._descriptor.digest):
                raise DigestMismatch(
                    tr("the file does not hash to {digest}", digest=self._descriptor.digest), where=self.where
                )
        return count


@contextlib.contextmanager
def _translate_write_errors(path: Path) -> Iterator[None]:
    """Raise an :class:`OSError` as :class:`OutputError` for ``path``."""
    try:
        yield
    except OSError as error:
        raise OutputError(tr("cannot write: {strerror}", strerror=error.strerror), where=str(path)) from error
