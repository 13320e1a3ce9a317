# SPDX-License-Identifier: Apache-2.0
"""The layers that a differential bundle requires at the target, and the bundles that brought them there.

The inventory's key ``requires`` says in which repositories to look for them. An import proves that each one exists
before it pushes anything.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airgap.bundle.blob_list import BlobList
from airgap.bundle.document_parts import Memory
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.oci import Descriptor, Reference
from airgap.oci import digest as digests
from airgap.records import Record

#: The entry in an inventory's ``features`` that makes older versions of airgap refuse a differential bundle.
DIFFERENTIAL = "differential"
_BUNDLE_ID = re.compile(r"[0-9a-f]{64}")


class RequiredLayer(Record):
    """A layer that is not in the bundle. ``size`` is in bytes.

    ``repositories`` are full names (``registry/repository``) of source images, or of the target if a receipt named
    them. ``origin`` is the ID of the bundle that contained the layer, ``None`` if it is not known.
    """

    digest: str
    size: int
    repositories: tuple[str, ...] = ()
    origin: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the inventory's ``requires``."""
        names = list(self.repositories)
        return {"digest": self.digest, "size": self.size, "repositories": names, "from": self.origin}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], memory: Memory) -> RequiredLayer:
        """Parse an entry of ``requires``.

        Raises :class:`BundleError`, or what parsing a descriptor or a reference raises.
        """
        descriptor = Descriptor.from_json({"mediaType": "", **entry})
        names = entry["repositories"]
        if not isinstance(names, list):
            raise BundleError(tr("its inventory lists no repositories for {digest}", digest=descriptor.digest))
        origin = parse_bundle_id(entry.get("from"))
        return cls(
            descriptor.digest,
            descriptor.size,
            memory.texts(names, _parse_repository),
            memory.text(origin) if origin else None,
        )


class BundleIdentity(Record):
    """The ID of a bundle, with its name and version from ``airgap.yaml`` where they are known."""

    id: str
    name: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        title = " ".join(part for part in (self.name, self.version) if part)
        return tr("the bundle {id}{title}", id=self.id, title=f" ({title})" if title else "")

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``bases`` in an inventory or a receipt."""
        return {"id": self.id, "name": self.name, "version": self.version}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> BundleIdentity:
        """Parse an entry of ``bases``. Raises :class:`BundleError`, KeyError or TypeError."""
        identity = parse_bundle_id(entry["id"])
        if identity is None:
            raise BundleError(tr("its inventory names a bundle without an ID"))
        return cls(identity, _parse_title(entry.get("name")), _parse_title(entry.get("version")))


def parse_bundle_id(value: Any) -> str | None:
    """Return a bundle's ID, 64 hexadecimal digits, or ``None`` for ``null``. Raises :class:`BundleError`."""
    if value is None:
        return None
    if not isinstance(value, str) or not _BUNDLE_ID.fullmatch(value):
        raise BundleError(tr("{value!r} is no ID of a bundle", value=str(value)[:80]))
    return value


def parse_uses(digest: str, indexes: Any) -> tuple[str, array[int]]:
    """Parse an entry of an inventory's ``uses``: the digest of an image or referrer, and the blobs that it consists of.

    These are indexes into ``blobs`` followed by ``requires``. Raises :class:`BundleError` or :class:`ValueError`.
    """
    try:
        if not isinstance(indexes, list) or any(type(index) is not int for index in indexes):
            raise ValueError
        return digests.check(digest), array("I", indexes)
    except (ValueError, OverflowError):
        raise BundleError(tr("its inventory lists nothing usable for {digest}", digest=digest[:80])) from None


def check_required_layers(
    blobs: BlobList, requires: Sequence[RequiredLayer], uses: Mapping[str, Sequence[int]], roots: Iterable[str]
) -> None:
    """Raise :class:`BundleError` for a required layer that is listed twice or is one of ``blobs``.

    Also raises it for indexes in ``uses`` that are none, and if layers are required and ``uses`` lacks one of
    ``roots``, the digests of images and referrers.
    """
    total = len(blobs) + len(requires)
    if wrong := next((digest for digest, indexes in uses.items() if indexes and max(indexes) >= total), None):
        raise BundleError(tr("its inventory lists nothing usable for {digest}", digest=wrong))
    required_digests = {required.digest for required in requires}
    if len(required_digests) != len(requires) or any(blobs.find(digest) is not None for digest in required_digests):
        raise BundleError(tr("its inventory requires a blob twice, or one that is in the bundle"))
    if required_digests and any(root not in uses for root in roots):
        raise BundleError(tr("its inventory does not say which images need what was left out"))


def _parse_repository(name: str) -> str:
    """Return ``registry/repository`` if it is written in full. Raises what :meth:`Reference.parse` raises."""
    reference = Reference.parse(name)
    if reference.name != name:
        raise BundleError(tr("{name!r} is no whole name of a repository", name=name[:200]))
    return reference.name


def _parse_title(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BundleError(tr("{value!r} is no name of a bundle", value=str(value)[:80]))
    return value
