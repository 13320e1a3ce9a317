# SPDX-License-Identifier: Apache-2.0
"""An uncompressed tar on the disk, of which zstd frames take parts as prefixes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from airgap.durable import writing
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.store.readers import translate_read_errors


class RawFile(Record):
    """A tar of ``size`` bytes in the file ``path``, with its ``digest``."""

    path: Path
    size: int
    digest: str

    def region(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes from ``offset`` on."""
        with translate_read_errors(str(self.path), offset), open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(count)


def write_raw_file(path: Path, pieces: Iterable[bytes], algorithm: str = "sha256") -> RawFile:
    """Write ``pieces`` into the file ``path``. Raises :class:`airgap.errors.OutputError`."""
    hash_, size = digests.hasher(f"{algorithm}:"), 0
    with writing(path), open(path, "wb") as file:
        for piece in pieces:
            file.write(piece)
            hash_.update(piece)
            size += len(piece)
    return RawFile(path, size, f"{algorithm}:{hash_.hexdigest()}")
