# SPDX-License-Identifier: Apache-2.0
"""``index.json`` of a layout folder: read once for each version of the file, and replaced under a lock.

The parsed index is kept with dictionaries by name and by digest, so that a request costs one ``stat`` however many
tags there are. The file stays open while its content is kept: its inode number then belongs to no other file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from airgap import bounded_json
from airgap.durable import replace_file
from airgap.errors import BundleError, ContentError, OutputError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_INDEX
from airgap.store.readers import translate_read_errors

REF_NAME = "org.opencontainers.image.ref.name"
#: Bytes of index.json.
MAX_INDEX_SIZE = 16 * 1024 * 1024
#: Values in index.json: an entry has six or seven.
MAX_INDEX_VALUES = 400_000
#: Seconds. A file that another program changed less than this ago may change again without a new time stamp.
_TIMESTAMP_RESOLUTION = 0.05

_Identity = tuple[int, int, int, int, int]


class LayoutIndex:
    """The entries of one version of the file. ``names`` and ``by_digest`` have the first entry of each."""

    def __init__(self, entries: Sequence[Descriptor]) -> None:
        names: dict[str, Descriptor] = {}
        by_digest: dict[str, Descriptor] = {}
        for entry in entries:
            by_digest.setdefault(entry.digest, entry)
            name = entry.annotations.get(REF_NAME)
            if name:
                names.setdefault(name, entry)
        self.entries = tuple(entries)
        self.names: Mapping[str, Descriptor] = MappingProxyType(names)
        self.by_digest: Mapping[str, Descriptor] = by_digest


class IndexFile:
    """``index.json`` in ``folder``. Several threads and processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "index.json"
        self._write_lock = threading.Lock()
        self._cache_lock = threading.Lock()
        self._cached: tuple[_Identity, LayoutIndex, int] | None = None  # the last is the open file

    def read(self) -> LayoutIndex:
        """Return the index as it is now: the same object while the file is the same.

        Raises :class:`ContentError` for an unreadable index, :class:`BundleError` if it is no regular file.
        """
        with translate_read_errors(str(self._path)):
            try:
                current = _identity(os.lstat(self._path))
            except FileNotFoundError as error:
                raise self._unreadable(error) from error
            cached = self._cached
            if cached is not None and cached[0] == current:
                return cached[1]
            with self._cache_lock:
                cached = self._cached
                if cached is not None and cached[0] == _identity(os.lstat(self._path)):
                    return cached[1]
                return self._load()

    def replace(self, entries: Sequence[Descriptor]) -> None:
        """Write a new index. The caller holds :meth:`locked`. Raises OSError."""
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.to_json() for entry in entries]}
        content = json.dumps(document, separators=(",", ":")).encode()
        if len(content) > MAX_INDEX_SIZE or bounded_json.count_values(content) > MAX_INDEX_VALUES:
            raise OutputError(tr("the index would become too large to be read again"), where=str(self._path))
        replace_file(self._path, content)
        with self._cache_lock:
            fd = open_regular(self._path)
            self._keep(_identity(os.fstat(fd)), LayoutIndex(entries), fd)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the index, which other processes respect. Raises OSError."""
        with self._write_lock:
            # Never a link or a pipe of a stranger's layout.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            fd = os.open(self._folder / ".lock", flags, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                yield
            finally:
                os.close(fd)

    def close(self) -> None:
        """Forget what was read."""
        with self._cache_lock:
            if self._cached is not None:
                os.close(self._cached[2])
            self._cached = None

    def __del__(self) -> None:
        cached = getattr(self, "_cached", None)
        if cached is not None:
            with contextlib.suppress(OSError):
                os.close(cached[2])

    def _load(self) -> LayoutIndex:
        try:
            fd = open_regular(self._path)
        except FileNotFoundError as error:
            raise self._unreadable(error) from error
        kept = False
        try:
            read_at = time.time_ns()
            status = os.fstat(fd)
            index = self._parse(fd, status.st_size)
            is_old = read_at - status.st_mtime_ns > _TIMESTAMP_RESOLUTION * 1e9
            if is_old and _identity(os.fstat(fd)) == _identity(status):
                self._keep(_identity(status), index, fd)
                kept = True
            return index
        finally:
            if not kept:
                os.close(fd)

    def _parse(self, fd: int, size: int) -> LayoutIndex:
        if size > MAX_INDEX_SIZE:
            raise ContentError(
                tr("an index of {size:,} bytes; at most {limit:,} are read", size=size, limit=MAX_INDEX_SIZE),
                where=str(self._path),
            )
        with open(fd, "rb", closefd=False) as file:
            content = file.read(MAX_INDEX_SIZE + 1)
        try:
            document = bounded_json.loads(content, values=MAX_INDEX_VALUES)
            return LayoutIndex([Descriptor.from_json(entry, where=str(self._path)) for entry in document["manifests"]])
        except (ContentError, KeyError, TypeError) as error:
            raise self._unreadable(error) from error

    def _keep(self, identity: _Identity, index: LayoutIndex, fd: int) -> None:
        if self._cached is not None:
            os.close(self._cached[2])
        self._cached = (identity, index, fd)

    def _unreadable(self, error: Exception) -> ContentError:
        return ContentError(tr("unreadable index: {error}", error=error), where=str(self._path))


def open_regular(path: Path) -> int:
    """Open a regular file to read. A link is not followed, and a pipe or device is not waited for.

    Raises OSError, and :class:`BundleError` for a file of another kind.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BundleError(tr("is no regular file"), where=str(path))
    return fd


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
