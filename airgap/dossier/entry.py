# SPDX-License-Identifier: Apache-2.0
"""One entry of an archive: what it is called, what it is, and its bytes, which are read once and in order."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Literal, Protocol

from airgap.errors import ContentError
from airgap.formatting import escaped
from airgap.i18n import tr
from airgap.records import Record, field

Kind = Literal["file", "directory", "symlink", "hardlink", "device", "fifo", "whiteout", "other"]

#: How the name of an entry begins that removes a file of the layers below (image-spec layer.md, "Whiteouts").
WHITEOUT = ".wh."
#: The name of the entry that removes all that the layers below have in its folder.
OPAQUE_WHITEOUT = ".wh..wh..opq"
_CHUNK = 64 * 1024


class Content(Protocol):
    """The bytes of an entry, which can be read until the next entry is asked for."""

    def read(self, count: int, /) -> bytes:
        """Return up to ``count`` bytes, none only at the end. Raises :class:`ContentError`."""


class Entry(Record):
    """An entry of an archive.

    ``raw_name`` and ``raw_link`` are the bytes in the archive. ``size`` is the number of bytes that the file has when
    it is unpacked, ``stored`` the number of these that are not a hole of a sparse file. ``mode`` has the permissions
    and the setuid, setgid and sticky bits. A ``whiteout`` removes a file of the layers below; it may have content all
    the same, as may ``other``, which is everything that the kinds before it are not.
    """

    raw_name: bytes
    kind: Kind
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    raw_link: bytes = b""
    stored: int = 0
    content: Content | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The name as text without characters that a terminal obeys; bytes that are no UTF-8 are escaped."""
        return _as_text(self.raw_name)

    @property
    def link(self) -> str:
        """What a symbolic or hard link leads to, as text like ``name``."""
        return _as_text(self.raw_link)

    @property
    def path(self) -> str:
        """The name without ``./`` and ``/`` at its beginning and without ``/`` at its end: ``usr/bin/sudo``.

        It may still lead out of the archive (``..``), and is for comparisons only.
        """
        return posixpath.normpath("/" + self.name.lstrip("/")).lstrip("/") or "."

    @property
    def hidden_path(self) -> str:
        """For a whiteout: the path that it removes; for an opaque one the folder whose content it removes."""
        folder, _, name = self.path.rpartition("/")
        if name == OPAQUE_WHITEOUT:
            return folder
        return posixpath.join(folder, name.removeprefix(WHITEOUT))

    @property
    def is_opaque(self) -> bool:
        """Whether it is a whiteout of all that the layers below have in its folder."""
        return self.kind == "whiteout" and self.path.rpartition("/")[2] == OPAQUE_WHITEOUT

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes in pieces of at most 64 KiB. Raises :class:`ContentError` for a damaged archive."""
        if self.content is not None:
            while piece := self.content.read(_CHUNK):
                yield piece

    def read(self, limit: int) -> bytes:
        """Return all bytes. Raises :class:`ContentError` for more than ``limit``."""
        if self.size > limit:
            raise ContentError(
                tr("{name} has {size:,} bytes; at most {limit:,} are read", name=self.name, size=self.size, limit=limit)
            )
        return b"".join(self.pieces())


def _as_text(raw: bytes) -> str:
    return escaped(raw.decode("utf-8", "backslashreplace"))
