# SPDX-License-Identifier: Apache-2.0
"""Reads a bundle in a folder as if it were a tar: the headers that a tar has between its files are computed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from airgap.bundle.folder.files import FolderFiles, is_bundle_folder
from airgap.bundle.folder.virtual_tar import VirtualTar
from airgap.bundle.head import head_names, is_head_name, read_inventory
from airgap.bundle.inventory import INVENTORY_MEMBER, Inventory
from airgap.bundle.media.base import PreadReader
from airgap.bundle.media.file import BlobRange
from airgap.bundle.tail import MAX_SIGNATURE, SIGNATURES_FOLDER, signature_members
from airgap.bundle.tar import BlobPlaces, Member, blob_name, check_name, place_head
from airgap.errors import AirgapError, BundleError, SignatureFailure, raise_all
from airgap.formatting import counted, quoted
from airgap.i18n import tr
from airgap.store.protocols import Reader
from airgap.store.readers import translate_read_errors

#: How many files a message about a folder names.
_NAMED_FILES = 100
_MAX_SIGNATURES = 1000


class FolderMedium:
    """A tar to read, whose members are the files of a folder. Made by :meth:`open`. Thread-safe."""

    ordered = False

    def __init__(self, files: FolderFiles, tar: VirtualTar) -> None:
        self.where = str(files.path)
        self.size: int | None = tar.size
        self._files = files
        self._tar = tar

    @classmethod
    def open(cls, path: Path) -> FolderMedium:
        """Open the bundle in the folder ``path``.

        Raises :class:`BundleError` if it has no bundle, and one for each file that is missing or has another size than
        it should, with the images that need it.
        """
        if not is_bundle_folder(path):
            raise _no_bundle(path)
        files = FolderFiles(path)
        try:
            return cls(files, _virtual_tar(files))
        except BaseException:
            files.close()
            raise

    def pread(self, count: int, offset: int) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where it ends. Raises :class:`BundleError`."""
        return self._tar.read(count, offset, self._read_content)

    def open_range(self, offset: int, length: int) -> Reader:
        """Open a reader; if the bytes lie in one file, it can hand its file to ``sendfile``."""
        for member, position, start, end in self._tar.contents(length, offset):
            if (start, end) != (0, length):
                break
            where = self._files.path / member.name
            opened = self._files.open(member.name)
            if opened is None:
                raise _not_whole(where, None, 0, "")
            return BlobRange(opened[0], position, length, owned=True, where=str(where))
        return PreadReader(self.pread, offset, length, self.where)

    def expect_size(self, total: int) -> None:
        """Do nothing: the sizes of all files were compared when the folder was opened."""

    def files_at(self, offset: int, length: int) -> Sequence[str]:
        """Return the files that store these bytes."""
        members = self._tar.overlapping(offset, length)
        return [str(self._files.path / member.name) for member in members if not member.directory]

    def check_nothing_else(self) -> None:
        """Raise :class:`SignatureFailure` if there is anything in the folder that the bundle does not list."""
        known = {member.name for member in self._tar.files()}
        with translate_read_errors(self.where):
            stranger = next((name for name in self._files.walk() if name not in known), None)
        if stranger is not None:
            raise SignatureFailure(
                tr("this was added after the bundle was signed"),
                where=str(self._files.path / stranger),
                hint=tr("move it out of the folder"),
            )

    def close(self) -> None:
        """Close the folder. Closing twice does nothing."""
        self._files.close()

    def _read_content(self, member: Member, position: int, count: int) -> bytes:
        return self._files.read(member.name, count, position)


