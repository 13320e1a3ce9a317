# SPDX-License-Identifier: Apache-2.0
"""Names of Debian packages, suites and architectures, and the names and paths of their files (Debian Policy 5.6)."""

from __future__ import annotations

import re

from airgap.artifacts.artifact import Artifact
from airgap.errors import UsageError
from airgap.i18n import tr

#: The property with the indexes that list a package, ``SUITE/ARCHITECTURE`` with blanks between them.
INDEXES = "indexes"
#: The property with the package's control file.
CONTROL = "control"

_EXAMPLES = {"package": "curl, curl=7.88.1-10", "architecture": "amd64", "component": "main"}
_MAX_NAME = 200
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](=[A-Za-z0-9][A-Za-z0-9.+:~-]*)?")
_SUITE = re.compile(r"[A-Za-z0-9][\w+-]*(?:\.[\w+-]+)*(?:/[A-Za-z0-9][\w+-]*(?:\.[\w+-]+)*)*", re.ASCII)
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")


def check_word(kind: str, text: str, *, where: str) -> str:
    """Return a name of the ``kind`` package, suite, component or architecture. Raises :class:`UsageError` for others,
    which apt-get could take for options or patterns."""
    if not is_word(kind, text):
        named = {"package": tr("package"), "architecture": tr("architecture"), "component": tr("component")}
        raise UsageError(
            tr("{text!r} is no {kind} of Debian", text=text[:200], kind=named.get(kind, tr("suite"))),
            where=where,
            hint=tr("such as {example}", example=_EXAMPLES.get(kind, "bookworm")),
        )
    return text


def is_word(kind: str, text: str) -> bool:
    """Whether ``text`` is a name of the ``kind``, as for :func:`check_word`."""
    pattern = {"package": _PACKAGE, "architecture": _ARCHITECTURE}.get(kind, _SUITE)
    return bool(pattern.fullmatch(text)) and len(text) <= _MAX_NAME


def file_name(package: str, version: str, architecture: str) -> str:
    """Return the name of a package's file, which has no epoch."""
    return f"{package}_{version.rpartition(':')[2]}_{architecture}.deb"


def architecture_of(artifact: Artifact) -> str:
    """Return the architecture by the name of the file."""
    return artifact.file.removesuffix(".deb").rpartition("_")[2]


def pool_path(artifact: Artifact) -> str:
    """Return the path of the file in a folder: ``pool/c/curl/curl_7.88.1-10_amd64.deb``."""
    return f"pool/{artifact.name[:1]}/{artifact.name}/{artifact.file}"


def nexus_path(artifact: Artifact) -> str:
    """Return the path of the file in Nexus, which is made of the version with its epoch."""
    file = f"{artifact.name}_{artifact.version}_{architecture_of(artifact)}.deb"
    return f"pool/{artifact.name[:1]}/{artifact.name}/{file}"
