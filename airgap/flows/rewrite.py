# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite``: the same files with their images pointing at the target, every other byte as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from airgap import kube
from airgap.bundle import Inventory
from airgap.errors import AirgapError, ContentMissing, TargetError, raise_all
from airgap.events import Noted, Sink, Warned, ignore
from airgap.flows.contents import assignments_of
from airgap.kube.model import POSSIBLE
from airgap.oci import Reference
from airgap.records import Record
from airgap.target import Mapping as TargetMapping
from airgap.target import apart

Locate = Callable[[Reference], Reference | None]
"""The target reference of a source reference, or ``None`` where it is not known."""


class RewrittenFile(Record):
    """``before`` and ``after`` are the whole contents; ``changes`` turn one back into the other."""

    name: str
    path: str
    before: bytes
    after: bytes
    changes: tuple[kube.Change, ...]


def rewrite(
    files: Sequence[tuple[kube.ResourceFile, kube.Scan]],
    locate: Locate,
    *,
    keep_unknown: bool = False,
    guesses: bool = True,
    origin: str = "bundle",
    emit: Sink = ignore,
) -> list[RewrittenFile]:
    """Rewrite in memory. A site whose image is not known is an error with its file and line, or, with
    ``keep_unknown``, stays as it is and is told; ``origin`` is what it is not in. What only looks like an image stays
    as it is where it is not known, and, without ``guesses``, unless another site is surely of that image."""
    sure = {site.reference for _, scan in files for site in scan.sites if site.confidence != POSSIBLE}
    written = []
    errors: list[AirgapError] = []
    for file, scan in files:
        pairs: list[tuple[kube.Site, str]] = []
        for site in scan.sites:
            guess = site.confidence == POSSIBLE
            where, what = f"{file.path}:{site.line}", f"{site.reference} is not in the {origin}"
            target = locate(site.reference) if guesses or site.reference in sure else None
            if target is not None:
                pairs.append((site, str(target)))
            elif guess or keep_unknown:
                if not guesses:
                    what = f"{site.text} looks like an image, but nothing says that it is one"
                emit((Noted if guess else Warned)(f"{where}: {what}; left as it is"))
                if len(site.parts) > 1:  # others may share a key with it, which then cannot change
                    pairs.append((site, str(site.reference)))
            else:
                errors.append(ContentMissing(what, where=where, hint="export it too, or --keep-unknown leaves it"))
        result = kube.rewrite(file.content, pairs)
        written.append(RewrittenFile(file.name, file.path, file.content, result.content, result.changes))
    raise_all(errors)
    return written


def by_mapping(mapping: TargetMapping) -> Locate:
    """Every image is known: its target follows from the mapping alone. Two images that would get one name are
    refused with :class:`TargetError` as they are asked for."""
    owners: dict[Reference, Reference] = {}

    def locate(source: Reference) -> Reference:
        target = mapping.locate(source)
        owner = owners.setdefault(target, source)
        if owner != source:
            raise TargetError(f"{owner} and {source} would both become {target}", hint=apart(owner, source, mapping))
        return target

    return locate


def by_bundle(inventory: Inventory, mapping: TargetMapping, *, pin: bool = False, emit: Sink = ignore) -> Locate:
    """Only what the bundle holds is known; a digest that platforms changed becomes the derived one. With ``pin``
    every reference says the digest that the bundle carries, behind its tag if it has one."""
    known: Mapping[Reference, Reference] = {
        a.source: a.target.with_digest(a.digest) if pin else a.target
        for a in assignments_of(inventory, mapping, emit=emit)
    }
    return known.get
