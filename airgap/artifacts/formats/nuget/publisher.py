# SPDX-License-Identifier: Apache-2.0
"""NuGet packages on the far side: Nexus's format nuget, and the push of the V3 API to it and to other servers."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from urllib.parse import urlsplit

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import UploadForm
from airgap.artifacts.formats.nuget.names import content_path, nexus_path
from airgap.artifacts.formats.nuget.service import PUBLISH, ServiceIndex, index_hint
from airgap.artifacts.put import descriptor_of, find_by_path
from airgap.artifacts.repository import ArtifactRepository, ServerRepository
from airgap.artifacts.web import Body, WebServer
from airgap.errors import NotFound, TargetError, Unauthorized
from airgap.i18n import tr
from airgap.records import replace
from airgap.store.protocols import Opener
from airgap.targets.protocols import Finding
from airgap.transfer import Context

#: The variable with the key that ``dotnet nuget push --api-key`` would be given.
API_KEY = "NUGET_API_KEY"
_INDEXES = ("/index.json", "/v3/index.json")


class NugetPublisher:
    """Nexus keeps a package under its id and version, and offers it by the V3 API below ``index.json``."""

    nexus_format = "nuget"

    def path(self, artifact: Artifact) -> str:
        """The path in the V3 API."""
        return nexus_path(artifact)

    def form(self, artifact: Artifact) -> UploadForm:
        """Nexus reads id and version from the file."""
        return UploadForm()

    def native(self, server: WebServer) -> ArtifactRepository:
        """A source of the V3 API."""
        return NugetRepository(server)


class NugetRepository(ServerRepository):
    """A source of the V3 API: ``server`` is its service index, or what that lies below.

    Addresses in the service index count by their paths, on the server's own host: behind a proxy they may have a name
    that only the server itself knows, and no password follows them elsewhere.
    """

    def __init__(self, server: WebServer) -> None:
        super().__init__(server)
        self._lock = threading.Lock()

    def check(self, artifacts: Sequence[Artifact] = ()) -> list[Finding]:
        """Read the service index; warn if it leads clients to another host."""
        parts = urlsplit(self._index.content())
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin == self._server.address.origin:
            return []
        return [
            Finding(
                "warning",
                tr("its service index leads clients to {origin}", origin=origin),
                tr("if they do not reach that: in Nexus, Settings > System > Capabilities > Base URL"),
            )
        ]

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Fetch what is under each package's address and hash it."""
        server = self._at(self._index.content())
        return find_by_path(server, artifacts, lambda one: content_path(one.name, one.version), context)

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """PUT a form with the file, as ``dotnet nuget push`` does (NuGet's "Push and delete")."""
        address = self._index.address(PUBLISH)
        if not address:
            raise TargetError(
                tr("this source takes no packages: its service index has no PackagePublish"),
                where=str(self._server),
                hint=tr("name the hosted repository, not a group or a proxy"),
            )
        server, key = self._at(address), os.environ.get(API_KEY, "")
        headers = {"X-NuGet-Protocol-Version": "4.1.0", **({"X-NuGet-ApiKey": key} if key else {})}
        body = Body.form({}, "package", artifact.file, descriptor_of(artifact), opener)

        def attempt() -> None:
            response = server.send("PUT", "", body, headers=headers)
            if response.status == 409:
                raise TargetError(
                    tr("the server says that this version is already there"), where=str(self._server),
                    hint=tr("a changed package needs a new version"),
                )  # fmt: skip
            if response.status not in (200, 201, 202, 204):
                raise response.error()

        try:
            server.client.retry.run(f"PUT {artifact.file}", attempt)
        except Unauthorized as error:
            error.hint = tr(
                "{variable} holds the API key of a user who may push; in Nexus it needs the NuGet API-Key Realm "
                "(Settings > Security > Realms)",
                variable=API_KEY,
            )
            raise

    def url(self, artifact: Artifact) -> str:
        """Return the address of the file."""
        return self._at(self._index.content()).url(f"/{content_path(artifact.name, artifact.version)}")

    @cached_property
    def _index(self) -> ServiceIndex:
        with self._lock:
            base, address = self._server, self._server.address
            if address.path.endswith(".json"):
                return ServiceIndex(base, self._at)
            for path in _INDEXES:
                try:
                    place = replace(address, path=f"{address.path}{path}", query="")
                    return ServiceIndex(WebServer(base.client, place, base.credential), self._at)
                except NotFound:
                    continue
            raise TargetError(
                tr("there is no source of NuGet's V3 API at this address"),
                where=str(base),
                hint=index_hint(),
            )

    def _at(self, url: str) -> WebServer:
        """The server's own host with the path of an address."""
        base = self._server
        return WebServer(
            base.client, replace(base.address, path=urlsplit(url).path.rstrip("/"), query=""), base.credential
        )
