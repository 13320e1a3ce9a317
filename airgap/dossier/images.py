# SPDX-License-Identifier: Apache-2.0
"""The facts of each image, from the inventory, manifests and configs; none of it needs a layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from airgap import bounded_json, limits
from airgap.bundle import BundledImage, Inventory
from airgap.bundle.image_sizes import image_sizes
from airgap.dossier.facts import AttachmentFacts, Contents, ImageFacts, LayerFacts, PlatformFacts, Use
from airgap.dossier.signers import signer_of
from airgap.errors import ContentError, DigestMismatch
from airgap.oci import Descriptor
from airgap.oci.attached import Attached, attached
from airgap.oci.manifest import Manifest, attested_digest
from airgap.records import Record
from airgap.store.protocols import Source
from airgap.store.readers import fetch

#: How deep an index may be in an index.
_MAX_DEPTH = 8


class ImageSource(Source, Protocol):
    """Where manifests and configs are read: a bundle, or what an export has planned."""

    def manifest(self, name: str, /) -> Manifest:
        """Return the verified manifest of a digest."""


class PlatformImage(Record):
    """An image of one platform: its manifest, and what its platform is called."""

    platform: str
    manifest: Manifest


ReadContents = Callable[[PlatformImage], Contents]
"""Tells what is in the layers of an image of one platform."""


def platform_images(inventory: Inventory, source: ImageSource, root: str) -> list[PlatformImage]:
    """Return the images of an image's digest, one for each platform, without attestations."""
    held = {blob.digest for blob in inventory.blobs}

    def below(digest: str, platform: str, depth: int) -> Iterator[PlatformImage]:
        manifest = source.manifest(digest)
        if not manifest.is_index:
            yield PlatformImage(platform, manifest)
            return
        for child in manifest.children:
            if child.digest in held and not attested_digest(child) and depth < _MAX_DEPTH:
                yield from below(child.digest, str(child.platform) if child.platform else platform, depth + 1)

    return list(below(root, "", 0))


def image_facts(
    inventory: Inventory, source: ImageSource, uses: Mapping[str, Sequence[Use]], read_contents: ReadContents
) -> list[ImageFacts]:
    """Return the facts of every image in the order of the inventory. ``uses`` is by reference.

    Raises :class:`ContentError` for a manifest or config that is damaged.
    """
    sizes = image_sizes(inventory)
    images = {image.descriptor.digest: platform_images(inventory, source, image.descriptor.digest)
              for image in inventory.images}  # fmt: skip
    users = Counter(
        layer for found in images.values() for layer in {blob.digest for one in found for blob in one.manifest.layers}
    )
    shared = {digest for digest, count in users.items() if count > 1}
    held = {blob.digest for blob in inventory.blobs}
    facts = []
    for image in inventory.images:
        digest = image.descriptor.digest
        size = sizes.get(digest)
        facts.append(
            ImageFacts(
                str(image.reference),
                image.reference.registry,
                digest,
                image.descriptor.media_type,
                size.total if size else None,
                size.own if size else None,
                [_platform(one, image, source, shared, held, read_contents) for one in images[digest]],
                _attachments(inventory, source, digest),
                tuple(uses.get(str(image.reference), ())),
                image.derived_from,
                digest not in inventory.incomplete,
            )
        )
    return facts


def _platform(
    found: PlatformImage, image: BundledImage, source: ImageSource, shared: set[str], held: set[str],
    read_contents: ReadContents,
) -> PlatformFacts:  # fmt: skip
    manifest = found.manifest
    document = _config(source, manifest) if manifest.is_container_image else {}
    config = document.get("config")
    config = config if isinstance(config, dict) else {}
    known = str(image.platforms[0]) if len(image.platforms) == 1 else ""
    described = "/".join(str(document[key]) for key in ("os", "architecture", "variant") if document.get(key))
    return PlatformFacts(
        found.platform or known or described,
        manifest.descriptor.digest,
        manifest.descriptor.size + sum(blob.size for blob in {blob.digest: blob for blob in manifest.blobs}.values()),
        [LayerFacts(one.digest, one.size, one.digest in shared, one.digest in held) for one in manifest.layers],
        _text(document.get("created")),
        _text(config.get("User")),
        _texts(config.get("Entrypoint")),
        _texts(config.get("Cmd")),
        {**(manifest.annotations or {}), **_labels(config.get("Labels"))},
        read_contents(found),
        manifest.is_container_image,
    )


def _attachments(inventory: Inventory, source: ImageSource, root: str) -> list[AttachmentFacts]:
    """What is attached to an image, to the images in it, and to what is attached to them."""
    held = {blob.digest for blob in inventory.blobs}
    subjects = {root, *inventory.manifests_of(root)}
    attaching: list[tuple[Manifest, str]] = [
        (source.manifest(child.digest), about)
        for digest in (root, *inventory.manifests_of(root))
        for child in source.manifest(digest).children
        if (about := attested_digest(child)) and child.digest in held
    ]
    for referrer, subject in inventory.referrers.items():
        if subject in subjects:
            subjects.add(referrer)
            attaching.append((source.manifest(referrer), subject))
    found = [
        AttachmentFacts(what.kind, what.type, _signer_name(source, what), manifest.descriptor.digest, subject)
        for manifest, subject in attaching
        for what in attached(manifest)
    ]
    return list(dict.fromkeys(found))


def _signer_name(source: ImageSource, what: Attached) -> str:
    signer = signer_of(source, what)
    return "" if signer is None else f"{signer.identity} ({signer.issuer})" if signer.issuer else signer.identity


def _config(source: ImageSource, manifest: Manifest) -> dict[str, Any]:
    """The config of an image as an object, empty for one that is none."""
    assert manifest.config is not None
    return parse_config(source, manifest.config)


def parse_config(source: Source, config: Descriptor) -> dict[str, Any]:
    """Return a config, empty for content that is none. Raises :class:`DigestMismatch` for a damaged one."""
    try:
        document = bounded_json.parse(fetch(source, config, limit=limits.value("config-bytes")), "config")
    except DigestMismatch:
        raise
    except ContentError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _labels(value: Any) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}
