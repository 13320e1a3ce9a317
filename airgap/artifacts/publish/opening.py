# SPDX-License-Identifier: Apache-2.0
"""Finds out what is at a target of artifacts, and chooses a repository where the user named only Nexus."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airgap.artifacts.format import Format
from airgap.artifacts.formats import format_named
from airgap.artifacts.publish.addresses import ArtifactTarget
from airgap.artifacts.publish.folder import FolderRepository
from airgap.artifacts.repository import ArtifactRepository
from airgap.artifacts.web import Address, WebServer
from airgap.errors import NotReady, TargetError, Unauthorized
from airgap.i18n import tr
from airgap.records import Record, field

if TYPE_CHECKING:
    from airgap.registry import Credential, Registries
    from airgap.targets.nexus.rest import NexusRest
    from airgap.targets.nexus.settings import RepositorySettings

_REPOSITORY = "/repository/"


class Opener(Record, frozen=False, eq=False):
    """Opens the targets of one import.

    ``targets`` are by format; for other formats ``nexus`` is asked, the address of a Nexus, if it is not empty.
    ``create`` makes hosted repositories that are missing. ``credential`` is sent to ``hosts`` alone, names without
    ports.
    """

    registries: Registries
    targets: dict[str, ArtifactTarget]
    nexus: str = ""
    create: bool = False
    dry_run: bool = False
    credential: Credential | None = None
    hosts: frozenset[str] = frozenset()
    _rests: dict[str, NexusRest | None] = field(default_factory=dict, init=False)

    def open(self, format_name: str) -> ArtifactRepository:
        """Return the repository for a format. Raises :class:`TargetError` or :class:`NotReady` with the choice that
        the user has, and the errors of the connection."""
        target = self.targets.get(format_name)
        return self._by_nexus(format_named(format_name)) if target is None else self.open_at(target)

    def open_at(self, target: ArtifactTarget) -> ArtifactRepository:
        """Return the repository at an address. Raises what :meth:`open` raises."""
        artifact_format = format_named(target.format)
        if target.folder is not None:
            return FolderRepository(artifact_format, target.folder, target.served)
        if target.url.startswith("oci://"):
            return self._registry(artifact_format, target)
        base, separator, rest_of_path = target.url.partition(_REPOSITORY)
        if separator and (rest := self._nexus(base)) is not None:
            return self._repository(rest, artifact_format, rest_of_path.partition("/")[0])
        return artifact_format.publisher.native(self._server(target.url))

    def _registry(self, artifact_format: Format, target: ArtifactTarget) -> ArtifactRepository:
        """Return a repository in a registry, of a format that registries can hold."""
        if artifact_format.name != "helm":
            raise TargetError(
                tr("only charts go to a registry"),
                where=str(target),
                hint=tr("name a repository of the format, or a folder: file:///srv/{name}", name=artifact_format.name),
            )
        rest = target.url.removeprefix("oci://")
        client = self.registries.client(rest.partition("/")[0])
        server = self._server(f"{client.base_url}/{rest.partition('/')[2]}")
        server.is_registry = True
        return artifact_format.publisher.native(server)

    def _by_nexus(self, artifact_format: Format) -> ArtifactRepository:
        """Choose the only hosted repository of the format."""
        name = artifact_format.name
        if not self.nexus:
            raise TargetError(
                tr("the bundle has {format} artifacts, and no repository is named for them", format=name),
                hint=tr(
                    "--artifacts-to {format}=URL names it (http://… or file:///folder), --nexus URL looks for it, and "
                    "--no-artifacts leaves all artifacts out",
                    format=name,
                ),
            )
        rest = self._nexus(self.nexus)
        if rest is None:
            raise NotReady(tr("no Nexus answers there"), where=Address.parse(self.nexus).origin)
        wanted = artifact_format.publisher.nexus_format
        hosted = [r for r in rest.repositories if r.format == wanted and r.type == "hosted"]
        if len(hosted) == 1:
            return self._artifacts(rest, hosted[0], artifact_format)
        if hosted:
            raise TargetError(
                tr(
                    "Nexus has {count} hosted repositories for {format}: {names}",
                    count=len(hosted), format=name, names=", ".join(r.name for r in hosted),
                ),
                where=rest.url,
                hint=tr(
                    "choose one: --artifacts-to {format}={url}", format=name,
                    url=f"{rest.url}{_REPOSITORY}{hosted[0].name}",
                ),
            )  # fmt: skip
        return self._created(rest, artifact_format, artifact_format.hosted)

    def _repository(self, rest: NexusRest, artifact_format: Format, name: str) -> ArtifactRepository:
        settings = next((r for r in rest.repositories if r.name == name), None)
        if settings is None:
            return self._created(rest, artifact_format, name)
        return self._artifacts(rest, settings, artifact_format)

    def _created(self, rest: NexusRest, artifact_format: Format, name: str) -> ArtifactRepository:
        """Make a hosted repository, if the user wants it."""
        from airgap.artifacts.publish.creation import create_repository

        if not self.create:
            if (refusal := rest.refusal) is not None:
                raise refusal
            if not rest.repositories and not rest.has_user:
                raise Unauthorized(
                    tr("Nexus shows no repository to a user who has not signed in"), where=rest.url,
                    hint=tr("give --username with --password-stdin, or a line in ~/.netrc"),
                )  # fmt: skip
            shown = ", ".join(r.name for r in rest.repositories if r.type == "hosted") or tr("none")
            raise NotReady(
                tr("Nexus has no hosted repository {name} for {format}", name=name, format=artifact_format.name),
                where=rest.url,
                hint=artifact_format.creation_hint
                or tr("--create-repositories makes {name}; hosted ones are: {shown}", name=name, shown=shown),
            )
        return self._artifacts(
            rest, create_repository(rest, artifact_format, name, dry_run=self.dry_run), artifact_format
        )

    def _artifacts(self, rest: NexusRest, settings: RepositorySettings, artifact_format: Format) -> ArtifactRepository:
        from airgap.artifacts.publish.nexus import NexusArtifacts

        return NexusArtifacts(rest, settings, artifact_format)

    def _nexus(self, base: str) -> NexusRest | None:
        """Return the REST API at an address if a Nexus answers there. Raises the error of the connection."""
        from airgap.targets.nexus.rest import NexusRest

        base = base.rstrip("/")
        if base not in self._rests:
            address = Address.parse(base)
            credential = address.credential or self._credential(address.host)
            server = WebServer.at(self.registries, base, credential)
            client = self.registries.client_at(address.host, str(address), server.credential)
            rest = NexusRest(client)
            if isinstance(rest.status_answer, Exception):
                raise rest.status_answer
            if rest.answers:
                rest.sign_in()
            self._rests[base] = rest if rest.answers else None
        return self._rests[base]

    def _server(self, url: str) -> WebServer:
        return WebServer.at(self.registries, url, self._credential(Address.parse(url).host))

    def _credential(self, host: str) -> Credential | None:
        """The credential of the command line, for its hosts alone."""
        return self.credential if urlsplit(f"//{host}").hostname in self.hosts else None
