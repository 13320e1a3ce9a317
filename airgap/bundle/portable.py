# SPDX-License-Identifier: Apache-2.0
"""The portable folder: this program with a CPython, its libraries and their loader, for a far side without Python.

``tools/portable`` makes the folder out of Debian packages (ADR 0026). Its archive is a ``.tar.gz`` with sorted members,
fixed times and modes: the same folder always gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

import airgap
from airgap.bounded_json import loads
from airgap.durable import missing_file, read_hint
from airgap.errors import AirgapError, ContentError, UsageError
from airgap.i18n import tr
from airgap.records import Record

#: The folder's name in its archive, and the program in it.
FOLDER = "airgap-portable"
LAUNCHER = "airgap"
#: What the folder was made of.
PACKAGES = "packages.json"
_FORMAT = 1
#: Bytes of an archive at most. It is a member of the bundle's head, which is read into memory.
_MAX_ARCHIVE = 128 * 1024 * 1024
#: An unpacked archive is read in pieces of so many bytes; its list of packages is in the first of at most so many.
_PIECE = 1024 * 1024
_MAX_PIECES = 1024
#: JSON values of the list.
_MAX_VALUES = 10_000
_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,32}", re.ASCII)
#: The earliest time of a zip entry, as in ``airgap.pyz``, in seconds since 1970.
_EPOCH = 315532800
_MODES = {True: 0o755, False: 0o644}


class _NotPortable(Exception):
    """This is no list of packages, or no archive of a portable folder."""


class Package(Record):
    """A Debian package with files in the folder. ``source`` is the name of its source package."""

    name: str
    version: str
    source: str


class PackageList(Record):
    """What a portable folder was made of. ``architecture`` is the kernel's name: ``x86_64`` or ``aarch64``."""

    architecture: str
    packages: tuple[Package, ...]

    def to_bytes(self) -> bytes:
        """Return the file ``packages.json``."""
        entries = [{"name": one.name, "version": one.version, "source": one.source} for one in self.packages]
        document = {"format": _FORMAT, "architecture": self.architecture, "packages": entries}
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, content: bytes) -> PackageList:
        """Read ``packages.json``. Raises :class:`_NotPortable` for what is none."""
        try:
            document = loads(content, values=_MAX_VALUES)
            architecture, entries = document["architecture"], document["packages"]
            packages = tuple(Package(str(one["name"]), str(one["version"]), str(one["source"])) for one in entries)
        except (ContentError, TypeError, KeyError) as error:
            raise _NotPortable from error
        if document.get("format") != _FORMAT or not _ARCHITECTURE.fullmatch(str(architecture)):
            raise _NotPortable
        return cls(architecture, packages)


class PortableArchive(Record):
    """The archive of a portable folder for machines of ``architecture``."""

    architecture: str
    content: bytes


def portable_folder() -> Path | None:
    """Return the portable folder that this program runs from, or ``None``."""
    folder = Path(airgap.__file__).parent.parent.parent
    return folder if (folder / PACKAGES).is_file() and (folder / LAUNCHER).is_file() else None


def installed_packages() -> PackageList | None:
    """Return what the portable folder that this program runs from was made of; ``None`` outside of one."""
    folder = portable_folder()
    if folder is None:
        return None
    try:
        return PackageList.parse((folder / PACKAGES).read_bytes())
    except (OSError, _NotPortable) as error:
        raise AirgapError(tr("cannot be read"), where=str(folder / PACKAGES)) from error


def pack_folder(folder: Path, output: BinaryIO) -> None:
    """Write the archive of a portable folder. Raises OSError."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _EPOCH)
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=output, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        # The launcher and the package list come first, so that what the archive is can be told from its start.
        first = [folder, folder / PACKAGES, folder / LAUNCHER]
        for path in [*first, *sorted(path for path in folder.rglob("*") if path not in first)]:
            name = f"{FOLDER}/{path.relative_to(folder)}".removesuffix("/.")
            member = tarfile.TarInfo(name)
            member.mtime = epoch
            if path.is_dir():
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
                continue
            content = path.read_bytes()
            member.size, member.mode = len(content), _MODES[os.access(path, os.X_OK)]
            archive.addfile(member, io.BytesIO(content))


def running_archive() -> PortableArchive:
    """Return the archive of the portable folder that this program runs from. Raises :class:`UsageError` outside."""
    folder = portable_folder()
    if folder is None:
        raise UsageError(
            tr("this airgap does not run from a portable folder"),
            hint=tr("name its archive: --with-self=airgap-VERSION-portable-linux-x86_64.tar.gz"),
        )
    buffer = io.BytesIO()
    packages = installed_packages()
    assert packages is not None
    pack_folder(folder, buffer)
    return PortableArchive(packages.architecture, buffer.getvalue())


def read_archive(path: Path) -> PortableArchive:
    """Return the archive in a file. Raises :class:`UsageError` for any other file."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_ARCHIVE + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path) from None
    except OSError as error:
        hint = read_hint(error, str(path))
        what = tr("cannot be read: {strerror}", strerror=error.strerror)
        raise UsageError(what, where=str(path), hint=hint) from error
    try:
        if len(content) > _MAX_ARCHIVE:
            raise _NotPortable
        packages = _packages_of(content)
    except (_NotPortable, EOFError, OSError, zlib.error, tarfile.TarError) as error:
        raise UsageError(
            tr("this is no archive of a portable airgap"),
            where=str(path),
            hint=tr("--with-self takes airgap-VERSION-portable-linux-x86_64.tar.gz of a release"),
        ) from error
    return PortableArchive(packages.architecture, content)


def _packages_of(content: bytes) -> PackageList:
    """Read the package list of an archive, which is its second member, and check the archive's checksum.

    Raises :class:`_NotPortable` and what gzip and tarfile raise.
    """
    stream = gzip.GzipFile(fileobj=io.BytesIO(content))
    start = stream.read(_PIECE)
    for _ in range(_MAX_PIECES):
        if not stream.read(_PIECE):
            break
    else:
        raise _NotPortable
    with tarfile.open(fileobj=io.BytesIO(start), mode="r:") as archive:
        folder, member = archive.next(), archive.next()
        if folder is None or member is None or member.name != f"{FOLDER}/{PACKAGES}":
            raise _NotPortable
        file = archive.extractfile(member)
        if file is None:
            raise _NotPortable
        return PackageList.parse(file.read())
