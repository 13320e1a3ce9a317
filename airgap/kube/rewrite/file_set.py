# SPDX-License-Identifier: Apache-2.0
"""Several resource files rewritten in memory: the images of each point at the target, every other byte is as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airgap.errors import AirgapError, ContentMissing, raise_all
from airgap.events import Noted, Sink, Warned, ignore
from airgap.kube.files import ResourceFile
from airgap.kube.model import POSSIBLE, Edit, Scan, Site
from airgap.kube.rewrite.rewriter import rewrite_content
from airgap.oci import Reference
from airgap.records import Record

Locate = Callable[[Reference], Reference | None]
"""The target reference of a source reference, or ``None`` where it is not known."""


class RewrittenFile(Record):
    """``before`` and ``after`` are the whole contents; ``changes`` turn one back into the other."""

    name: str
    path: str
    before: bytes
    after: bytes
    edits: tuple[Edit, ...]


def rewrite_files(
    files: Sequence[tuple[ResourceFile, Scan]],
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
        pairs: list[tuple[Site, str]] = []
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
        result = rewrite_content(file.content, pairs)
        written.append(RewrittenFile(file.name, file.path, file.content, result.content, result.edits))
    raise_all(errors)
    return written
