# SPDX-License-Identifier: Apache-2.0
"""Reads the documents that say what must stay: of releases, bundles, receipts and locks, in files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from airgap import limits
from airgap.bundle import Document, open_bundle
from airgap.bundle.documents import read_document, read_json_document
from airgap.bundle.media.sealed import Unseal
from airgap.bundle.media.zstd import MAGIC
from airgap.errors import AirgapError, BundleError, UsageError
from airgap.i18n import tr
from airgap.trust.age_header import MAGIC as AGE_MAGIC

#: How a bundle begins: as a tar, as a frame of zstd, sealed.
_BUNDLE_STARTS = (b"oci-layout\0", MAGIC, AGE_MAGIC)
#: Endings of documents of airgap that must not be passed over if they are damaged.
_OWN_NAMES = (".receipt.json", "bundle.json", ".lock")
#: A folder of blobs: the bundle's document lies beside it.
_BLOBS = "blobs"
#: How far below a given folder files are read.
_MAX_DEPTH = 3


def read_kept(paths: Sequence[str], unseal: Unseal | None = None) -> list[Document]:
    """Read the documents at ``paths``, which are files or folders. ``unseal`` gets the key of a sealed bundle.

    Raises :class:`UsageError` for a folder without any, and :class:`BundleError` for what cannot be read: what is not
    known to be kept would be deleted.
    """
    documents: list[Document] = []
    for text in paths:
        path = Path(text)
        found = list(_read_folder(path, unseal)) if path.is_dir() else [_read_file(path, unseal)]
        if not found:
            raise UsageError(
                tr("this folder has no bundle, bundle.json, receipt or lock"),
                where=text,
                hint=tr("name the folder of a release, or one of these files"),
            )
        documents += found
    return documents


def _read_file(path: Path, unseal: Unseal | None) -> Document:
    try:
        if _start_of(path).startswith(AGE_MAGIC):
            return _read_bundle(path, unseal)
        return read_document(path)
    except BundleError as error:
        error.hint = error.hint or tr("its bundle.json or its receipt will do as well")
        raise


def _read_bundle(path: Path, unseal: Unseal | None) -> Document:
    with open_bundle(path, unseal=unseal) as bundle:
        return Document(os.fspath(path), "bundle", bundle.id, bundle.inventory)


def _read_folder(folder: Path, unseal: Unseal | None) -> Iterator[Document]:
    for path in _files_below(folder):
        start = _start_of(path)
        if start.startswith(_BUNDLE_STARTS):
            yield _read_file(path, unseal)
        elif start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            try:
                document = read_json_document(path)
            except AirgapError:
                if path.name.endswith(_OWN_NAMES):
                    raise
                continue  # a scan.json, an SBOM: nothing that says what is kept
            if document is not None:
                yield document


def _files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and those up to three levels below it, without blobs. Raises :class:`UsageError`."""
    count, most = 0, limits.value("kept-files")
    for name, folders, files in os.walk(folder):
        depth = len(Path(name).relative_to(folder).parts)
        folders[:] = sorted(inner for inner in folders if inner != _BLOBS) if depth < _MAX_DEPTH else []
        for file in sorted(files):
            count += 1
            if count > most:
                raise UsageError(
                    tr("this folder has more than {most} files", most=most),
                    where=str(folder),
                    hint=tr("name the folders of the releases, or their bundle.json or receipts"),
                )
            path = Path(name, file)
            if path.is_file():
                yield path


def _start_of(path: Path) -> bytes:
    """The first bytes of a file; empty for what is none. Raises :class:`UsageError` for one that cannot be read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise UsageError(tr("cannot be read: {strerror}", strerror=error.strerror), where=str(path)) from error
