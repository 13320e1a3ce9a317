# SPDX-License-Identifier: Apache-2.0
"""What each format consists of: the parts that its module puts into one :class:`Format`.

A part does what differs between formats and nothing else. Threads, retries, locks, journals, checksums and messages
about what is already there are common to all formats, in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airgap.artifacts.artifact import Artifact, Download
from airgap.artifacts.settings import ArtifactEntry, EntryShape
from airgap.records import Record, field

if TYPE_CHECKING:
    from airgap.artifacts.repository import ArtifactRepository
    from airgap.artifacts.web import WebServer
    from airgap.artifacts.workspace import Workspace
    from airgap.nodes import NodeSetup
    from airgap.registry import Credential
    from airgap.targets.nexus.settings import RepositorySettings
    from airgap.targets.protocols import Finding
    from airgap.transfer import Context


FindCredential = Callable[[str], "Credential | None"]


class Collector(Protocol):
    """The export side."""

    @property
    def shape(self) -> EntryShape:
        """The keys of the format's entries in airgap.yaml."""

    def resolve(self, entries: Sequence[ArtifactEntry], workspace: Workspace) -> Sequence[Download]:
        """Return every file that the entries need, dependencies too, each once; sort nothing and fetch no file.

        Raises :class:`airgap.errors.AirgapError` with the entry's ``where``.
        """

    def credentials(self, entries: Sequence[ArtifactEntry], environment: Mapping[str, str]) -> FindCredential:
        """Return a function that finds the user and password for an address where the format's own client keeps them.

        ``environment`` leads to its settings, and addresses in ``entries`` may have some. Addresses without one are
        looked up in airgap's own places.
        """

    def describe(self, download: Download, path: Path) -> Mapping[str, str]:
        """Return the properties that the format's indexes need, read from the fetched file at ``path`` alone, so that
        equal files give equal properties. Raises :class:`airgap.errors.ContentError` for a file that is none."""


class UploadForm(Record):
    """One upload by Nexus's REST API: the values of the fields of the component and of its only asset.

    Names are those of ``formats/upload-specs`` without the format's prefix, such as ``directory`` and ``filename``.
    """

    component: Mapping[str, str] = field(default_factory=dict)
    asset: Mapping[str, str] = field(default_factory=dict)


class Publisher(Protocol):
    """The import side."""

    @property
    def nexus_format(self) -> str:
        """What Nexus calls the format, such as ``maven2``."""

    def path(self, artifact: Artifact) -> str:
        """Return the path below a Nexus repository's address under which the format's client fetches the file."""

    def form(self, artifact: Artifact) -> UploadForm | None:
        """Return the fields of an upload by REST; ``None`` for what only a PUT to :meth:`path` puts there."""

    def native(self, server: WebServer) -> ArtifactRepository:
        """Return a repository of a server that is no Nexus, spoken to as the format's own clients do."""


class StaticLayout(Protocol):
    """The format as files that its clients read as they lie: in a folder, and by ``airgap serve``."""

    def path(self, artifact: Artifact) -> str:
        """Return the path of the file below the root."""

    def documents(self, artifacts: Sequence[Artifact], base_url: str) -> Mapping[str, bytes]:
        """Return the indexes over all ``artifacts``, by their path. ``base_url`` is the root's address, without a slash
        at the end, empty if it is not known. Raises :class:`airgap.errors.UsageError` if the format needs it."""


class ClientSettings(Protocol):
    """What a client of the format needs to be told, by ``airgap hosts URL --for CLIENT``."""

    @property
    def client(self) -> str:
        """The value of ``--for``, such as ``pip``."""

    def setup(self, repository_url: str) -> NodeSetup:
        """Return the settings files of the whole machine, merged into what is there, by which the client uses the
        repository at this address, without a slash at its end; or as ``snippets`` the commands that say so."""


class Format(Record):
    """One format: the parts that each has, and those that few need.

    ``name`` is its key in ``artifacts:`` and in ``--artifacts-to``; ``hosted`` is what ``--create-repositories`` calls
    a new hosted repository. ``realm`` is a realm that Nexus needs to be active for the format's clients, or empty.
    ``creation`` has the settings of a new hosted repository beside name, online and storage; it is ``None`` if Nexus
    needs more than airgap can choose, and ``creation_hint`` then says how to make one.

    ``joined`` makes one of what a folder knows of a file and what it is given now of the same file, if properties of
    both count. ``client_addresses`` are what clients are told, if that is more than the repository's address.
    ``warning`` is what a repository of Nexus cannot do for these artifacts. ``listed_path`` gives the path in Nexus's
    list of assets where that is not the path for clients; what the list does not have is then asked, and what REST does
    not take is sent, in the format's own way. ``index_check`` finds what the index that Nexus writes does not list.
    """

    name: str
    hosted: str
    collector: Collector
    publisher: Publisher
    layout: StaticLayout
    client: ClientSettings | None = None
    realm: str = ""
    creation: Mapping[str, object] | None = field(default_factory=dict)
    creation_hint: str = ""
    joined: Callable[[Artifact, Artifact], Artifact] | None = None
    client_addresses: Callable[[str, Sequence[Artifact]], Sequence[str]] | None = None
    listed_path: Callable[[Artifact], str] | None = None
    index_check: Callable[[WebServer, RepositorySettings, Sequence[Artifact], Context], list[Finding]] | None = None
    warning: Callable[[Sequence[Artifact], RepositorySettings], Finding | None] | None = None
