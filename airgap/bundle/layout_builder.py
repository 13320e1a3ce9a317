# SPDX-License-Identifier: Apache-2.0
"""Turns a plan into the inventory, the other members before the blobs, and the offset of every byte of the bundle.

The members before the blobs are ``oci-layout``, ``index.json``, ``manifest.json`` for ``docker load``, the inventory
and the resource files. Image names in ``index.json`` are in two annotations, because programs read different ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from airgap import bounded_json
from airgap.bundle.artifacts import BundledArtifact
from airgap.bundle.attached import lay_out_attached
from airgap.bundle.blob_list import BlobList
from airgap.bundle.document_format import dump_json, oldest_reader
from airgap.bundle.index_names import CONTAINERD_NAME, complete_descriptors_by_name, descriptors_by_name
from airgap.bundle.inventory import (
    INVENTORY_MEMBER,
    RESOURCES_FOLDER,
    Inventory,
    check_inventory,
)
from airgap.bundle.inventory_entries import BundledImage, BundledResource, SkippedName, resource_name_problem
from airgap.bundle.program import Program
from airgap.bundle.required_layers import BundleIdentity, RequiredLayer
from airgap.bundle.tar import TarLayout, blob_name, lay_out
from airgap.errors import BundleError, ResourceError
from airgap.i18n import tr
from airgap.oci import Descriptor, Platform, Reference
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_INDEX, Manifest
from airgap.records import Record, replace
from airgap.store.layout import LAYOUT
from airgap.store.layout_index import REF_NAME
from airgap.transfer import Image, Plan

#: The name of an optional member in the tar.
NOTES_MEMBER = "airgap/notes"
_DOCKER_PLATFORM = Platform("linux", "amd64")


class Resource(Record):
    """A resource file. ``name`` is its path below the common folder of all resource files."""

    name: str
    content: bytes


class Extras(Record):
    """What a bundle contains besides images.

    ``program`` is what ``--with-self`` carries; ``name``, ``version`` and ``notes`` are those of ``airgap.yaml``.
    ``skipped`` are the files that were not read for images. ``artifacts`` are those of the plan's images that are
    artifacts, sorted. ``attached`` are documents by name and content.
    """

    resources: Sequence[Resource] = ()
    program: Program | None = None
    name: str | None = None
    version: str | None = None
    notes: bytes | None = None
    skipped: Sequence[SkippedName] = ()
    artifacts: Sequence[BundledArtifact] = ()
    attached: Sequence[tuple[str, bytes]] = ()


NO_EXTRAS = Extras()


def build_layout(
    plan: Plan,
    extras: Extras = NO_EXTRAS,
    requires: Sequence[RequiredLayer] = (),
    bases: Sequence[BundleIdentity] = (),
) -> tuple[Inventory, TarLayout]:
    """Return the inventory of a plan's bundle and the offset of every member.

    The labels of the roots of images are references. ``requires`` are the layers that the plan's manifests need besides
    its blobs, ``bases`` the bundles that brought them.

    The order depends only on the content: images by reference, then manifests, configs and layers, the largest layer
    first. So workers that copy the largest blobs first also write in the order of the offsets. Raises
    :class:`ResourceError` for the name of a resource file that a reader would refuse.
    """
    artifact_digests = {artifact.descriptor.digest for artifact in extras.artifacts}
    artifacts = [image for image in plan.images if image.root.name in artifact_digests]
    others = [image for image in plan.images if image.root.name not in artifact_digests]
    images = sorted((image for image in others if not image.referrer_of), key=lambda image: image.root.label)
    referrers = _subjects_first([image for image in others if image.referrer_of])
    bundled = tuple(
        BundledImage(Reference.parse(image.root.label), image.manifest.descriptor, image.platforms, image.derived_from)
        for image in images
    )
    roots = [*images, *referrers, *artifacts]
    blobs = _ordered_blobs(plan, roots)
    uses = _blob_indexes(plan, roots, [*blobs.digests(), *(layer.digest for layer in requires)])
    # Other programs stop at the first missing layer, so incomplete images are hidden from them.
    incomplete = Inventory(bundled, blobs, uses=uses, requires=tuple(requires)).incomplete
    index = _index_json(
        complete_descriptors_by_name(bundled, incomplete),
        [image for image in (*referrers, *artifacts) if image.digest not in incomplete],
    )
    docker_manifest = _docker_manifest(
        [image for image in images if image.digest not in incomplete], plan, descriptors_by_name(bundled)
    )
    oci_members = [("oci-layout", LAYOUT), ("index.json", index), ("manifest.json", docker_manifest)]
    resources, extra_members = _extra_members(extras)
    attached, attached_members = lay_out_attached(extras.attached)
    extra_members += attached_members
    inventory = Inventory(
        bundled,
        blobs,
        tuple(resources),
        {image.digest: image.referrer_of for image in referrers},
        {name: digests.of(content) for name, content in (*oci_members, *extra_members)},
        extras.name,
        extras.version,
        "",
        uses,
        tuple(requires),
        tuple(bases),
        tuple(extras.skipped),
        tuple(extras.artifacts),
        {image.digest: image.referrer_tag for image in referrers if image.referrer_tag},
        frozenset(child.digest for image in roots for child in plan.absent_children(image)),
        tuple(attached),
    )
    inventory = replace(inventory, tool=oldest_reader(inventory.features))
    content = inventory.to_bytes()
    _check_readable(index, content)
    return inventory, lay_out([*oci_members, (INVENTORY_MEMBER, content), *extra_members], blobs)


def _check_readable(index: bytes, inventory: bytes) -> None:
    """Raise :class:`BundleError` for an ``index.json`` or inventory that import would refuse as too large."""
    try:
        name = "index.json"
        bounded_json.check_kind(index, "index")
        name = INVENTORY_MEMBER
        check_inventory(inventory)
    except bounded_json.TooLarge as error:
        raise BundleError(
            tr("{name} of this bundle would be too large to be read ({what})", name=name, what=error.what),
            hint=tr("make several bundles; or raise the limit here and for the import: {hint}", hint=error.hint),
        ) from None


def _extra_members(extras: Extras) -> tuple[list[BundledResource], list[tuple[str, bytes]]]:
    """Return the inventory's entries of the resource files, and all extra members as pairs of name and content."""
    resources = []
    members = []
    for number, resource in enumerate(extras.resources, 1):
        if reason := resource_name_problem(resource.name):
            raise ResourceError(
                tr("the file name {name!r} {reason}", name=resource.name, reason=reason),
                hint=tr("rename it, or leave resource files out with --no-resources"),
            )
        member = f"{RESOURCES_FOLDER}{number:04}.yaml"
        resources.append(BundledResource(resource.name, member, hashlib.sha256(resource.content).hexdigest()))
        members.append((member, resource.content))
    if extras.notes is not None:
        members.append((NOTES_MEMBER, extras.notes))
    if extras.program is not None:
        members.append((extras.program.member, extras.program.content))
    return resources, members


