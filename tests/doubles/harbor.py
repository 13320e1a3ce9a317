# SPDX-License-Identifier: Apache-2.0
"""Harbor's manners around a real registry: tokens by ``/service/token``, projects, robot accounts.

By Harbor's documentation (API 2.0): ``HEAD /api/v2.0/projects?project_name=`` 200 or 404, ``POST /api/v2.0/projects``
201, 409, 401 or 403; ``DELETE …/repositories/R/artifacts/DIGEST/tags/TAG`` 200, 404 or 403, with R encoded twice, takes
a tag alone, and 412 where a rule makes it immutable. By its source the registry's API deletes by digest alone. The
catalog is for administrators (the 403 of the others is inferred); a push into a project that does not exist is 404 or
denied by the token; quotas answer 412. The storage behind is the embedded registry, to which requests are passed on.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from airgap.oci import Descriptor
from tests.cli.command import Registry
from tests.doubles.registry import Answer, Double, Request
from tests.parts.images import Images

SERVICE = "harbor-registry"
_TAG = re.compile(
    r"/api/v2\.0/projects/(?P<project>[^/]+)/repositories/(?P<repository>[^/]+)/artifacts/(?P<digest>sha256:[0-9a-f]+)"
    r"/tags/(?P<tag>[^/]+)"
)
_HOP = ("transfer-encoding", "connection", "content-length", "date", "server")


@dataclass
class Harbor:
    """``users`` maps names to passwords; ``makers`` may make projects. ``realm`` replaces the token's root."""

    users: dict[str, str]
    makers: tuple[str, ...] = ("admin",)
    projects: set[str] = field(default_factory=lambda: {"library"})
    realm: str = ""
    failed: int = 0
    created: list[dict[str, object]] = field(default_factory=list)
    immutable: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._behind = Registry()
        self._behind.server.start()
        self._tokens: dict[str, str] = {}
        self.front = Double(self._answer)

    @property
    def address(self) -> str:
        return self.front.address

    @property
    def url(self) -> str:
        return self.front.url

    def fill(self, images: Images, names: Mapping[str, Descriptor]) -> None:
        """Put images in, as pushes do."""
        self._behind.fill(images, names)

    def names(self) -> list[str]:
        """Every ``repository:tag``."""
        return self._behind.names()

    def stop(self) -> None:
        self.front.stop()
        self._behind.server.stop()

    def _user(self, request: Request) -> str | None:
        """The user of a Basic header; empty for none, ``None`` for a wrong one."""
        scheme, _, given = request.authorization.partition(" ")
        if scheme.lower() != "basic":
            return ""
        name, _, password = base64.b64decode(given).decode().partition(":")
        if self.users.get(name) != password:
            self.failed += 1
            return None
        return name

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith("/api/v2.0/projects"):
            return self._project(request)
        if request.path == "/service/token":
            user = self._user(request)
            if not user:
                return _error(401, "UNAUTHORIZED", "unauthorized")
            token = uuid.uuid4().hex
            self._tokens[token] = user
            return _json(200, {"token": token, "expires_in": 1800})
        scheme, _, token = request.authorization.partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            answer = _error(401, "UNAUTHORIZED", "unauthorized")
            root = self.realm or self.url
            answer.headers["WWW-Authenticate"] = f'Bearer realm="{root}/service/token",service="{SERVICE}"'
            return answer
        if request.method == "DELETE" and "/manifests/" in request.path and ":" not in request.path.rpartition("/")[2]:
            return _error(405, "UNSUPPORTED", "unsupported digest")
        project = request.path.removeprefix("/v2/").partition("/")[0]
        if project == "_catalog":
            administrator = self._tokens[token] in self.makers
            return self._pass_on(request) if administrator else _error(403, "DENIED", "administrators alone")
        if project and project not in self.projects:
            return _error(404, "NOT_FOUND", f"project {project} not found")
        return self._pass_on(request)

    def _project(self, request: Request) -> Answer:
        user = self._user(request)
        if user is None or (not user and request.method == "POST"):
            return _error(401, "UNAUTHORIZED", "unauthorized")
        if request.method == "DELETE":
            return self._delete_tag(request, user)
        if request.method == "HEAD":
            return Answer(200 if request.query.get("project_name", [""])[0] in self.projects else 404)
        if user not in self.makers:
            return _error(403, "FORBIDDEN", "forbidden")
        document = json.loads(request.read())
        if document["project_name"] in self.projects:
            return _error(409, "CONFLICT", "it is there")
        self.projects.add(document["project_name"])
        self.created.append(document)
        return Answer(201)

    def _delete_tag(self, request: Request, user: str) -> Answer:
        match = _TAG.fullmatch(request.target)
        if match is None:
            return _error(404, "NOT_FOUND", "no such address")
        repository = f"{match['project']}/{unquote(unquote(match['repository']))}"
        name = f"{repository}:{match['tag']}"
        if not user or user not in self.makers:
            return _error(403, "FORBIDDEN", "forbidden")
        if match["tag"] in self.immutable:
            return _error(412, "PRECONDITION", "the tag is immutable")
        store = self._behind.store
        found = store.names().get(name)
        if found is None or found.digest != match["digest"]:
            return _error(404, "NOT_FOUND", f"{name} not found")
        store.untag(name)
        return Answer(200)

    def _pass_on(self, request: Request) -> Answer:
        host, _, port = self._behind.address.rpartition(":")
        link = http.client.HTTPConnection(host, int(port), timeout=20)
        try:
            headers = {n: v for n, v in request.headers.items() if n.lower() not in (*_HOP, "authorization", "host")}
            body = request.read() if request.method in ("PUT", "POST", "PATCH") else None
            link.request(request.method, request.target, body, headers)
            answer = link.getresponse()
            content = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            length = int(answer.headers.get("Content-Length") or 0) if request.method == "HEAD" else None
            return Answer(answer.status, content, kept, say_length=length)
        finally:
            link.close()


def _json(status: int, document: object) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _error(status: int, code: str, message: str) -> Answer:
    return _json(status, {"errors": [{"code": code, "message": message}]})


@contextlib.contextmanager
def harbor(**more: object) -> Iterator[Harbor]:
    """A :class:`Harbor` that ends with the block."""
    server = Harbor({"admin": "admin-word", "robot$carrier": "robot-word"}, **more)  # type: ignore[arg-type] # its fields
    try:
        yield server
    finally:
        server.stop()
