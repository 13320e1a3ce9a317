# SPDX-License-Identifier: Apache-2.0
"""What an import says of the files of a release that it has chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.release import ReleaseFile
from airgap.release.at_hand import ReleaseAtHand
from airgap.release.choice import Choice

#: How many files the line about the choice names.
_NAMED = 4


def describe(folder: ReleaseAtHand, choice: Choice) -> str:
    """Say in one line what is imported, or would be, and what is not here."""
    taken = choice.chosen or choice.nearest
    full = folder.release.full
    title = f"{folder.release.name} {folder.release.version}"
    names, size = names_of(taken.files), human(taken.size)
    since = taken.bundle.since
    if since is not None:
        text = tr("{title}: {names} ({size}), for a site with {version}; the full bundle has {full}",
                  title=title, names=names, size=size, version=since.version, full=human(full.size))  # fmt: skip
    elif len(taken.files) < len(full.files):
        text = tr("{title}: {names} ({size}) of the full bundle, which has {full}",
                  title=title, names=names, size=size, full=human(full.size))  # fmt: skip
    else:
        text = tr("{title}: the full bundle, {names} ({size})", title=title, names=names, size=size)
    best = choice.cheapest
    if best.size < taken.size:
        text += tr(
            "; {names} ({size}) would be enough, but is not here", names=names_of(best.files), size=human(best.size)
        )
    return text


def names_of(files: Sequence[ReleaseFile]) -> str:
    """Return the names of files for one line."""
    shown = ", ".join(file.name for file in files[:_NAMED])
    rest = len(files) - _NAMED
    return tr("{shown} and {count} more", shown=shown, count=counted(rest, "file")) if rest > 0 else shown


def list_files(folder: ReleaseAtHand, files: Sequence[ReleaseFile]) -> Iterator[str]:
    """Yield a line for each file: where it is read, or that it has to be brought."""
    for file in files:
        path, size = folder.paths.get(file.name), human(file.size)
        if path is not None:
            yield tr("would read {path} ({size})", path=path, size=size)
        else:
            yield tr("to bring: {name} ({size})", name=file.name, size=size)
