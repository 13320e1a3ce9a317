# SPDX-License-Identifier: Apache-2.0
"""What a differential bundle leaves out: blobs that the far side holds, and which bundle brought each of them there.

Nothing here is believed of the far side: ``requires`` says where to look, and import looks before it pushes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airgap.errors import BundleError
from airgap.oci import Descriptor, Reference
from airgap.oci import digest as digests
from airgap.records import Record

#: The word in ``features`` by which a bundle that is not whole is refused by an airgap that does not know of such.
DIFFERENTIAL = "differential"
_ID = re.compile(r"[0-9a-f]{64}")


class Required(Record):
    """``repositories`` are whole names (``registry/repository``): those of source images, or of a target where a
    receipt said so. ``origin`` is the ID of the bundle that brought the blob, ``None`` where nobody knows."""

    digest: str
    size: int
    repositories: tuple[str, ...] = ()
    origin: str | None = None

    def to_json(self) -> dict[str, Any]:
        names = list(self.repositories)
        return {"digest": self.digest, "size": self.size, "repositories": names, "from": self.origin}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Required:
        """Raise :class:`BundleError`, or what reading a descriptor or a reference raises."""
        found = Descriptor.from_json({"mediaType": "", **entry})
        names = entry["repositories"]
        if not isinstance(names, list):
            raise BundleError(f"its inventory lists no repositories for {found.digest}")
        return cls(found.digest, found.size, tuple(map(repository_name, names)), id_of(entry.get("from")))


class Origin(Record):
    """A bundle by its ID, and how people call it where that is known."""

    id: str
    name: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        title = " ".join(part for part in (self.name, self.version) if part)
        return f"the bundle {self.id}{f' ({title})' if title else ''}"

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "version": self.version}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Origin:
        identity = id_of(entry["id"])
        if identity is None:
            raise BundleError("its inventory names a bundle without an ID")
        return cls(identity, _text(entry.get("name")), _text(entry.get("version")))


def id_of(value: Any) -> str | None:
    """A bundle's ID, or ``None`` for ``null``; raise :class:`BundleError` for anything else."""
    if value is None:
        return None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BundleError(f"{str(value)[:80]!r} is no ID of a bundle")
    return value


def repository_name(name: Any) -> str:
    """``registry/repository`` as it is written; raises what :meth:`Reference.parse` raises."""
    parsed = Reference.parse(str(name))
    if parsed.name != name:
        raise BundleError(f"{str(name)[:200]!r} is no whole name of a repository")
    return parsed.name


def uses_of(document: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The key ``uses``: for each image's or referrer's digest, what it consists of, by number in ``blobs`` followed
    by ``requires``. Raises :class:`BundleError` or :class:`ValueError`."""
    total = len(document["blobs"]) + len(document.get("requires") or ())
    found: dict[str, tuple[int, ...]] = {}
    for digest, numbers in (document.get("uses") or {}).items():
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < total for n in numbers):
            raise BundleError(f"its inventory lists nothing usable for {str(digest)[:80]}")
        found[digests.check(digest)] = tuple(numbers)
    return found


def check_requires(
    blobs: Iterable[Descriptor], requires: Sequence[Required], uses: Mapping[str, object], roots: Iterable[str]
) -> None:
    """What is required must be what is not there, and every root must say whether it needs any of it."""
    left_out = {required.digest for required in requires}
    if len(left_out) != len(requires) or any(blob.digest in left_out for blob in blobs):
        raise BundleError("its inventory requires a blob twice, or one that is in the bundle")
    if left_out and any(root not in uses for root in roots):
        raise BundleError("its inventory does not say which images need what was left out")


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BundleError(f"{str(value)[:80]!r} is no name of a bundle")
    return value
