# SPDX-License-Identifier: Apache-2.0
"""What the target lacks: the digest of each tag on both sides, and what the journal says of tags that differ."""

from __future__ import annotations

from airgap.errors import AirgapError, NotFound, RegistryError, TargetError, Unavailable
from airgap.events import Noted
from airgap.flows.migrate.migration import Failure, Migration
from airgap.flows.migrate.missing_referrers import find_missing_referrers
from airgap.flows.migrate.registry_view import Tag
from airgap.flows.migrate.source_listing import SourceListing
from airgap.flows.migrate.tag_filter import is_referrers_tag
from airgap.flows.migrate.tag_selection import select_tags
from airgap.i18n import tr
from airgap.records import Record, field


class Comparison(Record, frozen=False):
    """The source's tags by what has to be done, and the target's other tags.

    ``to_copy`` are missing at the target; ``to_move`` exist there with another digest, which is replaced. ``excluded``
    did not pass the filter. ``target_only`` are tags that only the target has, by repository. ``referrers`` are the
    digests that the source's referrers API lists, by the digest of their subject.
    """

    present: list[Tag] = field(default_factory=list)
    to_copy: list[Tag] = field(default_factory=list)
    to_move: list[Tag] = field(default_factory=list)
    excluded: list[Tag] = field(default_factory=list)
    target_only: dict[str, list[str]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    referrers: dict[str, list[str]] = field(default_factory=dict)


def compare(migration: Migration, listing: SourceListing) -> Comparison:
    """Compare both registries. A tag that may not be replaced at the target is a failure."""
    comparison = Comparison()
    source, target = migration.source, migration.target
    target_tags = _target_tags(migration, listing)
    selection = select_tags(migration, listing.all_tags)
    comparison.excluded = selection.excluded
    comparison.failures = [(source.tag_label(tag), error) for tag, error in selection.failures]
    for name, tags in target_tags.items():
        if extra_tags := sorted(tags - listing.tags.get(name, {}).keys()):
            # Where the source has the referrers API, a target without it lists the same referrers under a tag.
            comparison.target_only[name] = [
                tag for tag in extra_tags if not (source.has_referrers_api and is_referrers_tag(tag))
            ]
    shared = [tag for tag in selection.selected if tag.name in target_tags.get(tag.repository, ())]
    unknown = []
    for tag in shared:
        if migration.request.delta and _recorded_digest(migration, tag) == tag.digest:
            tag.target_digest = tag.digest
        else:
            unknown.append(tag)

    def resolve(tag: Tag) -> None:
        tag.target_digest = target.resolve(tag)

    failures = migration.failures(unknown, resolve)
    comparison.failures += [(target.tag_label(tag), error) for tag, error in failures]
    failed = {tag for tag, _ in failures}
    for tag in selection.selected:
        if tag not in failed:
            _decide(migration, tag, comparison)
    _recheck_referrers(migration, comparison)
    return comparison


def _target_tags(migration: Migration, listing: SourceListing) -> dict[str, set[str]]:
    """The target's tags by repository: in the source's repositories and in all others that the filter matches."""
    target, tag_filter = migration.target, migration.request.tag_filter
    names = dict.fromkeys(listing.tags)
    try:
        names.update(dict.fromkeys(filter(tag_filter.matches_repository, target.repository_names())))
    except Unavailable:
        raise
    except RegistryError as error:
        note = tr(
            "{address}: {what}; repositories that it alone has stay unknown", address=target.address, what=error.what
        )
        migration.context.emit(Noted(note))

    def list_tags(name: str) -> set[str]:
        try:
            return {tag for tag in target.repository(name).tags() if tag_filter.matches(name, tag)}
        except NotFound:
            return set()

    results = migration.map(names, list_tags)
    return {name: tags for name, tags in zip(names, results, strict=True) if not isinstance(tags, AirgapError)}


def _recorded_digest(migration: Migration, tag: Tag) -> str | None:
    """The digest with which an earlier run saw the tag at the target."""
    return migration.journal.state.tags.get(str(tag))


def _decide(migration: Migration, tag: Tag, comparison: Comparison) -> None:
    """Add the tag to the list of ``comparison`` that says what to do with it."""
    request, label = migration.request, migration.target.tag_label(tag)
    is_recorded = _recorded_digest(migration, tag) == tag.target_digest
    if tag.target_digest == tag.digest:
        comparison.present.append(tag)
    elif not tag.target_digest or (is_referrers_tag(tag.name) and _is_partial(migration, tag)):
        comparison.to_copy.append(tag)
    elif request.overwrite or (request.delta and is_recorded):
        comparison.to_move.append(tag)
        why = tr("has moved at the source") if is_recorded else tr("is another one at the target")
        digests = tr("from {target_digest} to {digest}", target_digest=tag.target_digest[:19], digest=tag.digest[:19])
        migration.context.emit(
            Noted(tr("{label}: the tag {why}; it is moved {digests}", label=label, why=why, digests=digests))
        )
    else:
        history = (
            tr("an earlier run put it there, and it has moved since")
            if is_recorded
            else tr("no earlier run put it there")
        )
        error = TargetError(
            tr(
                "the tag is already there with {target_digest}, the source has {digest}; {history}",
                target_digest=tag.target_digest,
                digest=tag.digest,
                history=history,
            ),
            where=label,
            hint=tr("--delta moves the tags that this migration put there")
            if is_recorded
            else tr("--overwrite moves it"),
        )
        comparison.failures.append((label, error))


def _is_partial(migration: Migration, tag: Tag) -> bool:
    """Whether the target's list of referrers is a part of the source's: an interrupted run leaves such a list."""
    target_list = migration.target.repository(tag.repository).manifest(tag.target_digest)
    source_list = migration.source.repository(tag.repository).manifest(tag.digest)
    return {child.digest for child in target_list.children} <= {child.digest for child in source_list.children}


def _recheck_referrers(migration: Migration, comparison: Comparison) -> None:
    """Copy present tags again if the target lacks some of their referrers."""
    tags = [*comparison.present, *comparison.to_copy, *comparison.to_move]
    incomplete = find_missing_referrers(migration, tags, comparison.referrers)
    comparison.to_copy += [tag for tag in comparison.present if tag in incomplete]
    comparison.present = [tag for tag in comparison.present if tag not in incomplete]
