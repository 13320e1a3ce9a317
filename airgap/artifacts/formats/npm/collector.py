# SPDX-License-Identifier: Apache-2.0
"""Reads lock files, and lets npm write one for a single package (``npm install --package-lock-only``).

npm only chooses; airgap fetches the files and checks the digests of the lock file. npm gets a folder and a cache of its
own, and reads the user's ``.npmrc`` without changing it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from airgap import limits
from airgap.artifacts.artifact import Download
from airgap.artifacts.format import FindCredential
from airgap.artifacts.formats.npm.lockfile import LockedPackage, parse_lockfile
from airgap.artifacts.formats.npm.names import file_name, file_path, is_name
from airgap.artifacts.formats.npm.npmrc import NpmSettings, environment_for, is_address
from airgap.artifacts.formats.npm.package_json import read_properties
from airgap.artifacts.settings import ArtifactEntry, EntryForm, EntryShape
from airgap.artifacts.web import Address
from airgap.artifacts.workspace import ResolverFailed, Workspace
from airgap.errors import AirgapError, ContentMissing, UsageError
from airgap.i18n import tr

#: What npm is told so that it only resolves, whatever the user's settings say.
_OPTIONS = (
    "--package-lock-only", "--package-lock=true", "--lockfile-version=3", "--ignore-scripts", "--no-audit", "--no-fund",
    "--save", "--global=false", "--location=project", "--offline=false", "--prefer-offline=false", "--loglevel=error",
    "--omit-lockfile-registry-resolved=false", "--update-notifier=false", "--color=false", "--progress=false",
)  # fmt: skip


class NpmCollector:
    """Lock files, and packages with everything that they depend on."""

    shape = EntryShape(
        (EntryForm(("lockfile",)), EntryForm(("package",))),
        optional=("registry",),
        paths=frozenset({"lockfile"}),
    )

    def resolve(self, entries: Sequence[ArtifactEntry], workspace: Workspace) -> Sequence[Download]:
        """Name the file of each package, for every platform and for development too."""
        downloads: dict[tuple[str, ...], Download] = {}
        for entry in entries:
            _check_registry(entry)
            settings = _settings([entry], workspace.environment)
            for package in _packages(entry, settings, workspace):
                url = _address(package, entry, settings, workspace)
                download = Download(
                    "npm", package.name, package.version, file_name(package.name, package.version),
                    url=url, expected=package.expected,
                )  # fmt: skip
                downloads.setdefault((package.name, package.version, *package.expected), download)
        return list(downloads.values())

    def credentials(self, entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> FindCredential:
        """Those of the entries' registries and of npm's settings."""
        return _settings(entries, environment).find

    def describe(self, download: Download, path: Path) -> Mapping[str, str]:
        """What a registry says of a version."""
        return read_properties(path, download)


def _settings(entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> NpmSettings:
    folders = dict.fromkeys(Path(path).parent for entry in entries if (path := entry.text("lockfile")))
    registries = [url for entry in entries if (url := entry.text("registry")) and is_address(url)]
    return NpmSettings(environment, list(folders), registries)


def _check_registry(entry: ArtifactEntry) -> None:
    if url := entry.text("registry"):
        try:
            Address.parse(url)
        except UsageError as error:
            raise UsageError(error.what, where=entry.where) from error


def _packages(entry: ArtifactEntry, settings: NpmSettings, workspace: Workspace) -> Iterator[LockedPackage]:
    if entry.text("lockfile"):
        content = entry.read("lockfile", limit=limits.value("lockfile-bytes"))
        yield from parse_lockfile(content, where=str(entry.path("lockfile")))
    else:
        yield from _resolved_by_npm(entry, settings, workspace)


def _resolved_by_npm(entry: ArtifactEntry, settings: NpmSettings, workspace: Workspace) -> list[LockedPackage]:
    """Let npm write the lock file of a project that needs nothing but this package."""
    wanted, npm = _checked_package(entry), _npm(entry, workspace)
    folder = workspace.subfolder("npm/project")
    lockfile = folder / "package-lock.json"
    lockfile.unlink(missing_ok=True)
    (folder / "package.json").write_text(json.dumps({"name": "airgap-resolves", "version": "0.0.0", "private": True}))
    try:
        workspace.run(
            [npm, "install", *_OPTIONS, "--", wanted],
            where=entry.where, environment=_environment(entry, settings, workspace), folder=folder,
        )  # fmt: skip
    except ResolverFailed as error:
        raise _explained(error) from error
    if not lockfile.exists() or lockfile.stat().st_size > limits.value("lockfile-bytes"):
        raise ContentMissing(tr("npm has written no lock file"), where=entry.where)
    return parse_lockfile(lockfile.read_bytes(), where=tr("{where}: what npm resolved", where=entry.where))


def _environment(entry: ArtifactEntry, settings: NpmSettings, workspace: Workspace) -> dict[str, str]:
    variables = {
        "npm_config_cache": str(workspace.subfolder("npm/cache").absolute()),
        "npm_config_fetch_retry_mintimeout": "1000",
        "npm_config_fetch_retry_maxtimeout": "3000",
    }
    url = entry.text("registry") or settings.get("registry")
    if entry.text("registry"):
        variables |= environment_for(url, settings.find(url))
    if url and is_address(url):
        connection = workspace.server(str(Address.parse(url))).client.settings
        if connection.insecure:
            variables["npm_config_strict_ssl"] = "false"
        if connection.ca_file:
            variables["npm_config_cafile"] = str(Path(connection.ca_file).absolute())
    return variables


def _address(package: LockedPackage, entry: ArtifactEntry, settings: NpmSettings, workspace: Workspace) -> str:
    """The address of a package's file. ``registry:`` goes before the lock file's, whose digest holds all the same; the
    registry of a scope is the user's own choice, as npm has it."""
    path = file_path(package.name, package.version)
    scoped = settings.scope_registry(package.name)
    if registry := entry.text("registry"):
        if not scoped:
            return _below(registry, path)
        return package.resolved or _below(scoped, path)
    registry = scoped or settings.get("registry")
    if package.resolved and not _replaced(package.resolved, registry, settings, entry, workspace):
        return package.resolved
    return _below(registry or _builtin_registry(entry, workspace), path)


