# SPDX-License-Identifier: Apache-2.0
"""The names of the images in a bundle's ``index.json``, from which other programs read them.

A reference with a tag and a digest gets two entries, because a kubelet looks up the digest alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airgap.bundle.inventory_entries import BundledImage
from airgap.oci import Descriptor, Reference
from airgap.records import replace

#: The annotation with a full image name that containerd reads; others read ``org.opencontainers.image.ref.name``
CONTAINERD_NAME = "io.containerd.image.name"


def names_of_reference(reference: Reference) -> list[str]:
    """Return the names under which ``index.json`` lists an image: with its tag alone, and with its digest alone."""
    names = []
    if reference.tag:
        names.append(str(replace(reference, digest="")))
    if reference.digest:
        names.append(str(replace(reference, tag="")))
    return names


def descriptors_by_name(images: Sequence[BundledImage]) -> dict[str, Descriptor]:
    """Map each name to the image that it refers to.

    A tag refers to the image that was exported by this tag alone, otherwise to the first one with the tag and a
    digest. The others are listed by their digest only.
    """
    names: dict[str, Descriptor] = {}
    for image in sorted(images, key=lambda image: (bool(image.reference.digest), str(image.reference))):
        for name in names_of_reference(image.reference):
            names.setdefault(name, image.descriptor)
    return names


def complete_descriptors_by_name(images: Sequence[BundledImage], incomplete: Collection[str]) -> dict[str, Descriptor]:
    """Return :func:`descriptors_by_name` without images whose digest is in ``incomplete``.

    The name of an incomplete image is not given to another image.
    """
    return {
        name: descriptor
        for name, descriptor in descriptors_by_name(images).items()
        if descriptor.digest not in incomplete
    }
