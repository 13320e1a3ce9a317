# SPDX-License-Identifier: Apache-2.0
"""Recognises and reads airgap's files: a bundle, a ``bundle.json`` extracted from one, a receipt or a lockfile.

Only the content decides, not the file name. A file whose first character is ``{``, after white space and a UTF-8 byte
order mark, is a JSON document and is parsed as one. Every other file is opened as a bundle.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from airgap import limits
from airgap.bounded_json import TooLarge
from airgap.bundle.folder.files import is_bundle_folder
from airgap.bundle.inventory import Inventory
from airgap.bundle.inventory_hash import InventoryHash
from airgap.bundle.lockfile import REPAIR_HINT, Lockfile, check_writable
from airgap.bundle.media.volume_names import sibling_volumes, volumes_called
from airgap.bundle.opening import open_bundle
from airgap.bundle.receipt import Receipt
from airgap.durable import missing_file, read_hint
from airgap.errors import AirgapError, BundleError, ContentError, OutputError, UnsupportedBundle, UsageError
from airgap.i18n import tr
from airgap.json_stream import JsonStream, Pread, pread_of
from airgap.oci import Platform
from airgap.records import Record

DocumentKind = Literal["bundle", "bundle.json", "receipt", "lock"]

#: The hint for a ``bundle.json`` that is not as it was in its bundle.
EXTRACT_HINT = tr("tar xf BUNDLE airgap/bundle.json takes it out of a bundle; the bundle itself will do as well")
#: How a bundle begins: the name of its first member in a tar header.
_FIRST_MEMBER = b"oci-layout\0"
_BOM = b"\xef\xbb\xbf"
_JSON_SPACE = b" \t\r\n"
#: The first character of a document must be within this many bytes.
_START = 64 * 1024


class Document(Record):
    """The file ``path`` and its parsed content.

    ``id`` is the bundle's ID for a bundle and a ``bundle.json``, and the sha256 of the file for other documents.
    ``exact`` is false for a ``bundle.json`` that another program has reformatted; its ``id`` identifies no bundle.
    """

    path: str
    kind: DocumentKind
    id: str
    content: Inventory | Receipt | Lockfile
    exact: bool = True


def read_document(path: str | os.PathLike[str], *, unreadable: type[AirgapError] = UsageError) -> Document:
    """Read a JSON document, or the inventory of a bundle.

    Raises :class:`UsageError` for a missing file, ``unreadable`` for one that cannot be read, :class:`BundleError` for
    any other kind of file.
    """
    try:
        is_bundle = Path(path).is_dir() or volumes_called(Path(path)) is not None
        document = None if is_bundle else read_json_document(path, unreadable=unreadable)
    except BundleError:
        # A volume other than the first may begin with any byte, "{" included.
        if sibling_volumes(Path(path)) is None:
            raise
        document = None
    if document is not None:
        return document
    with open_bundle(path) as bundle:
        return Document(os.fspath(path), "bundle", bundle.id, bundle.inventory)


def read_json_document(path: str | os.PathLike[str], *, unreadable: type[AirgapError] = UsageError) -> Document | None:
    """Read a JSON document; return ``None`` for a file that does not begin as one. Raises as :func:`read_document`."""
    where = os.fspath(path)
    try:
        with open(where, "rb", opener=_open_document) as file:
            pread = _document_bytes(file)
            return _parse_document(pread, where) if pread is not None else None
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(where) from None
    except OSError as error:
        hint = read_hint(error, where)
        raise unreadable(tr("cannot be read: {strerror}", strerror=error.strerror), where=where, hint=hint) from error


def own_kind(path: str | os.PathLike[str]) -> DocumentKind | None:
    """Return what a file or folder is if it is one of airgap's, ``None`` for any other. A damaged document is any other
    file."""
    if is_bundle_folder(Path(path)):
        return "bundle"
    if os.path.isdir(path):
        return None
    try:
        with open(os.fspath(path), "rb", opener=_open_document) as file:
            if file.read(len(_FIRST_MEMBER)) == _FIRST_MEMBER:
                return "bundle"
        document = read_json_document(path)
    except (AirgapError, OSError):
        return None
    return document.kind if document is not None else None


def read_lockfile(
    path: Path, platforms: Sequence[Platform], *, refresh: bool, base: str | None = None, sparse: bool = False
) -> Lockfile | None:
    """Read the lockfile ``path``. Return ``None`` if it is to be written: it does not exist, or with ``refresh``.

    Raises :class:`UsageError` for a lockfile of other ``platforms``, ``sparse`` or another ``base``,
    :class:`OutputError` for a path that cannot be written, and what :func:`read_json_document` raises.
    """
    if path.is_dir():
        raise OutputError(tr("a folder stands where the lock should be"), where=str(path))
    if refresh or not path.exists():
        check_writable(path)
        return None
    try:
        lockfile = _parse_lockfile(path)
    except UnsupportedBundle:
        raise
    except BundleError as error:
        error.hint = REPAIR_HINT
        raise
    lockfile.check_options(platforms, base, sparse=sparse, where=str(path))
    return lockfile


def _parse_lockfile(path: Path) -> Lockfile:
    document = read_json_document(path)
    if document is None or not isinstance(document.content, Lockfile):
        kind = f"a {document.kind}" if document else tr("not JSON")
        raise BundleError(tr("this is no lock: it is {kind}", kind=kind), where=str(path))
    return document.content


def _open_document(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a named pipe; a pipe of the shell, ``<(…)``, has one."""
    if path.startswith("/dev/fd/"):
        return os.open(path, flags)
    fd = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise BundleError(
            tr("this is a pipe, and a bundle, receipt or lock is a file"), where=path, hint=tr("copy it into a file")
        )
    return fd


