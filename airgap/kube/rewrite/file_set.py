# SPDX-License-Identifier: Apache-2.0
"""Rewrite several resource files in memory, so that their images are at the target."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from airgap.errors import AirgapError, ContentMissing, raise_all
from airgap.events import Noted, Sink, Warned, ignore
from airgap.i18n import tr
from airgap.kube.detect import scan as detect
from airgap.kube.detect.custom_rules import NO_CUSTOM_RULES, CustomRules
from airgap.kube.detect.rules import APPLIED
from airgap.kube.files import ResourceFile
from airgap.kube.model import POSSIBLE, Edit, Scan, Site
from airgap.kube.rewrite.rewriter import rewrite_content
from airgap.kube.rewrite.shared_values import joined, separate
from airgap.oci import Reference
from airgap.records import Record

Locate = Callable[[Reference], Reference | None]
"""Returns the target reference of a source reference, or ``None`` if it is not known."""


def with_rewritten(targets: Mapping[Reference, Reference]) -> Locate:
    """Return a lookup of ``targets`` that also knows the images that an earlier run has rewritten: they stay."""
    rewritten = set(targets.values())
    return lambda source: targets.get(source) or (source if source in rewritten else None)


class LeftImage(Record):
    """A value that only looks like an image and was left as it is: ``where`` is ``file:line``."""

    where: str
    text: str


class RewrittenFile(Record):
    """A resource file with its content before and after the rewrite, and the edits that revert it."""

    name: str
    path: str
    before: bytes
    after: bytes
    edits: tuple[Edit, ...]
    left: tuple[LeftImage, ...] = ()


def rewrite_files(
    files: Sequence[tuple[ResourceFile, Scan]],
    locate: Locate,
    *,
    keep_unknown: bool = False,
    guesses: bool = True,
    origin: str = "bundle",
    rules: CustomRules = NO_CUSTOM_RULES,
    emit: Sink = ignore,
) -> list[RewrittenFile]:
    """Rewrite all sites whose image ``locate`` knows.

    An unknown image is ContentMissing with file and line, or with ``keep_unknown`` a warning; ``origin`` names where
    it is missing in the message. A value that only looks like an image stays if its image is not known, and without
    ``guesses`` also if no other site certainly names that image; the latter are ``left`` of their file. What was
    applied last is a past state, of which only a note tells. What shares the text of an image by an anchor and is none
    keeps its text, with a warning; ``rules`` are those by which the files were scanned.
    """
    certain_references = {site.reference for _, scan in files for site in scan.sites if site.confidence != POSSIBLE}
    rewritten_files = []
    errors: list[AirgapError] = []

    def target_of(site: Site) -> Reference | None:
        return locate(site.reference) if guesses or site.reference in certain_references else None

    def new_text(site: Site) -> str | None:
        target = target_of(site)
        return None if target is None else str(target)

    for file, first_scan in files:
        rescan = functools.partial(detect.scan, file=file.path, custom_rules=rules, strict=False)
        separated = separate(file.content, first_scan, new_text, rescan)
        scan, content = (separated.scan, separated.content) if separated else (first_scan, file.content)
        for where, anchor in separated.places if separated else ():
            emit(
                Warned(
                    tr(
                        "{where}: shares the text of an image by &{anchor}; it keeps the old text",
                        where=where,
                        anchor=anchor,
                    )
                )
            )
        sites_and_new: list[tuple[Site, str]] = []
        left: list[LeftImage] = []
        for site in scan.sites:
            is_guess = site.confidence == POSSIBLE
            where, problem = (
                f"{file.path}:{site.line}",
                tr("{reference} is not in the {origin}", reference=site.reference, origin=origin),
            )
            target = target_of(site)
            if target is not None:
                sites_and_new.append((site, str(target)))
            elif is_guess or keep_unknown:
                if not guesses and is_guess:
                    problem = tr("{text} looks like an image, but nothing says that it is one", text=site.text)
                    if site.rule != APPLIED.id:
                        left.append(LeftImage(where, site.text))
                is_note = is_guess and (guesses or site.rule == APPLIED.id)
                emit(
                    (Noted if is_note else Warned)(
                        tr("{where}: {problem}; left as it is", where=where, problem=problem)
                    )
                )
                if len(site.parts) > 1:  # a key that it shares with other sites must keep its text
                    sites_and_new.append((site, str(site.reference)))
            else:
                errors.append(
                    ContentMissing(problem, where=where, hint=tr("export it too, or --keep-unknown leaves it"))
                )
        result = rewrite_content(content, sites_and_new)
        if separated:
            result = joined(file.content, separated, result, file.path)
        rewritten_files.append(
            RewrittenFile(file.name, file.path, file.content, result.content, result.edits, tuple(left))
        )
    raise_all(errors)
    return rewritten_files
