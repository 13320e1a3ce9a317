# SPDX-License-Identifier: Apache-2.0
"""``dist/airgap.pyz``: the program and its pure-Python dependencies in one file for a bare Python 3.10 or later.

airgap comes out of its own wheel, the dependencies out of this environment: which they are is read from their
metadata, for every Python that the file is for. Compiled parts stay behind, and so do the tests that some
packages install; licences and metadata come along. Entries are sorted, with fixed times and modes.
"""

from __future__ import annotations

import argparse
import importlib.metadata as metadata
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).resolve().parent))
import wheel

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")

#: Half of the file by size, and rich imports them only to colour source code and Markdown, which airgap has none of
#: (tests/test_dist.py holds it to that).
LEFT_OUT = {"pygments", "markdown-it-py"}

MAIN = b"""\
# SPDX-License-Identifier: Apache-2.0
import sys

if sys.version_info < (3, 10):
    sys.exit("airgap needs Python 3.10 or later, and this is %d.%d" % sys.version_info[:2])

from airgap.cli import main

main()
"""


def closure(requirements: list[str]) -> dict[str, metadata.Distribution]:
    """The installed distributions that ``requirements`` lead to on any of :data:`PYTHONS`, by canonical name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found or name in LEFT_OUT or not any(_applies(requirement, version) for version in PYTHONS):
            continue
        try:
            found[name] = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            sys.exit(f"{requirement} is needed, and is not in this environment: run make setup")
        waiting += found[name].requires or []
    return found


def _applies(requirement: Requirement, version: str) -> bool:
    environment = {"python_version": version, "python_full_version": f"{version}.0", "extra": ""}
    environment |= {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    environment |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def files_of(distribution: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    """What of a distribution goes into the file: Python sources, metadata, licences."""
    for path in distribution.files or ():
        parts = path.parts
        if parts[0] == ".." or "__pycache__" in parts or {"test", "tests"} & set(parts):
            continue
        inside = parts[0].endswith(".dist-info")
        if inside and not (parts[1] == "METADATA" or path.name.upper().startswith(LICENCES)):
            continue
        if inside or path.suffix == ".py":
            yield str(path), path.locate().read_bytes()


def with_folders(entries: dict[str, bytes]) -> dict[str, bytes]:
    """The entries and each of their folders: a package without ``__init__.py`` is found in a zip only by those."""
    folders = {f"{parent}/" for name in entries for parent in map(str, Path(name).parents) if parent != "."}
    return entries | dict.fromkeys(folders, b"")


def build(target: Path) -> Path:
    """Write the file beside ``target`` and rename it there, so that a half-made one is never found."""
    with tempfile.TemporaryDirectory(prefix="airgap-pyz-") as scratch:
        entries = {"__main__.py": MAIN}
        with zipfile.ZipFile(wheel.build(Path(scratch))) as own:
            for name in own.namelist():
                if ".dist-info/" not in name or name.endswith("/METADATA") or "/licenses/" in name:
                    entries[name] = own.read(name)
                if name.endswith(".dist-info/METADATA"):
                    requires = Parser().parsestr(own.read(name).decode()).get_all("Requires-Dist") or []
        for _, distribution in sorted(closure(requires).items()):
            for name, content in files_of(distribution):
                if entries.setdefault(name, content) != content:
                    sys.exit(f"two distributions bring {name}")

    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    when = time.gmtime(wheel.EPOCH)[:6]
    with partial.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in sorted(with_folders(entries).items()):
                entry = zipfile.ZipInfo(name, when)
                entry.compress_type = zipfile.ZIP_DEFLATED if content else zipfile.ZIP_STORED
                entry.create_system = 3
                entry.external_attr = (0o040755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
                archive.writestr(entry, content, compresslevel=9)
    partial.chmod(0o755)
    os.replace(partial, target)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=wheel.ROOT / "dist" / "airgap.pyz", metavar="FILE")
    print(build(parser.parse_args().output))
