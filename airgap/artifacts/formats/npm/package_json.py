# SPDX-License-Identifier: Apache-2.0
"""A package's own ``package.json``, and the part of it that a registry tells npm."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airgap import bounded_json
from airgap.artifacts.artifact import Download
from airgap.errors import ContentError
from airgap.i18n import tr

#: The names of an artifact's properties: JSON, Subresource Integrity, and the SHA-1 of old clients.
MANIFEST, INTEGRITY, SHASUM = "manifest", "integrity", "shasum"
#: What npm resolves and installs by, and shows.
_FIELDS = (
    "name", "version", "description", "license", "dependencies", "optionalDependencies", "peerDependencies",
    "peerDependenciesMeta", "bundleDependencies", "bundledDependencies", "bin", "engines", "os", "cpu", "libc",
    "deprecated",
)  # fmt: skip
_INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")
_MAX_DOCUMENT = 4 * 1024 * 1024
_MAX_VALUES = 131_072
_MAX_MEMBERS = 200_000
_MAX_UNPACKED = 8 * 1024 * 1024 * 1024
_PIECE = 1024 * 1024


def read_properties(path: Path, download: Download) -> Mapping[str, str]:
    """Return the properties of a package's file. Raises :class:`ContentError` for one that is not the package."""
    document, builds = _read(path, download.label)
    name, version = str(document.get("name")), str(document.get("version"))
    if name != download.name or _plain(version) != _plain(download.version):
        raise ContentError(
            tr("this file is of the package {name} {version}", name=name[:200], version=version[:60]),
            where=download.label,
        )
    known = {key: document[key] for key in _FIELDS if key in document}
    scripts = document.get("scripts")
    if builds or (isinstance(scripts, dict) and any(scripts.get(script) for script in _INSTALL_SCRIPTS)):
        known["hasInstallScript"] = True
    sha512, sha1 = hashlib.sha512(), hashlib.sha1(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sha512.update(piece)
            sha1.update(piece)
    return {
        MANIFEST: json.dumps({**known, "version": download.version}, separators=(",", ":"), ensure_ascii=False),
        INTEGRITY: f"sha512-{base64.b64encode(sha512.digest()).decode()}",
        SHASUM: sha1.hexdigest(),
    }


def _plain(version: str) -> str:
    """A version as registries have it."""
    return version.strip().lstrip("=v").partition("+")[0]


def _read(path: Path, label: str) -> tuple[dict[str, Any], bool]:
    """The package.json of an archive, and whether it has a ``binding.gyp``, which npm builds."""
    document: Any = None
    builds, unpacked = False, 0
    try:
        with tarfile.open(path) as archive:
            for number, member in enumerate(archive):
                unpacked += member.size
                if number > _MAX_MEMBERS or unpacked > _MAX_UNPACKED:
                    raise ContentError(tr("this package is too large to be read"), where=label)
                # npm takes the first folder away, whatever it is called.
                inner = re.fullmatch(r"(?:\./)?[^/]+/([^/]+)", member.name)
                if inner is None or not member.isfile():
                    continue
                builds = builds or inner[1] == "binding.gyp"
                file = archive.extractfile(member) if inner[1] == "package.json" and document is None else None
                if file is not None:
                    document = bounded_json.loads(file.read(_MAX_DOCUMENT), values=_MAX_VALUES, where=label)
    except (OSError, tarfile.TarError, EOFError, ValueError, zlib.error) as error:
        raise ContentError(tr("this is no npm package ({error})", error=error), where=label) from error
    if not isinstance(document, dict):
        raise ContentError(tr("this is no npm package: it has no package.json"), where=label)
    return document, builds
