# SPDX-License-Identifier: Apache-2.0
"""An OCI image layout folder (image-spec image-layout.md): ``oci-layout``, ``index.json``, ``blobs/``.

A blob is written to a temporary file in the folder, synced, and renamed to its digest, so a file under ``blobs/`` is
always complete. Tags are kept in ``index.json``, which is replaced in the same way under a lock file that other
processes respect.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airgap.durable import new_file_mode, publish, replace_file, sync_folder, write_at
from airgap.errors import ContentError, ContentMissing, DigestMismatch, NotFound, OutputError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_INDEX
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import FileRange, read_verified, translate_read_errors

REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
#: Error numbers that mean "no such blob". Links are not followed, so ELOOP is one of them.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


class ImageLayout:
    """An existing layout folder. Raises :class:`NotFound` if ``path`` is not a layout."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        with translate_read_errors(str(self.path)):
            is_layout = (self.path / "oci-layout").is_file()
        if not is_layout:
            raise NotFound(tr("this folder is no OCI image layout: it has no oci-layout file"), where=str(self.path))

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> ImageLayout:
        """Open the layout at ``path``, and make it first if it does not exist. Raises :class:`OutputError`."""
        folder = Path(path)
        try:
            (folder / "blobs").mkdir(parents=True, exist_ok=True)
            if not (folder / "oci-layout").exists():
                replace_file(folder / "oci-layout", LAYOUT)
            if not (folder / "index.json").exists():
                _write_index(folder, [])
        except OSError as error:
            raise OutputError(
                tr("cannot make a layout here: {strerror}", strerror=error.strerror), where=str(folder)
            ) from error
        return cls(folder)

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a tag or digest; raise :class:`NotFound`.

        The media type is empty for a digest that is not listed in ``index.json``.
        """
        for entry in self._read_index():
            if entry.annotations.get(REF_NAME) == name:
                return entry
        if digests.is_digest(name):
            for entry in self._read_index():
                if entry.digest == name:
                    return entry
            size = self._size(name)
            if size is not None:
                return Descriptor("", name, size)
        raise NotFound(tr("{name} is not in this layout", name=name), where=str(self.path))

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether there is a file of the right size for the content."""
        return self._size(descriptor.digest) == descriptor.size

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
            fd, temporary = tempfile.mkstemp(prefix=".push-", dir=path.parent)

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
                publish(fd, Path(temporary), path)
        finally:
            os.close(fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Give a name to content; raise :class:`ContentMissing` if the content is not here."""
        if not self.exists(descriptor):
            raise ContentMissing(tr("{digest} is not in this layout", digest=descriptor.digest), where=str(self.path))
        with self._locked_index():
            entries = [entry for entry in self._read_index() if entry.annotations.get(REF_NAME) != name]
            entries.append(
                Descriptor(
                    descriptor.media_type, descriptor.digest, descriptor.size, descriptor.platform, {REF_NAME: name}
                )
            )
            _write_index(self.path, entries)

    def untag(self, name: str) -> None:
        """Remove a name. Its content stays."""
        with self._locked_index():
            _write_index(self.path, [entry for entry in self._read_index() if entry.annotations.get(REF_NAME) != name])

    def delete(self, digest: str) -> bool:
        """Remove content and all its names; return whether it was here."""
        with self._locked_index():
            _write_index(self.path, [entry for entry in self._read_index() if entry.digest != digest])
            try:
                self._blob_path(digest).unlink()
            except FileNotFoundError:
                return False
            return True

    def names(self) -> dict[str, Descriptor]:
        """Return every name with its descriptor."""
        entries = ((entry.annotations.get(REF_NAME), entry) for entry in self._read_index())
        return {name: entry for name, entry in entries if name}

    def entries(self) -> list[Descriptor]:
        """Return the descriptors in ``index.json``, with their annotations."""
        return self._read_index()

    def size(self, digest: str) -> int | None:
        """Return the size of content in bytes, or ``None`` if it is not here."""
        return self._size(digest)

    def _blob_path(self, digest: str) -> Path:
        digests.check(digest)
        return self.path / "blobs" / digests.algorithm(digest) / digests.encoded(digest)

    def _size(self, digest: str) -> int | None:
        """Return the size of a blob's file, or ``None`` if there is no regular file."""
        path = self._blob_path(digest)
        with translate_read_errors(str(path)):
            try:
                status = path.lstat()
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _read_index(self) -> list[Descriptor]:
        path = self.path / "index.json"
        with translate_read_errors(str(path)):
            try:
                document: Any = json.loads(path.read_bytes())
                return [Descriptor.from_json(entry, where=str(path)) for entry in document["manifests"]]
            except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError) as error:
                raise ContentError(tr("unreadable index: {error}", error=error), where=str(path)) from error

    @contextlib.contextmanager
    def _locked_index(self) -> Iterator[None]:
        with self._lock, _translate_write_errors(self.path / "index.json"), open(self.path / ".lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


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


def _write_index(folder: Path, entries: list[Descriptor]) -> None:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.to_json() for entry in entries]}
    replace_file(folder / "index.json", json.dumps(document, separators=(",", ":")).encode())


@contextlib.contextmanager
def _translate_write_errors(path: Path) -> Iterator[None]:
    """Raise an :class:`OSError` as :class:`OutputError` for ``path``."""
    try:
        yield
    except OSError as error:
        raise OutputError(tr("cannot write: {strerror}", strerror=error.strerror), where=str(path)) from error
