# SPDX-License-Identifier: Apache-2.0
"""Finds charts: in the index of a chart repository, in a registry, or in a folder, which is packed."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from airgap.artifacts.artifact import Download
from airgap.artifacts.format import FindCredential
from airgap.artifacts.formats.helm.charts import chart_of_folder, pack, read_chart
from airgap.artifacts.formats.helm.yaml_values import read_yaml
from airgap.artifacts.settings import ArtifactEntry, EntryForm, EntryShape
from airgap.artifacts.web import Address
from airgap.artifacts.workspace import Workspace
from airgap.errors import AirgapError, ContentError, NotFound, UsageError
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.registry import Credential

#: The media types of a chart in a registry (helm's "Use OCI-based registries").
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class HelmCollector:
    """Charts with exactly the version that an entry names. What a chart depends on is in it."""

    shape = EntryShape(
        (
            EntryForm(("repository", "chart", "version")),
            EntryForm(("oci", "version")),
            EntryForm(("path",), offline=True),
        ),
        paths=frozenset({"path"}),
    )

    def resolve(self, entries: Sequence[ArtifactEntry], workspace: Workspace) -> Sequence[Download]:
        """Read each repository's index once."""
        find, indexes = self.credentials(entries, workspace.environment), dict[str, bytes]()
        downloads = []
        for entry in entries:
            if entry.text("path"):
                downloads.append(_of_path(entry, workspace))
            elif entry.text("oci"):
                downloads.append(_of_registry(entry, workspace))
            else:
                url = entry.text("repository").rstrip("/")
                if url not in indexes:
                    indexes[url] = _read_index(entry, url, find, workspace)
                downloads.append(_of_repository(entry, url, indexes[url]))
        return downloads

    def credentials(self, entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> FindCredential:
        """Those of ``helm repo add --username``, by host, and those in the entries' addresses."""
        known: dict[str, Credential] = {}
        for entry in entries:
            if url := entry.text("repository"):
                address = Address.parse(url)
                if address.credential:
                    known[address.host] = address.credential
        for url, credential in _helm_repositories(environment):
            known.setdefault(Address.parse(url).host, credential)
        return lambda url: Address.parse(url).credential or known.get(Address.parse(url).host)

    def describe(self, download: Download, path: Path) -> Mapping[str, str]:
        """The content of Chart.yaml, as an index has it."""
        chart = read_chart(path, download.label)
        if (chart["name"], chart["version"]) != (download.name, download.version):
            raise ContentError(
                tr("this is the chart {name} {version}", name=chart["name"], version=chart["version"]),
                where=download.label,
            )
        return {"chart": json.dumps(chart, sort_keys=True, ensure_ascii=False)}


def file_name(name: str, version: str) -> str:
    """Return the name of a chart's archive, as ``helm package`` writes it."""
    return f"{name}-{version}.tgz"


def _of_path(entry: ArtifactEntry, workspace: Workspace) -> Download:
    path = entry.path("path")
    if not path.is_dir():
        chart = read_chart(path, entry.where)
        return _download(chart["name"], chart["version"], path=path)
    chart = chart_of_folder(path, entry.where)
    content = pack(path, chart, entry.where)
    packed = workspace.subfolder("helm") / f"{hashlib.sha256(content).hexdigest()}.tgz"
    packed.write_bytes(content)
    return _download(chart["name"], chart["version"], path=packed)


def _read_index(entry: ArtifactEntry, url: str, find: FindCredential, workspace: Workspace) -> bytes:
    try:
        return workspace.server(url, find(url)).get("/index.yaml").body
    except NotFound as error:
        raise NotFound(
            tr("this is no chart repository: it has no index.yaml"), where=f"{entry.where}: {Address.parse(url)}"
        ) from error
    except AirgapError as error:
        error.where = f"{entry.where}: {error.where}"
        raise


def _of_repository(entry: ArtifactEntry, url: str, index: bytes) -> Download:
    name, version = entry.text("chart"), entry.text("version")
    where = f"{entry.where}: {Address.parse(url)}"
    versions = read_yaml(index, "entries", name, where=where)
    listed = [item for item in versions if isinstance(item, dict)] if isinstance(versions, list) else []
    found = next((item for item in listed if _is_version(item.get("version"), version)), None)
    if found is None:
        known = ", ".join(str(item.get("version")) for item in listed[:5])
        raise NotFound(
            tr("it has no chart {name} {version}", name=name, version=version),
            where=where,
            hint=tr("its newest versions: {known}", known=known) if known else tr("check the name of the chart"),
        )
    urls, digest = found.get("urls"), str(found.get("digest") or "").removeprefix("sha256:")
    if not isinstance(urls, list) or not urls:
        raise ContentError(tr("its index has no address for {name} {version}", name=name, version=version), where=where)
    address = urljoin(f"{Address.parse(url)}/", str(urls[0]))
    expected = (f"sha256:{digest}",) if _SHA256.fullmatch(digest) else ()
    return _download(name, str(found["version"]), url=address, expected=expected)


def _of_registry(entry: ArtifactEntry, workspace: Workspace) -> Download:
    text, version = entry.text("oci"), entry.text("version")
    try:
        reference = Reference.parse(text.removeprefix("oci://"))
    except AirgapError as error:
        raise UsageError(error.what, where=entry.where, hint=error.hint) from error
    if (
        not text.startswith("oci://")
        or text.removeprefix("oci://").rpartition("/")[2] != reference.repository.rpartition("/")[2]
    ):
        raise UsageError(
            tr("{text!r} is no address of a chart in a registry", text=text[:200]),
            where=entry.where,
            hint=tr("write it as oci://HOST/PATH/CHART, with version: beside it"),
        )
    repository = workspace.registries.repository(reference.registry, reference.repository)
    manifest = repository.manifest(version.replace("+", "_"))
    layer = next((layer for layer in manifest.layers if layer.media_type == CHART_LAYER), None)
    if layer is None:
        raise ContentError(tr("this is no chart: it has no layer of that type"), where=f"{entry.where}: {text}")
    name = reference.repository.rpartition("/")[2]
    url = f"oci://{reference.registry}/{reference.repository}@{layer.digest}"
    return _download(name, version, url=url, expected=(layer.digest,), size=layer.size)


def _download(name: str, version: str, **more: Any) -> Download:
    return Download("helm", name, version, file_name(name, version), **more)


def _is_version(listed: Any, wanted: str) -> bool:
    """Whether two versions are the same: helm ignores a leading ``v``."""
    return str(listed).removeprefix("v") == wanted.removeprefix("v")


def _helm_repositories(environment: Mapping[str, str]) -> list[tuple[str, Credential]]:
    """The repositories of helm's own list that have a user."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    own = Path(environment.get("HELM_CONFIG_HOME") or config / "helm")
    path = Path(environment.get("HELM_REPOSITORY_CONFIG") or own / "repositories.yaml")
    try:
        repositories = read_yaml(path.read_bytes(), "repositories", where=str(path))
    except (OSError, ContentError):
        return []  # helm says what is wrong with it
    return [
        (str(item["url"]), Credential(str(item["username"]), str(item.get("password") or "")))
        for item in repositories or ()
        if isinstance(item, dict) and item.get("username") and str(item.get("url")).startswith(("http://", "https://"))
    ]