def _replaced(resolved: str, registry: str, settings: NpmSettings, entry: ArtifactEntry, workspace: Workspace) -> bool:
    """Whether npm would ask the user's registry instead (``replace-registry-host``): by default for addresses of the
    registry that npm itself knows."""
    wanted = settings.get("replace-registry-host") or "npmjs"
    if not registry or wanted == "never" or not is_address(registry):
        return False
    host = Address.parse(resolved).host
    if wanted in ("always", host) or host == Address.parse(registry).host:
        return wanted in ("always", host)
    return wanted == "npmjs" and host == Address.parse(_builtin_registry(entry, workspace)).host


def _builtin_registry(entry: ArtifactEntry, workspace: Workspace) -> str:
    """The registry of an npm that nobody has set up. It is asked once in a run."""
    known = workspace.subfolder("npm").absolute() / "registry"
    if not known.exists():
        # npm ignores empty variables.
        nothing = {name: "" for name in workspace.environment if name.lower() == "npm_config_registry"}
        nothing |= {f"npm_config_{name}": str(known.with_name(f"no-{name}")) for name in ("userconfig", "globalconfig")}
        command = [_npm(entry, workspace), "config", "get", "registry"]
        environment = {**nothing, "npm_config_cache": str(workspace.subfolder("npm/cache"))}
        known.write_bytes(workspace.run(command, where=entry.where, environment=environment).strip())
    return known.read_text()


def _below(registry: str, path: str) -> str:
    return f"{Address.parse(registry)}/{path}"


def _npm(entry: ArtifactEntry, workspace: Workspace) -> str:
    if program := workspace.program("npm"):
        return program
    raise UsageError(
        tr("npm is not installed, which resolves packages"),
        where=entry.where,
        hint=tr(
            "install it (Debian: apt install npm), or name a lock file with registry:; --no-artifacts leaves artifacts "
            "out"
        ),
    )


def _checked_package(entry: ArtifactEntry) -> str:
    text = entry.text("package").strip()
    name, separator, wanted = text[1:].partition("@") if text.startswith("@") else text.partition("@")
    name = f"@{name}" if text.startswith("@") else name
    if text.startswith("-") or not is_name(name) or (separator and not re.fullmatch(r"[\w.^~<>=|*+ -]+", wanted)):
        raise UsageError(
            tr("{text!r} names no package of a registry", text=text[:200]),
            where=entry.where,
            hint=tr("write it as NAME@VERSION, such as left-pad@1.3.0"),
        )
    return text


def _explained(error: ResolverFailed) -> AirgapError:
    if "E404" in error.output or "ETARGET" in error.output:
        error.hint = tr("check name and version, and registry: or the registry of your .npmrc")
    elif "E401" in error.output or "ENEEDAUTH" in error.output or "E403" in error.output:
        error.hint = tr("the registry wants a user: npm keeps it in ~/.npmrc, npm login writes it")
    else:
        error.hint = tr("check registry: and the network; npm's own settings hold too")
    return error
