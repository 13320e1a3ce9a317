# SPDX-License-Identifier: Apache-2.0
"""The changes that ``airgap doctor --fix`` makes by an API. Each is shown before it is made, and changes nothing else.

A finding's ``fix`` names one of these. Passwords, policies and other settings that somebody chose are left unchanged.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from airgap.i18n import tr
from airgap.records import Record, replace
from airgap.targets.harbor.projects import HarborProjects, document_for
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.realms import realm_for
from airgap.targets.probe import Probe

#: Seconds. It is not documented whether a connector accepts connections as soon as Nexus has answered.
_CONNECTOR_WAIT = 10.0


class SettingChange(Record):
    """One change of a product's settings.

    ``what`` describes it; ``request`` (method and address) and ``document`` are what :attr:`apply` sends.
    """

    what: str
    request: str
    document: Any
    apply: Callable[[], None]


def change_for(fix: str, probe: Probe) -> SettingChange | None:
    """Return the change that a finding's ``fix`` names; ``None`` if this user or this server does not allow it."""
    if fix == "project":
        return _create_project(probe)
    if not isinstance(probe, NexusProbe):
        return None
    return _NEXUS_CHANGES[fix](probe)


def _nexus_change(probe: NexusProbe, what: str, method: str, path: str, document: Any) -> SettingChange:
    return SettingChange(
        what, f"{method} {probe.rest.url_of(path)}", document, lambda: probe.rest.change(method, path, document)
    )


def _create_repository(probe: NexusProbe) -> SettingChange:
    """A hosted repository whose connector has the port of the address."""
    scheme, port = probe.scheme, probe.fix_port
    change = _nexus_change(
        probe,
        tr(
            "make the hosted Docker repository {fix_repository} with an {scheme} connector on port {port}",
            fix_repository=probe.fix_repository,
            scheme=scheme.upper(),
            port=port,
        ),
        "POST",
        "repositories/docker/hosted",
        {
            "name": probe.fix_repository,
            "online": True,
            "storage": {
                "blobStoreName": "default",
                "strictContentTypeValidation": True,
                "writePolicy": "ALLOW",
            },
            "docker": {"v1Enabled": False, "forceBasicAuth": True, f"{scheme}Port": port},
        },
    )
    return _with_wait(change, probe)


def _add_connector(probe: NexusProbe) -> SettingChange | None:
    """PUT replaces all settings of a repository, so they are sent back as they were read, with the port added."""
    path, port = f"repositories/docker/hosted/{quote(probe.fix_repository, safe='')}", probe.fix_port
    settings = probe.rest.get(path)
    docker = settings.get("docker") if isinstance(settings, dict) else None
    if not isinstance(docker, dict) or any(docker.get(key) for key in ("httpPort", "httpsPort", "pathEnabled")):
        return None
    change = _nexus_change(
        probe,
        tr(
            "give the hosted Docker repository {fix_repository} an HTTP connector on port {port}",
            fix_repository=probe.fix_repository,
            port=port,
        ),
        "PUT",
        path,
        {**settings, "docker": {**docker, "httpPort": port}},
    )
    return _with_wait(change, probe)


def _with_wait(change: SettingChange, probe: NexusProbe) -> SettingChange:
    """The same change, followed by a wait for the new connector."""

    def apply() -> None:
        change.apply()
        _wait_for_connector(probe)

    return replace(change, apply=apply)


def _wait_for_connector(probe: NexusProbe) -> None:
    """Wait until the address accepts connections. If it does not in time, the next examination reports that."""
    deadline = time.monotonic() + _CONNECTOR_WAIT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection((probe.host, probe.port), 1).close()
            return
        time.sleep(0.1)


def _activate_realm(probe: NexusProbe) -> SettingChange | None:
    """PUT replaces the list of active realms, so it keeps those that are active, in their order."""
    active = probe.rest.realms
    if active is None:
        return None
    realm = realm_for(probe.repository)
    if realm in active:
        return None
    return _nexus_change(
        probe,
        tr("switch the realm {realm} on, beside {active}", realm=realm, active=", ".join(active)),
        "PUT",
        "security/realms/active",
        [*active, realm],
    )


def _accept_licence(probe: NexusProbe) -> SettingChange | None:
    """Nexus requires the text of the licence to be sent back with the acceptance."""
    eula = probe.rest.get("system/eula")
    if not isinstance(eula, dict) or eula.get("accepted") is not False:
        return None
    return _nexus_change(
        probe,
        tr("accept the licence of this Nexus for you, which says: {eula}", eula=eula.get("disclaimer", "")),
        "POST",
        "system/eula",
        {**eula, "accepted": True},
    )


_NEXUS_CHANGES: dict[str, Callable[[NexusProbe], SettingChange | None]] = {
    "repository": _create_repository,
    "connector": _add_connector,
    "realm": _activate_realm,
    "eula": _accept_licence,
}


def _create_project(probe: Probe) -> SettingChange:
    project = probe.mapping.address.prefix.partition("/")[0]
    projects = HarborProjects(probe)
    return SettingChange(
        tr("make the private project {project} in Harbor", project=project),
        f"POST {projects.url}",
        document_for(project),
        lambda: projects.create(project),
    )
