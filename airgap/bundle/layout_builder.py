# SPDX-License-Identifier: Apache-2.0
"""What stands before the blobs: ``oci-layout``, ``index.json``, ``manifest.json``, the inventory, resources.

Every name goes into two annotations, since programs differ in which they read; a reference with tag and
digest gets two entries, since a kubelet looks the digest up by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from airgap import __version__
from airgap.bundle.inventory import RESOURCES, BundledImage, BundledResource, Inventory, dump, name_problem
from airgap.bundle.required_layers import Origin, Required
from airgap.bundle.tar import Layout, blob_name, lay_out
from airgap.errors import ResourceError
from airgap.oci import Descriptor, Platform, Reference
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_INDEX, Manifest
from airgap.records import Record, replace
from airgap.store.layout import LAYOUT, REF_NAME
from airgap.transfer import Image, Plan

CONTAINERD_NAME = "io.containerd.image.name"
INVENTORY = "airgap/bundle.json"
SELF = "airgap/airgap.pyz"
NOTES = "airgap/notes"
_DOCKER_PLATFORM = Platform("linux", "amd64")


class Resource(Record):
    """A resource file as it was: ``name`` is its path under the common folder of all."""

    name: str
    content: bytes


class Extras(Record):
    """What a bundle carries beside images."""

    resources: Sequence[Resource] = ()
    program: bytes | None = None
    name: str | None = None
    version: str | None = None
    notes: bytes | None = None


NO_EXTRAS = Extras()


def compose(
    plan: Plan, extras: Extras = NO_EXTRAS, requires: Sequence[Required] = (), bases: Sequence[Origin] = ()
) -> tuple[Inventory, Layout]:
    """Turn a plan into an inventory and the place of every byte. Root labels are references; ``requires`` is what the
    plan's manifests need beyond its blobs, ``bases`` names the bundles it came with.

    The order depends only on the content: images by reference, then manifests, configs and layers, layers
    largest first, so that copying in order of size writes in order of place. Raises :class:`ResourceError` for
    a resource file whose name a reader would refuse.
    """
    images = sorted((image for image in plan.images if not image.referrer_of), key=lambda image: image.root.label)
    referrers = _subjects_first([image for image in plan.images if image.referrer_of])
    bundled = tuple(
        BundledImage(Reference.parse(image.root.label), image.manifest.descriptor, image.platforms, image.derived_from)
        for image in images
    )
    blobs = _order(plan, [*images, *referrers])
    uses = _uses(plan, [*images, *referrers], [*(blob.digest for blob in blobs), *(r.digest for r in requires)])
    # Every other program stops at the first layer that is missing.
    incomplete = Inventory(bundled, blobs, uses=uses, requires=tuple(requires)).incomplete
    members = [
        ("oci-layout", LAYOUT),
        ("index.json", _index(offered(bundled, incomplete), [r for r in referrers if r.digest not in incomplete])),
        ("manifest.json", _docker_manifest([i for i in images if i.digest not in incomplete], plan, named(bundled))),
    ]
    carried = []
    numbered = []
    for number, resource in enumerate(extras.resources, 1):
        if reason := name_problem(resource.name):
            raise ResourceError(
                f"the file name {resource.name!r} {reason}",
                hint="rename it, or leave resource files out with --no-resources",
            )
        member = f"{RESOURCES}{number:04}.yaml"
        carried.append(BundledResource(resource.name, member, hashlib.sha256(resource.content).hexdigest()))
        numbered.append((member, resource.content))
    if extras.notes is not None:
        numbered.append((NOTES, extras.notes))
    if extras.program is not None:
        numbered.append((SELF, extras.program))
    inventory = Inventory(
        bundled,
        blobs,
        tuple(carried),
        {image.digest: image.referrer_of for image in referrers},
        {name: digests.of(content) for name, content in (*members, *numbered)},
        extras.name,
        extras.version,
        f"airgap {__version__}",
        uses,
        tuple(requires),
        tuple(bases),
    )
    return inventory, lay_out([*members, (INVENTORY, inventory.to_bytes()), *numbered], blobs)


def entry_names(reference: Reference) -> list[str]:
    """The names under which ``index.json`` lists an image."""
    names = []
    if reference.tag:
        names.append(str(replace(reference, digest="")))
    if reference.digest:
        names.append(str(replace(reference, tag="")))
    return names


def _subjects_first(referrers: Sequence[Image]) -> list[Image]:
    """By digest, but a signature of a signature after that one: readers then know where it belongs."""
    subjects = {image.digest: image.referrer_of for image in referrers}

    def depth(digest: str) -> int:
        return 1 + depth(subjects[digest]) if digest in subjects else 0

    return sorted(referrers, key=lambda image: (depth(image.digest), image.digest))


def _order(plan: Plan, images: Sequence[Image]) -> tuple[Descriptor, ...]:
    manifests: dict[str, Descriptor] = {}
    configs: dict[str, Descriptor] = {}
    layers: dict[str, Descriptor] = {}
    for image in images:
        for manifest in plan.closure(image):
            manifests[manifest.descriptor.digest] = manifest.descriptor
            for blob in manifest.blobs:
                if blob.digest in plan.blobs and blob.digest not in configs:
                    (configs if blob is manifest.config else layers)[blob.digest] = blob
    # One digest may play two parts: an artifact may carry a manifest as its layer.
    for digest in manifests:
        configs.pop(digest, None)
    for digest in (*manifests, *configs):
        layers.pop(digest, None)
    by_size = sorted(layers.values(), key=lambda layer: (-layer.size, layer.digest))
    everything = [*manifests.values(), *configs.values(), *by_size]
    return tuple(Descriptor(d.media_type, d.digest, d.size) for d in everything)


def named(images: Sequence[BundledImage]) -> dict[str, Descriptor]:
    """What each name in ``index.json`` stands for. A plain reference owns its tag, without one the first that is
    pinned; another goes by its digest."""
    names: dict[str, Descriptor] = {}
    for image in sorted(images, key=lambda image: (bool(image.reference.digest), str(image.reference))):
        for name in entry_names(image.reference):
            names.setdefault(name, image.descriptor)
    return names


def offered(images: Sequence[BundledImage], incomplete: Collection[str]) -> dict[str, Descriptor]:
    """The names of :func:`named` whose images are whole. A name of one that is not goes to no other image."""
    return {name: found for name, found in named(images).items() if found.digest not in incomplete}


def _uses(plan: Plan, images: Sequence[Image], order: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """What each root consists of, by number in ``order``."""
    numbers = {digest: number for number, digest in enumerate(order)}
    uses: dict[str, tuple[int, ...]] = {}
    for image in images:
        closure = plan.closure(image)
        parts = {digest for m in closure for digest in (m.descriptor.digest, *(blob.digest for blob in m.blobs))}
        uses[image.digest] = tuple(sorted(numbers[digest] for digest in parts if digest in numbers))
    return uses


def _index(names: Mapping[str, Descriptor], referrers: Sequence[Image]) -> bytes:
    entries = [_entry(found, {CONTAINERD_NAME: name, REF_NAME: name}) for name, found in sorted(names.items())]
    entries += [_entry(image.manifest.descriptor, {}) for image in referrers]
    return dump({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def _entry(descriptor: Descriptor, annotations: dict[str, str]) -> dict[str, Any]:
    return Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, None, annotations).to_json()


def _docker_manifest(images: Sequence[Image], plan: Plan, names: Mapping[str, Descriptor]) -> bytes:
    """One item for each complete container image: for linux/amd64, or the first platform that there is. An image
    that has no tag, or whose tag another one owns, gets one from its digest."""
    items: dict[str, dict[str, Any]] = {}
    for image in images:
        chosen = _for_docker(image, plan)
        if chosen is None or chosen.config is None or any(b.digest not in plan.blobs for b in chosen.blobs):
            continue
        reference = Reference.parse(image.root.label)
        owner = names.get(f"{reference.name}:{reference.tag}")
        owns = owner is not None and owner.digest == image.digest
        tag = reference.tag if owns else reference.with_digest(image.digest).digest_tag
        item = items.setdefault(
            chosen.descriptor.digest,
            {
                "Config": blob_name(chosen.config.digest),
                "RepoTags": [],
                "Layers": [blob_name(layer.digest) for layer in chosen.layers],
            },
        )
        name = f"{reference.name}:{tag}"
        if name not in item["RepoTags"]:
            item["RepoTags"].append(name)
    return dump(list(items.values()))


def _for_docker(image: Image, plan: Plan) -> Manifest | None:
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
