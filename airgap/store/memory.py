# SPDX-License-Identifier: Apache-2.0
"""A store in memory, for tests, the demo and derived content that lies nowhere else."""

from __future__ import annotations

from airgap.errors import ContentMissing, NotFound
from airgap.oci import Descriptor
from airgap.store.base import BytesReader, Opener, Reader, drain


class Memory:
    """Thread-safe for distinct content, since each operation is one dictionary access."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}
        self._media_types: dict[str, str] = {}
        self._names: dict[str, Descriptor] = {}

    def resolve(self, name: str) -> Descriptor:
        if name in self._names:
            return self._names[name]
        if name in self._content:
            return Descriptor(self._media_types[name], name, len(self._content[name]))
        raise NotFound(f"{name} is not in this store")

    def exists(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self._content

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        try:
            return BytesReader(self._content[descriptor.digest], offset)
        except KeyError:
            raise ContentMissing(f"{descriptor.digest} is not in this store") from None

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        content = bytearray(descriptor.size)
        view = memoryview(content)

        def take(piece: memoryview, offset: int) -> None:
            view[offset : offset + len(piece)] = piece

        reader = opener(0)
        try:
            drain(descriptor, reader, take)
        finally:
            reader.close()
        self._media_types[descriptor.digest] = descriptor.media_type
        self._content[descriptor.digest] = bytes(content)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        if descriptor.digest not in self._content:
            raise ContentMissing(f"{descriptor.digest} is not in this store")
        self._names[name] = descriptor

    def untag(self, name: str) -> None:
        """Forget a name; its content stays."""
        self._names.pop(name, None)

    def delete(self, digest: str) -> bool:
        """Forget content and every name of it; say whether it was there."""
        for name in [name for name, named in list(self._names.items()) if named.digest == digest]:
            del self._names[name]
        self._media_types.pop(digest, None)
        return self._content.pop(digest, None) is not None

    def names(self) -> dict[str, Descriptor]:
        return dict(self._names)
