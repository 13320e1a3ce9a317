# SPDX-License-Identifier: Apache-2.0
"""OCI image layouts (image-spec image-layout.md) as folders and in tars. Both keep all digests."""

from __future__ import annotations

from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, NotFound, UsageError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.layout import ImageLayout
from airgap.store.layout_index import MAX_INDEX_VALUES, REF_NAME
from airgap.store.local.base import LocalImages, full_reference
from airgap.store.local.tar_index import TarIndex
from airgap.store.protocols import Reader

#: The full name, as containerd, buildx and airgap write it.
_CONTAINERD_NAME = "io.containerd.image.name"
_MAX_INDEX = 32 * 1024 * 1024


class OciFolder(LocalImages):
    """The layout folder ``path``. ``wanted`` is the name of its only image that is offered, "" for all."""

    def __init__(self, label: str, path: str, wanted: str = "") -> None:
        super().__init__(label)
        try:
            self._layout = ImageLayout(path)
        except NotFound as error:
            raise UsageError(
                error.what, where=path, hint=tr("a folder is given as oci:DIR, a tar as oci-archive:F")
            ) from error
        self.named = _named(self._layout.entries(), wanted, label)

    def size_of(self, digest: str) -> int | None:
        """Return the size of content in bytes, or ``None`` if it is not here."""
        return self._layout.size(digest)

    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Open content at a byte offset; raise :class:`airgap.errors.ContentMissing` if it is not here."""
        return self._layout.open(descriptor, offset)


class OciArchive(LocalImages):
    """The tar of a layout at ``path``; ``wanted`` is the name of its only image that is offered, "" for all."""

    def __init__(self, label: str, path: str, wanted: str = "") -> None:
        super().__init__(label)
        self._tar = TarIndex(path)
        try:
            if self._tar.size("oci-layout") is None:
                hint = tr("it is a Docker archive: docker-archive:F") if self._tar.size("manifest.json") else None
                raise ContentError(tr("is no OCI archive: it has no oci-layout"), where=path, hint=hint)
            self.named = _named(_entries(self._tar.read("index.json", _MAX_INDEX), path), wanted, label)
        except BaseException:
            self._tar.close()
            raise

    def size_of(self, digest: str) -> int | None:
        """Return the size of content in bytes, or ``None`` if it is not here."""
        return self._tar.size(_member(digest))

    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Open content at a byte offset; raise :class:`airgap.errors.ContentMissing` if it is not here."""
        return self._tar.open(_member(descriptor.digest), offset)

    def close(self) -> None:
        """Close the file."""
        self._tar.close()


def _member(digest: str) -> str:
    digests.check(digest)
    return f"blobs/{digests.algorithm(digest)}/{digests.encoded(digest)}"


def _entries(content: bytes, where: str) -> list[Descriptor]:
    try:
        document: Any = bounded_json.loads(content, values=MAX_INDEX_VALUES)
        return [Descriptor.from_json(entry, where=where) for entry in document["manifests"]]
    except (ContentError, KeyError, TypeError) as error:
        raise ContentError(tr("unreadable index.json: {error}", error=error), where=where) from error


def _named(entries: list[Descriptor], wanted: str, label: str) -> dict[str, Descriptor]:
    """The images by reference; with ``wanted`` only that one, or the only image under that name."""
    texts = [
        (entry.annotations.get(_CONTAINERD_NAME) or "", entry.annotations.get(REF_NAME) or "") for entry in entries
    ]
    if not wanted:
        named = [(full_reference(full) or full_reference(name), entry) for (full, name), entry in zip(texts, entries)]  # noqa: B905
        return {reference: entry for reference, entry in named if reference}
    reference = full_reference(wanted)
    for (full, name), entry in zip(texts, entries, strict=True):
        if wanted in (full, name) or (reference and reference in (full_reference(full), full_reference(name))):
            found = reference or full_reference(full) or full_reference(name)
            return {found: entry} if found else {}
    if len(entries) != 1 or not reference:
        raise UsageError(tr("there is no image {wanted}", wanted=wanted), where=label)
    return {reference: entries[0]}
