# SPDX-License-Identifier: Apache-2.0
"""A source of NuGet's V3 API in files: service index, package contents, registrations, and a search that finds all.

The addresses in them are absolute, so the source's own must be known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airgap import bounded_json
from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.nuget.names import check_id, content_path
from airgap.artifacts.formats.nuget.nuspec import METADATA, SHA512
from airgap.artifacts.formats.nuget.service import CONTENT, REGISTRATION
from airgap.artifacts.formats.nuget.versions import Version
from airgap.errors import ContentError, UsageError
from airgap.i18n import tr

_CONTENT, _REGISTRATION, _SEARCH = "v3/content", "v3/registration", "v3/search/index.json"
_MAX_VALUES = 131_072


class NugetLayout:
    """Any web server serves it; parameters of the search are ignored."""

    def path(self, artifact: Artifact) -> str:
        """Below the base address of package contents."""
        return f"{_CONTENT}/{content_path(check_id(artifact.name), Version.parse(artifact.version))}"

    def documents(self, artifacts: Sequence[Artifact], base_url: str) -> Mapping[str, bytes]:
        """Return all indexes. Raises :class:`UsageError` without a ``base_url``."""
        if not base_url:
            raise UsageError(
                tr("NuGet needs absolute addresses, and it is not known where this folder will be served"),
                hint=tr("write the address behind the folder: nuget=file:///srv/nuget#http://HOST/nuget"),
            )
        by_id: dict[str, list[Artifact]] = {}
        for artifact in artifacts:
            by_id.setdefault(check_id(artifact.name).lower(), []).append(artifact)
        resources = [
            *((f"{base_url}/{_CONTENT}/", kind) for kind in CONTENT),
            *((f"{base_url}/{_REGISTRATION}/", kind) for kind in REGISTRATION),
            *((f"{base_url}/{_SEARCH}", kind) for kind in ("SearchQueryService", "SearchQueryService/3.0.0-rc")),
        ]
        documents: dict[str, Any] = {
            "v3/index.json": {"version": "3.0.0", "resources": [{"@id": url, "@type": kind} for url, kind in resources]}
        }
        found: list[dict[str, Any]] = []
        for package, own in sorted(by_id.items()):
            own.sort(key=lambda artifact: Version.parse(artifact.version))
            documents[f"{_CONTENT}/{package}/index.json"] = {"versions": [artifact.version for artifact in own]}
            leaves = [_leaf(artifact, base_url) for artifact in own]
            for artifact, leaf in zip(own, leaves, strict=True):
                documents[f"{_REGISTRATION}/{package}/{artifact.version}.json"] = leaf
            documents[f"{_REGISTRATION}/{package}/index.json"] = _registration(own, leaves, base_url, package)
            found.append(_found(own, leaves, base_url, package))
        documents[_SEARCH] = {"totalHits": len(found), "data": found}
        return {
            path: json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
            for path, document in documents.items()
        }


def _leaf(artifact: Artifact, base_url: str) -> dict[str, Any]:
    """What is told of one version. Raises :class:`ContentError` for an artifact without its properties."""
    try:
        metadata = bounded_json.loads(artifact.properties[METADATA].encode(), values=_MAX_VALUES, where=artifact.label)
        sha512 = artifact.properties[SHA512]
        if not isinstance(metadata, dict):
            raise ValueError(METADATA)
    except (KeyError, ValueError) as error:
        raise ContentError(
            tr("it has not the properties of a NuGet package ({error})", error=error), where=artifact.label
        ) from error
    package = artifact.name.lower()
    url = f"{base_url}/{_REGISTRATION}/{package}/{artifact.version}.json"
    content = f"{base_url}/{_CONTENT}/{content_path(package, artifact.version)}"
    hashed = {"packageHash": sha512, "packageHashAlgorithm": "SHA512", "packageSize": artifact.size}
    entry = {**metadata, "@id": url, "listed": True, "packageContent": content, **hashed}
    registration = f"{base_url}/{_REGISTRATION}/{package}/index.json"
    return {"@id": url, "catalogEntry": entry, "listed": True, "packageContent": content, "registration": registration}


def _registration(
    artifacts: Sequence[Artifact], leaves: Sequence[Mapping[str, Any]], base_url: str, package: str
) -> dict[str, Any]:
    """Every version on one page."""
    url = f"{base_url}/{_REGISTRATION}/{package}/index.json"
    page = {
        "@id": f"{url}#page", "count": len(leaves), "items": leaves,
        "lower": artifacts[0].version, "upper": artifacts[-1].version,
    }  # fmt: skip
    return {"@id": url, "count": 1, "items": [page]}


def _found(
    artifacts: Sequence[Artifact], leaves: Sequence[Mapping[str, Any]], base_url: str, package: str
) -> dict[str, Any]:
    newest = leaves[-1]["catalogEntry"]
    shown = {key: newest[key] for key in ("id", "version", "description", "authors", "title") if key in newest}
    versions = [
        {"@id": leaf["@id"], "version": artifact.version, "downloads": 0}
        for artifact, leaf in zip(artifacts, leaves, strict=True)
    ]
    url = f"{base_url}/{_REGISTRATION}/{package}/index.json"
    return {"@id": url, "@type": "Package", "registration": url, **shown, "versions": versions}
