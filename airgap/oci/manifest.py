# SPDX-License-Identifier: Apache-2.0
"""Manifests and indexes, read and never rewritten (OCI image-spec manifest.md and image-index.md,
Docker's "Image Manifest Version 2, Schema 2").

A :class:`Manifest` keeps the bytes it was read from beside what was understood of them. Media types
that are not known are carried as what they are: content without successors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airgap.errors import ContentError, NotFound
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
#: What a registry is asked for, without q-values: some registries misread them.
ACCEPT = ", ".join((OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT))
#: Distribution-spec "Pushing Manifests" asks registries to take 4 MiB; nobody serves more than a few.
MAX_MANIFEST = 16 * 1024 * 1024

_ATTESTATION_OF = "vnd.docker.reference.digest"


class Manifest(Record):
    """One manifest or index. ``children`` are further manifests, ``blobs`` is config first, then layers; what an
    index lists that is no manifest (image-index.md allows anything) is among its layers."""

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
        return self.descriptor.media_type in INDEXES

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        return ((self.config,) if self.config else ()) + self.layers

    @property
    def is_container_image(self) -> bool:
        """Whether a container can be started from it: not an index, an attestation, a chart or a signature."""
        return bool(self.config and self.config.media_type in (OCI_CONFIG, DOCKER_CONFIG)) and not any(
            layer.media_type.startswith("application/vnd.in-toto") for layer in self.layers
        )


def is_manifest_type(media_type: str) -> bool:
    """Whether content of this type is fetched from a registry's ``manifests/`` rather than ``blobs/``."""
    return media_type in MANIFESTS or media_type in INDEXES or media_type in DOCKER_SCHEMA1


def parse(content: bytes, media_type: str = "", *, where: str | None = None) -> Manifest:
    """Read a manifest of any known type.

    ``media_type`` is what the registry or the parent said; what the document says of itself must agree,
    and where neither says anything the shape decides. Raises :class:`ContentError` for JSON that is no
    manifest and :class:`NotFound` for Docker schema 1, which no supported registry stores any more.
    """
    document = _object(content, where)
    said = document.get("mediaType")
    media_type = media_type.partition(";")[0].strip()
    if media_type in ("", "application/json", "text/plain", "application/octet-stream"):
        media_type = ""
    if said is not None and not isinstance(said, str):
        raise ContentError("mediaType is no string", where=where)
    if said and media_type and said != media_type and is_manifest_type(said) and is_manifest_type(media_type):
        raise ContentError(f"announced as {media_type}, but says of itself {said}", where=where)
    media_type = media_type or said or _by_shape(document)
    if media_type in DOCKER_SCHEMA1 or document.get("schemaVersion") == 1:
        raise NotFound(
            "the registry offers this image only in Docker's schema 1, which was given up in 2017",
            where=where,
            hint="push the image once more with a current docker, podman or skopeo, then export it again",
        )
    # A document that is an index to one reader and an image to another must be neither (CVE-2021-41190).
    if media_type in INDEXES + MANIFESTS and "manifests" in document and ("layers" in document or "config" in document):
        raise ContentError("has the parts of an index and of an image manifest at once", where=where)
    descriptor = Descriptor(media_type, digests.of(content), len(content))
    if media_type in INDEXES:
        listed = _descriptors(document, "manifests", where)
        return Manifest(
            descriptor,
            content,
            children=tuple(entry for entry in listed if is_manifest_type(entry.media_type)),
            layers=tuple(entry for entry in listed if not is_manifest_type(entry.media_type)),
            subject=_optional(document, "subject", where),
            annotations=_annotations(document),
            artifact_type=_text(document, "artifactType"),
        )
    if media_type in MANIFESTS:
        layers = "blobs" if media_type == OCI_ARTIFACT else "layers"
        config = _optional(document, "config", where)
        if config is None and media_type != OCI_ARTIFACT:
            raise ContentError("a manifest without config", where=where)
        return Manifest(
            descriptor,
            content,
            config=config,
            layers=_descriptors(document, layers, where),
            subject=_optional(document, "subject", where),
            annotations=_annotations(document),
            artifact_type=_text(document, "artifactType") or (config.media_type if config else ""),
        )
    return Manifest(descriptor, content)


def successors(manifest: Manifest) -> tuple[Descriptor, ...]:
    """Everything the manifest cannot do without: children, config, layers. A subject may be absent."""
    return manifest.children + manifest.blobs


def is_nondistributable(descriptor: Descriptor) -> bool:
    """Layers that a registry need not hold (image-spec layer.md, "Non-Distributable Layers"; Docker's foreign)."""
    return descriptor.media_type.startswith(
        (
            "application/vnd.oci.image.layer.nondistributable.",
            "application/vnd.docker.image.rootfs.foreign.",
        )
    )


def attests(descriptor: Descriptor) -> str:
    """The digest that a BuildKit attestation manifest in an index speaks of, or an empty string."""
    return descriptor.annotations.get(_ATTESTATION_OF, "")


def choose(index: Manifest, platforms: Sequence[Platform]) -> tuple[Descriptor, ...]:
    """The children of ``index`` for ``platforms``, in their order, attestations of kept children kept.

    With one platform the first match stands for all: variants of os.version are alternatives.
    Raises :class:`NotFound` naming each platform that the index lacks and those it has.
    """
    kept: set[str] = set()
    missing = []
    for wanted in platforms:
        found = [child for child in index.children if child.platform and child.platform.matches(wanted)]
        found = [child for child in found if not attests(child)]
        if not found:
            missing.append(wanted)
        kept.update(child.digest for child in (found[:1] if len(platforms) == 1 else found))
    if missing:
        has = ", ".join(dict.fromkeys(str(c.platform) for c in index.children if c.platform and c.platform.known))
        raise NotFound(
            f"has no {', '.join(map(str, missing))}",
            hint=f"it has {has or 'no platform at all'}; choose among these, or leave --platform out",
        )
    return tuple(child for child in index.children if child.digest in kept or attests(child) in kept)


def derive(index: Manifest, children: Sequence[Descriptor]) -> Manifest:
    """A new index of the same media type that keeps only ``children``: fixed JSON bytes, whole child entries."""
    kept = {child.digest for child in children}
    document = _object(index.content, None)
    document["manifests"] = [entry for entry in document["manifests"] if entry["digest"] in kept]
    content = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return parse(content, index.descriptor.media_type)


def config_platform(content: bytes) -> Platform | None:
    """The platform that an image's config names, or ``None`` where it is no image config."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not document.get("os"):
        return None
    return Platform.from_json(document)


def _object(content: bytes, where: str | None) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ContentError(f"not JSON, so no manifest ({error})", where=where) from error
    if not isinstance(document, dict):
        raise ContentError("a manifest must be a JSON object", where=where)
    return document


def _by_shape(document: Mapping[str, Any]) -> str:
    # OCI lets documents leave mediaType out (image-spec manifest.md); Docker's never do.
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
        raise ContentError(f"{key} is no list", where=where)
    return tuple(Descriptor.from_json(entry, where=where or key) for entry in value)


def _optional(document: Mapping[str, Any], key: str, where: str | None) -> Descriptor | None:
    value = document.get(key)
    return None if value is None else Descriptor.from_json(value, where=where or key)


def _annotations(document: Mapping[str, Any]) -> Mapping[str, str]:
    value = document.get("annotations")
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
