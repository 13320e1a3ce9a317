# SPDX-License-Identifier: Apache-2.0
"""Names of projects and files (PyPA specifications "Names and normalization", "Binary distribution format")."""

from __future__ import annotations

import email.parser
import re
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from airgap.errors import ContentError
from airgap.i18n import tr

#: Bytes of a METADATA file that are read at most, and members of an archive that are looked at.
_MAX_METADATA = 4 * 1024 * 1024
_MAX_MEMBERS = 100_000


def normalized(name: str) -> str:
    """Return the name under which indexes list a project: ``Jinja2.Ext`` is ``jinja2-ext``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def file_type(file: str) -> str:
    """Return what an upload calls the kind of a file."""
    return "bdist_wheel" if file.endswith(".whl") else "sdist"


def python_tag(file: str) -> str:
    """Return the Python tag of a wheel, ``source`` for a source archive."""
    return file.removesuffix(".whl").split("-")[-3] if file.endswith(".whl") and file.count("-") >= 4 else "source"


def read_metadata(path: Path, label: str) -> Mapping[str, str]:
    """Return the core metadata of a wheel or source archive, each field once.

    Raises :class:`ContentError` for a file that has none.
    """
    try:
        content = _from_zip(path) if zipfile.is_zipfile(path) else _from_tar(path)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise ContentError(tr("this is no Python package ({error})", error=error), where=label) from error
    if content is None:
        raise ContentError(tr("this is no Python package: it has no METADATA or PKG-INFO"), where=label)
    message = email.parser.Parser().parsestr(content.decode("utf-8", "replace"), headersonly=True)
    return {key.lower(): str(value) for key, value in message.items()}


def _from_zip(path: Path) -> bytes | None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist()[:_MAX_MEMBERS]:
            if re.fullmatch(r"[^/]+\.dist-info/METADATA|[^/]+/PKG-INFO", member.filename):
                with archive.open(member) as file:
                    return file.read(_MAX_METADATA)
    return None


def _from_tar(path: Path) -> bytes | None:
    with tarfile.open(path) as archive:
        for number, member in enumerate(archive):
            if number > _MAX_MEMBERS:
                return None
            if re.fullmatch(r"(\./)?[^/]+/PKG-INFO", member.name) and member.isfile():
                file = archive.extractfile(member)
                return file.read(_MAX_METADATA) if file else None
    return None
