# SPDX-License-Identifier: Apache-2.0
"""Plain files, under ``DIRECTORY/FILE``: installers, documents, anything that no other format names.

    raw:
      - {path: docs/manual.pdf, directory: manuals}
      - {url: "https://example.com/installer.run", sha256: "…", directory: installers}

``file`` renames one. A name of ``path`` that is a folder takes every file below it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airgap.artifacts.artifact import Artifact, Download, path_problem
from airgap.artifacts.format import FindCredential, Format, UploadForm
from airgap.artifacts.put import PutRepository
from airgap.artifacts.repository import ArtifactRepository
from airgap.artifacts.settings import ArtifactEntry, EntryForm, EntryShape
from airgap.artifacts.web import Address, WebServer
from airgap.artifacts.workspace import Workspace
from airgap.errors import AirgapError, UsageError
from airgap.i18n import tr

_NAME = "raw"
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
#: Files of one folder at most.
_MAX_FILES = 100_000


class RawCollector:
    """Files of this machine, and files by their address. Nothing depends on anything."""

    shape = EntryShape(
        (EntryForm(("path",), offline=True), EntryForm(("url",), ("sha256",), offline=True)),
        optional=("directory", "file"),
        paths=frozenset({"path"}),
    )

    def resolve(self, entries: Sequence[ArtifactEntry], workspace: Workspace) -> Sequence[Download]:
        """Name each file."""
        return [download for entry in entries for download in _downloads(entry)]

    def credentials(self, entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> FindCredential:
        """Only airgap's own places have any."""
        return lambda url: None

    def describe(self, download: Download, path: Path) -> Mapping[str, str]:
        """Plain files have no properties."""
        return {}


class RawPublisher:
    """Nexus's format raw, and any server that takes a PUT."""

    nexus_format = "raw"

    def path(self, artifact: Artifact) -> str:
        """The artifact's name is its path."""
        return artifact.name

    def form(self, artifact: Artifact) -> UploadForm:
        """A file needs a directory, which may be the root."""
        directory = artifact.name.rpartition("/")[0]
        return UploadForm({"directory": f"/{directory}"}, {"filename": artifact.file})

    def native(self, server: WebServer) -> ArtifactRepository:
        """PUT to the path."""
        return PutRepository(server, self.path)


class RawLayout:
    """A folder of files, without an index."""

    def path(self, artifact: Artifact) -> str:
        """The artifact's name is its path."""
        return artifact.name

    def documents(self, artifacts: Sequence[Artifact], base_url: str) -> Mapping[str, bytes]:
        """There are none."""
        return {}


def _downloads(entry: ArtifactEntry) -> Iterator[Download]:
    directory = entry.text("directory").strip("/")
    if directory and (reason := path_problem(directory, parts=True)):
        raise UsageError(tr("the directory {text!r} {reason}", text=directory, reason=reason), where=entry.where)
    if url := entry.text("url"):
        yield _of_url(entry, url, directory)
        return
    path = entry.path("path")
    if not path.is_dir():
        yield _download(entry, directory, entry.text("file") or path.name, path=path)
        return
    if entry.text("file"):
        raise UsageError(tr("file: names one file, and this is a folder"), where=entry.where)
    files = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    if not files or len(files) > _MAX_FILES:
        what = tr("this folder has no file") if not files else tr("this folder has more than {n} files", n=_MAX_FILES)
        raise UsageError(what, where=f"{entry.where}: {path}")
    for file in files:
        inner = file.relative_to(path).parent.as_posix()
        below = "/".join(part for part in (directory, "" if inner == "." else inner) if part)
        yield _download(entry, below, file.name, path=file)


def _of_url(entry: ArtifactEntry, url: str, directory: str) -> Download:
    try:
        Address.parse(url)
    except AirgapError as error:
        raise UsageError(error.what, where=entry.where) from error
    name = entry.text("file") or unquote(urlsplit(url).path.rpartition("/")[2])
    if not name:
        raise UsageError(tr("this address ends without a file name"), where=entry.where, hint=tr("add file: NAME"))
    expected: tuple[str, ...] = ()
    if sha256 := entry.text("sha256"):
        match = _SHA256.fullmatch(sha256)
        if match is None:
            raise UsageError(
                tr("{sha256!r} is no sha256: 64 hexadecimal digits", sha256=sha256[:80]), where=entry.where
            )
        expected = (f"sha256:{match[1].lower()}",)
    return _download(entry, directory, name, url=url, expected=expected)


def _download(
    entry: ArtifactEntry, directory: str, name: str, *, url: str = "", path: Path | None = None,
    expected: tuple[str, ...] = (),
) -> Download:  # fmt: skip
    if reason := path_problem(name):
        raise UsageError(tr("the file name {text!r} {reason}", text=name[:200], reason=reason), where=entry.where)
    full_name = f"{directory}/{name}" if directory else name
    return Download(_NAME, full_name, "", name, url=url, path=path, expected=expected)


FORMAT = Format(_NAME, "raw-hosted", RawCollector(), RawPublisher(), RawLayout())
