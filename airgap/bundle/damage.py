# SPDX-License-Identifier: Apache-2.0
"""What a damaged blob means to the user: which images need it, and which file must be copied again."""

from __future__ import annotations

from airgap.bundle.media.checksums import damaged_files
from airgap.bundle.reader import BundleReader
from airgap.errors import AirgapError


def images_by_blob(bundle: BundleReader, digests: set[str]) -> dict[str, list[str]]:
    """Map each of ``digests`` to the references of the images that need it."""
    references: dict[str, list[str]] = {}
    for image in bundle.inventory.images:
        for digest in sorted(_reachable_digests(bundle, image.descriptor.digest) & digests):
            references.setdefault(digest, []).append(str(image.reference))
    return references


def damaged_file(bundle: BundleReader, digest: str) -> str:
    """Return the file that has a damaged blob; of several volumes those whose checksum is wrong, or else all."""
    files = bundle.files_of(bundle.resolve(digest))
    return ", ".join(damaged_files(files) or files)


def _reachable_digests(bundle: BundleReader, root: str) -> set[str]:
    """Return the digests of an image's manifests and blobs. Damaged manifests are included, their blobs are not."""
    reachable, pending = set[str](), [root]
    while pending:
        digest = pending.pop()
        if digest in reachable:
            continue
        reachable.add(digest)
        try:
            manifest = bundle.manifest(digest)
        except AirgapError:
            continue
        reachable.update(blob.digest for blob in manifest.blobs)
        pending += [child.digest for child in manifest.children]
    return reachable
