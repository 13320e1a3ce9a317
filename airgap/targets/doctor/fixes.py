# SPDX-License-Identifier: Apache-2.0
"""What ``airgap doctor --fix`` can change by an API: each change is shown before it is made, and changes nothing else.

A finding's ``fix`` names one of these. Passwords, policies and whatever a person has set on purpose stay as they are.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from airgap.records import Record, replace
from airgap.targets.doctor.settings import DOCKER_REALM, OCI_REALM
from airgap.targets.probe import Probe

#: Seconds. Whether a connector takes connections as soon as Nexus has answered is not documented.
_OPENING = 10.0


class Change(Record):
    """``what`` in words, ``request`` and ``document`` as they are sent; :meth:`apply` sends them."""

    what: str
    request: str
    document: Any
    apply: Callable[[], None]


def change_for(fix: str, probe: Probe) -> Change | None:
    """The change that a finding asks for; ``None`` where there is nothing that this user or this server lets us do."""
    if fix == "project":
        return _project(probe)
    if probe.rest is None:
        return None
    make: dict[str, Callable[[Probe], Change | None]] = {
        "repository": _repository,
        "connector": _connector,
        "realm": _realm,
        "eula": _eula,
    }
    return make[fix](probe)


def _of(probe: Probe, what: str, method: str, path: str, document: Any) -> Change:
    rest = probe.rest
    assert rest is not None
    return Change(
        what, f"{method} {rest.url}/service/rest/v1/{path}", document, lambda: rest.change(method, path, document)
    )


def _repository(probe: Probe) -> Change:
    """A hosted repository with the port of the address as its connector."""
    scheme, port = probe.place[0], probe.wanted_port
    change = _of(
        probe,
        f"make the hosted Docker repository {probe.expect} with an {scheme.upper()} connector on port {port}",
        "POST",
        "repositories/docker/hosted",
        {
            "name": probe.expect,
            "online": True,
            "storage": {
                "blobStoreName": "default",
                "strictContentTypeValidation": True,
                "writePolicy": "ALLOW",
            },
            "docker": {"v1Enabled": False, "forceBasicAuth": True, f"{scheme}Port": port},
        },
    )

    return _opening(change, probe)


def _opening(change: Change, probe: Probe) -> Change:
    """A change after which a connector is given a moment to open."""

    def make() -> None:
        change.apply()
        _until_open(probe)

    return replace(change, apply=make)


def _until_open(probe: Probe) -> None:
    """Wait until the address takes connections; where it does not in time, the next look says so."""
    _, host, port = probe.place
    deadline = time.monotonic() + _OPENING
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection((host, port), 1).close()
            return
        time.sleep(0.1)


def _connector(probe: Probe) -> Change | None:
    """PUT replaces the whole configuration, so it goes back as it was read, with the port in it."""
    assert probe.rest is not None
    path, port = f"repositories/docker/hosted/{quote(probe.expect, safe='')}", probe.wanted_port
    found = probe.rest.get(path)
    docker = found.get("docker") if isinstance(found, dict) else None
    if not isinstance(docker, dict) or any(docker.get(key) for key in ("httpPort", "httpsPort", "pathEnabled")):
        return None
    change = _of(
        probe,
        f"give the hosted Docker repository {probe.expect} an HTTP connector on port {port}",
        "PUT",
        path,
        {**found, "docker": {**docker, "httpPort": port}},
    )
    return _opening(change, probe)


def _realm(probe: Probe) -> Change | None:
    """PUT replaces the whole list, so what is active stays in it, in its order."""
    assert probe.rest is not None
    active = probe.rest.realms
    if active is None:
        return None
    hosted = probe.hosted
    realm = OCI_REALM if hosted is not None and hosted.format == "oci" else DOCKER_REALM
    if realm in active:
        return None
    return _of(
        probe,
        f"switch the realm {realm} on, beside {', '.join(active)}",
        "PUT",
        "security/realms/active",
        [*active, realm],
    )


def _eula(probe: Probe) -> Change | None:
    """The licence's own words go back with the answer."""
    assert probe.rest is not None
    found = probe.rest.get("system/eula")
    if not isinstance(found, dict) or found.get("accepted") is not False:
        return None
    words = str(found.get("disclaimer", ""))
    return _of(
        probe,
        f"accept the licence of this Nexus for you, which says: {words}",
        "POST",
        "system/eula",
        {**found, "accepted": True},
    )


def _project(probe: Probe) -> Change:
    from airgap.targets.harbor.target import HarborTarget

    project = probe.mapping.address.prefix.partition("/")[0]
    target = HarborTarget(probe)
    scheme = probe.place[0]
    return Change(
        f"make the private project {project} in Harbor",
        f"POST {scheme}://{probe.address}/api/v2.0/projects",
        {"project_name": project, "metadata": {"public": "false"}},
        lambda: target.create(project),
    )
