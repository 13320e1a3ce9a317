# SPDX-License-Identifier: Apache-2.0
"""Ids of packages, and the paths of their files, which are in lower case (NuGet's "Package content")."""

from __future__ import annotations

import re

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.nuget.versions import Version
from airgap.errors import ContentError
from airgap.i18n import tr

_ID = re.compile(r"\w+(?:[.-]\w+)*", re.ASCII)
_MAX_ID = 100


def check_id(text: str) -> str:
    """Return the id of a package. Raises :class:`ContentError`."""
    if len(text) > _MAX_ID or not _ID.fullmatch(text):
        raise ContentError(tr("{text!r} is no id of a NuGet package", text=text[:_MAX_ID]))
    return text


def file_name(package: str, version: Version | str) -> str:
    """Return the name of a package's file."""
    return f"{package.lower()}.{version}.nupkg"


def content_path(package: str, version: Version | str) -> str:
    """Return the path of a package's file below the base address of package contents."""
    return f"{package.lower()}/{version}/{file_name(package, version)}"


def nexus_path(artifact: Artifact) -> str:
    """Return the path below a repository of Nexus under which clients of the V3 API fetch the file."""
    return f"v3/content/{content_path(artifact.name, artifact.version)}"


def listed_path(artifact: Artifact) -> str:
    """Return the path that Nexus's list of assets has, which is that of the V2 API; the list keeps the case."""
    return f"{artifact.name}/{artifact.version}"
