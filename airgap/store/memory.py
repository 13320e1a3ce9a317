# SPDX-License-Identifier: Apache-2.0
"""A store in memory, for tests, the demo, and generated content that is stored nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from airgap.errors import ContentMissing, NotFound
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BytesReader, read_verified


class MemoryStore:
    """A store in memory. Several threads may push different content at once."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}
        self._media_types: dict[str, str] = {}
        self._names: dict[str, Descriptor] = {}
        self._listed: Mapping[str, Descriptor] | None = None
        self._lock = threading.Lock()

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a name or digest; raise :class:`NotFound`."""
        descriptor = self._names.get(name)
        if descriptor is not None:
            return descriptor
        if name in self._content:
            return Descriptor(self._media_types[name], name, len(self._content[name]))
        raise NotFound(tr("{name} is not in this store", name=name))

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the content is here."""
        return descriptor.digest in self._content

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Open content at a byte offset; raise :class:`ContentMissing`."""
        try:
            return BytesReader(self._content[descriptor.digest], offset)
        except KeyError:
            raise ContentMissing(tr("{digest} is not in this store", digest=descriptor.digest)) from None

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        """Store content after verifying it; raise what :func:`read_verified` raises."""
        content = bytearray(descriptor.size)
        view = memoryview(content)

        def write(piece: memoryview, offset: int) -> None:
            view[offset : offset + len(piece)] = piece

        reader = opener(0)
        try:
            read_verified(descriptor, reader, write)
        finally:
            reader.close()
        self._media_types[descriptor.digest] = descriptor.media_type
        self._content[descriptor.digest] = bytes(content)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Give a name to content; raise :class:`ContentMissing` if the content is not here."""
        if descriptor.digest not in self._content:
            raise ContentMissing(tr("{digest} is not in this store", digest=descriptor.digest))
        with self._lock:
            self._names[name] = descriptor
            self._listed = None

    def untag(self, name: str) -> None:
        """Remove a name. Its content stays."""
        with self._lock:
            self._names.pop(name, None)
            self._listed = None

    def delete(self, digest: str) -> bool:
        """Remove content and all its names; return whether it was here."""
        with self._lock:
            self._names = {key: value for key, value in self._names.items() if value.digest != digest}
            self._listed = None
        self._media_types.pop(digest, None)
        return self._content.pop(digest, None) is not None

    def names(self) -> Mapping[str, Descriptor]:
        """Return every name with its descriptor."""
        with self._lock:
            if self._listed is None:
                self._listed = dict(self._names)
            return self._listed
