# SPDX-License-Identifier: Apache-2.0
"""NuGet packages with everything that they depend on, from their ``.nuspec`` files: of each range of versions the
lowest, as NuGet takes it.

NuGet reads every version that a range leads to before it chooses, so each of them is taken, not only the one that a
project would end with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from airgap import limits
from airgap.artifacts.artifact import Download
from airgap.artifacts.download import fetch_file
from airgap.artifacts.format import FindCredential
from airgap.artifacts.formats.nuget.config import NugetConfig
from airgap.artifacts.formats.nuget.frameworks import Framework, nearest
from airgap.artifacts.formats.nuget.lockfile import parse_lockfile
from airgap.artifacts.formats.nuget.names import check_id, file_name
from airgap.artifacts.formats.nuget.nuspec import Dependency, Nuspec, parse_nuspec, read_nupkg, read_properties
from airgap.artifacts.formats.nuget.service import ServiceIndex
from airgap.artifacts.formats.nuget.versions import Version, VersionRange
from airgap.artifacts.settings import ArtifactEntry, EntryForm, EntryShape
from airgap.artifacts.web import Address
from airgap.artifacts.workspace import FETCHED, Workspace
from airgap.errors import AirgapError, ContentError, NotFound, UsageError
from airgap.i18n import tr
from airgap.records import Record
from airgap.transfer import parallel_map

#: Packages that one entry may lead to.
_MAX_PACKAGES = 20_000

Key = tuple[str, Version]
Item = TypeVar("Item")
Result = TypeVar("Result")


class _Wanted(Record):
    """A version of a package that something needs; ``chain`` leads there, for messages."""

    package: str
    versions: VersionRange
    chain: str


class NugetCollector:
    """Packages of a source."""

    shape = EntryShape(
        (EntryForm(("package", "version"), ("framework",)), EntryForm(("lockfile",))),
        optional=("source",),
        paths=frozenset({"lockfile"}),
    )

    def resolve(self, entries: Sequence[ArtifactEntry], workspace: Workspace) -> Sequence[Download]:
        """Walk the dependencies of each entry, several packages at a time."""
        config = NugetConfig(workspace.environment, [url for entry in entries if (url := entry.text("source"))])
        downloads: dict[tuple[str, ...], Download] = {}
        for entry in entries:
            try:
                for download in _downloads(entry, _source(entry, config, workspace), config, workspace):
                    downloads.setdefault((*download.identity, download.url, *download.expected), download)
            except AirgapError as error:
                if not (error.where or "").startswith(entry.where):
                    error.where = f"{entry.where} ({error.where})" if error.where else entry.where
                raise
        return list(downloads.values())

    def credentials(self, entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> FindCredential:
        """Those of the entries' sources and of NuGet's settings."""
        return NugetConfig(environment, [url for entry in entries if (url := entry.text("source"))]).find

    def describe(self, download: Download, path: Path) -> Mapping[str, str]:
        """What a registry tells of a package."""
        return read_properties(path, download)


def _source(entry: ArtifactEntry, config: NugetConfig, workspace: Workspace) -> ServiceIndex:
    url = entry.text("source") or config.default_source()
    try:
        address = str(Address.parse(url))
    except UsageError as error:
        raise UsageError(
            error.what, where=entry.where, hint=tr("such as source: https://HOST/v3/index.json")
        ) from error
    if not address.endswith(".json"):
        address += "/index.json"
    return ServiceIndex(
        workspace.server(address, config.find(url)), lambda place: workspace.server(place, config.find(place))
    )


def _downloads(
    entry: ArtifactEntry, source: ServiceIndex, config: NugetConfig, workspace: Workspace
) -> Sequence[Download]:
    """What an entry asks for: the packages of a lock file as they are, or a package with its dependencies."""
    walk = _Walk(entry, source, config, workspace)
    if not entry.text("lockfile"):
        return walk.downloads()
    locked = parse_lockfile(
        entry.read("lockfile", limit=limits.value("lockfile-bytes")), where=str(entry.path("lockfile"))
    )
    return walk.located(locked)


class _Walk:
    """The packages that one entry needs."""

    def __init__(self, entry: ArtifactEntry, source: ServiceIndex, config: NugetConfig, workspace: Workspace) -> None:
        self._entry = entry
        self._source = source
        self._config = config
        self._workspace = workspace
        self._framework = _framework(entry)
        self._versions: dict[str, list[Version]] = {}
        self._nuspecs: dict[Key, Nuspec] = {}

    def downloads(self) -> list[Download]:
        """Return every package. Raises :class:`NotFound` for one that the source does not have."""
        wanted = [_first(self._entry)]
        while wanted:
            self._read_versions({one.package.lower(): one.package for one in wanted})
            chosen: dict[Key, _Wanted] = {}
            for one in wanted:
                version = one.versions.lowest(self._versions[one.package.lower()])
                if version is None:
                    raise self._missing(one)
                key = (one.package.lower(), version)
                if key not in self._nuspecs:
                    chosen.setdefault(key, one)
            wanted = self._read_nuspecs(chosen)
            if len(self._nuspecs) > _MAX_PACKAGES:
                raise ContentError(tr("it leads to more than {limit} packages", limit=_MAX_PACKAGES))
        return self.located([(nuspec.package, nuspec.version) for nuspec in self._nuspecs.values()])

    def located(self, packages: Iterable[tuple[str, Version]]) -> list[Download]:
        """Return where packages are, with the digests that the source tells."""
        return self._parallel(packages, self._download)

    def _read_versions(self, packages: Mapping[str, str]) -> None:
        unknown = [name for lower, name in packages.items() if lower not in self._versions]
        for name, versions in zip(unknown, self._parallel(unknown, self._source.versions), strict=True):
            self._versions[name.lower()] = versions

    def _read_nuspecs(self, chosen: Mapping[Key, _Wanted]) -> list[_Wanted]:
        """Read packages, and return what they need."""
        wanted: list[_Wanted] = []
        nuspecs = self._parallel(list(chosen.items()), lambda item: self._nuspec(item[1].package, item[0][1]))
        for (key, one), nuspec in zip(chosen.items(), nuspecs, strict=True):
            self._nuspecs[key] = nuspec
            label = f"{nuspec.package} {nuspec.version}"
            chain = f"{one.chain} > {label}" if one.chain else label
            wanted += [_Wanted(need.package, need.versions, chain) for need in self._needs(nuspec)]
        return wanted

    def _needs(self, nuspec: Nuspec) -> list[Dependency]:
        if self._framework is not None:
            return list(nearest(self._framework, nuspec.groups) or ())
        return [dependency for _, dependencies in nuspec.groups for dependency in dependencies]

    def _nuspec(self, package: str, version: Version) -> Nuspec:
        """Read a package's ``.nuspec``, out of its file where the source has it only there."""
        found = self._source.nuspec(package, version)
        if found is not None:
            nuspec = parse_nuspec(found[0], where=found[1])
        else:
            download = Download("nuget", package, str(version), file_name(package, version),
                                url=self._source.file_address(package, version))  # fmt: skip
            server = self._workspace.server(download.url, self._config.find(download.url))
            folder = self._workspace.subfolder(FETCHED)
            nuspec = read_nupkg(fetch_file(download, server, folder, self._workspace.context).path, download.label)
        if (nuspec.package.lower(), nuspec.version) != (package.lower(), version):
            raise ContentError(
                tr("this file is of the package {name} {version}", name=nuspec.package, version=nuspec.version),
                where=f"{package} {version}",
            )
        return nuspec

    def _download(self, item: tuple[str, Version]) -> Download:
        package, version = item
        digest = self._source.sha512(package, version)
        return Download(
            "nuget", package, str(version), file_name(package, version),
            url=self._source.file_address(package, version), expected=(digest,) if digest else (),
        )  # fmt: skip

    def _parallel(self, items: Iterable[Item], action: Callable[[Item], Result]) -> list[Result]:
        """Several at a time; the first error ends all."""
        context = self._workspace.context
        results = parallel_map(items, action, workers=context.jobs.control, cancel=context.cancel)
        return [result for result in results if not isinstance(result, AirgapError)]

    def _missing(self, wanted: _Wanted) -> NotFound:
        having = self._versions[wanted.package.lower()]
        what = (
            tr("the source has no version of {package} that fits", package=wanted.package)
            if having
            else tr("the source has no package {package}", package=wanted.package)
        )
        if wanted.chain:
            what = f"{what} ({tr('needed by {chain}', chain=wanted.chain)})"
        shown = ", ".join(map(str, sorted(having)[-5:]))
        hint = (
            tr("its highest versions: {shown}", shown=shown) if having else tr("asked: {source}", source=self._source)
        )
        if wanted.chain and self._framework is None:
            hint = f"{hint}; {tr('framework: takes the dependencies of one framework alone, such as net8.0')}"
        return NotFound(what, where=self._entry.where, hint=hint)


def _first(entry: ArtifactEntry) -> _Wanted:
    """What an entry asks for: a plain version means that one, not a higher one."""
    text = entry.text("version").strip()
    versions = VersionRange.parse(text)
    if text[:1] not in ("[", "("):
        if versions.least is None:
            raise ContentError(tr("{text!r} is no version of a NuGet package", text=text))
        versions = VersionRange(versions.least, versions.least)
    return _Wanted(check_id(entry.text("package").strip()), versions, "")


def _framework(entry: ArtifactEntry) -> Framework | None:
    text = entry.text("framework")
    framework = Framework.parse(text) if text else None
    if text and framework is None:
        raise UsageError(
            tr("{text!r} is no target framework", text=text[:100]),
            where=entry.where,
            hint=tr("such as net8.0, netstandard2.0, net472"),
        )
    return framework
