# SPDX-License-Identifier: Apache-2.0
"""Descriptors: the media type, digest and size of content (OCI image-spec, descriptor.md)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.oci.platform import Platform
from airgap.records import Record, field

_NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})


class Descriptor(Record):
    """The media type, digest and size (bytes) of content. Only these three are compared, not what describes it."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = field(default=None, compare=False)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NO_ANNOTATIONS, compare=False)
    artifact_type: str = field(default="", compare=False)
    urls: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_json(cls, value: Any, *, where: str = "descriptor") -> Descriptor:
        """Read a descriptor; raise :class:`ContentError` if the content could not be fetched and verified by it."""
        if not isinstance(value, Mapping):
            raise ContentError(tr("a descriptor must be a JSON object"), where=where)
        digest, size = value.get("digest"), value.get("size")
        if not isinstance(digest, str) or digests.problem(digest):
            reason = digests.problem(digest) if isinstance(digest, str) else tr("it is missing")
            raise ContentError(
                tr("descriptor with the digest {digest!r}: {reason}", digest=str(digest)[:160], reason=reason),
                where=where,
            )
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 1 << 62:
            raise ContentError(
                tr("descriptor of {digest} with the size {size!r}", digest=digest, size=size), where=where
            )
        platform, annotations, urls = value.get("platform"), value.get("annotations"), value.get("urls")
        return cls(
            str(value.get("mediaType") or ""),
            digest,
            size,
            Platform.from_json(platform) if isinstance(platform, Mapping) else None,
            {str(k): str(v) for k, v in annotations.items()} if isinstance(annotations, Mapping) else _NO_ANNOTATIONS,
            str(value.get("artifactType") or ""),
            tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else (),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object: the three required fields, and the optional ones that are set."""
        document: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform is not None:
            document["platform"] = self.platform.to_json()
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        return document
