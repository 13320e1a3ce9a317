# SPDX-License-Identifier: Apache-2.0
"""Asks pip which files a requirement needs (``pip install --dry-run --report``), for each Python and machine.

pip chooses and names them with their addresses and hashes; airgap fetches them. pip gets a cache and a target folder of
its own, and reads the user's configuration without changing it.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from airgap import bounded_json
from airgap.artifacts.artifact import Download
from airgap.artifacts.format import FindCredential
from airgap.artifacts.formats.pypi.credentials import PipCredentials
from airgap.artifacts.formats.pypi.names import normalized, read_metadata
from airgap.artifacts.settings import ArtifactEntry, EntryForm, EntryShape
from airgap.artifacts.web import Address
from airgap.artifacts.workspace import ResolverFailed, Workspace
from airgap.errors import ContentError, UsageError
from airgap.i18n import tr

#: JSON values of a report of pip. Commas and brackets of descriptions count, too.
_MAX_VALUES = 4_194_304
_OPTIONS = ("python", "platforms", "index")
#: What pip is told so that it asks nobody, and touches nothing of the user's.
_ENVIRONMENT = {
    "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0",
    "PIP_NO_COLOR": "1", "PIP_PROGRESS_BAR": "off",
}  # fmt: skip
_MACHINE = re.compile(r"(x86_64|aarch64|i686|armv[a-z0-9]{1,8}|ppc64le|s390x|riscv64|amd64|arm64|universal2|win32)$")
_DIGEST = re.compile(r"[0-9a-f]{32,128}")


class PypiCollector:
    """Requirements files and single requirements, with everything that they depend on."""

    shape = EntryShape(
        (EntryForm(("requirements",), _OPTIONS), EntryForm(("package",), _OPTIONS)),
        lists=frozenset({"python", "platforms"}),
        paths=frozenset({"requirements"}),
    )

    def resolve(self, entries: Sequence[ArtifactEntry], workspace: Workspace) -> Sequence[Download]:
        """Run pip for each entry, each Python version and each machine."""
        pip = _pip(workspace, entries[0].where)
        find = self.credentials(entries, workspace.environment)
        downloads: dict[str, Download] = {}
        for entry in entries:
            for python in entry.texts("python") or ("",):
                for platforms in _by_machine(entry.texts("platforms")):
                    for download in _resolve(pip, entry, python, platforms, workspace, find):
                        downloads.setdefault(download.file, download)
        _warn_of_sources(downloads, workspace)
        return list(downloads.values())

    def credentials(self, entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> FindCredential:
        """Those of the entries' and of pip's indexes."""
        return PipCredentials(environment, [url for entry in entries if (url := entry.text("index"))]).find

    def describe(self, download: Download, path: Path) -> Mapping[str, str]:
        """The Python versions that the file is for, which an index shows."""
        metadata = read_metadata(path, download.label)
        if normalized(metadata.get("name", "")) != download.name:
            name = metadata.get("name", "")[:200]
            raise ContentError(tr("this file is of the project {name!r}", name=name), where=download.label)
        requires = metadata.get("requires-python", "")
        return {"requires-python": requires} if requires else {}


def _pip(workspace: Workspace, where: str) -> list[str]:
    """The command of pip: this interpreter's, or the one on the PATH."""
    if importlib.util.find_spec("pip") is not None and sys.executable:
        return [sys.executable, "-m", "pip"]
    if program := workspace.program("pip3", "pip"):
        return [program]
    raise UsageError(
        tr("pip is not installed, which resolves Python packages"),
        where=where,
        hint=tr("install it (Debian: apt install python3-pip), or --no-artifacts leaves artifacts out"),
    )


def _resolve(
    pip: Sequence[str], entry: ArtifactEntry, python: str, platforms: Sequence[str], workspace: Workspace,
    find: FindCredential,
) -> Iterator[Download]:  # fmt: skip
    folder = workspace.subfolder("pypi")
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    command = [*pip, "install", "--dry-run", "--ignore-installed", "--quiet", "--report", str(report)]
    # Without a target, pip would refuse to resolve in a Python that the system manages.
    command += ["--target", str(folder / "target")]
    if python or platforms:
        command += ["--only-binary=:all:"]
    command += [f"--python-version={python}"] if python else []
    command += [f"--platform={platform}" for platform in platforms]
    if entry.text("requirements"):
        command += ["--requirement", str(entry.path("requirements").absolute())]
    else:
        command += ["--", _checked_requirement(entry)]
    environment = {**_ENVIRONMENT, "PIP_CACHE_DIR": str(folder / "cache"), **_index(entry, workspace, find)}
    try:
        workspace.run(command, where=entry.where, environment=environment)
    except ResolverFailed as error:
        raise _explained(error, python, platforms) from error
    try:
        items = bounded_json.loads(report.read_bytes(), values=_MAX_VALUES)["install"]
        for item in items:
            yield _download(item, entry)
    except (OSError, ContentError, KeyError, TypeError) as error:
        raise ContentError(tr("pip's report is unreadable ({error})", error=error), where=entry.where) from error


