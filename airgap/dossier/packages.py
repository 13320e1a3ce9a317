# SPDX-License-Identifier: Apache-2.0
"""Reads the databases of installed packages: dpkg's and apk's here, rpm's with the program ``rpm``.

Sources: deb-control(5) and dpkg's ``status`` file, the ``status.d`` folder of distroless images, Alpine's "Apk spec".
A database is somebody else's: fields that are missing are empty, entries without a name or version are left out.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from airgap import child_program, limits
from airgap.dossier.facts import Package

DPKG = ("var/lib/dpkg/status",)
#: A folder with one file for each package, beside files with checksums.
DPKG_FOLDER = "var/lib/dpkg/status.d/"
APK = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
RPM_FOLDERS = ("var/lib/rpm/", "usr/lib/sysimage/rpm/")
#: The files of rpm's databases, in each of the forms that it has had.
_RPM_MAIN = ("rpmdb.sqlite", "Packages.db", "Packages")
_RPM_FILES = (*_RPM_MAIN, "rpmdb.sqlite-wal", "Index.db")
_RPM_FORMAT = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{LICENSE}\\n"


def is_database(path: str) -> bool:
    """Whether a file in a layer is, or is part of, a database of packages."""
    if path in DPKG or path in APK:
        return True
    if path.startswith(DPKG_FOLDER):
        return not path.endswith(".md5sums")
    folder, _, name = path.rpartition("/")
    return f"{folder}/" in RPM_FOLDERS and name in _RPM_FILES


def read_databases(files: Mapping[str, bytes]) -> dict[str, list[Package] | None]:
    """Return the packages of each database in the files of one layer, by the path of its main file.

    It is ``None`` for a database of rpm that cannot be read, or without the program ``rpm``.
    """
    found: dict[str, list[Package] | None] = {}
    for path, content in files.items():
        if path in DPKG or path.startswith(DPKG_FOLDER):
            found[path] = list(_dpkg(content))
        elif path in APK:
            found[path] = list(_apk(content))
    for folder in RPM_FOLDERS:
        parts = {name: files[folder + name] for name in _RPM_FILES if folder + name in files}
        if main := next((name for name in _RPM_MAIN if name in parts), ""):
            found[folder + main] = _rpm(parts)
    return found


def system_id(release: bytes) -> str:
    """Return ``ID`` of an os-release file, such as ``debian``; empty for anything but a plain word."""
    for line in release.decode("utf-8", "replace").splitlines():
        key, _, text = line.partition("=")
        if key.strip() == "ID":
            word = text.strip().strip("\"'")
            return word if word.isascii() and word.replace("-", "").replace("_", "").replace(".", "").isalnum() else ""
    return ""


def _dpkg(content: bytes) -> Iterator[Package]:
    for fields in _paragraphs(content, ": "):
        status = fields.get("Status", "install ok installed").split()
        if status[-1:] == ["installed"] and fields.get("Package") and fields.get("Version"):
            yield Package("deb", fields["Package"], fields["Version"], fields.get("Architecture", ""))


def _apk(content: bytes) -> Iterator[Package]:
    for fields in _paragraphs(content, ":"):
        if fields.get("P") and fields.get("V"):
            yield Package("apk", fields["P"], fields["V"], fields.get("A", ""), fields.get("L", ""))


def _paragraphs(content: bytes, separator: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each paragraph; of a field with several lines the first one."""
    fields: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").split("\n"):
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif not line[0].isspace():
            name, found, text = line.partition(separator)
            if found:
                fields.setdefault(name, text.strip())
    if fields:
        yield fields


def _rpm(files: Mapping[str, bytes]) -> list[Package] | None:
    """Ask ``rpm`` for the packages in a copy of a database; ``None`` without that program, or where it fails."""
    program = shutil.which("rpm")
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="airgap-") as folder:
        for name in _RPM_FILES:
            if name in files:
                Path(folder, name).write_bytes(files[name])
        command = [program, "--dbpath", folder, "--query", "--all", "--queryformat", _RPM_FORMAT]
        environment = {"PATH": "/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8"}
        try:
            done = child_program.run(
                command,
                most=limits.value("program-bytes"),
                seconds=limits.value("rpm-time"),
                environment=environment,
            )
        except (OSError, child_program.TooSlow, child_program.TooMuchOutput):
            return None
    if done.returncode != 0:
        return None
    rows = [line.split("\t") for line in done.stdout.decode("utf-8", "replace").splitlines()]
    return [Package("rpm", *row) for row in rows if len(row) == 4 and row[0] != "gpg-pubkey"]
