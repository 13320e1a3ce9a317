# SPDX-License-Identifier: Apache-2.0
"""``NAME.sha256`` beside a bundle: the checksums of its files in the format of ``sha256sum -c``.

``NAME.sha256.csv`` has the same with the sizes, for programs that read tables: ``name,size,sha256``.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from airgap.bundle.media.file import open_regular_file
from airgap.durable import replace_file, writing
from airgap.store.readers import thread_buffer, translate_read_errors
from airgap.system import read_at

#: Bytes of a file of checksums: several times what the most volumes need.
_MAX_CHECKSUMS = 16 * 1024 * 1024


def checksums_path(path: Path) -> Path:
    """Return the path of the checksums for the volumes of the bundle ``path``."""
    return path.with_name(f"{path.name}.sha256")


def csv_path(path: Path) -> Path:
    """Return the path of the table of checksums for the files of the bundle ``path``."""
    return path.with_name(f"{path.name}.sha256.csv")


def format_csv(rows: Iterable[tuple[str, int, str]]) -> bytes:
    """Return the table's content (RFC 4180) for names, sizes in bytes and sha256 in hexadecimal."""
    import csv

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(("name", "size", "sha256"))
    writer.writerows(rows)
    return buffer.getvalue().encode()


def format_checksums(checksums: Sequence[tuple[str, str]]) -> bytes:
    """Return the file's content for pairs of a file name and its sha256 in hexadecimal."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in checksums).encode()


def read_checksums(path: Path, *, below: bool = False) -> dict[str, str]:
    """Return file names with their sha256, in the file's order; empty for a missing file or one in another format.

    With ``below`` the names may lead into folders, as those of a bundle in a folder do.

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
        match = re.fullmatch(r"([0-9a-f]{64}) [ *]([^\\]+)", line)
        if match is None or not (_is_below(match[2]) if below else "/" not in match[2]):
            return {}
        checksums[match[2]] = match[1]
    return checksums


def _is_below(name: str) -> bool:
    return all(part not in ("", ".", "..") for part in name.split("/"))


def write_csv(path: Path) -> Path:
    """Write the table of the bundle ``path`` from its checksums and the sizes of its files, and return its path.

    Raises :class:`airgap.errors.OutputError`, OSError for a file that is missing.
    """
    rows = [
        (name, os.stat(path.parent / name).st_size, sha256)
        for name, sha256 in read_checksums(checksums_path(path), below=True).items()
    ]
    with writing(csv_path(path)):
        replace_file(csv_path(path), format_csv(rows))
    return csv_path(path)


def refresh_csv(path: Path) -> None:
    """Write the table of the bundle ``path`` again if there is one."""
    if csv_path(path).is_file():
        write_csv(path)


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
