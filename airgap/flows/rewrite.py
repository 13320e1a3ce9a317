# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite``: the same files with their images pointing at the target, every other byte as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from airgap import kube
from airgap.bundle import BundleReader
from airgap.errors import AirgapError, ContentMissing, TargetError, raise_all
from airgap.events import Noted, Sink, Warned, ignore
from airgap.flows.contents import assignments_of
from airgap.kube.model import POSSIBLE
from airgap.oci import Reference
from airgap.target import Mapping as TargetMapping
from airgap.target import apart

Locate = Callable[[Reference], Reference | None]
"""The target reference of a source reference, or ``None`` where it is not known."""


@dataclass(frozen=True)
class RewrittenFile:
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
    emit: Sink = ignore,
) -> list[RewrittenFile]:
    """Rewrite in memory. A site whose image is not known is an error with its file and line, or, with
    ``keep_unknown``, stays as it is and is told. What only looks like an image stays as it is where it is not known,
    and, without ``guesses``, always."""
    written = []
    errors: list[AirgapError] = []
    for file, scan in files:
        pairs = []
        for site in scan.sites:
            guess = site.confidence == POSSIBLE
            where, what = f"{file.path}:{site.line}", f"{site.reference} is not in the bundle"
            if guess and not guesses:
                emit(Noted(f"{where}: {site.text} looks like an image, but nothing says that it is one; left as it is"))
                continue
            target = locate(site.reference)
            if target is not None:
                pairs.append((site, str(target)))
            elif guess:
                emit(Noted(f"{where}: {what}; left as it is"))
            elif keep_unknown:
                emit(Warned(f"{where}: {what}; left as it is"))
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


def by_bundle(bundle: BundleReader, mapping: TargetMapping, *, emit: Sink = ignore) -> Locate:
    """Only what the bundle holds is known; a digest that platforms changed becomes the derived one."""
    known: Mapping[Reference, Reference] = {a.source: a.target for a in assignments_of(bundle, mapping, emit=emit)}
    return known.get
