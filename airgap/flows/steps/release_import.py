# SPDX-License-Identifier: Apache-2.0
"""The import of a release up to its bundle: what the site holds, which files are chosen, which version was there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.bundle.opening import open_files
from airgap.bundle.reader import BundleReader
from airgap.events import Noted
from airgap.flows.steps.placement import ImportRequest
from airgap.flows.steps.release_choice import (
    KnownBundle,
    candidates_of,
    check_identity,
    choose_files,
    known_bundles,
)
from airgap.flows.steps.release_words import describe, list_files
from airgap.flows.steps.site_contents import SiteContents, contents_of_documents, contents_of_target
from airgap.i18n import tr
from airgap.records import Record, replace
from airgap.release.at_hand import ReleaseAtHand
from airgap.release.choice import Candidate
from airgap.release.versions import version_key
from airgap.targets import Target
from airgap.targets.findings import raise_or_warn
from airgap.transfer import Context

if TYPE_CHECKING:
    from airgap.bundle.media import AskForVolume
    from airgap.bundle.media.sealed import Unseal


class ReleaseRequest(Record):
    """The release to import, and what is known of the site: ``holds`` are receipts and the like, ``history`` is the
    record of imports. ``whole`` is for an import that reads all of a bundle, to verify it."""

    folder: ReleaseAtHand
    holds: Sequence[str] = ()
    history: Path | None = None
    whole: bool = False
    dry_run: bool = False


class ChosenFiles(Record):
    """What is imported of a release, and what is known of the site."""

    folder: ReleaseAtHand
    candidate: Candidate
    site: SiteContents

    def open(self, unseal: Unseal | None, ask: AskForVolume | None) -> BundleReader:
        """Open the chosen bundle. ``ask`` is called for a volume that it needs and that is not at hand.

        Raises :class:`airgap.errors.BundleError` for another bundle than ``release.json`` names.
        """
        bundle = self.candidate.bundle
        paths = [self.folder.path_of(name) for name in bundle.files]
        at_hand = all(file.name in self.folder.paths for file in self.candidate.files)
        reader = open_files(paths, None if at_hand else ask, unseal, partial=at_hand)
        check_identity(reader, bundle)
        return reader

    def complete(self, request: ImportRequest) -> ImportRequest:
        """Add to the request what only a release has: it replaces the files of another version."""
        release = self.folder.release
        hint = ""
        if self.site.version and self.site.version != release.version:
            words = {"old": self.site.version, "new": release.version}
            if version_key(release.version) < version_key(self.site.version):
                hint = tr("--overwrite moves the tag: this is a rollback from {old} to {new}", **words)
            else:
                hint = tr("--overwrite moves the tag: this is an update from {old} to {new}", **words)
        return replace(request, bundle_name=release.title, replace_version=True, overwrite_hint=hint)


def choose_release(
    request: ReleaseRequest, target: Target | None, unseal: Unseal | None, context: Context, *, can_ask: bool
) -> ChosenFiles:
    """Find out what the site holds and choose the cheapest files; say so in one line.

    Without a ``target`` only ``request.holds`` say what the site holds. Raises
    :class:`airgap.errors.ContentMissing`, which names the files to bring, if no files at hand will do, unless
    somebody can be asked for volumes.
    """
    folder = request.folder
    known = known_bundles(folder, unseal)
    site = _contents(request, known, target, context)
    choice = choose_files(folder, candidates_of(folder, known, site, whole=request.whole))
    context.emit(Noted(describe(folder, choice)))
    taken = choice.chosen or choice.nearest
    if request.dry_run:
        for line in list_files(folder, taken.files):
            context.emit(Noted(line))
    if choice.chosen is None and (request.dry_run or not can_ask or len(taken.bundle.files) == 1):
        raise folder.missing_error(taken.bundle, choice.fetch)
    return ChosenFiles(folder, taken, site)


def _contents(
    request: ReleaseRequest, known: Sequence[KnownBundle], target: Target | None, context: Context
) -> SiteContents:
    name = request.folder.release.name
    if request.holds or target is None:
        return contents_of_documents(request.holds, name)
    raise_or_warn(target.preflight(), lambda _: None)  # the import itself warns
    inventories = {one.bundle.id: one.inventory for one in known if one.inventory is not None}
    if len(known) == 1 and len(known[0].bundle.files) == 1:
        inventories = {}  # there is nothing to choose
    return contents_of_target(inventories, name, target, request.history, context)
