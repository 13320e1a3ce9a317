# SPDX-License-Identifier: Apache-2.0
"""The repositories of a target as they are now: every tag, every manifest that tags lead to, and the blobs of these.

All tags are read, also those that somebody else pushed: what they need must stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar, cast

from airgap.errors import AirgapError, ContentError, Interrupted, NotFound, Rejected, Unauthorized, Unavailable
from airgap.flows.prune.contents import Links, RepositoryContents
from airgap.i18n import tr
from airgap.oci.manifest import Manifest
from airgap.registry import Repository
from airgap.targets import Target
from airgap.transfer import Context, parallel_map

#: Indexes in each other that are followed.
_MAX_LEVELS = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_contents(
    target: Target, repositories: Mapping[str, Collection[str]], context: Context
) -> dict[str, RepositoryContents]:
    """Read these repositories, each with digests that may be there without a tag; one that does not exist is empty.

    Raises the error of a registry that gives no lists.
    """
    stores = {name: cast("Repository", target.open(name)) for name in repositories}
    contents = {name: RepositoryContents() for name in stores}
    lists = _map(stores, lambda name: _tags_of(stores[name]), context)
    places = [(name, tag) for name, tags in zip(stores, lists, strict=True) for tag in _checked(tags)]
    manifests = _map(places, lambda place: stores[place[0]].manifest(place[1]), context)
    unread: list[tuple[str, str]] = []
    for (name, tag), found in zip(places, manifests, strict=True):
        if isinstance(found, NotFound) and found.status == 404:
            continue  # a registry may go on listing tags whose manifest was deleted
        if isinstance(found, AirgapError):
            contents[name].problem = contents[name].problem or tr("{tag}: {reason}", tag=tag, reason=found.what)
            _raise_unless_content(found)
            continue
        contents[name].tags[tag] = found.descriptor.digest
        unread += _add(contents[name], name, found.descriptor.digest, found)
    _read_children(contents, stores, unread, context)
    lost = [(name, digest) for name in stores for digest in repositories[name]]
    lost = [(name, digest) for name, digest in lost if digest not in contents[name].manifests]
    _read_children(contents, stores, lost, context)
    for name, digest in lost:
        if digest in contents[name].manifests:
            contents[name].untagged.add(digest)
    return contents


def read_tags(target: Target, repository: str, context: Context) -> dict[str, str]:
    """Return the digests of all tags of a repository now. Raises the error of one that cannot be read."""
    store = cast("Repository", target.open(repository))
    tags = _tags_of(store)
    digests = parallel_map(
        tags, lambda tag: _digest_of(store, tag), workers=context.jobs.control, cancel=context.cancel
    )
    return {tag: str(digest) for tag, digest in zip(tags, digests, strict=True) if digest}


def _read_children(
    contents: Mapping[str, RepositoryContents],
    stores: Mapping[str, Repository],
    unread: list[tuple[str, str]],
    context: Context,
) -> None:
    """Read level after level of what indexes list; ``unread`` are repositories and digests."""
    for _ in range(_MAX_LEVELS):
        todo = [place for place in dict.fromkeys(unread) if place[1] not in contents[place[0]].manifests]
        if not todo:
            return
        unread = []
        manifests = _map(todo, lambda place: stores[place[0]].manifest(place[1]), context)
        for (name, digest), found in zip(todo, manifests, strict=True):
            if isinstance(found, NotFound) and found.status == 404:
                continue  # an index without all of its images
            if isinstance(found, AirgapError):
                contents[name].problem = contents[name].problem or tr("{tag}: {reason}", tag=digest, reason=found.what)
                _raise_unless_content(found)
                continue
            unread += _add(contents[name], name, digest, found)
    for name, digest in unread:
        contents[name].problem = contents[name].problem or tr(
            "{tag}: {reason}", tag=digest, reason=tr("more than {levels} indexes in each other", levels=_MAX_LEVELS)
        )


def _add(contents: RepositoryContents, name: str, digest: str, manifest: Manifest) -> list[tuple[str, str]]:
    links = Links.of(manifest)
    contents.manifests[digest] = links
    return [(name, child) for child in links.children]


def _tags_of(store: Repository) -> list[str]:
    try:
        return store.tags()
    except NotFound:
        return []


def _digest_of(store: Repository, tag: str) -> str:
    try:
        return store.resolve(tag).digest
    except NotFound:
        return ""


def _map(items: Iterable[Item], work: Callable[[Item], Result], context: Context) -> list[Result | AirgapError]:
    return parallel_map(items, work, workers=context.jobs.control, cancel=context.cancel, keep_going=True)


def _checked(tags: list[str] | AirgapError) -> list[str]:
    if isinstance(tags, AirgapError):
        raise tags
    return tags


def _raise_unless_content(error: AirgapError) -> None:
    """Raise errors that concern the registry and not one image."""
    if isinstance(error, (Unavailable, Unauthorized, Interrupted)) or not isinstance(
        error, (NotFound, ContentError, Rejected)
    ):
        raise error
