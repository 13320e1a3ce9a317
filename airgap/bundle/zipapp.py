# SPDX-License-Identifier: Apache-2.0
"""``airgap.pyz``: this program and its pure-Python dependencies in one file for a bare Python 3.10 or later.

What belongs in it is read from the metadata of the installed distributions. Compiled parts stay behind, their
absence costs speed alone, and so do the tests that some packages install; licences and metadata come along.
Entries are sorted, with fixed times and modes: the same installation gives the same bytes.
"""

from __future__ import annotations

import importlib.metadata as metadata
import io
import os
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import airgap
from airgap.errors import AirgapError

#: The earliest moment that a zip entry can hold.
_EPOCH = 315532800
_LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")
#: Half of the file by size, and rich imports them only to colour source code and Markdown, which airgap has none of
#: (tests/test_dist.py holds it to that).
_LEFT_OUT = {"pygments", "markdown-it-py"}

_MAIN = b"""\
# SPDX-License-Identifier: Apache-2.0
import sys

if sys.version_info < (3, 10):
    sys.exit("airgap needs Python 3.10 or later, and this is %d.%d" % sys.version_info[:2])

from airgap.cli import main

main()
"""


def program() -> bytes:
    """The content of ``airgap.pyz``: the file that this run comes from, or one made of what is installed.

    Raises :class:`AirgapError` where a dependency is missing.
    """
    root = Path(airgap.__file__).parent.parent
    if root.is_file():
        return root.read_bytes()
    entries: dict[str, bytes] = {"__main__.py": _MAIN, **dict(_own_files())}
    for distribution in _closure("airgap"):
        for name, content in _files_of(distribution):
            if entries.setdefault(name, content) != content:
                raise AirgapError(f"two of the installed distributions bring {name}")
    return b"#!/usr/bin/env python3\n" + _zip(entries)


def _own_files() -> Iterator[tuple[str, bytes]]:
    """airgap's own sources and data: an editable installation lists none of them in its metadata."""
    root = Path(airgap.__file__).parent
    for path in root.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield str(path.relative_to(root.parent)), path.read_bytes()


def _closure(name: str) -> list[metadata.Distribution]:
    """The distribution ``name`` and what it leads to. A requirement with a marker, for another Python say, is taken
    where it is installed, so that an environment can bring what older versions need."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        requirement, _, marker = waiting.pop().partition(";")
        match = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
        if match is None or "extra" in marker:
            continue
        key = re.sub(r"[-_.]+", "-", match[0]).lower()
        if key in found or key in _LEFT_OUT:
            continue
        try:
            found[key] = metadata.distribution(match[0])
        except metadata.PackageNotFoundError as error:
            if marker:
                continue
            raise AirgapError(
                f"{match[0]} is not installed, so {name} cannot be packed", hint="install airgap with pip"
            ) from error
        waiting += found[key].requires or []
    return [found[key] for key in sorted(found)]


def _files_of(distribution: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    for path in distribution.files or ():
        parts = PurePosixPath(path).parts
        if parts[0] in ("..", "airgap") or "__pycache__" in parts or {"test", "tests"} & set(parts):
            continue
        inside = parts[0].endswith(".dist-info")
        if inside and not (parts[1] == "METADATA" or path.name.upper().startswith(_LICENCES)):
            continue
        # Beside packages lie the .pth and finder files of editable installations.
        if inside or (path.suffix == ".py" and not parts[0].startswith("__editable__")):
            yield str(path), Path(str(path.locate())).read_bytes()


def _zip(entries: dict[str, bytes]) -> bytes:
    # A package without __init__.py is found in a zip only by the entries of its folders.
    folders = {f"{parent}/" for name in entries for parent in map(str, PurePosixPath(name).parents) if parent != "."}
    when = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or _EPOCH))[:6]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted((entries | dict.fromkeys(folders, b"")).items()):
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type = zipfile.ZIP_DEFLATED if content else zipfile.ZIP_STORED
            entry.create_system = 3
            entry.external_attr = (0o040755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            archive.writestr(entry, content, compresslevel=9)
    return buffer.getvalue()
