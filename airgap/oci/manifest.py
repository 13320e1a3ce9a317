# SPDX-License-Identifier: Apache-2.0
"""Manifests and indexes (OCI image-spec manifest.md and image-index.md, Docker "Image Manifest Version 2, Schema 2").

A :class:`Manifest` keeps the exact bytes that it was parsed from. Content of an unknown media type becomes a manifest
without children and blobs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, NotFound
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.oci.descriptor import Descriptor
from airgap.oci.platform import Platform
from airgap.records import Record

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_SCHEMA1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)

MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT)
INDEXES = (OCI_INDEX, DOCKER_LIST)
#: The Accept header for manifests. It has no q-values, because some registries misread them.
ACCEPT = ", ".join((OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT))
#: Bytes of a manifest in a layout, which may be one that ``airgap serve`` has accepted with a higher limit.
MAX_STORED_MANIFEST = 16 * 1024 * 1024

_ATTESTED_DIGEST = "vnd.docker.reference.digest"


class Manifest(Record):
    """A manifest or index.

    ``children`` are the manifests that an index lists. An index may also list other content (image-index.md): that is
    in ``layers``. ``content`` is the exact bytes.
    """

    descriptor: Descriptor
    content: bytes
    children: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: Mapping[str, str] | None = None
    artifact_type: str = ""

    @property
    def is_index(self) -> bool:
        """Whether this lists other manifests, one for each platform as a rule."""
        return self.descriptor.media_type in INDEXES

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The config, if there is one, and the layers."""
        return ((self.config,) if self.config else ()) + self.layers

    @property
    def is_container_image(self) -> bool:
        """Whether a container can be started from this: it is not an index, attestation, chart or signature."""
        return bool(self.config and self.config.media_type in (OCI_CONFIG, DOCKER_CONFIG)) and not any(
            layer.media_type.startswith("application/vnd.in-toto") for layer in self.layers
        )


def is_manifest_type(media_type: str) -> bool:
    """Whether a registry serves content of this type under ``manifests/`` and not under ``blobs/``."""
    return media_type in MANIFESTS or media_type in INDEXES or media_type in DOCKER_SCHEMA1


def parse(
    content: bytes, media_type: str = "", *, where: str | None = None, document: object = None, kind: str = "manifest"
) -> Manifest:
    """Parse a manifest of any known type.

    ``media_type`` is the one that the registry or the parent manifest gives. The ``mediaType`` of the document must
    be the same; if neither is given, the fields of the document decide. ``document`` is what ``content`` holds, if that
    is known already; else ``content`` is parsed within the limits of ``kind``. Raises :class:`ContentError` for JSON
    that is not a manifest, and :class:`NotFound` for Docker schema 1, which no supported registry stores any more.
    """
    document = _as_object(bounded_json.parse(content, kind, where=where) if document is None else document, where)
    stated = document.get("mediaType")
    media_type = media_type.partition(";")[0].strip()
    if media_type in ("", "application/json", "text/plain", "application/octet-stream"):
        media_type = ""
    if stated is not None and not isinstance(stated, str):
        raise ContentError(tr("mediaType is no string"), where=where)
    if stated and media_type and stated != media_type and is_manifest_type(stated) and is_manifest_type(media_type):
        raise ContentError(
            tr("announced as {media_type}, but says of itself {stated}", media_type=media_type, stated=stated),
            where=where,
        )
    media_type = media_type or stated or _media_type_from_fields(document)
    if media_type in DOCKER_SCHEMA1 or document.get("schemaVersion") == 1:
        raise NotFound(
            tr("the registry offers this image only in Docker's schema 1, which was given up in 2017"),
            where=where,
            hint=tr("push the image once more with a current docker, podman or skopeo, then export it again"),
        )
    # Reject a document that one client would read as an index and another as an image (CVE-2021-41190).
    if media_type in INDEXES + MANIFESTS and "manifests" in document and ("layers" in document or "config" in document):
        raise ContentError(tr("has the parts of an index and of an image manifest at once"), where=where)
    descriptor = Descriptor(media_type, digests.of(content), len(content))
    if media_type in INDEXES:
        entries = _descriptors(document, "manifests", where)
        return Manifest(
            descriptor,
            content,
            children=tuple(entry for entry in entries if is_manifest_type(entry.media_type)),
            layers=tuple(entry for entry in entries if not is_manifest_type(entry.media_type)),
            subject=_optional_descriptor(document, "subject", where),
            annotations=_annotations(document),
            artifact_type=_text(document, "artifactType"),
        )
    if media_type in MANIFESTS:
        layers = "blobs" if media_type == OCI_ARTIFACT else "layers"
        config = _optional_descriptor(document, "config", where)
        if config is None and media_type != OCI_ARTIFACT:
            raise ContentError(tr("a manifest without config"), where=where)
        return Manifest(
            descriptor,
            content,
            config=config,
            layers=_descriptors(document, layers, where),
            subject=_optional_descriptor(document, "subject", where),
            annotations=_annotations(document),
            artifact_type=_text(document, "artifactType") or (config.media_type if config else ""),
        )
    return Manifest(descriptor, content)


