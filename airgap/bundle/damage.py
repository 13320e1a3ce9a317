# SPDX-License-Identifier: Apache-2.0
"""What a damaged blob means to the user: which images need it, and which file must be copied again."""

from __future__ import annotations

from pathlib import Path

from airgap.bundle.media.checksums import damaged_files
from airgap.bundle.media.volume_names import bundle_name
from airgap.bundle.reader import BundleReader
from airgap.bundle.tar import COPY_AGAIN_HINT
from airgap.errors import AirgapError
from airgap.formatting import quoted
from airgap.i18n import tr


def images_by_blob(bundle: BundleReader, digests: set[str]) -> dict[str, list[str]]:
    """Map each of ``digests`` to the references of the images, and the names of the artifacts, that need it."""
    references: dict[str, list[str]] = {}
    for image in bundle.inventory.images:
        for digest in sorted(_reachable_digests(bundle, image.descriptor.digest) & digests):
            references.setdefault(digest, []).append(str(image.reference))
    for artifact in bundle.inventory.artifacts:
        for digest in {artifact.descriptor.digest, artifact.content.digest} & digests:
            label = " ".join(part for part in artifact.identity[:3] if part)
            references.setdefault(digest, []).append(label)
    return references


def damaged_file(bundle: BundleReader, digest: str) -> str:
    """Return the file that has a damaged blob; of several volumes those whose checksum is wrong, or else all."""
    files = bundle.files_of(bundle.resolve(digest))
    return ", ".join(damaged_files(files) or files)


def repair_hint(bundle: BundleReader, digest: str) -> str:
    """Return how a damaged blob is repaired: by another copy; a volume also by being made again."""
    if not bundle.is_split:
        return COPY_AGAIN_HINT
    files = bundle.files_of(bundle.resolve(digest))
    names = [Path(file).name for file in bundle.files]
    numbers = [names.index(Path(file).name) + 1 for file in damaged_files(files) or files]
    options = tr(
        "-o {bundle_name} --volume-size {volume_size} --lock LOCK",
        bundle_name=quoted(bundle_name(names[0])),
        volume_size=bundle.volume_size,
    )
    commands = "; ".join(
        tr("airgap export FILES {options} --volume {number}", options=options, number=number) for number in numbers
    )
    volumes = ", ".join(map(str, numbers))
    return tr(
        "copy volume {volumes} once more; or make it again with the files and the lock of the first time: {commands}",
        volumes=volumes,
        commands=commands,
    )


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
