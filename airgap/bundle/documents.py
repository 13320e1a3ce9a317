# SPDX-License-Identifier: Apache-2.0
"""Recognises and reads airgap's files: a bundle, a ``bundle.json`` extracted from one, a receipt or a lockfile.

Only the content decides, not the file name. A file whose first character is ``{``, after white space and a UTF-8 byte
order mark, is a JSON document and is parsed completely. Every other file is opened as a bundle.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

from airgap.bounded_json import TooLarge
from airgap.bundle.document_format import load_json
from airgap.bundle.folder.files import is_bundle_folder
from airgap.bundle.inventory import Inventory
from airgap.bundle.lockfile import REPAIR_HINT, Lockfile, check_writable
from airgap.bundle.media.volume_names import sibling_volumes, volumes_called
from airgap.bundle.reader import MAX_MEMBER, open_bundle
from airgap.bundle.receipt import Receipt
from airgap.durable import missing_file, read_hint
from airgap.errors import AirgapError, BundleError, OutputError, UnsupportedBundle, UsageError
from airgap.i18n import tr
from airgap.oci import Platform
from airgap.oci import digest as digests
from airgap.records import Record

DocumentKind = Literal["bundle", "bundle.json", "receipt", "lock"]

#: The largest document that is read, in bytes. A ``bundle.json`` in a bundle has the same limit.
MAX_DOCUMENT = MAX_MEMBER
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
            content = _read_json_bytes(file)
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(where) from None
    except OSError as error:
        hint = read_hint(error, where)
        raise unreadable(tr("cannot be read: {strerror}", strerror=error.strerror), where=where, hint=hint) from error
    if content is None:
        return None
    if len(content) > MAX_DOCUMENT:
        raise BundleError(
            tr("more than {max_document:,} bytes of JSON, which no such file has", max_document=MAX_DOCUMENT),
            where=where,
        )
    document = load_json(content.removeprefix(_BOM), where, _no_document)
    return _parse_document(document, content, where)


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


def _read_json_bytes(file: BinaryIO) -> bytes | None:
    """Return the content of a JSON document, at most one byte more than is allowed; ``None`` for any other file."""
    start = file.read(_START)
    if start.removeprefix(_BOM).lstrip(_JSON_SPACE)[:1] != b"{":
        return None
    return start + file.read(MAX_DOCUMENT + 1 - len(start))


def _no_document(error: Exception, where: str) -> BundleError:
    if isinstance(error, TooLarge):
        return BundleError(tr("neither a bundle nor JSON that is read here ({error})", error=error), where=where)
    return BundleError(tr("neither a bundle nor JSON ({error})", error=error), where=where)


def _parse_document(document: Mapping[str, Any], content: bytes, where: str) -> Document:
    keys = document.keys()
    file_id = digests.encoded(digests.of(content))
    if keys & {"members", "uses", "requires"}:
        return _parse_bundle_json(document, content.removeprefix(_BOM).lstrip(_JSON_SPACE), where)
    if keys & {"target", "bundle"}:
        return Document(where, "receipt", file_id, Receipt.from_json(document, where=where))
    if "platforms" in keys or isinstance(document.get("images"), dict):
        return Document(where, "lock", file_id, Lockfile.from_json(document, where=where))
    raise BundleError(
        tr("this JSON is neither a bundle.json, nor a receipt, nor a lock"), where=where, hint=EXTRACT_HINT
    )


def _parse_bundle_json(document: Mapping[str, Any], content: bytes, where: str) -> Document:
    """``content`` begins at the first brace, as the member in the bundle does: its sha256 is the bundle's ID."""
    exact = Inventory.checksum_matches(content)
    if exact is False:
        raise BundleError(tr("this bundle.json is not as its bundle has it"), where=where, hint=EXTRACT_HINT)
    inventory = Inventory.from_json(document, where=where)
    return Document(where, "bundle.json", digests.encoded(digests.of(content)), inventory, bool(exact))
