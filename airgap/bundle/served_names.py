# SPDX-License-Identifier: Apache-2.0
"""The names that a registry over a bundle offers."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.bundle.inventory import Inventory
from airgap.oci import Descriptor


def served_names(inventory: Inventory, index_names: Mapping[str, Descriptor]) -> dict[str, Descriptor]:
    """Return the names of complete images, which ``index_names`` has, and of referrers.

    A name with the digest of an index from which platforms were selected is left out.
    """
    names = {
        name: descriptor
        for name, descriptor in index_names.items()
        if "@" not in name or name.endswith(f"@{descriptor.digest}")
    }
    repositories: dict[str, set[str]] = {}
    incomplete = inventory.incomplete
    for image in inventory.images:
        if image.descriptor.digest not in incomplete:
            repositories.setdefault(image.descriptor.digest, set()).add(image.reference.name)
            for child in inventory.manifests_of(image.descriptor.digest):
                repositories.setdefault(child, set()).add(image.reference.name)
    for referrer, subject in inventory.referrers.items():
        repositories[referrer] = repositories.get(subject, set()) if referrer not in incomplete else set()
        descriptor = inventory.blobs.get(referrer)
        assert descriptor is not None  # the inventory was checked for it
        for repository in sorted(repositories[referrer]):
            names[f"{repository}@{referrer}"] = descriptor
            if tag := inventory.referrer_tags.get(referrer):
                names[f"{repository}:{tag}"] = descriptor
    return names
