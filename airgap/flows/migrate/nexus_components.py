# SPDX-License-Identifier: Apache-2.0
"""What the REST API of the source's Nexus lists: tags with their dates, and all manifests by digest."""

from __future__ import annotations

from collections.abc import Iterable

from airgap.flows.migrate.migration import Migration
from airgap.flows.migrate.registry_view import RegistryView, Tag
from airgap.records import Record, field
from airgap.targets.nexus.components import Component, ComponentLister


class ComponentListing(Record):
    """What the filter's repositories have. ``tags`` by repository and name; ``media_types`` of the manifests that any
    tag points to, by repository and digest; ``manifests``: digests of the other manifests by repository."""

    tags: dict[str, dict[str, Tag]] = field(default_factory=dict)
    media_types: dict[str, dict[str, str]] = field(default_factory=dict)
    manifests: dict[str, set[str]] = field(default_factory=dict)


def list_components(migration: Migration, nexus: ComponentLister) -> ComponentListing:
    """Read all components and assets of the hosted repository, or of each that the source consists of.

    Raises what :class:`ComponentLister` raises.
    """
    source, listing = migration.source, ComponentListing()
    if source.hosted_repositories:
        for name in [nexus.repository] if nexus.repository else source.hosted_repositories:
            lister = ComponentLister(nexus.rest, name)
            lister.find_repository(source.address.registry, source.address.prefix)
            _add_components(migration, lister, list(lister.components()), f"{name}/", listing)
        return listing
    hosted = nexus.find_repository(source.address.registry, source.address.prefix)
    components = list(nexus.components())
    root = _root(source, nexus, hosted, (component.image for component in components))
    _add_components(migration, nexus, components, root, listing)
    return listing


def _add_components(
    migration: Migration, nexus: ComponentLister, components: Iterable[Component], root: str, listing: ComponentListing
) -> None:
    """Add one repository's components, and its manifests by digest. ``root`` precedes the names of its images."""
    source, tag_filter = migration.source, migration.request.tag_filter
    for component in components:
        name = source.relative_name(root + component.image)
        if name and component.digest and tag_filter.matches_repository(name):
            listing.media_types.setdefault(name, {})[component.digest] = component.media_type
        if name and tag_filter.matches(name, component.tag):
            date_source = "lastModified" if component.modified else ""
            listing.tags.setdefault(name, {})[component.tag] = Tag(
                name, component.tag, component.digest, component.media_type, component.modified, date_source
            )
    for image, digest in nexus.manifests_by_digest():
        name = source.relative_name(root + image)
        if name and tag_filter.matches_repository(name) and digest not in listing.media_types.get(name, ()):
            listing.manifests.setdefault(name, set()).add(digest)


def _root(source: RegistryView, nexus: ComponentLister, hosted: str, images: Iterable[str]) -> str:
    """What precedes an image's name in Nexus to make it the full name in the registry: the hosted repository where it
    is the first path element of the registry's names, else nothing."""
    first = source.address.prefix.partition("/")[0]
    if first != hosted:
        return ""
    nexus_host = nexus.rest.client.base_url.partition("://")[2].partition("/")[0]
    same_port = nexus_host == source.address.registry
    return f"{hosted}/" if same_port or not any(image.startswith(f"{first}/") for image in images) else ""
