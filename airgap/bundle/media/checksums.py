# SPDX-License-Identifier: Apache-2.0
"""``NAME.sha256`` beside a bundle's volumes: their checksums in the format of ``sha256sum -c``."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from airgap.bundle.media.file import open_regular_file
from airgap.store.readers import thread_buffer, translate_read_errors
from airgap.system import read_at

#: Bytes of a file of checksums: several times what the most volumes need.
_MAX_CHECKSUMS = 16 * 1024 * 1024


def checksums_path(path: Path) -> Path:
    """Return the path of the checksums for the volumes of the bundle ``path``."""
    return path.with_name(f"{path.name}.sha256")


def format_checksums(checksums: Sequence[tuple[str, str]]) -> bytes:
    """Return the file's content for pairs of a file name and its sha256 in hexadecimal."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in checksums).encode()


def read_checksums(path: Path) -> dict[str, str]:
    """Return file names with their sha256, in the file's order; empty for a missing file or one in another format.

    It may be a stranger's: a pipe is not waited for, a device not read, and neither is more than a bundle can have.
    """
    checksums: dict[str, str] = {}
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(_MAX_CHECKSUMS + 1) if is_regular else b""
        if len(content) > _MAX_CHECKSUMS:
            return {}
        lines = content.decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    for line in lines:
        match = re.fullmatch(r"([0-9a-f]{64}) [ *]([^/\\]+)", line)
        if match is None:
            return {}
        checksums[match[2]] = match[1]
    return checksums


def file_sha256(fd: int) -> str:
    """Return the sha256 of a whole file in hexadecimal. Raises OSError."""
    hash_, buffer, offset = hashlib.sha256(), thread_buffer(), 0
    while count := read_at(fd, buffer, offset):
        hash_.update(buffer[:count])
        offset += count
    return hash_.hexdigest()


def joined_sha256(paths: Sequence[Path], observe: Callable[[int], None]) -> tuple[str, list[tuple[str, int]]]:
    """Return the sha256 of files that follow each other, and of each of them its sha256 with its bytes; all of it is
    read once, in order. ``observe`` is called with the bytes that were read.

    Raises :class:`BundleError` for a file that cannot be read.
    """
    whole, buffer = hashlib.sha256(), thread_buffer()
    parts = []
    for path in paths:
        fd, _ = open_regular_file(path)
        try:
            with translate_read_errors(str(path)):
                hash_, offset = hashlib.sha256(), 0
                while count := read_at(fd, buffer, offset):
                    hash_.update(buffer[:count])
                    if len(paths) > 1:
                        whole.update(buffer[:count])
                    observe(count)
                    offset += count
        finally:
            os.close(fd)
        parts.append((hash_.hexdigest(), offset))
    return (parts[0][0] if len(parts) == 1 else whole.hexdigest()), parts


def damaged_files(paths: Sequence[str]) -> list[str]:
    """Return those of the volumes whose sha256 differs from a ``.sha256`` file in their folder.

    Volumes that no such file lists are left out. Raises :class:`BundleError` for volumes that cannot be read.
    """
    damaged = []
    for path in map(Path, paths):
        lists = map(read_checksums, sorted(path.parent.glob("*.sha256")))
        expected = next((checksums[path.name] for checksums in lists if path.name in checksums), None)
        if expected is None:
            continue
        fd, _ = open_regular_file(path)
        try:
            with translate_read_errors(str(path)):
                if file_sha256(fd) != expected:
                    damaged.append(str(path))
        finally:
            os.close(fd)
    return damaged
