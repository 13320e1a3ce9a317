# SPDX-License-Identifier: Apache-2.0
"""An OCI image layout as a folder (image-spec image-layout.md): ``oci-layout``, ``index.json``, ``blobs/``.

Content is written to a temporary file in the folder, synced, and renamed to its digest: a file under
``blobs/`` is always whole. Names live in ``index.json`` and are rewritten the same way, under a lock
that other processes honour.
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

from airgap.durable import publish, replace_file, sync_folder, write_at
from airgap.errors import ContentError, ContentMissing, DigestMismatch, NotFound, OutputError
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_INDEX
from airgap.store.base import FileRange, Opener, Reader, drain, reading

REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
#: What a system call says of a blob that is not there; a link is not followed.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


class Layout:
    """A layout folder; ``create`` makes one where there is none.

    Raises :class:`NotFound` when ``path`` is no layout and :class:`OutputError` when it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        if create:
            try:
                (self.path / "blobs").mkdir(parents=True, exist_ok=True)
                if not (self.path / "oci-layout").exists():
                    replace_file(self.path / "oci-layout", LAYOUT)
                if not (self.path / "index.json").exists():
                    self._write_index([])
            except OSError as error:
                raise OutputError(f"cannot make a layout here: {error.strerror}", where=str(self.path)) from error
        else:
            with reading(str(self.path)):
                is_layout = (self.path / "oci-layout").is_file()
            if not is_layout:
                raise NotFound("this folder is no OCI image layout: it has no oci-layout file", where=str(self.path))

    def resolve(self, name: str) -> Descriptor:
        for entry in self._index():
            if entry.annotations.get(REF_NAME) == name:
                return entry
        if not digests.problem(name):
            for entry in self._index():
                if entry.digest == name:
                    return entry
            size = self._size(name)
            if size is not None:
                return Descriptor("", name, size)
        raise NotFound(f"{name} is not in this layout", where=str(self.path))

    def exists(self, descriptor: Descriptor) -> bool:
        return self._size(descriptor.digest) == descriptor.size

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        path = self._blob(descriptor.digest)
        with reading(str(path)):
            try:
                # A layout may be a stranger's: no link is followed, and a pipe is not waited for.
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                raise ContentMissing(f"{descriptor.digest} is not in this layout", where=str(self.path)) from error
            found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size != descriptor.size:
            os.close(fd)
            is_file = stat.S_ISREG(found.st_mode)
            what = f"has {found.st_size} bytes, not {descriptor.size}" if is_file else "is no regular file"
            raise ContentError(what, where=str(path))
        return VerifiedRange(descriptor, fd, offset, where=str(path))

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        path = self._blob(descriptor.digest)
        with _writing(path):
            if not path.parent.is_dir():
                path.parent.mkdir(exist_ok=True)
                sync_folder(path.parent.parent)
            fd, temporary = tempfile.mkstemp(prefix=".push-", dir=path.parent)

        def take(piece: memoryview, at: int) -> None:
            with _writing(path):
                write_at(fd, piece, at)

        try:
            reader = opener(0)
            try:
                drain(descriptor, reader, take)
            finally:
                reader.close()
            with _writing(path):
                os.fchmod(fd, 0o644)
                publish(fd, Path(temporary), path)
        finally:
            os.close(fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        if not self.exists(descriptor):
            raise ContentMissing(f"{descriptor.digest} is not in this layout", where=str(self.path))
        with self._exclusive():
            entries = [entry for entry in self._index() if entry.annotations.get(REF_NAME) != name]
            entries.append(
                Descriptor(
                    descriptor.media_type, descriptor.digest, descriptor.size, descriptor.platform, {REF_NAME: name}
                )
            )
            self._write_index(entries)

    def untag(self, name: str) -> None:
        """Forget a name; its content stays."""
        with self._exclusive():
            self._write_index([entry for entry in self._index() if entry.annotations.get(REF_NAME) != name])

    def delete(self, digest: str) -> bool:
        """Remove content and every name of it; say whether it was there."""
        with self._exclusive():
            self._write_index([entry for entry in self._index() if entry.digest != digest])
            try:
                self._blob(digest).unlink()
            except FileNotFoundError:
                return False
            return True

    def names(self) -> dict[str, Descriptor]:
        """Every name with its descriptor."""
        entries = ((entry.annotations.get(REF_NAME), entry) for entry in self._index())
        return {name: entry for name, entry in entries if name}

    def _blob(self, digest: str) -> Path:
        digests.check(digest)
        return self.path / "blobs" / digests.algorithm(digest) / digests.encoded(digest)

    def _size(self, digest: str) -> int | None:
        """The size of a blob's file, or ``None`` where there is no regular file."""
        path = self._blob(digest)
        with reading(str(path)):
            try:
                found = path.lstat()
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def _index(self) -> list[Descriptor]:
        path = self.path / "index.json"
        with reading(str(path)):
            try:
                document: Any = json.loads(path.read_bytes())
                return [Descriptor.from_json(entry, where=str(path)) for entry in document["manifests"]]
            except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError) as error:
                raise ContentError(f"unreadable index: {error}", where=str(path)) from error

    def _write_index(self, entries: list[Descriptor]) -> None:
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.to_json() for entry in entries]}
        replace_file(self.path / "index.json", json.dumps(document, separators=(",", ":")).encode())

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._lock, _writing(self.path / "index.json"), open(self.path / ".lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class VerifiedRange(FileRange):
    """A file range that hashes what is read from its beginning and raises at the end if it is not the blob.

    Whoever sends ``fd`` directly (``sendfile``) relies on the receiver's verification instead.
    """

    def __init__(self, descriptor: Descriptor, fd: int, offset: int, *, where: str) -> None:
        super().__init__(fd, offset, descriptor.size - offset, owned=True, where=where)
        self._hash = digests.hasher(descriptor.digest) if offset == 0 else None
        self._descriptor = descriptor

    def readinto(self, buffer: memoryview, /) -> int:
        count = super().readinto(buffer)
        if self._hash is not None:
            self._hash.update(buffer[:count])
            if self.length == 0 and self._hash.hexdigest() != digests.encoded(self._descriptor.digest):
                raise DigestMismatch(f"the file does not hash to {self._descriptor.digest}", where=self.where)
        return count


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say of a failed system call what could not be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write: {error.strerror}", where=str(path)) from error