def _virtual_tar(files: FolderFiles) -> VirtualTar:
    """Return the tar that the folder's inventory describes. Raises as :meth:`FolderMedium.open` does."""
    inventory = _read_inventory(files)
    names = head_names(inventory)
    for name in names:
        check_name(name)
        if not is_head_name(name) or name.startswith(SIGNATURES_FOLDER):
            raise BundleError(tr("the member {name!r} has no place in a bundle", name=name), where=str(files.path))
    sizes = _sizes_of_head(files, names, inventory)
    members, end = place_head([(name, sizes[name]) for name in names], inventory.stored)
    places = BlobPlaces(inventory.stored, end)
    signatures = {}
    for name in files.names_in(SIGNATURES_FOLDER.rstrip("/"), _MAX_SIGNATURES):
        check_name(f"{SIGNATURES_FOLDER}{name}")
        signatures[name] = files.size(f"{SIGNATURES_FOLDER}{name}") or 0
        if signatures[name] > MAX_SIGNATURE:
            raise BundleError(
                tr("its signatures have more than {max:,} bytes", max=MAX_SIGNATURE), where=str(files.path)
            )
    return VirtualTar(members, places, signature_members(signatures, places.end))


def _read_inventory(files: FolderFiles) -> Inventory:
    where = str(files.path / INVENTORY_MEMBER)
    opened = files.open(INVENTORY_MEMBER)
    if opened is None:
        raise _no_bundle(files.path)
    fd, size = opened
    try:
        with translate_read_errors(where):
            return read_inventory(partial(os.pread, fd), size, where)[0]
    finally:
        os.close(fd)


def _sizes_of_head(files: FolderFiles, names: Sequence[str], inventory: Inventory) -> dict[str, int]:
    """Return the sizes of the files before the blobs, by name, after all files were looked for."""
    errors: list[AirgapError] = []
    sizes: dict[str, int] = {}
    references: Mapping[str, str] | None = None
    blobs = ((blob_name(blob.digest), blob) for blob in inventory.stored)
    for name, blob in chain(((name, None) for name in names), blobs):
        try:
            size = files.size(name)
        except BundleError as error:
            errors.append(error)
            continue
        if blob is not None and blob.size == size:
            continue
        if blob is None and size is not None:
            sizes[name] = size
            continue
        references = _references_by_blob(inventory) if references is None else references
        needed_by = references.get(blob.digest, "") if blob else ""
        errors.append(_not_whole(files.path / name, size, blob.size if blob else 0, needed_by))
    if len(errors) > _NAMED_FILES:
        count = counted(len(errors) - _NAMED_FILES, "file")
        errors[_NAMED_FILES:] = [
            BundleError(tr("{count} more are missing or damaged", count=count), where=str(files.path))
        ]
    raise_all(errors)
    return sizes


def _references_by_blob(inventory: Inventory) -> dict[str, str]:
    """Map digests to the references of the images that need the blob."""
    digests = [*inventory.blobs.digests(), *(required.digest for required in inventory.requires)]
    references: dict[str, list[str]] = {}
    for image in inventory.images:
        for index in inventory.uses.get(image.descriptor.digest, ()):
            references.setdefault(digests[index], []).append(str(image.reference))
    return {digest: ", ".join(names) for digest, names in references.items()}


def _not_whole(path: Path, size: int | None, wanted: int, needed_by: str) -> BundleError:
    """Return the error for a file of ``size`` bytes, ``None`` if it is missing, that images need."""
    if size is None:
        what = tr("this file of the bundle is missing")
    else:
        what = tr("this file has {size:,} bytes and should have {wanted:,}", size=size, wanted=wanted)
    if needed_by:
        what = tr("{what}; needed by {images}", what=what, images=needed_by)
    return BundleError(
        what,
        where=str(path),
        hint=tr("copy it once more from the other side; BUNDLE.sha256.csv there has its checksum"),
        again=True,
    )


def _no_bundle(path: Path) -> BundleError:
    if os.path.exists(path / "oci-layout"):
        return BundleError(
            tr("this folder is an OCI layout, but no airgap bundle: airgap/bundle.json is missing"),
            where=str(path),
            hint=tr("airgap export --from {layout} -o bundle.tar makes a bundle of it", layout=quoted(f"oci:{path}")),
        )
    return BundleError(
        tr("this is a folder, and no bundle is in it: airgap/bundle.json is missing"),
        where=str(path),
        hint=tr("give the .tar that airgap export wrote, or the folder, or - to read standard input"),
    )
