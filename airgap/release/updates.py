# SPDX-License-Identifier: Apache-2.0
"""Which image of an earlier release an image takes the place of."""

from __future__ import annotations

from airgap.bundle.comparison import Comparison, ImageComparison

#: An image in the earlier and in the later release, by what both are called.
ImagePairs = dict[str, tuple[ImageComparison, ImageComparison]]


def updated_images(comparison: Comparison) -> ImagePairs:
    """Return the images by name of which exactly one tag was removed and one added."""
    by_name: dict[str, tuple[list[ImageComparison], list[ImageComparison]]] = {}
    for image in comparison.images:
        if image.status in ("added", "removed"):
            name = image.reference.partition("@")[0]
            name = name[: -len(tag_of(image)) - 1] if tag_of(image) and "@" not in image.reference else name
            by_name.setdefault(name, ([], []))[image.status == "added"].append(image)
    return {name: (old[0], new[0]) for name, (old, new) in by_name.items() if len(old) == len(new) == 1}


def same_images(comparison: Comparison) -> ImagePairs:
    """Return the images that both releases have under the same tag."""
    return {one.reference: (one, one) for one in comparison.images if one.status in ("changed", "kept")}


def tag_of(image: ImageComparison) -> str:
    """Return the tag of an image, or the digest of one that has none."""
    name, at, digest = image.reference.partition("@")
    return digest if at else name.rpartition("/")[2].rpartition(":")[2]
