# SPDX-License-Identifier: Apache-2.0
"""The history of imports: an append-only file of JSON lines, each of which holds the hash of the one before.

A line is ``{"number", "previous", "time", …, "hash"}``. ``hash`` is the SHA-256 of the bytes of the line before the key
``hash``, so that a changed line does not match its own hash, and a removed, added or moved one breaks the numbers and
``previous``. Whoever may write the file can make all of it anew; whoever keeps one hash elsewhere notices that.

Nothing is ever removed from the file: a line that was cut off stays, and is reported.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airgap import bounded_json
from airgap.durable import sync_folder
from airgap.errors import AirgapError, SignatureFailure
from airgap.i18n import tr
from airgap.records import Record
from airgap.system import sync_file

#: The file in the state folder.
FILE = "history.jsonl"
FORMAT = 1
#: The value of ``action`` in a line about a prune; a line about an import has none.
PRUNE = "prune"
_HASH = b',"hash":"'
_TAIL = 64 * 1024
#: The longest line, and the most values in it, that are read back: an import of some ten thousand images.
_LONGEST_LINE, _MOST_VALUES = 64 * 1024 * 1024, 4_000_000


class HistoryEntry(Record):
    """A line of the history: its ``number`` from 1, its ``hash``, and the ``document`` that it holds."""

    number: int
    hash: str
    document: Mapping[str, Any]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open the file for appending and hold its lock, waiting for other processes. Raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def check_writable(path: Path) -> None:
    """Raise OSError if a line could not be added, before any work is done. Makes the file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(path):
        sync_folder(path.parent)


def append(path: Path, document: Mapping[str, object]) -> str:
    """Add a line with ``document``, synced to the disk, and return its hash. Raises OSError."""
    with _locked(path) as fd:
        size = os.fstat(fd).st_size
        last = _last_line(fd, size)
        number, previous = _follow(last, fd) if last else (1, "")
        body = json.dumps(
            {"format": FORMAT, "number": number, "previous": previous, **document}, separators=(",", ":")
        ).encode()[:-1]
        digest = hashlib.sha256(body).hexdigest()
        line = body + _HASH + digest.encode() + b'"}\n'
        # A line that was cut off is no part of this one.
        line = line if not last or last.endswith(b"\n") else b"\n" + line
        try:
            if os.write(fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(fd, size)
            raise
        sync_file(fd)
    return digest


def read(path: Path) -> Iterator[HistoryEntry]:
    """Yield the entries, none if there is no such file.

    Raises :class:`SignatureFailure` at the first line that was changed, removed, added or cut off, and OSError.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - the next line closes it
    except FileNotFoundError:
        return
    with file:
        previous, number = "", 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            entry = _parse(line, f"{path}:{number}")
            if entry.number != number or entry.document.get("previous") != previous:
                raise _broken(tr("the line before it was changed, removed or added"), f"{path}:{number}")
            previous = entry.hash
            yield entry


def _parse(line: bytes, where: str) -> HistoryEntry:
    body, found, rest = line.rpartition(_HASH)
    digest = hashlib.sha256(body).hexdigest()
    if not found or rest != digest.encode() + b'"}\n':
        raise _broken(tr("this line was changed or cut off"), where)
    try:
        document = bounded_json.loads(line, values=_MOST_VALUES, where=where)
        return HistoryEntry(int(document["number"]), digest, document)
    except (AirgapError, KeyError, TypeError, ValueError):
        raise _broken(tr("this line was changed or cut off"), where) from None


def _broken(what: str, where: str) -> SignatureFailure:
    return SignatureFailure(what, where=where, hint=tr("keep the file as it is; a copy of it elsewhere tells more"))


def _follow(last: bytes, fd: int) -> tuple[int, str]:
    """Return the number and the ``previous`` of the line after ``last``, which may be damaged."""
    try:
        entry = _parse(last, "")
    except SignatureFailure:
        with open(os.dup(fd), "rb") as file:
            file.seek(0)
            return sum(1 for _ in file) + 1, hashlib.sha256(last).hexdigest()
    return entry.number + 1, entry.hash


def _last_line(fd: int, size: int) -> bytes:
    """Return the last line with its end, if it has one; empty for an empty file."""
    tail, start = b"", size
    while start > 0 and b"\n" not in tail[:-1] and size - start < _LONGEST_LINE:
        start = max(0, start - _TAIL)
        tail = os.pread(fd, size - start, start)
    return tail[tail.rfind(b"\n", 0, len(tail) - 1) + 1 :]
