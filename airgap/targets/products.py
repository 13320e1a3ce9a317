# SPDX-License-Identifier: Apache-2.0
"""Which product answers, by its own words: the Server header and the challenge of an answer to ``GET /v2/``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airgap.registry.http.transport import Response

Product = Literal["nexus", "harbor", ""]


def is_registry(response: Response) -> bool:
    """Whether this is how a registry answers ``/v2/``: pages are none, and neither is a 401 for some web site."""
    if response.headers.get_content_type() == "text/html":
        return False
    if response.status == 200:
        return True
    said = response.headers.get("Docker-Distribution-Api-Version") is not None
    return response.status == 401 and (said or response.headers.get_content_type() == "application/json")


def product_of(response: Response) -> Product:
    """Empty where nothing tells; a proxy may have taken the Server header away, and then the challenge still tells."""
    from airgap.registry.auth import challenge

    if response.headers.get("Server", "").startswith("Nexus/"):
        return "nexus"
    for found in challenge.parse(response.headers.get_all("WWW-Authenticate") or []):
        realm, service = found.parameters.get("realm", ""), found.parameters.get("service", "")
        if found.scheme == "basic" and realm.startswith("Sonatype Nexus"):
            return "nexus"
        if found.scheme == "bearer" and service == "harbor-registry":
            return "harbor"
        if found.scheme == "bearer" and realm == service and realm.endswith("/v2/token"):
            return "nexus"
    return ""


def nexus_version(response: Response) -> tuple[str, str]:
    """``("3.96.3-01", "COMMUNITY")`` of ``Server: Nexus/3.96.3-01 (COMMUNITY)``; empty where it does not say."""
    name, _, rest = response.headers.get("Server", "").partition("/")
    if name != "Nexus":
        return "", ""
    version, _, edition = rest.partition(" ")
    return version, edition.strip("() ")