def _subjects_first(referrers: Sequence[Image]) -> list[Image]:
    """Sort by digest, but each referrer after its subject if that is a referrer too."""
    subjects = {image.digest: image.referrer_of for image in referrers}

    def depth(digest: str) -> int:
        return 1 + depth(subjects[digest]) if digest in subjects else 0

    return sorted(referrers, key=lambda image: (depth(image.digest), image.digest))


def _ordered_blobs(plan: Plan, images: Sequence[Image]) -> BlobList:
    """Return manifests, then configs, then layers, the largest layer first."""
    manifests: dict[str, Descriptor] = {}
    configs: dict[str, Descriptor] = {}
    layers: dict[str, Descriptor] = {}
    for image in images:
        for manifest in plan.closure(image):
            manifests[manifest.descriptor.digest] = manifest.descriptor
            for blob in manifest.blobs:
                if blob.digest in plan.blobs and blob.digest not in configs:
                    (configs if blob is manifest.config else layers)[blob.digest] = blob
    # One digest may be both: an artifact can have a manifest as its layer.
    for digest in manifests:
        configs.pop(digest, None)
    for digest in (*manifests, *configs):
        layers.pop(digest, None)
    layers_by_size = sorted(layers.values(), key=lambda layer: (-layer.size, layer.digest))
    ordered = [*manifests.values(), *configs.values(), *layers_by_size]
    return BlobList(ordered)


def _blob_indexes(plan: Plan, images: Sequence[Image], blob_digests: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Map each image's digest to the manifests and blobs that it consists of, as indexes into ``blob_digests``."""
    index_of = {digest: index for index, digest in enumerate(blob_digests)}
    uses: dict[str, tuple[int, ...]] = {}
    for image in images:
        used: set[str] = set()
        for manifest in plan.closure(image):
            used.add(manifest.descriptor.digest)
            used.update(blob.digest for blob in manifest.blobs)
        uses[image.digest] = tuple(sorted(index_of[digest] for digest in used if digest in index_of))
    return uses


def _index_json(names: Mapping[str, Descriptor], nameless: Sequence[Image]) -> bytes:
    entries = [
        _index_entry(descriptor, {CONTAINERD_NAME: name, REF_NAME: name}) for name, descriptor in sorted(names.items())
    ]
    entries += [_index_entry(image.manifest.descriptor, {}) for image in nameless]
    return dump_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def _index_entry(descriptor: Descriptor, annotations: dict[str, str]) -> dict[str, Any]:
    return Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, None, annotations).to_json()


def _docker_manifest(images: Sequence[Image], plan: Plan, names: Mapping[str, Descriptor]) -> bytes:
    """Return ``manifest.json`` for ``docker load``: one item for each complete container image.

    Of an index it contains the linux/amd64 image, or the first one. An image that has no tag, or whose tag refers to
    another image, gets a tag made from its digest.
    """
    items: dict[str, dict[str, Any]] = {}
    for image in images:
        manifest = _docker_platform(image, plan)
        if manifest is None or manifest.config is None:
            continue
        if any(blob.digest not in plan.blobs for blob in manifest.blobs):
            continue
        reference = Reference.parse(image.root.label)
        tagged = names.get(f"{reference.name}:{reference.tag}")
        owns_tag = tagged is not None and tagged.digest == image.digest
        tag = reference.tag if owns_tag else reference.with_digest(image.digest).digest_tag
        item = items.setdefault(
            manifest.descriptor.digest,
            {
                "Config": blob_name(manifest.config.digest),
                "RepoTags": [],
                "Layers": [blob_name(layer.digest) for layer in manifest.layers],
            },
        )
        name = f"{reference.name}:{tag}"
        if name not in item["RepoTags"]:
            item["RepoTags"].append(name)
    return dump_json(list(items.values()))


def _docker_platform(image: Image, plan: Plan) -> Manifest | None:
    """Return the manifest that ``docker load`` gets of an image, ``None`` if it is no container image."""
    if not image.manifest.is_index:
        return image.manifest if image.manifest.is_container_image else None
    candidates = [
        (child.platform, plan.manifests[child.digest])
        for child in image.manifest.children
        if child.digest in plan.manifests and plan.manifests[child.digest].is_container_image
    ]
    for platform, manifest in candidates:
        if platform is not None and platform.matches(_DOCKER_PLATFORM):
            return manifest
    return candidates[0][1] if candidates else None
