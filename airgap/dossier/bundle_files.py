# SPDX-License-Identifier: Apache-2.0
"""The facts of a bundle itself: its files with their hashes, its root digest, and who signed it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.artifacts.manifest import parse_manifest
from airgap.bundle import BundleReader, Inventory
from airgap.bundle.layout_builder import NOTES_MEMBER
from airgap.bundle.media.checksums import joined_sha256
from airgap.bundle.media.volume_names import bundle_name
from airgap.bundle.signatures import find_signatures
from airgap.dossier.facts import ArtifactFacts, BundleFacts, FileFacts
from airgap.dossier.images import ImageSource
from airgap.events import BlobDone, BlobProgress, BlobStarted, Planned
from airgap.transfer import Context
from airgap.trust.policy import Policy, check


def bundle_facts(bundle: BundleReader, context: Context) -> BundleFacts:
    """Return the facts of a bundle in files. Reads all of it, once and in order.

    Raises :class:`airgap.errors.BundleError` for a volume that is not there, and
    :class:`airgap.errors.SignatureFailure` for a signature that is malformed.
    """
    paths = [Path(file) for file in bundle.files]
    size = sum(path.stat().st_size for path in paths)
    name = bundle_name(str(bundle.path))
    shown = Path(name).name
    context.emit(Planned(len(bundle.inventory.images), 0, 1, size))
    context.emit(BlobStarted(shown, size))

    def observe(count: int) -> None:
        context.cancel.check()
        context.emit(BlobProgress(shown, count))

    whole, parts = joined_sha256(paths, observe)
    context.emit(BlobDone(shown, size, "verified"))
    # In a folder the files are named as the list of checksums beside it names them, and together they are no file.
    names = [str(path.relative_to(bundle.path.parent)) if bundle.is_folder else path.name for path in paths]
    files = [FileFacts(name, sha256, size) for name, (sha256, size) in zip(names, parts, strict=True)]
    signatures = find_signatures(bundle)
    checked = check(bundle.inventory_content(), signatures, Policy(), where=str(bundle.path)) if signatures else []
    signers = [f"{one.signer}: {one.comment}" if one.comment else one.signer for one in checked]
    inventory = bundle.inventory
    return BundleFacts(
        shown, f"sha256:{bundle.id}", "" if bundle.is_folder else whole, size, files, inventory.name or "",
        inventory.version or "",
        list(dict.fromkeys(signers)), len(inventory.requires),
    )  # fmt: skip


def artifact_facts(inventory: Inventory, source: ImageSource, *, where: str) -> list[ArtifactFacts]:
    """Return the facts of every artifact in the order of the inventory."""
    facts = []
    for artifact in inventory.artifacts:
        properties = parse_manifest(source.manifest(artifact.descriptor.digest), where=where).properties
        facts.append(
            ArtifactFacts(
                artifact.format, artifact.name, artifact.version, artifact.file, artifact.content.digest,
                artifact.content.size, artifact.source, properties,
            )
        )  # fmt: skip
    return facts


def release_notes(bundle: BundleReader) -> str:
    """Return the release notes that the bundle carries, empty without any."""
    if NOTES_MEMBER not in bundle.inventory.members:
        return ""
    return bundle.member(NOTES_MEMBER).decode("utf-8", "replace")


def skipped_files(inventory: Inventory) -> Sequence[tuple[str, str]]:
    """Return the files that were not read for images, with the reason."""
    return [(entry.name, entry.why) for entry in inventory.skipped]
