# SPDX-License-Identifier: Apache-2.0
"""Chooses which files of a release are imported: the cheapest that bring the site from what it holds to the release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.bundle import Inventory, read_document
from airgap.bundle.opening import open_files
from airgap.bundle.reader import BundleReader
from airgap.errors import BundleError, ContentMissing, DigestMismatch
from airgap.flows.steps.site_contents import SiteContents
from airgap.i18n import tr
from airgap.records import Record
from airgap.release import ReleaseBundle
from airgap.release.at_hand import ReleaseAtHand, inventory_file
from airgap.release.choice import Candidate, Choice, blobs_length, choose, files_to_read, required_layers
from airgap.trust.age_header import MAGIC

if TYPE_CHECKING:
    from airgap.bundle.media.sealed import Unseal


class KnownBundle(Record):
    """What is known of a bundle of a release. Without its first file or its ``bundle.json`` there is no ``inventory``.

    ``head_end`` is the offset of its first blob, known only from its first file.
    """

    bundle: ReleaseBundle
    inventory: Inventory | None = None
    head_end: int | None = None


def known_bundles(folder: ReleaseAtHand, unseal: Unseal | None) -> list[KnownBundle]:
    """Read the heads of a release's bundles, or the ``bundle.json`` of those whose first file is not at hand.

    Raises :class:`BundleError` for a damaged file, and for a bundle that ``release.json`` does not name.
    """
    return [_known(folder, bundle, unseal) for bundle in folder.release.bundles]


def _known(folder: ReleaseAtHand, bundle: ReleaseBundle, unseal: Unseal | None) -> KnownBundle:
    first = folder.paths.get(bundle.files[0])
    if first is not None and (unseal is not None or not _is_sealed(first)):
        if _is_sealed(first) and folder.missing(bundle):
            return KnownBundle(bundle)
        with open_bundle_of(folder, bundle, unseal) as reader:
            # The places of blobs in a sealed or compressed file are not those of the tar.
            plain = reader.is_appendable and not _is_sealed(first)
            head_end = reader.blobs_end - blobs_length(reader.inventory) if plain else None
            return KnownBundle(bundle, reader.inventory, head_end)
    if (path := inventory_file(folder, bundle)) is not None:
        document = read_document(path)
        if document.id != bundle.id or not isinstance(document.content, Inventory):
            raise DigestMismatch(tr("its SHA-256 is not the one that release.json names"), where=str(path))
        return KnownBundle(bundle, document.content)
    return KnownBundle(bundle)


def open_bundle_of(folder: ReleaseAtHand, bundle: ReleaseBundle, unseal: Unseal | None) -> BundleReader:
    """Open a bundle of a release, of which volumes may be missing.

    Raises :class:`BundleError` for another bundle than ``release.json`` names, and what
    :func:`airgap.bundle.opening.open_files` raises.
    """
    paths = [folder.path_of(name) for name in bundle.files]
    reader = open_files(paths, None, unseal, partial=True)
    check_identity(reader, bundle)
    return reader


def check_identity(reader: BundleReader, bundle: ReleaseBundle) -> None:
    """Close the reader and raise :class:`BundleError` unless it is the bundle that ``release.json`` names."""
    if reader.id != bundle.id:
        reader.close()
        raise BundleError(
            tr("it is the bundle {id}, and release.json names {expected}", id=reader.id, expected=bundle.id),
            where=str(reader.path),
            hint=tr("copy the folder of the release once more from the other side"),
        )


def candidates_of(
    folder: ReleaseAtHand, known: Sequence[KnownBundle], site: SiteContents, *, whole: bool
) -> list[Candidate]:
    """Return what each bundle would need at the site. ``whole`` is for imports that read all of a bundle.

    Of a bundle that nothing is known of, all files are needed; a differential one serves only a site whose history or
    receipt names the release that it builds on.
    """
    candidates = []
    for one in known:
        files = folder.files_of(one.bundle)
        inventory, since = one.inventory, one.bundle.since
        if inventory is None:
            lacking = int(since is not None and since.id not in site.bundles)
        else:
            lacking = sum(layer.digest not in site.digests for layer in required_layers(inventory))
            # A sealed or recoded bundle does not have its blobs at the places that their sizes give.
            plain = not inventory.recoded and not _is_sealed(folder.paths.get(files[0].name))
            if plain and not whole and len(files) > 1:
                files = files_to_read(inventory, files, one.head_end, site.digests)
        candidates.append(Candidate(one.bundle, files, lacking))
    return candidates


def choose_files(folder: ReleaseAtHand, candidates: Sequence[Candidate]) -> Choice:
    """Choose among the candidates. Raises :class:`ContentMissing` if none of them serves the site."""
    choice = choose(candidates, folder.paths)
    if choice is None:
        raise ContentMissing(
            tr("the site lacks layers that every bundle of this release builds on"),
            where=str(folder.path),
            hint=tr("copy the folder of the release once more from the other side"),
        )
    return choice


def _is_sealed(path: Path | None) -> bool:
    if path is None:
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
