# SPDX-License-Identifier: Apache-2.0
"""Which of airgap's files a given file is: a bundle, the ``bundle.json`` out of one, a receipt or a lock.

The content decides, never the name. A file whose first character is ``{`` is a JSON document, whatever white space or
UTF-8 byte order mark stands before it; every other file is handed to :class:`BundleReader`. A document is parsed
completely: one with missing or wrong parts is refused, and the error says which part.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

from airgap.bundle.inventory import Inventory, Lock, load
from airgap.bundle.media.naming import siblings_of
from airgap.bundle.reader import MAX_MEMBER, BundleReader
from airgap.bundle.receipt import Receipt
from airgap.errors import AirgapError, BundleError, UsageError
from airgap.oci import digest as digests
from airgap.records import Record

Kind = Literal["bundle", "bundle.json", "receipt", "lock"]

#: The largest document that is read; a bundle.json in a bundle has the same limit.
MAX_DOCUMENT = MAX_MEMBER
EXTRACT = "tar xf BUNDLE airgap/bundle.json takes it out of a bundle; the bundle itself will do as well"
_BOM = b"\xef\xbb\xbf"
_JSON_SPACE = b" \t\r\n"
#: The first character of a document must stand within this many bytes.
_START = 64 * 1024


class Document(Record):
    """What was read from ``path``. ``id`` is the sha256 of a bundle's ``bundle.json``, of other files that of the file.

    ``exact`` is false for a ``bundle.json`` that another program has written anew, so that its ``id`` means nothing."""

    path: str
    kind: Kind
    id: str
    content: Inventory | Receipt | Lock
    exact: bool = True


def read_document(path: str | os.PathLike[str], *, unreadable: type[AirgapError] = UsageError) -> Document:
    """Read a bundle's head or a whole document.

    Raises ``unreadable`` for a file that cannot be read, :class:`BundleError` for a file that is none of these.
    """
    try:
        document = read_json_document(path, unreadable=unreadable)
    except BundleError:
        # A volume other than the first begins with any bytes of the bundle.
        if siblings_of(Path(path)) is None:
            raise
        document = None
    if document is not None:
        return document
    with BundleReader(path) as bundle:
        return Document(os.fspath(path), "bundle", bundle.id, bundle.inventory)


def read_json_document(path: str | os.PathLike[str], *, unreadable: type[AirgapError] = UsageError) -> Document | None:
    """:func:`read_document` for documents alone; ``None`` for a file that does not begin as one."""
    where = os.fspath(path)
    try:
        with open(path, "rb") as file:
            content = _document_bytes(file)
    except OSError as error:
        raise unreadable(f"cannot be read: {error.strerror}", where=where) from error
    if content is None:
        return None
    if len(content) > MAX_DOCUMENT:
        raise BundleError(f"more than {MAX_DOCUMENT:,} bytes of JSON, which no such file has", where=where)
    try:
        document = load(content.removeprefix(_BOM))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"neither a bundle nor JSON ({error})", where=where) from error
    return _classified(document, content, where)


def _document_bytes(file: BinaryIO) -> bytes | None:
    """The content of a JSON document, at most one byte more than is allowed; ``None`` for any other file."""
    start = file.read(_START)
    if start.removeprefix(_BOM).lstrip(_JSON_SPACE)[:1] != b"{":
        return None
    return start + file.read(MAX_DOCUMENT + 1 - len(start))


def _classified(document: Mapping[str, Any], content: bytes, where: str) -> Document:
    keys = document.keys()
    identity = digests.encoded(digests.of(content))
    if keys & {"members", "uses", "requires"}:
        return _bundle_json(document, content.removeprefix(_BOM).lstrip(_JSON_SPACE), where)
    if keys & {"target", "bundle"}:
        return Document(where, "receipt", identity, Receipt.from_json(document, where=where))
    if "platforms" in keys or isinstance(document.get("images"), dict):
        return Document(where, "lock", identity, Lock.from_json(document, where=where))
    raise BundleError("this JSON is neither a bundle.json, nor a receipt, nor a lock", where=where, hint=EXTRACT)


def _bundle_json(document: Mapping[str, Any], content: bytes, where: str) -> Document:
    """``content`` begins at the first brace: a bundle's ID is the sha256 of what stands in the bundle."""
    exact = Inventory.undamaged(content)
    if exact is False:
        raise BundleError("this bundle.json is not as its bundle has it", where=where, hint=EXTRACT)
    inventory = Inventory.from_json(document, where=where)
    return Document(where, "bundle.json", digests.encoded(digests.of(content)), inventory, bool(exact))
