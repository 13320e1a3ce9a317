# SPDX-License-Identifier: Apache-2.0
"""PUT, GET, HEAD and DELETE of manifests (26 to 32, 36 to 40)."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from tests.doubles.nexus import answers, policy, schema1
from tests.doubles.nexus.content import Content, Manifest, digest_of
from tests.doubles.nexus.routes import Route
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
KNOWN = (DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX)
LARGEST = 10 * 1024 * 1024


def put(nexus: Nexus, route: Route, content: Content, request: Request, image: str, reference: str) -> Answer:
    """201 (26); 400 for what may not change (37), does not fit (31) or lacks a blob or a child (27)."""
    settings = nexus.settings
    refused = policy.refuse_write(nexus, content)
    if refused is not None:
        return refused
    tag = "" if ":" in reference else reference
    if request.chunked and (settings.manifest_length or content.settings.format == "oci"):
        return answers.problem(411, "MANIFEST_INVALID", "manifest invalid", {"maxSize": LARGEST})
    body = request.read()
    if len(body) > LARGEST:
        return answers.problem(413, "MANIFEST_INVALID", "manifest invalid", {"maxSize": LARGEST})
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    media_type = (request.headers.get("Content-Type") or "").partition(";")[0]
    media_type = media_type or (document or {}).get("mediaType", "")
    if not isinstance(document, dict) or media_type not in KNOWN or _unfit(nexus, document, media_type):
        return answers.problem(400, "MANIFEST_INVALID", "manifest invalid", media_type, style=settings.errors)
    algorithm = reference.partition(":")[0] if not tag else "sha256"
    try:
        digest = digest_of(body, algorithm)
    except ValueError:
        digest = ""
    if not digest or (not tag and digest != reference):
        return answers.problem(400, "DIGEST_INVALID", "provided digest did not match", reference, style=settings.errors)
    with nexus.lock:
        path = f"/v2/{image}/manifests/{reference}"
        again = not tag and policy.once(content) and (image, digest) in content.manifests
        if policy.tag_is_fixed(content, image, tag) or (again and not settings.once_digest_again):
            return policy.cannot_be_updated(nexus, content, path)
        missing = _missing(nexus, content, image, document, media_type)
        if missing:
            said = "blob unknown to registry"
            return answers.problem(400, "BLOB_UNKNOWN", said, missing, style=settings.errors)
        if (image, digest) not in content.manifests:
            content.manifests[image, digest] = Manifest(body, media_type, time.time())
        if tag:
            content.tagged[image, tag] = (digest, nexus.clock())
    headers = {"Location": f"/v2/{route.prefix}{image}/manifests/{digest}"}
    if settings.manifest_digest:
        headers["Docker-Content-Digest"] = digest
    return Answer(201, b"", headers)


def _unfit(nexus: Nexus, document: dict[str, Any], media_type: str) -> bool:
    """OCI content before 3.71 (31): no index; manifests are taken and, where they lack ``mediaType``, spoilt for
    pullers (section 2). ``refused`` takes none. zstd layers are a switch."""
    oci = nexus.settings.oci
    if media_type == OCI_INDEX and oci != "accepted":
        return True
    if media_type == OCI_MANIFEST and oci == "refused":
        return True
    layers = document.get("layers") or []
    return not nexus.settings.zstd and any("zstd" in str(layer.get("mediaType")) for layer in layers)


def _missing(nexus: Nexus, content: Content, image: str, document: dict[str, Any], media_type: str) -> str:
    """The first digest that is not here: children are looked for under the same image name (28), blobs in the whole
    repository (23). Layers that may not be distributed are not asked for (inferred)."""
    if media_type in (DOCKER_LIST, OCI_INDEX):
        children = [entry["digest"] for entry in document.get("manifests") or []]
        return next((child for child in children if (image, child) not in content.manifests), "")
    parts = [document.get("config") or {}, *(document.get("layers") or [])]
    for part in parts:
        kind, digest = str(part.get("mediaType")), str(part.get("digest"))
        if "foreign" in kind or "nondistributable" in kind:
            continue
        blob = content.has(image, digest, nexus.settings.blobs_shared)
        if blob is None or blob.lost:
            return digest
    return ""


def get(nexus: Nexus, content: Content, request: Request, image: str, reference: str) -> Answer:
    """200 with digest and type (29). Switches: HEAD of a tag 404 (29), HEAD by digest 500 (32)."""
    settings, head, tag = nexus.settings, request.method == "HEAD", ":" not in reference
    if head and not tag and settings.head_by_digest_500:
        return answers.html(500, "Internal Server Error")
    stored = nexus.find_manifest(content, image, reference)
    if stored is None or (head and tag and not settings.head_manifest):
        detail = {"name": image, "reference": reference}
        return answers.problem(404, "MANIFEST_UNKNOWN", "manifest unknown", detail, style=settings.errors)
    digest, manifest = stored
    body, media_type = manifest.content, manifest.media_type
    if settings.serves_schema1 and tag and media_type == DOCKER_MANIFEST and not _accepts(request):
        body, media_type = schema1.of(image, reference, body), schema1.SCHEMA1
        digest = digest_of(body)
    if settings.oci == "broken" and media_type == OCI_MANIFEST and "mediaType" not in json.loads(body):
        media_type = "application/json"
    headers = {
        "Content-Type": media_type,
        "Docker-Content-Digest": digest,
        "Last-Modified": formatdate(manifest.modified, usegmt=True),
    }
    return Answer(200, body, headers)


def _accepts(request: Request) -> bool:
    """Whether some modern type is listed; one with a q-value is not seen (NEXUS-24124)."""
    listed = [entry.strip() for value in request.headers.get_all("Accept") or [] for entry in value.split(",")]
    return any(known in listed for known in KNOWN)


def delete(nexus: Nexus, content: Content, image: str, reference: str) -> Answer:
    """202: by digest with all its tags, by tag that tag alone (36); 404 for what is not here (inferred)."""
    refused = policy.refuse_delete(nexus, content)
    if refused is not None:
        return refused
    with nexus.lock:
        if content.delete(image, reference):
            return Answer(202)
    return answers.problem(404, "MANIFEST_UNKNOWN", "manifest unknown", reference, style=nexus.settings.errors)
