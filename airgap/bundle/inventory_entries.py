# SPDX-License-Identifier: Apache-2.0
"""The entries of an inventory: images, resource files, and files that were not read for images."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from airgap.bundle.document_format import optional_list, optional_text
from airgap.bundle.document_parts import Memory
from airgap.errors import BundleError, UsageError
from airgap.i18n import tr
from airgap.oci import Descriptor, Platform, Reference
from airgap.oci import digest as digests
from airgap.records import Record

#: What a platform takes in memory, in bytes.
_PLATFORM = 400


class BundledImage(Record):
    """An image in the bundle.

    ``reference`` is normalised. ``descriptor`` is that of the manifest or index in the bundle. ``derived_from`` is the
    digest of the original index if platforms were selected from it, otherwise empty.
    """

    reference: Reference
    descriptor: Descriptor
    platforms: tuple[Platform, ...] = ()
    derived_from: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the inventory's ``images``."""
        return {
            "reference": str(self.reference),
            "digest": self.descriptor.digest,
            "mediaType": self.descriptor.media_type,
            "size": self.descriptor.size,
            "platforms": [str(platform) for platform in self.platforms],
            "derivedFrom": self.derived_from or None,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], memory: Memory) -> BundledImage:
        """Parse an entry. Raises KeyError, TypeError, ValueError, or an :class:`airgap.errors.AirgapError`."""
        derived_from = entry.get("derivedFrom")
        return cls(
            Reference.parse(entry["reference"]),
            Descriptor.from_json(entry),
            tuple(_parse_platforms(entry.get("platforms"), memory)),
            digests.check(derived_from) if derived_from else "",
        )


class BundledResource(Record):
    """A resource file in the bundle.

    ``name`` is its path below the common folder of all resource files, ``member`` its name in the tar, ``sha256``
    that of its content in hexadecimal.
    """

    name: str
    member: str
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the inventory's ``resources``."""
        return {"name": self.name, "member": self.member, "sha256": self.sha256}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> BundledResource:
        """Parse an entry. Raises what :meth:`BundledImage.from_json` raises."""
        name = optional_text(entry["name"]) or ""
        if reason := resource_name_problem(name):
            raise BundleError(tr("the resource file name {name!r} {reason}", name=name, reason=reason))
        return cls(name, str(entry["member"]), str(entry["sha256"]))


class SkippedName(Record):
    """A file that was not read when images were looked for: its ``name`` as a resource file, and ``why``."""

    name: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the inventory's ``skipped``."""
        return {"name": self.name, "why": self.why}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> SkippedName:
        """Parse an entry. Raises KeyError or TypeError."""
        return cls(str(entry["name"]), str(entry["why"]))


def resource_name_problem(name: str) -> str | None:
    """Return why a resource file cannot be carried under this name, or ``None``.

    The import writes a file of this name below a folder, possibly on another operating system.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name:
        return tr("leads out of the folder, or would on another system")
    try:
        name.encode()
    except UnicodeEncodeError:
        return tr("is not UTF-8")
    return None


def _parse_platforms(value: Any, memory: Memory) -> Iterator[Platform]:
    """Skip invalid platforms: they are only shown to the user, and some publishers give half a platform."""
    for text in optional_list(value):
        with contextlib.suppress(UsageError):
            yield memory.once((Platform, text), _PLATFORM + 8 * len(text), partial(Platform.parse, text))
