# SPDX-License-Identifier: Apache-2.0
"""Reads the control file of a ``.deb`` (deb(5)): an ar archive whose second member is a compressed tar archive."""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

from airgap import limits
from airgap.artifacts.formats.apt.control import parse_paragraphs
from airgap.errors import AirgapError, ContentError
from airgap.i18n import tr

_MAGIC = b"!<arch>\n"
_HEADER = 60
#: The control archive is the second member; some programs put others before it.
_MAX_MEMBERS = 8
_MAX_FILES = 10_000
#: Bytes that xz may need; xz -9 needs 65 MiB.
_MAX_MEMORY = 256 * 1024 * 1024


def read_control(path: Path, label: str) -> dict[str, str]:
    """Return the fields of a package's control file. Raises :class:`ContentError` for what is no package."""
    try:
        with path.open("rb") as file:
            text = _control(file)
    except (OSError, ValueError, EOFError, tarfile.TarError, lzma.LZMAError, zlib.error, AirgapError) as error:
        raise ContentError(tr("this is no Debian package ({error})", error=error), where=label) from error
    fields = next(parse_paragraphs(text), {})
    if not all(fields.get(name) for name in ("Package", "Version", "Architecture")):
        raise ContentError(tr("this is no Debian package: its control file is not complete"), where=label)
    return fields


def _control(file: BinaryIO) -> str:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError(tr("it is no ar archive"))
    for _ in range(_MAX_MEMBERS):
        header = file.read(_HEADER)
        if len(header) < _HEADER:
            break
        name, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
        if size < 0:
            raise ValueError(tr("a member has no size"))
        if name.startswith("control.tar"):
            return _from_tar(_unpacked(name, _read(file, size)))
        file.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError(tr("it has no control file"))


def _read(file: BinaryIO, size: int) -> bytes:
    limit = limits.value("package-metadata-bytes")
    if size > limit:
        raise ValueError(tr("its control archive has more than {limit} bytes", limit=limit))
    return file.read(size)


def _unpacked(name: str, content: bytes) -> io.BytesIO:
    """The tar archive, unpacked as far as the limit allows."""
    limit = limits.value("package-metadata-bytes")
    if name.endswith(".zst"):
        from airgap.bundle.media.zstd import load_zstandard

        zstandard = load_zstandard()
        try:
            reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content))
            unpacked: bytes = reader.read(limit + 1)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
    elif name.endswith(".gz"):
        unpacked = zlib.decompressobj(wbits=31).decompress(content, limit + 1)
    elif name.endswith(".xz"):
        unpacked = lzma.LZMADecompressor(memlimit=_MAX_MEMORY).decompress(content, limit + 1)
    else:
        unpacked = content
    if len(unpacked) > limit:
        raise ValueError(tr("its control archive has more than {limit} bytes", limit=limit))
    return io.BytesIO(unpacked)


def _from_tar(content: io.BytesIO) -> str:
    with tarfile.open(fileobj=content, mode="r:") as archive:
        for number, member in enumerate(archive):
            if number > _MAX_FILES:
                break
            if member.name in ("control", "./control") and member.isfile():
                control = archive.extractfile(member)
                assert control is not None
                return control.read().decode("utf-8", "replace")
    raise ValueError(tr("it has no control file"))
