# SPDX-License-Identifier: Apache-2.0
"""Recognizes Nexus by its answer to ``GET /v2/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.probe import Probe, challenges_of

if TYPE_CHECKING:
    from airgap.registry.http.transport import Response


def is_nexus(probe: Probe) -> bool:
    """Whether Nexus answers at the address, or its REST API was given with ``--nexus``."""
    if isinstance(probe, NexusProbe):
        return True
    return probe.response is not None and is_nexus_response(probe.response)


def is_nexus_response(response: Response) -> bool:
    """Whether an answer is Nexus's: by its ``Server`` header, which a proxy may remove, or by its challenge."""
    if has_server_header(response) or (response.status == 503 and b"Repository offline" in response.body):
        return True
    for challenge in challenges_of(response):
        realm, service = challenge.parameters.get("realm", ""), challenge.parameters.get("service", "")
        if challenge.scheme == "basic" and realm.startswith("Sonatype Nexus"):
            return True
        if challenge.scheme == "bearer" and realm == service and realm.endswith("/v2/token"):
            return True
    return False


def has_server_header(response: Response) -> bool:
    """Whether the ``Server`` header is Nexus's; its pages have it, too."""
    return response.headers.get("Server", "").startswith("Nexus/")