def _index(entry: ArtifactEntry, workspace: Workspace, find: FindCredential) -> dict[str, str]:
    """The variables for the entry's index. A password in it is in no argument, which every user could see."""
    url = entry.text("index")
    if not url:
        return {}
    try:
        address = Address.parse(url)
    except UsageError as error:
        raise UsageError(error.what, where=entry.where) from error
    known = find(url)
    scheme, _, rest = str(address).partition("://")
    # Only characters that pip decodes again.
    user = f"{_escaped(known.username)}:{_escaped(known.password)}@" if known else ""
    variables = {"PIP_INDEX_URL": f"{scheme}://{user}{rest}/", "PIP_EXTRA_INDEX_URL": ""}
    settings = workspace.server(url).client.settings
    if scheme == "http" or settings.insecure:
        variables["PIP_TRUSTED_HOST"] = address.host
    if settings.ca_file:
        variables["PIP_CERT"] = str(Path(settings.ca_file).absolute())
    return variables


def _download(item: Mapping[str, Any], entry: ArtifactEntry) -> Download:
    metadata, info = item["metadata"], item["download_info"]
    name, version, url = normalized(str(metadata["name"])), str(metadata["version"]), str(info["url"])
    archive = info.get("archive_info")
    if not isinstance(archive, dict):
        raise UsageError(
            tr("{name} is not taken from an index, but from a folder or version control", name=name),
            where=entry.where,
            hint=tr("build a wheel of it (pip wheel), and name that file in the requirements"),
        )
    hashes = archive.get("hashes") or dict([str(archive.get("hash", "")).split("=", 1)] if archive.get("hash") else [])
    expected = tuple(
        f"{algorithm}:{digest}" for algorithm, digest in sorted(hashes.items()) if _DIGEST.fullmatch(str(digest))
    )
    parts = urlsplit(url)
    file = unquote(parts.path.rpartition("/")[2])
    if parts.scheme == "file":
        return Download("pypi", name, version, file, path=Path(url2pathname(parts.path)), expected=expected)
    clean = parts._replace(fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()
    return Download("pypi", name, version, file, url=clean, expected=expected)


def _by_machine(platforms: Sequence[str]) -> list[list[str]]:
    """Group platform tags by machine: tags of one machine are alternatives, and each machine needs its own files."""
    groups: dict[str, list[str]] = {}
    for platform in platforms:
        match = _MACHINE.search(platform)
        groups.setdefault(match[1] if match else platform, []).append(platform)
    return list(groups.values()) or [[]]


def _checked_requirement(entry: ArtifactEntry) -> str:
    text = entry.text("package").strip()
    if text.startswith("-") or "\n" in text:
        raise UsageError(tr("{text!r} is no requirement", text=text[:200]), where=entry.where)
    return text


def _warn_of_sources(downloads: Mapping[str, Download], workspace: Workspace) -> None:
    for download in downloads.values():
        if not download.file.endswith(".whl"):
            workspace.context.warn(
                tr(
                    "{label} is a source archive: to install it, the far side needs what builds it; with python: and "
                    "platforms: only wheels are taken",
                    label=download.label,
                )
            )


def _explained(error: ResolverFailed, python: str, platforms: Sequence[str]) -> ResolverFailed:
    if "no such option: --report" in error.output:
        error.hint = tr("pip 22.2 or newer is needed: python3 -m pip --version shows yours")
    elif "THESE PACKAGES DO NOT MATCH THE HASHES" in error.output:
        error.what = tr("an index gives another file than the requirements' hashes say: {what}", what=error.what)
        error.hint = tr("nothing was carried; compare the index with the one that the hashes were made from")
    elif "No matching distribution found" in error.output and (python or platforms):
        error.hint = tr(
            "for Python {python} on {platforms} only wheels are taken; check that the project has one",
            python=python or tr("of this machine"), platforms=", ".join(platforms) or tr("this machine"),
        )  # fmt: skip
    else:
        error.hint = tr("check index: and the network; pip's own settings hold too")
    return error


def _escaped(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
