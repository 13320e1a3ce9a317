# SPDX-License-Identifier: Apache-2.0
"""Recognises archives by their first bytes, and opens them: tar, gzip, bzip2, xz, zstd, zip, ar, cpio and rpm."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from airgap.dossier.budget import Budget
from airgap.dossier.decompression import compression_of, decompress
from airgap.dossier.entry import Entry
from airgap.dossier.scanning.packages import AR_MAGIC, CPIO_MAGICS, RPM_MAGIC, read_ar, read_cpio, read_rpm
from airgap.dossier.scanning.spool import Spool
from airgap.dossier.scanning.zip_archive import read_zip
from airgap.dossier.streams import Stream
from airgap.dossier.tar_stream import BLOCK, is_tar, read_tar

#: How many first bytes tell what an archive is.
START_BYTES = BLOCK
_ZIP_MAGICS = (b"PK\3\4", b"PK\5\6")
_STREAMS = {"tar": read_tar, "ar": read_ar, "cpio": read_cpio, "rpm": read_rpm}
_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".tgz", ".tbz2", ".txz", ".tzst")


def archive_kind(start: bytes) -> str:
    """Return the kind of archive for the first bytes of a file, empty for anything else."""
    if compression := compression_of(start):
        return compression
    if start.startswith(_ZIP_MAGICS):
        return "zip"
    if start.startswith(AR_MAGIC):
        return "ar"
    if start.startswith(RPM_MAGIC):
        return "rpm"
    if start.startswith(CPIO_MAGICS):
        return "cpio"
    # A block of zeros is the end of an empty tar, and the start of many other files.
    return "tar" if is_tar(start) and any(start) else ""


def is_streamed(kind: str) -> bool:
    """Whether this kind of archive is unpacked without a copy of it on the disk."""
    return kind not in ("", "zip")


def open_stream(kind: str, stream: Stream, name: str, budget: Budget) -> Iterator[Entry]:
    """Yield the entries of an archive for which :func:`is_streamed` is true; ``name`` is that of its file.

    A compressed file is one entry, named as gunzip names it, whose size is not known. Raises :class:`ContentError`.
    """
    if kind in _STREAMS:
        yield from _STREAMS[kind](stream, budget)
        return
    base = posixpath.basename(name)
    suffix = next((suffix for suffix in _SUFFIXES if base.endswith(suffix)), "")
    inner = base.removesuffix(suffix) + (".tar" if suffix.startswith(".t") else "")
    yield Entry(inner.encode("utf-8", "surrogateescape"), "file", -1, content=decompress(stream, kind, budget))


def open_spool(kind: str, spool: Spool, name: str, budget: Budget) -> Iterator[Entry]:
    """Yield the entries of any archive in a file. Raises :class:`ContentError`."""
    if is_streamed(kind):
        yield from open_stream(kind, Stream(spool.stream()), name, budget)
    else:
        yield from read_zip(spool, budget)
