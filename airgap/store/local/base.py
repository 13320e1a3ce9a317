# SPDX-License-Identifier: Apache-2.0
"""What all sources of images at hand have in common."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from airgap import limits
from airgap.errors import AirgapError, InvalidReference, NotFound
from airgap.i18n import tr
from airgap.oci import Descriptor, Platform, Reference
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.store.protocols import Reader
from airgap.store.readers import fetch


class LocalImages(ABC):
    """Images by their references. ``label`` is what the user called the source; ``named`` are its images.

    With ``keeps_digests`` the digests are those that the images had where they came from.
    """

    keeps_digests = True

    def __init__(self, label: str) -> None:
        self.label = label
        self.named: dict[str, Descriptor] = {}
        #: The references that were looked for and are here without all of their layers.
        self.incomplete: list[str] = []

    def find(self, reference: Reference, digest: str = "") -> str | None:
        """Return the name under which :meth:`resolve` knows an image, or ``None``.

        An image with a digest, its own or ``digest``, is found by that alone. One that lacks a layer is not found.
        """
        if digest := digest or reference.digest:
            name = digest if self.size_of(digest) is not None else None
        else:
            name = str(reference) if str(reference) in self.named else None
        if name is not None and not self._is_whole(name):
            self.incomplete.append(str(reference))
            return None
        return name

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a reference or digest; raise :class:`NotFound`."""
        if name in self.named:
            return self.named[name]
        if digests.is_digest(name):
            known = next((entry for entry in self.named.values() if entry.digest == name), None)
            if known is not None:
                return known
            size = self.size_of(name)
            if size is not None:
                return Descriptor("", name, size)
        raise NotFound(tr("{name} is not there", name=name), where=self.label)

    def exists(self, descriptor: Descriptor, /) -> bool:
        """Whether the content is here."""
        return self.size_of(descriptor.digest) == descriptor.size

    @abstractmethod
    def size_of(self, digest: str) -> int | None:
        """Return the size of content in bytes, or ``None`` if it is not here."""

    @abstractmethod
    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Open content at a byte offset; raise :class:`airgap.errors.ContentMissing` if it is not here."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Release what is open."""

    def names(self) -> Mapping[str, Descriptor]:
        """Return every reference with its descriptor."""
        return dict(self.named)

    def held_platforms(self, index: Manifest, /) -> Sequence[Platform]:
        """Return the platforms of ``index`` that are here as a whole; nothing if all are."""
        children = [child for child in index.children if child.platform and child.platform.is_known]
        held = [child.platform for child in children if self._holds_image(child)]
        return [platform for platform in held if platform] if len(held) < len(children) else []

    def _is_whole(self, name: str) -> bool:
        """Whether an image is here with its layers, of an index at least one platform."""
        descriptor = self.resolve(name)
        try:
            content = fetch(self, descriptor, limit=limits.value("manifest-bytes"))
            manifest = manifests.parse(content, descriptor.media_type)
        except AirgapError:
            return True  # planning reads it again, and says what is wrong with it
        if not manifest.is_index:
            return self._holds_all(manifest.blobs)
        children = [child for child in manifest.children if child.platform and child.platform.is_known]
        return not children or any(map(self._holds_image, children))

    def _holds_all(self, blobs: Sequence[Descriptor]) -> bool:
        return all(self.exists(blob) or manifests.is_nondistributable(blob) for blob in blobs)

    def _holds_image(self, child: Descriptor) -> bool:
        try:
            content = fetch(self, child, limit=limits.value("manifest-bytes"))
            blobs = manifests.parse(content, child.media_type).blobs
        except AirgapError:
            return False
        return self._holds_all(blobs)


def full_reference(name: str) -> str:
    """Return ``name`` as a normalised reference, or "" if it is a tag alone or no reference."""
    if "/" in name or ":" in name:
        with contextlib.suppress(InvalidReference):
            return str(Reference.parse(name))
    return ""