def successors(manifest: Manifest) -> tuple[Descriptor, ...]:
    """Return all content that the manifest needs: children, config and layers. A subject is not needed."""
    return manifest.children + manifest.blobs


def is_nondistributable(descriptor: Descriptor) -> bool:
    """Whether a registry may lack this layer (image-spec layer.md, "Non-Distributable Layers"; Docker: foreign)."""
    return descriptor.media_type.startswith(
        (
            "application/vnd.oci.image.layer.nondistributable.",
            "application/vnd.docker.image.rootfs.foreign.",
        )
    )


def attested_digest(descriptor: Descriptor) -> str:
    """Return the digest of the image that a BuildKit attestation in an index describes, or an empty string."""
    return descriptor.annotations.get(_ATTESTED_DIGEST, "")


def select_platforms(index: Manifest, platforms: Sequence[Platform]) -> tuple[Descriptor, ...]:
    """Return the children of ``index`` for ``platforms`` and their attestations, in the order of the index.

    With one platform only the first match is kept, since several matches are alternatives (``os.version``).
    Raises :class:`NotFound` with the platforms that the index lacks and those that it has.
    """
    kept: set[str] = set()
    missing = []
    images = [child for child in index.children if child.platform and not attested_digest(child)]
    for platform in platforms:
        matches = [child for child in images if child.platform and child.platform.matches(platform)]
        if not matches:
            missing.append(platform)
        kept.update(child.digest for child in (matches[:1] if len(platforms) == 1 else matches))
    if missing:
        has = ", ".join(dict.fromkeys(str(c.platform) for c in index.children if c.platform and c.platform.is_known))
        raise NotFound(
            tr("has no {missing}", missing=", ".join(map(str, missing))),
            hint=tr("it has {has}; choose among these, or leave --platform out", has=has or tr("no platform at all")),
        )
    return tuple(child for child in index.children if child.digest in kept or attested_digest(child) in kept)


def filter_index(index: Manifest, children: Sequence[Descriptor]) -> Manifest:
    """Return a new index with only the entries of ``children``. Equal input always gives equal bytes."""
    kept = {child.digest for child in children}
    document = _as_object(bounded_json.parse(index.content, "manifest"), None)
    document["manifests"] = [entry for entry in document["manifests"] if entry["digest"] in kept]
    content = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return parse(content, index.descriptor.media_type)


def config_platform(content: bytes) -> Platform | None:
    """Return the platform in an image config, or ``None`` if ``content`` is not an image config."""
    try:
        document = bounded_json.parse(content, "config")
    except ContentError:
        return None
    if not isinstance(document, dict) or not document.get("os"):
        return None
    return Platform.from_json(document)


def _as_object(document: object, where: str | None) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ContentError(tr("a manifest must be a JSON object"), where=where)
    return document


def _media_type_from_fields(document: Mapping[str, Any]) -> str:
    # OCI documents may omit mediaType (image-spec manifest.md). Docker documents always have it.
    if isinstance(document.get("manifests"), list):
        return OCI_INDEX
    if isinstance(document.get("layers"), list) and "config" in document:
        return OCI_MANIFEST
    return ""


def _descriptors(document: Mapping[str, Any], key: str, where: str | None) -> tuple[Descriptor, ...]:
    value = document.get(key)
    if value is None:
        value = []
    if not isinstance(value, list):
        raise ContentError(tr("{key} is no list", key=key), where=where)
    return tuple(Descriptor.from_json(entry, where=where or key) for entry in value)


def _optional_descriptor(document: Mapping[str, Any], key: str, where: str | None) -> Descriptor | None:
    value = document.get(key)
    return None if value is None else Descriptor.from_json(value, where=where or key)


def _annotations(document: Mapping[str, Any]) -> Mapping[str, str]:
    value = document.get("annotations")
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
