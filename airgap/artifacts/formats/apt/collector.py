# SPDX-License-Identifier: Apache-2.0
"""Debian packages with everything that they depend on: apt-get chooses, for each suite and architecture by itself and
from an empty system; airgap fetches the files and checks the sha256 of the index."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from airgap.artifacts.artifact import Download, path_problem
from airgap.artifacts.format import FindCredential
from airgap.artifacts.formats.apt.apt_get import AptFolder, Chosen
from airgap.artifacts.formats.apt.auth_conf import AptCredentials
from airgap.artifacts.formats.apt.control import format_paragraph
from airgap.artifacts.formats.apt.deb import read_control
from airgap.artifacts.formats.apt.mirror import copy_indexes, local_mirror
from airgap.artifacts.formats.apt.names import CONTROL, INDEXES, check_word, file_name
from airgap.artifacts.formats.apt.sources import Source, default_keyring, own_source
from airgap.artifacts.settings import ArtifactEntry, EntryForm, EntryShape
from airgap.artifacts.web import Address
from airgap.artifacts.workspace import Workspace
from airgap.errors import AirgapError, ContentError, UsageError
from airgap.i18n import tr
from airgap.records import replace

_WORDS = {"packages": "package", "suites": "suite", "architectures": "architecture", "components": "component"}


class AptCollector:
    """Packages of a mirror."""

    shape = EntryShape(
        (EntryForm(("packages", "suites", "architectures")),),
        optional=("mirror", "components", "keyring", "trusted"),
        lists=frozenset(_WORDS),
        paths=frozenset({"keyring"}),
    )

    def resolve(self, entries: Sequence[ArtifactEntry], workspace: Workspace) -> Sequence[Download]:
        """Ask apt-get for each entry, suite and architecture; a file that several of them need is one."""
        find = self.credentials(entries, workspace.environment)
        downloads: dict[tuple[str, ...], Download] = {}
        for entry in entries:
            _check(entry, workspace)
            for suite in dict.fromkeys(entry.texts("suites")):
                source = _source(entry, suite, workspace)
                for architecture in dict.fromkeys(entry.texts("architectures")):
                    for chosen in _chosen(entry, source, suite, architecture, workspace, find):
                        download = _download(chosen, source, f"{suite}/{architecture}", entry)
                        key = (download.name, download.version, download.file, *download.expected)
                        known = downloads.get(key, download)
                        indexes = {*known.properties[INDEXES].split(), *download.properties[INDEXES].split()}
                        downloads[key] = replace(known, properties={INDEXES: " ".join(sorted(indexes))})
        return list(downloads.values())

    def credentials(self, entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> FindCredential:
        """Those of the entries' mirrors and of apt's auth.conf."""
        return AptCredentials(environment, [url for entry in entries if (url := entry.text("mirror"))]).find

    def describe(self, download: Download, path: Path) -> Mapping[str, str]:
        """The control file, of which an index consists."""
        fields = read_control(path, download.label)
        if (fields["Package"], fields["Version"]) != (download.name, download.version):
            raise ContentError(
                tr("this file is of the package {name} {version}", name=fields["Package"][:200],
                   version=fields["Version"][:60]),
                where=download.label,
            )  # fmt: skip
        return {CONTROL: format_paragraph(fields)}


def _check(entry: ArtifactEntry, workspace: Workspace) -> None:
    for key, kind in _WORDS.items():
        for text in entry.texts(key):
            check_word(kind, text, where=entry.where)
        if key in entry.values and not entry.texts(key):
            raise UsageError(tr("{key} is an empty list", key=key), where=entry.where)
    if entry.text("trusted", "no") not in ("yes", "no"):
        raise UsageError(tr("trusted is yes or no"), where=entry.where)
    if workspace.program("apt-get") is None:
        raise UsageError(
            tr("apt-get is not installed, which resolves Debian packages"),
            where=entry.where,
            hint=tr("export on Debian or Ubuntu, or in a container of theirs; --no-artifacts leaves artifacts out"),
        )


def _source(entry: ArtifactEntry, suite: str, workspace: Workspace) -> Source:
    """The mirror of an entry, or that of this machine's own apt; without a keyring if it is trusted."""
    mirror = entry.text("mirror").rstrip("/")
    source = Source(mirror) if mirror else own_source(suite, workspace, where=entry.where)
    if local_mirror(source.mirror) is None:
        try:
            source = replace(source, mirror=str(Address.parse(source.mirror)))
        except UsageError as error:
            raise UsageError(error.what, where=entry.where, hint=tr("such as mirror: https://HOST/debian")) from error
    if entry.text("trusted") == "yes":
        return replace(source, keyring=None)
    if entry.text("keyring"):
        return replace(source, keyring=entry.path("keyring").absolute())
    return replace(source, keyring=source.keyring or default_keyring(where=entry.where))


def _chosen(
    entry: ArtifactEntry, source: Source, suite: str, architecture: str, workspace: Workspace, find: FindCredential
) -> list[Chosen]:
    components = entry.texts("components") or ("main",)
    folder = workspace.subfolder("apt").absolute() / re.sub(r"\W", "_", f"{suite}_{architecture}")
    apt = AptFolder(folder, workspace, architecture, where=entry.where)
    try:
        mirror = local_mirror(source.mirror)
        if mirror is None:
            mirror = folder / "mirror"
            copy_indexes(
                source.mirror, suite, components, architecture, mirror, workspace,
                lambda url: workspace.server(url, find(url)),
            )  # fmt: skip
        apt.read_indexes(mirror, suite, components, source.keyring)
        return apt.resolve(entry.texts("packages"))
    except AirgapError as error:
        # apt-get has read the indexes from a folder.
        error.what = error.what.replace(f"file:{quote(str(folder / 'mirror'))}", source.mirror)
        if not (error.where or "").startswith(entry.where):
            error.where = f"{entry.where} ({error.where})" if error.where else entry.where
        raise


def _download(chosen: Chosen, source: Source, index: str, entry: ArtifactEntry) -> Download:
    if path_problem(chosen.path, parts=True):
        raise ContentError(tr("the index of the mirror leads out of it: {path!r}", path=chosen.path[:200]),
                           where=entry.where)  # fmt: skip
    local = local_mirror(source.mirror)
    url = f"file://{local}/{chosen.path}" if local is not None else f"{source.mirror}/{chosen.path}"
    return Download(
        "apt", chosen.name, chosen.version, file_name(chosen.name, chosen.version, chosen.architecture),
        url=url, path=None if local is None else local / chosen.path, expected=(f"sha256:{chosen.digest}",),
        size=chosen.size, properties={INDEXES: index},
    )  # fmt: skip
