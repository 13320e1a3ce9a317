# SPDX-License-Identifier: Apache-2.0
"""``NAME.sha256`` beside volumes: written and read in the form of ``sha256sum -c``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.base import translate_read_errors
from airgap.bundle.media.file import open_regular
from airgap.store.readers import thread_buffer


def sums_of(path: Path) -> Path:
    """The file of checksums beside the volumes, as ``sha256sum -c`` reads it."""
    return path.with_name(f"{path.name}.sha256")


def sums_text(sums: Sequence[tuple[str, str]]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sums).encode()


def read_sums(path: Path) -> dict[str, str]:
    """Names and sha256 as :func:`sums_text` wrote them, in order; nothing where it is missing or something else."""
    found: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    for line in lines:
        match = re.fullmatch(r"([0-9a-f]{64}) [ *]([^/\\]+)", line)
        if match is None:
            return {}
        found[match[2]] = match[1]
    return found


def sha256_of(fd: int) -> str:
    """What a file hashes to, read from its start."""
    found, buffer, offset = hashlib.sha256(), thread_buffer(), 0
    while count := os.preadv(fd, [buffer], offset):
        found.update(buffer[:count])
        offset += count
    return found.hexdigest()


def damaged(files: Sequence[str]) -> list[str]:
    """Those of the volumes that do not hash to what stands in the checksums beside them."""
    found = []
    for file in map(Path, files):
        known = next((sums[file.name] for sums in map(read_sums, _beside(file)) if file.name in sums), None)
        if known is None:
            continue
        fd, _ = open_regular(file)
        try:
            with translate_read_errors(str(file)):
                if sha256_of(fd) != known:
                    found.append(str(file))
        finally:
            os.close(fd)
    return found


def _beside(file: Path) -> list[Path]:
    return sorted(file.parent.glob("*.sha256"))
