# SPDX-License-Identifier: Apache-2.0
"""Repositories by REST: the list, the settings, and making a hosted docker or oci one (section 3).

A repository that is made opens its connector at once; a port that cannot be had is only logged by a real Nexus, and
here too the settings name it while nothing listens.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from tests.doubles.nexus import answers
from tests.doubles.nexus.content import Content
from tests.doubles.nexus.policy import EULA
from tests.doubles.nexus.routes import base_of
from tests.doubles.nexus.settings import Repository, User
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus

#: The key of a format's own settings where it is not the format's name.
_KEYS = {"maven2": "maven"}
_POLICIES: dict[str, Literal["ALLOW", "ALLOW_ONCE", "DENY"]] = {
    "ALLOW": "ALLOW",
    "ALLOW_ONCE": "ALLOW_ONCE",
    "DENY": "DENY",
}


def listed(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """An unpaged array of what the user may browse; 3.96 adds online and size."""
    base = base_of(request, scheme) + nexus.settings.context
    shown = [content for content in nexus.contents.values() if user.may("browse", content.name)]
    return answers.document(200, [_short(nexus, content, base) for content in shown])


def _short(nexus: Nexus, content: Content, base: str) -> dict[str, Any]:
    kept = content.settings
    entry: dict[str, Any] = {"name": kept.name, "format": kept.format, "type": kept.kind}
    attributes = {"proxy": {"remoteUrl": f"{base}/repository/{kept.remote}"}} if kept.kind == "proxy" else {}
    entry |= {"url": f"{base}/repository/{kept.name}", "attributes": attributes}
    if nexus.settings.profile == "3.96":
        entry |= {"online": kept.online, "size": sum(len(blob.content) for blob in content.blobs.values())}
    return entry


def settings(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """What the list has, with connectors and policies; for the administrator alone."""
    base = base_of(request, scheme) + nexus.settings.context
    return answers.document(200, [_long(content, base) for content in nexus.contents.values()])


def one(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    content = nexus.contents.get(request.path.rpartition("/")[2])
    if content is None or content.settings.format != "docker" or content.settings.kind != "hosted":
        return answers.html(404, "Not Found")
    return answers.document(200, _long(content, base_of(request, scheme) + nexus.settings.context))


def _long(content: Content, base: str) -> dict[str, Any]:
    kept = content.settings
    storage: dict[str, Any] = {"blobStoreName": "default", "strictContentTypeValidation": True}
    if kept.kind == "hosted":
        storage |= {"writePolicy": kept.write_policy.lower(), "latestPolicy": kept.latest_policy}
    entry: dict[str, Any] = {"name": kept.name, "format": kept.format, "type": kept.kind, "online": kept.online}
    entry |= {"url": f"{base}/repository/{kept.name}", "storage": storage, "cleanup": None}
    if kept.kind == "group":
        entry["group"] = {"memberNames": list(kept.members)}
    if kept.format == "apt":
        entry["apt"] = {"distribution": kept.distribution}
    if kept.format == "oci":
        entry["cosign"] = {"enforcement": kept.cosign}
    if kept.is_registry:
        entry[kept.format] = {
            "v1Enabled": False,
            "forceBasicAuth": kept.force_basic,
            "httpPort": content.http_port,
            "httpsPort": content.https_port,
            "subdomain": kept.subdomain,
            "pathEnabled": kept.path_enabled,
        }
    return entry


def create(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """201; 400 with what is wrong: a name in use, an unknown policy, a path together with a port or subdomain; 403
    before the licence is accepted ("the API returns errors", microsoft/AzureTRE#4842; which, is inferred)."""
    if not nexus.eula_accepted:
        return answers.text(403, EULA)
    kind = {"maven": "maven2"}.get(name := request.path.split("/")[-2], name)
    if kind == "oci" and nexus.settings.profile != "3.96":
        return answers.html(404, "Not Found")
    read = _read(nexus, request, kind)
    if isinstance(read, Answer):
        return read
    repository, http_port, https_port = read
    if repository.name in nexus.contents:
        return _invalid("name", f"Name is already used, must be unique (ignoring case): {repository.name}")
    if _taken(nexus, {http_port, https_port}):
        return _invalid("httpPort", "Port is already in use")
    nexus.add(repository, http_port=http_port, https_port=https_port)
    return Answer(201)


def update(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """204: what is given replaces what was there, what is not given too; a connector moves at once."""
    content = nexus.contents.get(request.path.rpartition("/")[2])
    if content is None:
        return answers.html(404, "Not Found")
    read = _read(nexus, request, "docker")
    if isinstance(read, Answer):
        return read
    repository, http_port, https_port = read
    moves = (http_port or None, https_port or None) != (content.http_port, content.https_port)
    if moves and _taken(nexus, {http_port, https_port} - {content.http_port, content.https_port}):
        return _invalid("httpPort", "Port is already in use")
    connector = None if moves else content.settings.connector
    content.settings = replace(repository, name=content.name, connector=connector)
    if moves:
        nexus.connect(content, http_port=http_port, https_port=https_port)
    return Answer(204)


def _taken(nexus: Nexus, ports: set[int]) -> bool:
    """Whether another repository's settings name one of ``ports``; 0 is none."""
    used = {port for content in nexus.contents.values() for port in (content.http_port, content.https_port) if port}
    return bool(used & ports)


def _read(nexus: Nexus, request: Request, kind: str) -> tuple[Repository, int, int] | Answer:
    try:
        given = json.loads(request.read())
        needed = kind in ("docker", "oci", "apt", "maven2")
        storage, docker, name = given["storage"], given[_KEYS.get(kind, kind)] if needed else {}, str(given["name"])
        if kind == "apt" and not (docker.get("distribution") and given["aptSigning"].get("keypair")):
            raise KeyError("aptSigning")
        policy = _POLICIES.get(str(storage.get("writePolicy", "allow_once")).upper())
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        return _invalid("*", f"the document is not complete: {wrong}")
    if policy is None:
        return _invalid("storage.writePolicy", "must be one of allow, allow_once, deny")
    if kind == "oci" and name != name.lower():
        return _invalid("name", "must be lower case")
    http_port, https_port = int(docker.get("httpPort") or 0), int(docker.get("httpsPort") or 0)
    path, subdomain = bool(docker.get("pathEnabled")), docker.get("subdomain") or None
    if path and (http_port or https_port or subdomain):
        return _invalid("pathEnabled", "Path-based routing cannot be combined with ports or a subdomain")
    if path and not nexus.settings.modern:
        return _invalid("pathEnabled", "Unrecognized field")
    repository = Repository(
        name,
        format=kind,
        subdomain=subdomain,
        path_enabled=path,
        force_basic=bool(docker.get("forceBasicAuth", True)),
        online=bool(given.get("online", True)),
        write_policy=policy,
        latest_policy=bool(storage.get("latestPolicy", False)),
        distribution=str(docker.get("distribution", "")) if kind == "apt" else Repository.distribution,
    )
    return repository, http_port, https_port


def _invalid(field: str, message: str) -> Answer:
    return answers.document(400, [{"id": f"FIELD {field}" if field != "*" else "*", "message": message}])
