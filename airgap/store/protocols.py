# SPDX-License-Identifier: Apache-2.0
"""The protocols of places that hold content: registries, bundles, layout folders and memory.

Three rules hold for all of them. A push verifies the content that it receives. :func:`airgap.store.readers.fetch`
verifies the content that it returns. An open reader gives exactly ``size - offset`` bytes or raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from airgap.oci import Descriptor


class Reader(Protocol):
    """The bytes of a blob from an offset to its end. Raises :class:`AirgapError`, never :class:`OSError`."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` or a part of it; return the number of bytes, 0 only at the end of the blob."""

    def close(self) -> None:
        """Release the file or connection."""


Opener = Callable[[int], Reader]
"""Opens the same content at a byte offset. A push may call it several times, to start again."""


class Source(Protocol):
    """A place to read content from."""

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a tag or digest; raise :class:`airgap.errors.NotFound`."""

    def exists(self, descriptor: Descriptor, /) -> bool:
        """Whether the content is here."""

    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Open content at a byte offset; raise :class:`airgap.errors.ContentMissing` if it is not here."""


@runtime_checkable
class Store(Source, Protocol):
    """A place to read content from and write it to."""

    def push(self, descriptor: Descriptor, opener: Opener, /) -> None:
        """Store content and verify it. Content that does not hash to its digest is not kept."""

    def tag(self, descriptor: Descriptor, name: str, /) -> None:
        """Give a name to content that is already here."""


@runtime_checkable
class SupportsBlobCheck(Protocol):
    """A source with its bytes on this machine: it can tell its own damage from damage during the transfer."""

    def check_blob(self, descriptor: Descriptor, opener: Opener, /) -> None:
        """Read a blob to its end; raise :class:`ContentError` or :class:`airgap.errors.BundleError` for damage."""


@runtime_checkable
class SupportsMount(Protocol):
    """A store that can take a blob from another of its repositories without a transfer."""

    def mount(self, descriptor: Descriptor, from_repository: str, /) -> bool:
        """Mount a blob; return whether it is here now."""


@runtime_checkable
class SupportsNames(Protocol):
    """A store that can list all its names."""

    def names(self) -> Mapping[str, Descriptor]:
        """Return every name, ``repository:tag`` or ``repository@digest``, with its descriptor.

        The same object is returned until a name changes, and is not changed itself.
        """


@runtime_checkable
class SupportsBlobLookup(Protocol):
    """A store that finds a blob without reading its names, and keeps it from being collected as garbage."""

    def blob_size(self, digest: str, /) -> int | None:
        """Return the size of a blob, or ``None`` if it is not here."""

    def renew(self, digest: str, /) -> bool:
        """Keep a blob for some more time even if no manifest refers to it; return whether it is here."""


@runtime_checkable
class SupportsDelete(Protocol):
    """A store that can remove names and content."""

    def untag(self, name: str, /) -> None:
        """Remove a name. Its content stays."""

    def delete(self, digest: str, /) -> bool:
        """Remove content and all its names; return whether it was here."""
