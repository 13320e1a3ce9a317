# SPDX-License-Identifier: Apache-2.0
"""Chooses the tags that are deleted, and plans their deletion."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airgap.flows.prune.brought import Brought
from airgap.flows.prune.chosen import Referrers, Selection, follow, no_referrers, sizes_of
from airgap.flows.prune.contents import RepositoryContents
from airgap.flows.prune.kept import Kept
from airgap.flows.prune.plan import ImagePlan, Left, Removal, place_of
from airgap.i18n import tr


def select_images(
    contents: Mapping[str, RepositoryContents], brought: Brought, kept: Kept, registry: str,
    referrers: Referrers = no_referrers,
) -> ImagePlan:  # fmt: skip
    """Return what is deleted of ``contents``: all repositories that airgap has brought something to, and those that it
    keeps something in.

    A tag is deleted if airgap brought its digest, and neither its name nor a reference that it came from is kept; what
    airgap brought and has no tag any more, if no kept release has its digest.
    """
    left: list[Left] = []
    selections = {name: Selection(found) for name, found in contents.items()}
    for (repository, tag), own in sorted(brought.images.items()):
        found = contents.get(repository)
        if found is not None and not found.problem:
            sources = brought.sources.get((repository, tag), set())
            selections[repository].chosen |= {
                digest for digest in own & found.untagged if not kept.keeps_digest(digest, sources)
            }
        digest = found.tags.get(tag) if found is not None else None
        if found is None or digest is None or kept.keeps(repository, tag, brought.sources.get((repository, tag), ())):
            continue
        name = f"{registry}/{repository}:{tag}"
        if digest not in own:
            left.append(Left(name, tr("somebody else has pushed {digest} under this tag", digest=digest)))
        elif found.problem:
            what = tr("it is not known what a tag beside it needs, which cannot be read: {tag}", tag=found.problem)
            left.append(Left(name, what, failed=True))
        else:
            selections[repository].chosen.add(tag)
    for repository, selection in selections.items():
        follow(selection, repository, brought, kept, referrers)
    left += _keep_bases(selections, brought, kept, registry, referrers)
    return _plan(selections, left)


def _keep_bases(
    selections: Mapping[str, Selection], brought: Brought, kept: Kept, registry: str, referrers: Referrers
) -> list[Left]:
    """Keep images with layers that a kept differential bundle builds on and that nothing else has. An import of that
    bundle needs them."""
    stays: dict[str, int] = {}
    for selection in selections.values():
        stays |= selection.blobs_staying()
    wanted = kept.requires.keys() - stays.keys()
    left = []
    for repository, selection in selections.items():
        chosen = set(selection.chosen)
        for name in sorted(chosen):
            closure = selection.contents.closure([selection.digest_of(name)])
            layers = wanted & sizes_of(selection.contents, closure).keys()
            if layers:
                selection.chosen.discard(name)
                bundle = kept.requires[min(layers)]
                what = tr("the kept bundle {bundle} builds on its layers", bundle=bundle)
                left.append(Left(f"{registry}/{place_of(repository, name)}", what))
        if selection.chosen != chosen:
            follow(selection, repository, brought, kept, referrers)
    return left


def _plan(selections: Mapping[str, Selection], left: list[Left]) -> ImagePlan:
    stays: dict[str, int] = {}
    freed: dict[str, int] = {}
    for selection in selections.values():
        stays |= selection.blobs_staying()
        freed |= sizes_of(selection.contents, selection.going)
    removals, manifests, staying = [], {}, {}
    for repository, selection in selections.items():
        contents = selection.contents
        staying.update({(repository, tag): digest for tag, digest in selection.staying_tags.items()})
        roots: dict[str, None] = {}
        for name in sorted(selection.chosen | selection.companions):
            digest = selection.digest_of(name)
            sizes = sizes_of(contents, contents.closure([digest]))
            only_tag = digest not in selection.going
            if only_tag and digest == name:
                continue  # something that stays leads to it
            frees = 0 if only_tag else sum(size for blob, size in sizes.items() if blob not in stays)
            companion = name in selection.companions
            removals.append(Removal(repository, name, digest, sum(sizes.values()), frees, only_tag, companion))
            roots |= {} if only_tag else {digest: None}
        # A manifest after the indexes that lead to it: some registries refuse the other order.
        order = dict.fromkeys([*roots, *_below(contents, roots), *sorted(selection.going)])
        if going := tuple(digest for digest in order if digest in selection.going):
            manifests[repository] = going
    frees = sum(size for digest, size in freed.items() if digest not in stays)
    return ImagePlan(tuple(removals), manifests, staying, frees, tuple(left))


def _below(contents: RepositoryContents, roots: Collection[str]) -> list[str]:
    """What these manifests lead to, level after level."""
    level, found = list(roots), list[str]()
    while level:
        level = [
            child
            for digest in level
            if digest in contents.manifests
            for child in contents.manifests[digest].children
            if child not in found
        ]
        found += dict.fromkeys(level)
    return found