def _document_bytes(file: BinaryIO) -> Pread | None:
    """Return how to read a JSON document; ``None`` for any other file."""
    start = file.read(_START)
    if start.removeprefix(_BOM).lstrip(_JSON_SPACE)[:1] != b"{":
        return None
    if file.seekable():
        return lambda count, offset: os.pread(file.fileno(), count, offset)
    # What is read of a pipe is past a limit as well.
    return pread_of(start + file.read(limits.value("document-bytes")))


def _parse_document(pread: Pread, where: str) -> Document:
    kind = _kind_of(pread, where)
    if kind == "bundle.json":
        return _parse_bundle_json(pread, where)
    hashed = hashlib.sha256()
    stream = JsonStream(pread, watch=hashed.update)
    content = (Receipt if kind == "receipt" else Lockfile).read(stream, where=where)
    return Document(where, kind, hashed.hexdigest(), content)


def _kind_of(pread: Pread, where: str) -> DocumentKind:
    """Read a document up to the first key that only one kind has. Raises :class:`BundleError`."""
    stream = JsonStream(pread)
    try:
        for key in stream.names():
            if key in ("members", "uses", "requires") or (key == "blobs" and stream.peek() == "["):
                return "bundle.json"
            if key in ("target", "bundle"):
                return "receipt"
            if key == "platforms" or (key == "images" and stream.peek() == "{"):
                return "lock"
        stream.end()
    except TooLarge as error:
        raise BundleError(
            tr("neither a bundle nor JSON that is read here ({error})", error=error), where=where, hint=error.hint
        ) from None
    except ContentError as error:
        raise BundleError(tr("neither a bundle nor JSON ({error})", error=error), where=where) from None
    raise BundleError(
        tr("this JSON is neither a bundle.json, nor a receipt, nor a lock"), where=where, hint=EXTRACT_HINT
    )


def _parse_bundle_json(pread: Pread, where: str) -> Document:
    """The content begins at the first brace, as the member in the bundle does: its sha256 is the bundle's ID."""
    start = pread(_START, 0)
    begin = len(start) - len(start.removeprefix(_BOM).lstrip(_JSON_SPACE))
    hashed = InventoryHash()

    def pread_content(count: int, offset: int) -> bytes:
        return pread(count, begin + offset)

    try:
        inventory = Inventory.read(JsonStream(pread_content, watch=hashed.update), where=where)
    except BundleError:
        # That the file was changed tells more than what is wrong in it.
        if InventoryHash.of(pread_content).is_whole is False:
            raise _changed(where) from None
        raise
    if hashed.is_whole is False:
        raise _changed(where)
    return Document(where, "bundle.json", hashed.bundle_id, inventory, bool(hashed.is_whole))


def _changed(where: str) -> BundleError:
    return BundleError(tr("this bundle.json is not as its bundle has it"), where=where, hint=EXTRACT_HINT)
