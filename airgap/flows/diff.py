# SPDX-License-Identifier: Apache-2.0
"""``airgap diff``: compares any two of a bundle, a ``bundle.json``, a receipt, an inventory and a lockfile."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.bundle import Document, Receipt
from airgap.bundle.comparison import Comparison, DocumentContents, compare, contents_of
from airgap.oci import Reference
from airgap.targets import POLICIES, TargetAddress
from airgap.targets import Mapping as TargetMapping


def diff(old: Document, new: Document) -> Comparison:
    """Compare two documents that :func:`airgap.bundle.read_document` read.

    An inventory of a target knows no source references. If only the other document knows them, its images are compared
    by the names that they have, or would get, at that target.
    """
    old_contents, new_contents = contents_of(old), contents_of(new)
    if new_contents.target and not old_contents.target:
        old_contents.images = _target_names(old, old_contents, new_contents)
    elif old_contents.target and not new_contents.target:
        new_contents.images = _target_names(new, new_contents, old_contents)
    return compare(old_contents, new_contents)


def _target_names(document: Document, contents: DocumentContents, inventory: DocumentContents) -> dict[str, str]:
    """Return the document's images by their names at the inventory's target.

    A receipt has these names. For other documents they follow from the mapping policy that leads to the most names of
    the inventory.
    """
    if isinstance(document.content, Receipt):
        return {image.target: image.digest for image in document.content.images}
    address = TargetAddress.parse(inventory.target)
    candidates = [_mapped_names(contents.images, TargetMapping(address, policy)) for policy in POLICIES]
    return max(candidates, key=lambda images: len(images.keys() & inventory.images.keys()))


def _mapped_names(images: Mapping[str, str], mapping: TargetMapping) -> dict[str, str]:
    mapped = {}
    for name, digest in images.items():
        reference = Reference.parse(name)
        mapped[f"{mapping.locate(reference).name}:{reference.tag or reference.digest_tag}"] = digest
    return mapped
