# SPDX-License-Identifier: Apache-2.0
"""``airgap.pyz``: this program and its pure-Python dependencies in one file for a bare Python 3.10 or later.

The metadata of the installed distributions tells which files belong to it. Licences and metadata are included; tests
and compiled modules are not, without which airgap is only slower. Entries are sorted and have fixed times and modes:
the same installation always gives the same bytes.
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
from airgap.i18n import tr

#: The earliest time of a zip entry (1 January 1980), in seconds since 1970.
_EPOCH = 315532800
#: What package indexes call airgap: there, the name ``airgap`` belongs to another project.
_DISTRIBUTION = "airgap-oci"
#: Its name in the package, where distributions of a system have it: their metadata does not list the files.
_INSTALLED = "airgap.pyz"
_LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")
#: Half of the file's size. rich imports them only to render source code and Markdown, which airgap never does
#: (tests/test_dist.py checks that).
_EXCLUDED = {"pygments", "markdown-it-py"}
#: Packages around compiled modules. Without py-minisign, airgap verifies signatures but makes none; without
#: backports.zstd it refuses recoded bundles.
_EXCLUDED |= {"py-minisign", "backports-zstd"}
#: Files of the package that the program does not read out of a zipapp: byte code, what translators edit, and the
#: encoders of ``airgap/recode`` with their sources.
_UNUSED_SUFFIXES = (".pyc", ".po", ".pot", ".so", ".c", ".h")

_MAIN = b"""\
# SPDX-License-Identifier: Apache-2.0
import sys

if sys.version_info < (3, 10):
    sys.exit("airgap needs Python 3.10 or later, and this is %d.%d" % sys.version_info[:2])

from airgap.cli import main

main()
"""


def build_zipapp() -> bytes:
    """Return the content of ``airgap.pyz``: the running zipapp itself, one that was installed with the package (the
    portable folder and the Debian package have it), or one made of the installed distributions.

    Raises :class:`AirgapError` if a dependency is not installed.
    """
    if packed := _packed():
        return packed.read_bytes()
    return pack({"__main__.py": _MAIN, **program_files()}, b"#!/usr/bin/env python3\n")


def program_files() -> dict[str, bytes]:
    """Return this program and its dependencies, by name in a zipapp, without a ``__main__.py``.

    Raises :class:`AirgapError` if a dependency is not installed.
    """
    if packed := _packed():
        with zipfile.ZipFile(packed) as archive:
            names = [name for name in archive.namelist() if name != "__main__.py" and not name.endswith("/")]
            return {name: archive.read(name) for name in names}
    files = dict(_own_files())
    for distribution in _closure(_DISTRIBUTION):
        for name, content in _files_of(distribution):
            if files.setdefault(name, content) != content:
                raise AirgapError(tr("two of the installed distributions bring {name}", name=name))
    return files


def _packed() -> Path | None:
    """The zipapp that runs, or that lies in the package ``airgap``; ``None`` if it is to be made."""
    package = Path(airgap.__file__).parent
    return next((path for path in (package.parent, package / _INSTALLED) if path.is_file()), None)


def _own_files() -> Iterator[tuple[str, bytes]]:
    """Yield airgap's own sources and data, which the metadata of an editable installation does not list."""
    root = Path(airgap.__file__).parent
    for path in root.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in _UNUSED_SUFFIXES:
            yield str(path.relative_to(root.parent)), path.read_bytes()


def _closure(name: str) -> list[metadata.Distribution]:
    """Return the distribution ``name`` and everything that it requires, sorted by name.

    A requirement with a marker, such as one for another Python version, is included if it is installed.
    """
    distributions: dict[str, metadata.Distribution] = {}
    pending = [name]
    while pending:
        requirement, _, marker = pending.pop().partition(";")
        match = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
        if match is None or "extra" in marker:
            continue
        key = re.sub(r"[-_.]+", "-", match[0]).lower()
        if key in distributions or key in _EXCLUDED:
            continue
        try:
            distributions[key] = metadata.distribution(match[0])
        except metadata.PackageNotFoundError as error:
            if marker:
                continue
            raise AirgapError(
                tr("{match} is not installed, so {name} cannot be packed", match=match[0], name=name),
                hint=tr("install airgap again, with its dependencies"),
            ) from error
        pending += distributions[key].requires or []
    return [distributions[key] for key in sorted(distributions)]


def _files_of(distribution: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    for path in distribution.files or ():
        parts = PurePosixPath(path).parts
        if parts[0] in ("..", "airgap") or "__pycache__" in parts or {"test", "tests"} & set(parts):
            continue
        in_metadata = parts[0].endswith(".dist-info")
        if in_metadata and not (parts[1] == "METADATA" or path.name.upper().startswith(_LICENCES)):
            continue
        # The .pth and finder files of editable installations are left out.
        if in_metadata or (path.suffix == ".py" and not parts[0].startswith("__editable__")):
            yield str(path), Path(str(path.locate())).read_bytes()


def pack(entries: dict[str, bytes], head: bytes) -> bytes:
    """Return a zipapp of ``entries``, content by name. ``head`` are the lines before the archive, to start Python."""
    # Python finds a package without __init__.py in a zip only if its folder has an entry.
    folders = {f"{parent}/" for name in entries for parent in map(str, PurePosixPath(name).parents) if parent != "."}
    timestamp = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or _EPOCH))[:6]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted((entries | dict.fromkeys(folders, b"")).items()):
            entry = zipfile.ZipInfo(name, timestamp)
            entry.compress_type = zipfile.ZIP_DEFLATED if content else zipfile.ZIP_STORED
            entry.create_system = 3
            entry.external_attr = (0o040755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            archive.writestr(entry, content, compresslevel=9)
    return head + buffer.getvalue()
