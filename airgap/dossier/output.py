# SPDX-License-Identifier: Apache-2.0
"""The four files of a dossier in a folder, named after the bundle."""

from __future__ import annotations

from pathlib import Path

from airgap.bundle.media.volume_names import bundle_name
from airgap.dossier import cyclonedx, document, table
from airgap.dossier.facts import Dossier
from airgap.durable import output

#: The endings of a bundle's name that a dossier's name does not have.
_ENDINGS = (".age", ".zst", ".tar")


def stem_of(bundle: str) -> str:
    """Return how the files of a bundle's dossier are called: ``platform-1.10`` for ``/media/platform-1.10.tar.001``."""
    name = Path(bundle_name(bundle)).name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name or "bundle"


def files_of(dossier: Dossier) -> list[tuple[str, bytes]]:
    """Return the files by name: the page, the table, the bill of materials, and the document that is signed."""
    from airgap.dossier.page import document as page

    stem = stem_of(dossier.bundle.file)
    return [
        (f"{stem}.html", page.to_bytes(dossier)),
        (f"{stem}.csv", table.to_bytes(dossier)),
        (f"{stem}.cdx.json", cyclonedx.to_bytes(dossier)),
        (f"{stem}.json", document.to_bytes(dossier)),
    ]


def write(folder: Path, files: list[tuple[str, bytes]], *, force: bool) -> None:
    """Write the files of a dossier into a folder, which is made if it is missing.

    Raises :class:`airgap.errors.OutputError`, for files with other content unless ``force``.
    """
    with output.folder_for(folder):
        output.check_free(folder, files, force=force)
        output.write_files(folder, files)
