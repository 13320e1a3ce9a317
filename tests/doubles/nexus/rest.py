# SPDX-License-Identifier: Apache-2.0
"""The REST API's system part: status, version, realms, licence, blob stores, read-only (section 3, 45).

Who may ask what is written beside each path in ``_PATHS``; what lies behind ``repositories``, ``components`` and
``search`` is in the modules beside this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.doubles.nexus import answers, rest_components, rest_repositories, rest_uploads
from tests.doubles.nexus.policy import READ_ONLY
from tests.doubles.nexus.settings import BASIC_REALMS, DOCKER_REALM, OCI_REALM, User
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus

Handler = Callable[["Nexus", Request, User, str], Answer]
NOBODY = User("anonymous", "", frozenset())


def handle(nexus: Nexus, request: Request, scheme: str) -> Answer:
    """Below ``/service/rest``; files of other formats below ``/repository``; a page for the rest of the main port."""
    path = request.path.removeprefix(nexus.settings.context)
    if path.startswith("/repository/"):
        return rest_uploads.file(nexus, request, path, scheme)
    if not path.startswith("/service/rest/"):
        return answers.html(404 if path != "/" else 200, "Nexus Repository Manager")
    inner = path.removeprefix("/service/rest").removeprefix("/v1")
    if inner == "/status/writable" and nexus.settings.profile == "3.96":
        return _writable(nexus, request, NOBODY, scheme)  # 3.96 does not look at credentials here (N1)
    user = nexus.access.of_rest(request)
    if isinstance(user, Answer):
        return user
    handler, admin = _find(request.method, inner)
    if handler is None:
        return answers.html(404, "Not Found")
    if admin and (user is None or not user.admin):
        return nexus.access.refuse_rest() if user is None else answers.only_reason(403, "Forbidden")
    return handler(nexus, request, user or _anonymous(nexus), scheme)


def _anonymous(nexus: Nexus) -> User:
    return nexus.access.anonymous if nexus.settings.anonymous else NOBODY


def _find(method: str, path: str) -> tuple[Handler | None, bool]:
    for path_method, start, admin, handler in _PATHS:
        if method == path_method and (path == start or (start.endswith("/") and path.startswith(start))):
            return handler, admin
    return None, False


def _status(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    return Answer(200)


def _writable(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """503 when frozen (9)."""
    return Answer(503 if nexus.frozen else 200)


def _check(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    return answers.document(200, {"Read-Only Detector": {"healthy": not nexus.frozen, "message": None}})


def _swagger(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    info = {"title": "Nexus Repository Manager REST API", "version": nexus.settings.version}
    return answers.document(200, {"swagger": "2.0", "info": info, "basePath": "/service/rest"})


def _realms(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    return answers.document(200, nexus.access.realms)


def known_realms(nexus: Nexus) -> list[str]:
    """``OciBearerToken`` came with the oci format in 3.94."""
    return [*BASIC_REALMS, DOCKER_REALM, *([OCI_REALM] if nexus.settings.profile == "3.96" else [])]


def _set_realms(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """PUT replaces the whole list; an unknown id is 400."""
    realms = _json(request)
    if not isinstance(realms, list):
        return answers.document(400, [{"id": "*", "message": "a list of realm ids is expected"}])
    unknown = [realm for realm in realms if realm not in known_realms(nexus)]
    if unknown:
        return answers.document(400, [{"id": "FIELD realms", "message": f"Unknown realmIds: {unknown}"}])
    nexus.access.realms = list(realms)
    return Answer(204)


def _available(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    return answers.document(200, [{"id": realm, "name": realm} for realm in known_realms(nexus)])


def _blobstores(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    size = sum(len(blob.content) for content in nexus.contents.values() for blob in content.blobs.values())
    store = {"name": "default", "type": "File", "unavailable": False, "totalSizeInBytes": size}
    return answers.document(200, [store])


def _quota(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """Soft: a violated quota is said here and hinders no upload (section 2)."""
    name = request.path.rsplit("/", 2)[-2]
    if name != "default" or not request.path.endswith("/quota-status"):
        return answers.html(404, "Not Found")
    violated = nexus.settings.quota_violated
    said = f"Blob store {name} {'is violating its quota' if violated else 'is not in violation of its quota'}"
    return answers.document(200, {"isViolation": violated, "message": said, "blobStoreName": name})


def _read_only(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    reason = READ_ONLY if nexus.frozen else ""
    return answers.document(200, {"frozen": nexus.frozen, "systemInitiated": False, "summaryReason": reason})


_DISCLAIMER = "Use of this edition is governed by its End User License Agreement."


def _eula(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    return answers.document(200, {"accepted": nexus.eula_accepted, "disclaimer": _DISCLAIMER})


def _accept(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """The disclaimer must be sent back as GET gave it (inferred)."""
    given = _json(request)
    if not isinstance(given, dict) or given.get("accepted") is not True or given.get("disclaimer") != _DISCLAIMER:
        return answers.document(400, [{"id": "*", "message": "the disclaimer must be sent back with accepted true"}])
    nexus.eula_accepted = True
    return Answer(204)


def _json(request: Request) -> Any:
    try:
        return json.loads(request.read())
    except ValueError:
        return None


#: Method, path (a tree where it ends with a slash), whether for the administrator alone.
_PATHS: tuple[tuple[str, str, bool, Handler], ...] = (
    ("GET", "/status", False, _status),
    ("GET", "/status/writable", False, _writable),
    ("GET", "/status/check", True, _check),
    ("GET", "/swagger.json", False, _swagger),
    ("GET", "/repositories", False, rest_repositories.listed),
    ("GET", "/repositorySettings", True, rest_repositories.settings),
    ("GET", "/repositories/docker/hosted/", True, rest_repositories.one),
    ("POST", "/repositories/docker/hosted", True, rest_repositories.create),
    ("PUT", "/repositories/docker/hosted/", True, rest_repositories.update),
    ("POST", "/repositories/oci/hosted", True, rest_repositories.create),
    *(
        ("POST", f"/repositories/{name}/hosted", True, rest_repositories.create)
        for name in ("raw", "maven", "helm", "pypi", "npm", "apt", "yum", "nuget", "rubygems")
    ),
    ("GET", "/components", False, rest_components.components),
    ("GET", "/components/", False, rest_components.component),
    ("DELETE", "/components/", False, rest_components.delete),
    ("DELETE", "/assets/", False, rest_components.delete_asset),
    ("POST", "/components", False, rest_uploads.upload),
    ("GET", "/assets", False, rest_components.assets),
    ("GET", "/search", False, rest_components.search),
    ("GET", "/formats/upload-specs", False, rest_uploads.specs),
    ("GET", "/security/realms/active", True, _realms),
    ("PUT", "/security/realms/active", True, _set_realms),
    ("GET", "/security/realms/available", True, _available),
    ("GET", "/blobstores", True, _blobstores),
    ("GET", "/blobstores/", True, _quota),
    ("GET", "/read-only", True, _read_only),
    ("GET", "/system/eula", True, _eula),
    ("POST", "/system/eula", True, _accept),
)
