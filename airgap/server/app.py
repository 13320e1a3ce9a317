# SPDX-License-Identifier: Apache-2.0
"""The registry as a WSGI application: routes, authentication, and error responses.

It works with any WSGI server whose ``wsgi.input`` has ``readinto``. It logs with the standard library
(``airgap.server``).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from airgap.errors import AirgapError, ContentError
from airgap.oci.reference import repository_problem
from airgap.records import replace
from airgap.server.blobs import BlobHandler
from airgap.server.clients import SignInGuard
from airgap.server.discovery import DiscoveryHandler
from airgap.server.exchange import (
    BlobStream,
    ClientDisconnected,
    ClientTooSlow,
    Request,
    Response,
    json_response,
    spooled,
)
from airgap.server.limits import Limits
from airgap.server.manifests import ManifestHandler
from airgap.server.naming import Naming
from airgap.server.problems import Problem
from airgap.server.repositories import Repositories
from airgap.server.site import Site, SiteHandler
from airgap.server.uploads import UploadHandler
from airgap.store import Source

OnRequest = Callable[[str, str, int], None]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

_log = logging.getLogger("airgap.server")

# The repository is matched greedily, because its components may be called "blobs" or "manifests".
_ROUTES = tuple(
    (re.compile(pattern, re.DOTALL), resource)
    for pattern, resource in (
        (r"/v2/?", "base"),
        (r"/v2/_catalog", "catalog"),
        (r"/v2/(.*)/tags/list", "tags"),
        (r"/v2/(.*)/referrers/([^/]*)", "referrers"),
        (r"/v2/(.*)/manifests/([^/]*)", "manifest"),
        (r"/v2/(.*)/blobs/uploads/?", "uploads"),
        (r"/v2/(.*)/blobs/uploads/([^/]+)", "upload"),
        (r"/v2/(.*)/blobs/([^/]*)", "blob"),
    )
)


class RegistryApp:
    """The application. If ``credentials`` (user, password) are given, each request must carry them (RFC 7617).

    ``folder`` is for unfinished uploads, ``site`` are files outside of ``/v2/``. ``on_request`` is called with method,
    path and status of each request.
    """

    def __init__(
        self,
        store: Source,
        naming: Naming,
        *,
        writable: bool = False,
        credentials: tuple[str, str] | None = None,
        folder: Path | None = None,
        on_request: OnRequest | None = None,
        limits: Limits | None = None,
        site: Site | None = None,
        sparse: bool = False,
    ) -> None:
        limits = limits or Limits()
        self._site = SiteHandler(site, store) if site is not None else None
        repositories = Repositories(store, naming, writable=writable)
        self._manifests = ManifestHandler(repositories, limits, folder, sparse=sparse)
        self._blobs = BlobHandler(repositories)
        self._uploads = UploadHandler(repositories, self._blobs, folder, limits)
        self._guard = SignInGuard(limits)
        self._folder = folder
        self._discovery = DiscoveryHandler(repositories)
        self._credentials = ":".join(credentials).encode() if credentials else None
        self._on_request = on_request
        self._handlers: dict[str, dict[str, Callable[..., Response]]] = {
            "base": {"GET": lambda request: json_response({})},
            "catalog": {"GET": self._discovery.catalog},
            "tags": {"GET": self._discovery.tags},
            "referrers": {"GET": self._discovery.referrers},
            "manifest": {
                "GET": self._manifests.get,
                "PUT": self._manifests.put,
                "DELETE": lambda request, *names: self._manifests.delete(*names),
            },
            "uploads": {"POST": self._uploads.post},
            "upload": {
                "GET": lambda request, *names: self._uploads.status(*names),
                "PATCH": self._uploads.patch,
                "PUT": self._uploads.put,
                "DELETE": lambda request, *names: self._uploads.cancel(*names),
            },
            "blob": {
                "GET": lambda request, repository, digest: self._blobs.get(request, digest),
                "DELETE": lambda request, repository, digest: self._blobs.delete(repository, digest),
            },
        }

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI, PEP 3333)."""
        request = Request(environ)
        response = self._respond(request)
        if request.method != "HEAD" and isinstance(response.body, bytes):
            response = replace(response, body=spooled(response.body, self._folder))
        headers = [
            ("Docker-Distribution-Api-Version", "registry/2.0"),
            ("X-Content-Type-Options", "nosniff"),
            *response.headers,
        ]
        if response.status != HTTPStatus.NO_CONTENT:
            headers.append(("Content-Length", str(response.content_length())))
        if self._on_request:
            self._on_request(request.method, request.path, response.status)
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        if request.method == "HEAD" or response.body == b"":
            return ()
        return response.body if isinstance(response.body, BlobStream) else (response.body,)

    def close(self) -> None:
        """Discard the unfinished uploads."""
        self._uploads.close()

    def _respond(self, request: Request) -> Response:
        try:
            try:
                self._check_credentials(request)
                return self._route(request)
            except ClientTooSlow as error:
                raise Problem(408, "BLOB_UPLOAD_INVALID", error.what) from error
            except ClientDisconnected as error:
                raise Problem(400, "BLOB_UPLOAD_INVALID", f"the request's body broke off: {error.what}") from error
            except ContentError as error:
                _log.warning("%s %s: %s", request.method, request.path, error)
                raise Problem(500, "UNKNOWN", "what the store holds is damaged") from error
            except (AirgapError, OSError) as error:
                _log.warning("%s %s: %s", request.method, request.path, error)
                raise Problem(500, "UNKNOWN", "the store failed") from error
            except Problem:
                raise
            except Exception as error:  # a bug in a handler must not end a worker thread
                _log.exception("%s %s", request.method, request.path)
                raise Problem(500, "UNKNOWN", "this registry failed") from error
        except Problem as problem:
            return Response(problem.status, [("Content-Type", "application/json"), *problem.headers], problem.body())

    def _route(self, request: Request) -> Response:
        for pattern, resource in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match:
                handlers = self._handlers[resource]
                handler = handlers.get("GET" if request.method == "HEAD" and resource != "upload" else request.method)
                if handler is None:
                    raise Problem(
                        405,
                        "UNSUPPORTED",
                        "this method has no meaning here",
                        headers=[("Allow", ", ".join(_allowed(resource, handlers)))],
                    )
                if match.groups():
                    _check_repository(match.group(1))
                return handler(request, *match.groups())
        if self._site is not None and request.method in ("GET", "HEAD"):
            return self._site.get(request)
        if self._site is not None:
            raise Problem(405, "UNSUPPORTED", "this is read-only", headers=[("Allow", "GET, HEAD")])
        raise Problem(404, "UNSUPPORTED", "there is nothing at this path", {"path": request.path[:160]})

    def _check_credentials(self, request: Request) -> None:
        if self._credentials is None:
            return
        scheme, _, encoded = request.header("Authorization").partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            given = b""
        expected = self._credentials
        if not encoded:  # clients ask without credentials first: that is no try
            is_right: bool | None = False
        else:
            is_right = self._guard.attempt(request.client, lambda: hmac.compare_digest(given, expected))
        if is_right is None:
            raise Problem(
                429,
                "TOOMANYREQUESTS",
                "too many wrong passwords from this address",
                headers=[("Retry-After", str(self._guard.wait(request.client)))],
            )
        if not is_right:
            raise Problem(
                401,
                "UNAUTHORIZED",
                "sign in with the name and password of this registry",
                headers=[("WWW-Authenticate", 'Basic realm="airgap", charset="UTF-8"')],
            )


def _allowed(resource: str, handlers: Mapping[str, object]) -> list[str]:
    return sorted({*handlers, *(["HEAD"] if "GET" in handlers and resource != "upload" else [])})


def _check_repository(repository: str) -> None:
    reason = repository_problem(repository)
    if reason:
        raise Problem(400, "NAME_INVALID", reason, {"name": repository[:160]})
