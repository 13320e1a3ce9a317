# SPDX-License-Identifier: Apache-2.0
"""Artifacts in the lockfile and in the inventory: files of other formats than images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airgap.bundle.blob_list import BlobList
from airgap.bundle.document_format import optional_text
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.records import Record, field


class NamedArtifact(Record):
    """The names of a file of a format: ``format`` is the format's, ``version`` is empty without versions."""

    format: str
    name: str
    version: str
    file: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What tells it from all others of a bundle."""
        return self.format, self.name, self.version, self.file

    @property
    def label(self) -> str:
        """What messages call it: ``pypi requests 2.32.3 (requests-2.32.3-py3-none-any.whl)``."""
        ends_with_file = self.name == self.file or self.name.endswith(f"/{self.file}")
        file = "" if ends_with_file else f"({self.file})"
        return " ".join(part for part in (self.format, self.name, self.version, file) if part)

    def names_to_json(self) -> dict[str, Any]:
        """Return the names for an entry of a document."""
        return {"format": self.format, "name": self.name, "version": self.version or None, "file": self.file}


class LockedArtifact(NamedArtifact):
    """What an artifact resolved to. ``digest`` and ``size`` are the file's; ``source`` is empty for a local file.

    ``properties`` are those of :class:`airgap.artifacts.artifact.Artifact`.
    """

    digest: str
    size: int
    source: str = ""
    properties: Mapping[str, str] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the lockfile's ``artifacts``."""
        return {
            **self.names_to_json(),
            "digest": self.digest,
            "size": self.size,
            "source": self.source or None,
            "properties": dict(sorted(self.properties.items())),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> LockedArtifact:
        """Parse an entry. Raises KeyError, TypeError, ValueError, or an :class:`airgap.errors.AirgapError`."""
        content = Descriptor.from_json({"mediaType": "", **entry})
        return cls(
            *_names(entry), content.digest, content.size, optional_text(entry.get("source")) or "",
            {str(key): str(value) for key, value in (entry.get("properties") or {}).items()},
        )  # fmt: skip


class BundledArtifact(NamedArtifact):
    """An artifact in the bundle: ``descriptor`` is its manifest's, ``content`` the file's.

    The file may be missing in a differential bundle. The manifest has the properties.
    """

    descriptor: Descriptor
    content: Descriptor
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the inventory's ``artifacts``."""
        return {
            **self.names_to_json(),
            "source": self.source or None,
            "digest": self.descriptor.digest,
            "mediaType": self.descriptor.media_type,
            "size": self.descriptor.size,
            "content": {"digest": self.content.digest, "size": self.content.size},
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> BundledArtifact:
        """Parse an entry. Raises what :meth:`LockedArtifact.from_json` raises."""
        return cls(
            *_names(entry), Descriptor.from_json(entry), Descriptor.from_json({"mediaType": "", **entry["content"]}),
            optional_text(entry.get("source")) or "",
        )  # fmt: skip


def check_artifacts(artifacts: Sequence[BundledArtifact], blobs: BlobList, required: Mapping[str, int]) -> None:
    """Raise :class:`BundleError` for an artifact that is listed twice or whose blobs are not listed.

    ``required`` are the sizes of the layers that were left out, by digest.
    """
    seen = set()
    for artifact in artifacts:
        label = " ".join(part for part in artifact.identity[:3] if part)
        if artifact.identity in seen:
            raise BundleError(tr("its inventory lists the artifact {label} twice", label=label))
        seen.add(artifact.identity)
        content = artifact.content
        held = required.get(content.digest) if (size := blobs.size_of(content.digest)) is None else size
        if blobs.size_of(artifact.descriptor.digest) != artifact.descriptor.size or held != content.size:
            raise BundleError(tr("its inventory does not list all blobs of the artifact {label}", label=label))


def _names(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """The four texts of an identity."""
    names = tuple(optional_text(entry.get(key)) or "" for key in ("format", "name", "version", "file"))
    if not names[0] or not names[1] or not names[3]:
        raise ValueError(tr("an artifact lacks its format, name or file"))
    return names[0], names[1], names[2], names[3]
