# SPDX-License-Identifier: Apache-2.0
"""The size of each image of a bundle: all that it consists of, and what no other image of the bundle uses."""

from __future__ import annotations

from collections import Counter

from airgap.bundle.inventory import Inventory
from airgap.records import Record


class ImageSize(Record):
    """Sizes in bytes. ``total`` is of all manifests, configs and layers; ``own`` of those that no other image uses."""

    total: int
    own: int

    @property
    def shared(self) -> int:
        """The bytes that other images of the bundle use, too."""
        return self.total - self.own


def image_sizes(inventory: Inventory) -> dict[str, ImageSize]:
    """Return the size of each image by its digest, on all its platforms.

    It counts layers that a differential bundle left out. An inventory that does not say what its images consist of
    gives none.
    """
    sizes = [blob.size for blob in inventory.blobs] + [required.size for required in inventory.requires]
    digests = dict.fromkeys(image.descriptor.digest for image in inventory.images)
    indexes = {digest: set(inventory.uses[digest]) for digest in digests if digest in inventory.uses}
    users = Counter(index for used in indexes.values() for index in used)
    return {
        digest: ImageSize(sum(sizes[index] for index in used), sum(sizes[index] for index in used if users[index] == 1))
        for digest, used in indexes.items()
    }
