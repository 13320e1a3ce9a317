# SPDX-License-Identifier: Apache-2.0
"""Harbor's projects, by its API (``/api/v2.0``) on the registry's host.

The API answers anonymous requests without a challenge, so the password that the registry has accepted is sent at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airgap import bounded_json
from airgap.errors import ContentError, NotReady
from airgap.i18n import tr
from airgap.records import Record
from airgap.targets.probe import Probe

if TYPE_CHECKING:
    from airgap.registry.http.transport import Response

#: Where the API is on the registry's host.
API = "/api/v2.0"


class HarborProjects(Record):
    """The projects of the Harbor that ``probe`` examines. Both methods raise
    :class:`airgap.errors.Unauthorized` if the API rejects the password."""

    probe: Probe

    @property
    def url(self) -> str:
        """The address that projects are created at."""
        return f"{self.probe.root}{API}/projects"

    def status(self, project: str) -> int:
        """Return the status of asking for a project: 200 if it exists, 404 if the user sees no such project."""
        return self.call("HEAD", f"{self.url}?{urlencode({'project_name': project})}").status

    def create(self, project: str) -> None:
        """Create a private project; succeeds if it exists meanwhile. Raises :class:`NotReady` if this is refused."""
        response = self.call("POST", self.url, document_for(project))
        if response.status in (201, 409):
            return
        hint = tr("ask an administrator of Harbor for the project")
        if self.user.startswith("robot$"):
            hint += tr("; a robot account makes projects only if it is one of the system's with that permission")
        raise NotReady(
            tr(
                "Harbor did not make the project {project} ({status} {message})",
                project=project,
                status=response.status,
                message=_message(response),
            ).rstrip(),
            where=self.probe.registry,
            hint=hint,
        )

    @property
    def user(self) -> str:
        """The name that the user signs in with; empty for none."""
        client = self.probe.client
        credential = client.credentials.find(client.registry)
        return credential.username if credential else ""

    def call(self, method: str, url: str, document: object = None) -> Response:
        """Send a request to the API, as the user of the registry, and return the answer."""
        client = self.probe.client
        credential = None if client.password_refused else client.credentials.find(client.registry)
        headers = {"Accept": "application/json"}
        body = None
        if document is not None:
            headers["Content-Type"], body = "application/json", json.dumps(document).encode()
        authorization = credential.basic if credential is not None and credential.username else ""
        response = client.request_url(method, url, headers=headers, body=body, authorization=authorization)
        if response.status == 401:
            raise response.error()
        return response


def document_for(project: str) -> dict[str, object]:
    """Return the JSON document that creates a private project."""
    return {"project_name": project, "metadata": {"public": "false"}}


def _message(response: Response) -> str:
    try:
        return str(bounded_json.parse(response.body, "error")["errors"][0]["message"])[:200]
    except (ContentError, KeyError, IndexError, TypeError):
        return ""
