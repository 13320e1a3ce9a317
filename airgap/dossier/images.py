# SPDX-License-Identifier: Apache-2.0
"""The facts of each image, from the inventory, manifests and configs; none of it needs a layer."""

from __future__ import annotations

import functools
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

#: Manifests in memory.
_KEPT = 256


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


class ImageReader:
    """Reads manifests and configs of the images of an inventory. Each image is looked at several times, for its
    layers and then for its facts: the manifests of one image are kept in memory meanwhile."""

    def __init__(self, inventory: Inventory, source: ImageSource) -> None:
        self._inventory = inventory
        self._source = source
        self._manifest = functools.lru_cache(maxsize=_KEPT)(source.manifest)
        self._held = {blob.digest for blob in inventory.blobs}
        self._referrers: dict[str, list[str]] = {}
        for referrer, subject in inventory.referrers.items():
            self._referrers.setdefault(subject, []).append(referrer)

    def all_platforms(self) -> Iterator[PlatformImage]:
        """Yield the images of each platform of every image, each digest of an image once."""
        for digest in dict.fromkeys(image.descriptor.digest for image in self._inventory.images):
            yield from self.platforms(digest)

    def platforms(self, root: str) -> Iterator[PlatformImage]:
        """Yield the images of an image's digest, one for each platform, without attestations."""
        pending, seen = [(root, "")], {root}
        while pending:
            digest, platform = pending.pop(0)
            manifest = self._manifest(digest)
            if not manifest.is_index:
                yield PlatformImage(platform, manifest)
                continue
            for child in manifest.children:
                if child.digest in self._held and child.digest not in seen and not attested_digest(child):
                    seen.add(child.digest)
                    pending.append((child.digest, str(child.platform) if child.platform else platform))

    def facts(self, uses: Mapping[str, Sequence[Use]], read_contents: ReadContents) -> list[ImageFacts]:
        """Return the facts of every image in the order of the inventory. ``uses`` is by reference.

        Raises :class:`ContentError` for a manifest or config that is damaged.
        """
        sizes = image_sizes(self._inventory)
        shared = self._shared_layers()
        facts = []
        for image in self._inventory.images:
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
                    [self._platform(one, image, shared, read_contents) for one in self.platforms(digest)],
                    self._attachments(digest),
                    tuple(uses.get(str(image.reference), ())),
                    image.derived_from,
                    digest not in self._inventory.incomplete,
                )
            )
        return facts

    def _shared_layers(self) -> set[str]:
        users: Counter[str] = Counter()
        for digest in dict.fromkeys(image.descriptor.digest for image in self._inventory.images):
            users.update({layer.digest for one in self.platforms(digest) for layer in one.manifest.layers})
        return {digest for digest, count in users.items() if count > 1}

    def _platform(
        self, found: PlatformImage, image: BundledImage, shared: set[str], read_contents: ReadContents
    ) -> PlatformFacts:
        manifest = found.manifest
        document = parse_config(self._source, manifest.config) if manifest.is_container_image else {}
        config = document.get("config")
        config = config if isinstance(config, dict) else {}
        known = str(image.platforms[0]) if len(image.platforms) == 1 else ""
        described = "/".join(str(document[key]) for key in ("os", "architecture", "variant") if document.get(key))
        blobs = {blob.digest: blob.size for blob in manifest.blobs}
        return PlatformFacts(
            found.platform or known or described,
            manifest.descriptor.digest,
            manifest.descriptor.size + sum(blobs.values()),
            [
                LayerFacts(one.digest, one.size, one.digest in shared, one.digest in self._held)
                for one in manifest.layers
            ],
            _text(document.get("created")),
            _text(config.get("User")),
            _texts(config.get("Entrypoint")),
            _texts(config.get("Cmd")),
            {**(manifest.annotations or {}), **_labels(config.get("Labels"))},
            read_contents(found),
            manifest.is_container_image,
        )

    def _attachments(self, root: str) -> list[AttachmentFacts]:
        """What is attached to an image, to the images in it, and to what is attached to them."""
        subjects = list(dict.fromkeys((root, *self._inventory.manifests_of(root))))
        attaching: list[tuple[Manifest, str]] = [
            (self._manifest(child.digest), about)
            for digest in subjects
            for child in self._manifest(digest).children
            if (about := attested_digest(child)) and child.digest in self._held
        ]
        seen = set(subjects)
        for subject in subjects:  # which grows: signatures of signatures
            for referrer in self._referrers.get(subject, ()):
                if referrer not in seen:
                    seen.add(referrer)
                    subjects.append(referrer)
                    attaching.append((self._manifest(referrer), subject))
        found = [
            AttachmentFacts(what.kind, what.type, _signer_name(self._source, what), one.descriptor.digest, subject)
            for one, subject in attaching
            for what in attached(one)
        ]
        return list(dict.fromkeys(found))


def _signer_name(source: ImageSource, what: Attached) -> str:
    signer = signer_of(source, what)
    return "" if signer is None else f"{signer.identity} ({signer.issuer})" if signer.issuer else signer.identity


def parse_config(source: Source, config: Descriptor | None) -> dict[str, Any]:
    """Return a config, empty for content that is none. Raises :class:`DigestMismatch` for a damaged one."""
    if config is None:
        return {}
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
