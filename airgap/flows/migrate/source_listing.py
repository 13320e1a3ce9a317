# SPDX-License-Identifier: Apache-2.0
"""All tags of the source that the patterns match, by every way in which the source lists them."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import AirgapError, InvalidReference, NotFound, RegistryError, Rejected, Unavailable
from airgap.flows.migrate.migration import Migration
from airgap.flows.migrate.nexus_components import ComponentListing, list_components
from airgap.flows.migrate.registry_view import Tag
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.oci.reference import check_tag, repository_problem
from airgap.records import Record, field
from airgap.targets.nexus.components import ComponentLister
from airgap.transfer import Context


class SourceListing(Record, frozen=False):
    """What the source lists. ``tags`` by repository and name; ``methods`` are the ways that gave an answer.

    ``components`` is what Nexus's REST API lists, if it was asked. ``components_only`` and ``tags_only`` are tags that
    one way lists and the other does not. ``unreadable`` are repositories and tags that cannot be read, with the reason.
    """

    tags: dict[str, dict[str, Tag]] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)
    components: ComponentListing | None = None
    components_only: list[str] = field(default_factory=list)
    tags_only: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def all_tags(self) -> list[Tag]:
        """The tags of all repositories."""
        return [tag for tags in self.tags.values() for tag in tags.values()]


def list_source(migration: Migration, nexus: ComponentLister | None) -> SourceListing:
    """Join Nexus's components (if ``nexus`` is given), the catalog and the repositories' lists of tags.

    A tag that any of them names is taken. Raises the registry's error if nothing can be listed, and :class:`NotFound`
    for an ``--include`` that matches nothing.
    """
    tag_filter = migration.request.tag_filter
    listing = SourceListing()
    if nexus is not None:
        listing.components = list_components(migration, nexus)
        listing.tags.update(listing.components.tags)
        listing.methods.append("components")
    included = [pattern.repository for pattern in tag_filter.include if pattern.is_literal]
    names = dict.fromkeys([*listing.tags, *(name for name in included if tag_filter.matches_repository(name))])
    names.update(dict.fromkeys(_catalog(migration, listing)))
    _add_tags(migration, listing, [name for name in names if _check_name(listing, name)], included)
    for pattern in tag_filter.include:
        if not any(pattern.matches(name, tag) for name, tags in listing.tags.items() for tag in tags):
            raise NotFound(
                tr("nothing at the source matches --include {text}", text=pattern.text),
                where=str(migration.source.address),
                hint=tr("names are those below the source's prefix; * is one or more path elements"),
            )
    listing.tags = {name: listing.tags[name] for name in sorted(listing.tags) if listing.tags[name]}
    listing.unreadable = dict(sorted(listing.unreadable.items()))
    tags = counted(len(listing.all_tags), "tag")
    repositories = counted(len(listing.tags), "repository", "repositories")
    summary = tr("{tags} in {repositories}, by {methods}", tags=tags, repositories=repositories,
                 methods=tr(" and ").join(listing.methods))  # fmt: skip
    migration.context.note(f"{migration.source.address}: {summary}")
    _warn(listing, migration.context)
    return listing


def _catalog(migration: Migration, listing: SourceListing) -> list[str]:
    """The repositories in the registry's catalog. Raises its error if there is no other way to learn names."""
    source, tag_filter, context = migration.source, migration.request.tag_filter, migration.context
    try:
        names = source.repository_names()
    except Unavailable:
        raise
    except RegistryError as error:
        if listing.components is not None:
            context.warn(f"{source.address}: {error.what}; {tr('components alone say what there is')}")
        elif tag_filter.include and all(pattern.is_literal for pattern in tag_filter.include):
            context.note(f"{source.address}: {error.what}; {tr('the repositories that --include names are asked for')}")
        else:
            hint = tr(
                "name the repositories by --include NAME, once for each, or give Nexus's own address: --nexus-source"
            )
            error.hint = hint if not error.hint else tr("{hint}; or {error_hint}", hint=hint, error_hint=error.hint)
            raise
        return []
    listing.methods.append("catalog")
    return [name for name in names if tag_filter.matches_repository(name)]


def _check_name(listing: SourceListing, name: str) -> bool:
    """Whether a listed name is a valid repository name. Invalid ones are never used in a path."""
    problem = repository_problem(name)
    if problem:
        listing.unreadable[name[:200]] = problem
        listing.tags.pop(name, None)
    return not problem


def _add_tags(migration: Migration, listing: SourceListing, names: Sequence[str], included: Sequence[str]) -> None:
    """Add the tags that each repository lists, and note where they differ from the components."""
    source, compared = migration.source, listing.components is not None

    def list_tags(name: str) -> list[str] | None:
        try:
            return source.repository(name).tags()
        except (NotFound, Rejected) as error:
            if name in included and not compared:
                raise NotFound(tr("the source has no such repository"), where=source.label(name)) from error
            # Catalogs still list emptied repositories, and names that the registry itself rejects.
            listing.unreadable[name] = error.what
            return None

    listing.methods.append(tr("lists of tags"))
    for name, result in zip(names, migration.map(names, list_tags), strict=True):
        tags = listing.tags.setdefault(name, {})
        if result is None or isinstance(result, AirgapError):
            continue
        listed = {tag for tag in result if migration.request.tag_filter.matches(name, tag)}
        if compared:
            listing.components_only += [f"{name}:{tag}" for tag in tags if tag not in listed]
            listing.tags_only += [f"{name}:{tag}" for tag in sorted(listed) if tag not in tags]
        for tag in sorted(listed):
            try:
                tags.setdefault(check_tag(tag), Tag(name, tag))
            except InvalidReference as error:
                listing.unreadable[f"{name}:{tag[:128]}"] = error.what


def _warn(listing: SourceListing, context: Context) -> None:
    for names, problem in (
        (listing.components_only, tr("listed by components and not by its tags; asked for all the same")),
        (listing.tags_only, tr("listed by its tags and not by components")),
        (list(listing.unreadable), tr("listed and cannot be asked for")),
    ):
        if names:
            more = tr(" and {names_count} more", names_count=len(names) - 3) if len(names) > 3 else ""
            context.warn(f"{', '.join(names[:3])}{more}: {problem}")
