# SPDX-License-Identifier: Apache-2.0
"""Uploads of blobs: POST, PATCH, PUT, and what is not established, GET and DELETE of a session (13 to 22, 39, 44)."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from tests.doubles.nexus import answers, policy
from tests.doubles.nexus.content import Content, Session, digest_of
from tests.doubles.nexus.routes import Route, base_of
from tests.doubles.nexus.settings import INTERNAL
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus


def start(nexus: Nexus, route: Route, content: Content, request: Request, image: str, scheme: str) -> Answer:
    """POST: 202, empty, a Location (13); with ``digest`` and the body 201 (17); a mount is a session too (16)."""
    refused = policy.refuse_upload(nexus, content)
    if refused is not None:
        return refused
    if "digest" in request.query:
        session = nexus.session(content, image)
        return _commit(nexus, route, content, request, session, image)
    mount, source = (request.query.get(key, [""])[0] for key in ("mount", "from"))
    source = source.removeprefix(route.prefix)
    if nexus.settings.mount and source and content.has(source, mount, False):
        content.blobs[mount].images.add(image)
        return _created(route, image, mount)
    with nexus.lock:
        name = content.open_session(image)
    return _session(nexus, route, request, image, name, content.uploads[name], scheme, 202)


def go_on(nexus: Nexus, route: Route, content: Content, request: Request, image: str, name: str, scheme: str) -> Answer:
    """PATCH, PUT, GET, DELETE of a session; one that nobody opened is 404 BLOB_UPLOAD_UNKNOWN (22)."""
    settings = nexus.settings
    session = content.uploads.get(name)
    if request.method in ("PATCH", "PUT"):
        refused = policy.refuse_write(nexus, content)
        if refused is not None:
            return refused
    if session is None:
        status, code = settings.unknown_upload
        return answers.problem(status, code, "blob upload unknown to registry", style=settings.errors)
    if request.method == "GET" and settings.upload_status:
        return _session(nexus, route, request, image, name, session, scheme, 204)
    if request.method == "DELETE" and settings.upload_cancel:
        del content.uploads[name]
        return Answer(204)
    if request.chunked and not settings.chunked and request.method in ("PATCH", "PUT"):
        return answers.problem(411, "SIZE_INVALID", "length required", style=settings.errors)
    if request.method == "PATCH":
        return _patch(nexus, route, content, request, image, name, scheme)
    if request.method == "PUT":
        if "digest" not in request.query:
            return answers.problem(400, "DIGEST_INVALID", "digest is missing", style=settings.errors)
        content.uploads.pop(name, None)
        return _commit(nexus, route, content, request, session, image)
    return answers.problem(405, "UNSUPPORTED", "The operation is unsupported.", style=settings.errors)


def _patch(
    nexus: Nexus, route: Route, content: Content, request: Request, image: str, name: str, scheme: str
) -> Answer:
    """One without Content-Range is taken (19); several in order, 416 out of order (20); chunks are fine (21)."""
    session, settings = content.uploads[name], nexus.settings
    said = re.fullmatch(r"(?:bytes )?(\d+)-(\d+)(?:/.*)?", request.headers.get("Content-Range") or "")
    if (said and int(said[1]) != len(session.data)) or (session.patches and not settings.several_patches):
        refused = answers.problem(416, "RANGE_INVALID", "the range does not begin where the upload ends")
        refused.headers["Range"] = _range(session)
        return refused
    session.data += request.read()
    session.patches += 1
    if settings.patch_new_location:
        with nexus.lock:
            renamed = content.open_session(image)
            content.uploads[renamed] = content.uploads.pop(name)
        name = renamed
    return _session(nexus, route, request, image, name, session, scheme, settings.patch_status)


def _commit(nexus: Nexus, route: Route, content: Content, request: Request, session: Session, image: str) -> Answer:
    """PUT with the body, or empty after PATCHes: 201 (18, 19), 400 for another digest (22); of two clients that finish
    one new blob under ALLOW_ONCE the second gets 400 (39). 500 keeps nothing; nginx's 504 comes after it was kept."""
    settings = nexus.settings
    whole = bytes(session.data) + request.read()
    digest = request.query["digest"][0]
    try:
        actual_digest = digest_of(whole, digest.partition(":")[0])
    except ValueError:
        actual_digest = ""
    if actual_digest != digest:
        status, code = settings.mismatch
        return answers.problem(status, code, "provided digest did not match", digest, style=settings.errors)
    time.sleep(settings.commit_seconds)
    with nexus.lock:
        if nexus.take("commit_500"):
            return answers.html(500, "Internal Server Error")
        if policy.once(content) and content.came_meanwhile(session, digest):
            return policy.cannot_be_updated(nexus, content, f"/v2/-/blobs/{digest}")
        media_type = request.headers.get("Content-Type") or "application/octet-stream"
        content.keep(image, digest, whole, media_type)
        if nexus.take("gateway_504"):
            return answers.nginx(504, "Gateway Time-out")
    return _created(route, image, digest)


def _created(route: Route, image: str, digest: str) -> Answer:
    place = f"/v2/{route.prefix}{image}/blobs/{digest}"
    return Answer(201, b"", {"Location": place, "Docker-Content-Digest": digest})


def _session(
    nexus: Nexus, route: Route, request: Request, image: str, name: str, session: Session, scheme: str, status: int
) -> Answer:
    headers = {"Location": location(nexus, route, request, image, name, scheme)}
    if nexus.settings.upload_uuid:
        headers["Docker-Upload-UUID"] = name
    if nexus.settings.upload_range:
        headers["Range"] = _range(session)
    return Answer(status, b"", headers)


def _range(session: Session) -> str:
    return f"0-{max(len(session.data) - 1, 0)}"


def location(nexus: Nexus, route: Route, request: Request, image: str, name: str, scheme: str) -> str:
    """The default is a path without the ``/repository/<repository>`` prefix, even on that route; the other forms
    are switches (14). The path route keeps its repository, without which docker could not go on (inferred)."""
    bare = f"{route.root if route.kind == 'path' else ''}/v2/{route.prefix}{image}/blobs/uploads/{name}"
    right = f"{route.root}/v2/{route.prefix}{image}/blobs/uploads/{name}"
    base = base_of(request, scheme)
    return {
        "path": bare,
        "prefixed": right,
        "absolute": base + right,
        "internal": f"http://{INTERNAL}{right}",
        "http": f"http://{base.partition('://')[2]}{right}",
        "relative": name,
    }[nexus.settings.location]
