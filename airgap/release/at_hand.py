# SPDX-License-Identifier: Apache-2.0
"""The folder of a release: which of its files are at hand, in the folder or elsewhere, and which are not.

``release.json`` may be anybody's: only files of the very name in the given folders count, no links, and none of another
size.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.durable import require_file
from airgap.errors import ContentMissing, UsageError
from airgap.formatting import counted, human, quoted
from airgap.i18n import tr
from airgap.records import Record
from airgap.release.document import DOCUMENT_NAME, Release, ReleaseBundle, ReleaseFile, read_release

#: How many files a message names.
_NAMED = 100


class ReleaseAtHand(Record):
    """A release whose document is in the folder ``path``. ``paths`` are its files that are at hand, by name.

    ``refused`` says why a file that is there is not used.
    """

    path: Path
    release: Release
    paths: Mapping[str, Path]
    refused: Mapping[str, str]

    def path_of(self, name: str) -> Path:
        """Return where a file is, or belongs."""
        return self.paths.get(name, self.path / name)

    def files_of(self, bundle: ReleaseBundle) -> tuple[ReleaseFile, ...]:
        """Return the files of a bundle in order, without parity volumes."""
        files = {file.name: file for file in self.release.files}
        return tuple(files[name] for name in bundle.files)

    def missing(self, bundle: ReleaseBundle) -> tuple[ReleaseFile, ...]:
        """Return the files of a bundle that are not at hand."""
        return tuple(file for file in self.files_of(bundle) if file.name not in self.paths)

    def missing_error(self, bundle: ReleaseBundle, files: Sequence[ReleaseFile]) -> ContentMissing:
        """Return the error for ``files`` of ``bundle`` that are needed and not at hand."""
        names = [f"{file.name} ({self.refused.get(file.name) or human(file.size)})" for file in files[:_NAMED]]
        hint = tr(
            "put them into {folder}, or name the folder or the file where each of them lies", folder=quoted(self.path)
        )
        if (volume := self._repairable(bundle)) is not None:
            repair = tr("airgap repair {volume} makes them again from parity", volume=quoted(volume))
            hint = f"{repair}; {hint}"
        return ContentMissing(
            tr(
                "{file_count} missing ({size} in total): {names}",
                file_count=counted(len(files), "file"),
                size=human(sum(file.size for file in files)),
                names=", ".join([*names, *(["…"] if len(files) > _NAMED else [])]),
            ),
            where=str(self.path),
            hint=hint,
            again=True,
        )

    def _repairable(self, bundle: ReleaseBundle) -> Path | None:
        """Return a volume from which ``airgap repair`` makes the missing ones again; ``None`` if too many are missing.

        Only files in the folder of the document count: ``airgap repair`` looks for the others beside the named one.
        """
        names = [*bundle.files, *bundle.parity]
        present = [self.paths[name] for name in names if name in self.paths and self.paths[name].parent == self.path]
        if not bundle.parity or len(present) < len(bundle.files):
            return None
        return present[0]


def release_folder(path: str | os.PathLike[str]) -> Path | None:
    """Return the folder of a release: ``path``, if it is one, or the folder of the document ``path``."""
    place = Path(path)
    if place.name == DOCUMENT_NAME and place.is_file():
        return place.parent
    return place if (place / DOCUMENT_NAME).is_file() else None


def open_release(folder: Path, others: Sequence[str | os.PathLike[str]] = ()) -> ReleaseAtHand:
    """Read the document in ``folder`` and look for its files there and in ``others``: files and folders.

    Raises :class:`UsageError` for a path that does not exist or belongs to no file of the release, and what
    :func:`read_release` raises.
    """
    release = read_release(folder)
    files = {file.name: file for file in release.files}
    folders, named = [folder], []
    for other in map(Path, others):
        if other.is_dir():
            folders.append(other)
            continue
        require_file(other)
        if other.name not in files:
            raise UsageError(
                tr("this is no file of the release {title}", title=release.title),
                where=str(other),
                hint=tr("a release is imported alone; name folders and files where more of it lies"),
            )
        named.append(other)
    paths: dict[str, Path] = {}
    refused: dict[str, str] = {}
    for name, file in files.items():
        for place in (*(path for path in named if path.name == name), *(place / name for place in folders)):
            problem = _problem(place, file)
            if problem is None:
                paths[name] = place
                refused.pop(name, None)
                break
            if problem:
                refused[name] = problem
    return ReleaseAtHand(folder, release, paths, refused)


def full_bundle(folder: ReleaseAtHand) -> list[Path]:
    """Return the files of the full bundle in order. Raises :class:`ContentMissing` if one of them is not at hand."""
    bundle = folder.release.full
    if missing := folder.missing(bundle):
        raise folder.missing_error(bundle, missing)
    return [folder.paths[name] for name in bundle.files]


def inventory_file(folder: ReleaseAtHand, bundle: ReleaseBundle) -> Path | None:
    """Return the ``bundle.json`` of a bundle, if it lies in the folder: the file whose SHA-256 is the bundle's ID."""
    for file in folder.release.files:
        if file.sha256 == bundle.id and file.name in folder.paths:
            return folder.paths[file.name]
    return None


def _problem(path: Path, file: ReleaseFile) -> str | None:
    """Return why ``path`` cannot be the file; empty if nothing is there, ``None`` if it can."""
    try:
        status = os.lstat(path)
    except OSError:
        return ""
    if not stat.S_ISREG(status.st_mode):
        return tr("a link or no file")
    if status.st_size != file.size:
        return tr("{size:,} bytes instead of {expected:,}", size=status.st_size, expected=file.size)
    return None
