# SPDX-License-Identifier: Apache-2.0
"""HEAD and GET of blobs: shared by all image names of a repository (23), their headers (24), ranges (25)."""

from __future__ import annotations

import hashlib
import re
from email.utils import formatdate
from typing import TYPE_CHECKING

from tests.doubles.nexus import answers
from tests.doubles.nexus.content import Content
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus


def answer(nexus: Nexus, content: Content, request: Request, image: str, digest: str) -> Answer:
    """200 with the stored type, 206, 404, 416, or 501 for several ranges at once. Bytes that are lost (np#264) are
    200 to HEAD and 500 to GET (inferred)."""
    if request.method not in ("GET", "HEAD"):
        return answers.problem(405, "UNSUPPORTED", "The operation is unsupported.", style=nexus.settings.errors)
    blob = nexus.find_blob(content, image, digest)
    if blob is None:
        return answers.problem(404, "BLOB_UNKNOWN", "blob unknown to registry", digest, style=nexus.settings.errors)
    if blob.lost and request.method == "GET":
        return answers.html(500, "Internal Server Error")
    headers = {
        "Content-Type": blob.media_type,
        "Last-Modified": formatdate(blob.modified, usegmt=True),
        "Docker-Content-Digest": digest,
        "ETag": f'"{hashlib.sha1(blob.content).hexdigest()}"',
        "Accept-Ranges": "bytes",
    }
    byte_range = request.headers.get("Range") or ""
    if request.method == "HEAD" or not byte_range.startswith("bytes=") or not nexus.settings.ranges:
        return Answer(200, blob.content, headers)
    return _part(blob.content, byte_range.removeprefix("bytes="), headers)


def _part(content: bytes, byte_range: str, headers: dict[str, str]) -> Answer:
    size = len(content)
    if "," in byte_range:
        return answers.only_reason(501, "Not Implemented")
    match = re.fullmatch(r"(\d*)-(\d*)", byte_range.strip())
    if match is None or not (match[1] or match[2]):
        return Answer(200, content, headers)
    start = int(match[1]) if match[1] else max(size - int(match[2]), 0)
    end = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
    if start > end:
        return Answer(416, b"", {"Content-Range": f"bytes */{size}"})
    return Answer(206, content[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{size}"})
