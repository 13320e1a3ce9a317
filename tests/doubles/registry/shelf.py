# SPDX-License-Identifier: Apache-2.0
"""A registry in memory behind a :class:`~tests.doubles.registry.double.Double`: only what a client's tests need."""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from tests.doubles.registry.double import Answer, Request
from tests.parts.images import Images

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>blobs/uploads|blobs|manifests|tags|referrers)/(?P<rest>[^/]*)")
Guard = Callable[[Request], "Answer | None"]


def error(status: int, code: str, message: str = "said the double", **headers: str) -> Answer:
    """An error document as registries write it."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status, body, {"Content-Type": "application/json", **headers})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def asks_basic(user: str, password: str, challenge: str = 'Basic realm="double"') -> Guard:
    """A guard that lets in who gives this user and password."""

    def guard(request: Request) -> Answer | None:
        if request.authorization == basic(user, password):
            return None
        return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})

    return guard


@dataclass
class Shelf:
    """Blobs and manifests by repository. ``guard`` looks at every request first; ``subjects`` says whether the
    referrers API is spoken; ``mounts`` whether blobs are taken from siblings; ``largest`` bounds a request's body;
    ``keeps`` whether an upload outlives a request in it that breaks off (docker-registry drops it), ``range_`` what
    it then says it has, where that is not the truth."""

    blobs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    guard: Guard | None = None
    subjects: bool = False
    mounts: bool = True
    largest: int | None = None
    ranges: bool = True
    keeps: bool = False
    range_: str | None = None
    uploads: dict[str, bytearray] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, name: str, images: Images, **tags: Descriptor) -> None:
        """Lay the tagged images and all that they need into repository ``name``."""
        for tag, root in tags.items():
            for needed in images.needed(root):
                content = images.content[needed.digest]
                if manifests.is_manifest_type(needed.media_type):
                    self.manifests[name, needed.digest] = (needed.media_type, content)
                else:
                    self.blobs.setdefault(name, {})[needed.digest] = content
            self.manifests[name, tag] = (root.media_type, images.content[root.digest])

    def __call__(self, request: Request) -> Answer:
        refused = self.guard(request) if self.guard else None
        if refused is not None:
            return refused
        if request.path == "/v2/":
            return Answer(200, b"{}")
        if self.largest is not None and request.length > self.largest:
            return Answer(413, b"<html>Request Entity Too Large</html>", early=True)
        match = _PATH.fullmatch(request.path)
        if match is None:
            return error(404, "NOT_FOUND")
        name, rest = match["name"], match["rest"]
        if match["kind"] == "blobs/uploads":
            return self._upload(request, name, rest)
        if match["kind"] == "blobs":
            return self._blob(request, name, rest)
        if match["kind"] == "manifests":
            return self._manifest(request, name, rest)
        if match["kind"] == "tags":
            tags = sorted(ref for owner, ref in self.manifests if owner == name and ":" not in ref)
            return Answer(200, json.dumps({"name": name, "tags": tags}).encode())
        return self._referrers(request, name, rest)

    def _blob(self, request: Request, name: str, digest: str) -> Answer:
        content = self.blobs.get(name, {}).get(digest)
        if content is None:
            return error(404, "BLOB_UNKNOWN")
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        byte_range = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")
        if byte_range and self.ranges:
            start = int(byte_range[1])
            if start >= len(content):
                return error(416, "RANGE")
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Answer(206, content[start:], headers)
        return Answer(200, content, headers)

    def _manifest(self, request: Request, name: str, reference: str) -> Answer:
        if request.method == "PUT":
            content, media_type = request.read(), request.headers.get("Content-Type") or ""
            parsed = manifests.parse(content, media_type)
            missing_blobs = [b for b in parsed.blobs if b.digest not in self.blobs.get(name, {})]
            if any(not manifests.is_nondistributable(blob) for blob in missing_blobs):
                return error(400, "MANIFEST_BLOB_UNKNOWN")
            if any((name, child.digest) not in self.manifests for child in parsed.children):
                return error(400, "MANIFEST_UNKNOWN")
            digest = digests.of(content)
            self.manifests[name, digest] = self.manifests[name, reference] = (media_type, content)
            headers = {"Docker-Content-Digest": digest, "Location": f"/v2/{name}/manifests/{digest}"}
            if parsed.subject is not None and self.subjects:
                headers["OCI-Subject"] = parsed.subject.digest
            return Answer(201, b"", headers)
        stored = self.manifests.get((name, reference))
        if stored is None:
            return error(404, "MANIFEST_UNKNOWN")
        media_type, content = stored
        return Answer(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digests.of(content)})

    def _referrers(self, request: Request, name: str, digest: str) -> Answer:
        if not self.subjects:
            return Answer(404, b"404 page not found")
        referrers = []
        for (owner, reference), (media_type, content) in list(self.manifests.items()):
            parsed = manifests.parse(content, media_type)
            if owner == name and ":" in reference and parsed.subject and parsed.subject.digest == digest:
                referrers.append({**parsed.descriptor.to_json(), "artifactType": parsed.artifact_type})
        document = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": referrers}
        return Answer(200, json.dumps(document).encode(), {"Content-Type": manifests.OCI_INDEX})

    def _upload(self, request: Request, name: str, session: str) -> Answer:
        if request.method == "POST":
            digest, other = ((request.query.get(key) or [""])[0] for key in ("mount", "from"))
            content = self.blobs.get(other, {}).get(digest)
            if self.mounts and content is not None:
                self.blobs.setdefault(name, {})[digest] = content
                return Answer(201, b"", {"Location": f"/v2/{name}/blobs/{digest}"})
            with self._lock:
                session = f"session{next(self._numbers)}"
                self.uploads[session] = bytearray()
            return Answer(202, b"", {"Location": f"/v2/{name}/blobs/uploads/{session}?state=a%2Bb"})
        received = self.uploads.get(session)
        if received is None:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "DELETE":
            del self.uploads[session]
            return Answer(204)
        if request.method == "GET":
            location = f"/v2/{name}/blobs/uploads/{session}?state=asked{len(received)}"
            has = f"0-{max(len(received) - 1, 0)}" if self.range_ is None else self.range_
            return Answer(204, b"", {"Location": location, "Range": has})
        start = (request.headers.get("Content-Range") or f"{len(received)}-").partition("-")[0]
        if int(start) != len(received):
            return error(416, "RANGE_INVALID")
        try:
            received += request.read()
        except OSError:
            received += request.body
            if not self.keeps:
                self.uploads.pop(session, None)
            raise
        if request.method == "PATCH":
            location = f"/v2/{name}/blobs/uploads/{session}?state=next{len(received)}"
            return Answer(202, b"", {"Location": location, "Range": f"0-{len(received) - 1}"})
        digest = request.query["digest"][0]
        self.uploads.pop(session, None)
        if digests.of(bytes(received), digests.algorithm(digest)) != digest:
            return error(400, "DIGEST_INVALID")
        self.blobs.setdefault(name, {})[digest] = bytes(received)
        return Answer(201, b"", {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})
