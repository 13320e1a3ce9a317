# SPDX-License-Identifier: Apache-2.0
"""Checks where a bundle in a folder may be, and how large its files are, before anything is written."""

from __future__ import annotations

import os
import re
from pathlib import Path

from airgap.bundle.folder.files import is_bundle_folder
from airgap.bundle.inventory import Inventory
from airgap.bundle.media.file import partial_path
from airgap.bundle.tar import TarLayout
from airgap.durable.output import check_place
from airgap.errors import AirgapError, OutputError, UsageError, raise_all
from airgap.formatting import quoted
from airgap.i18n import tr

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
#: Endings that promise one file.
_FILE_SUFFIXES = (".tar", ".zst", ".age")


def check_folder_name(path: Path) -> None:
    """Raise :class:`UsageError` for a name that other programs or systems could not take for a folder of a bundle."""
    if path.name.endswith(_FILE_SUFFIXES):
        raise UsageError(
            tr("this is the name of a file, and --layout folder makes a folder"),
            where=str(path),
            hint=tr("name it so: -o {path}", path=quoted(path.with_name(_stem(path.name)))),
        )
    if not _PLAIN_NAME.fullmatch(path.name):
        raise UsageError(
            tr("the folder's name may have A-Z, a-z, 0-9, dots, hyphens and underscores"),
            where=str(path),
            hint=tr("choose another name with -o: other programs and systems read it too"),
        )


def _stem(name: str) -> str:
    while (suffix := next((suffix for suffix in _FILE_SUFFIXES if name.endswith(suffix)), None)) is not None:
        name = name.removesuffix(suffix)
    return name or "bundle"


def check_folder_place(path: Path, *, force: bool) -> None:
    """Raise :class:`OutputError` where a bundle cannot be put into the folder ``path``.

    ``force`` replaces a bundle that is there, and nothing else.
    """
    if not os.path.lexists(path):
        check_place(path, force=False)
        return
    if path.is_symlink() or not path.is_dir():
        raise OutputError(
            tr("something that is no folder is already there"),
            where=str(path),
            hint=tr("choose another place with -o"),
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(tr("this folder cannot be written"), where=str(path), hint=tr("choose another place with -o"))
    if partial_path(path).is_dir() or not any(path.iterdir()):
        return
    if not is_bundle_folder(path):
        raise OutputError(
            tr("this folder has other files than those of a bundle"),
            where=str(path),
            hint=tr("name a folder that does not exist yet"),
        )
    if not force:
        raise OutputError(tr("a bundle is already there"), where=str(path), hint=tr("--force replaces it"))


def check_file_sizes(layout: TarLayout, inventory: Inventory, limit: int) -> None:
    """Raise :class:`OutputError` for each file of more than ``limit`` bytes, with the images that need it."""
    errors: list[AirgapError] = []
    for member, _ in layout.head:
        if member.size > limit:
            errors.append(_too_large(member.name, member.size, limit))
    for number, blob in enumerate(layout.blobs):
        if blob.size > limit:
            names = [str(image.reference) for image in inventory.images
                     if number in inventory.uses.get(image.descriptor.digest, ())]  # fmt: skip
            names += [artifact.file for artifact in inventory.artifacts if artifact.content.digest == blob.digest]
            errors.append(_too_large(f"{', '.join(names)}: {blob.digest}", blob.size, limit))
    raise_all(errors)


def _too_large(what: str, size: int, limit: int) -> OutputError:
    return OutputError(
        tr("{what} has {size:,} bytes, and no file may have more than {limit:,}", what=what, size=size, limit=limit),
        hint=tr("a folder holds each layer as one file; --volume-size in place of --layout folder cuts them"),
    )
