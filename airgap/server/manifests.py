# SPDX-License-Identifier: Apache-2.0
"""Manifests: pull, push and deletion (distribution-spec, "Pulling manifests", "Pushing Manifests").

A manifest is taken in only if it is well formed, is what its Content-Type says, and everything that it
cannot do without is here already. Its bytes are stored as they came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airgap.errors import AirgapError, InvalidReference
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import INDEXES, MANIFESTS, OCI_ARTIFACT, Manifest, is_manifest_type, is_nondistributable, parse
from airgap.oci.reference import check_tag
from airgap.server.exchange import Request, Response
from airgap.server.problems import Problem, digest_invalid, manifest_unknown
from airgap.server.repositories import Repositories, check_digest
from airgap.store.readers import bytes_opener

#: The size that every registry must take; this one takes no more.
LARGEST = 4 * 1024 * 1024


class Manifests:
    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    def get(self, request: Request, repository: str, reference: str) -> Response:
        _check_pull(reference)
        descriptor = self._repositories.find(repository, reference, request.parameter("ns"))
        headers = [
            ("Content-Type", descriptor.media_type),
            ("Docker-Content-Digest", descriptor.digest),
            ("ETag", f'"{descriptor.digest}"'),
        ]
        if request.method == "HEAD":
            return Response(200, headers, length=descriptor.size)
        return Response(200, headers, self._repositories.read(descriptor))

    def put(self, request: Request, repository: str, reference: str) -> Response:
        store = self._repositories.target()
        tags = [] if ":" in reference else [_check_push_tag(reference)]
        # A tag may come with the digest, and so the algorithm, that the manifest is to have beside it.
        wanted = reference if not tags else request.parameter("digest")
        if wanted is not None:
            check_digest(wanted)
        content = request.read(LARGEST)
        if content is None:
            raise Problem(413, "SIZE_INVALID", f"a manifest has at most {LARGEST} bytes here")
        digest = digests.of(content, digests.algorithm(wanted) if wanted else "sha256")
        if wanted and digest != wanted:
            raise digest_invalid(wanted, f"the manifest hashes to {digest}")
        manifest = _read(content, request.content_type)
        self._check_content(repository, manifest)
        descriptor = Descriptor(manifest.descriptor.media_type, digest, len(content))
        store.push(descriptor, bytes_opener(content))
        self._repositories.name(descriptor, repository, tags)
        headers = [("Location", f"/v2/{repository}/manifests/{reference}"), ("Docker-Content-Digest", digest)]
        if manifest.subject:
            headers.append(("OCI-Subject", manifest.subject.digest))
        return Response(201, headers)

    def delete(self, repository: str, reference: str) -> Response:
        self._repositories.eraser()
        _check_pull(reference)
        if ":" in reference:
            self._repositories.delete(repository, reference)
        else:
            self._repositories.untag(repository, reference)
        return Response(202)

    def _check_content(self, repository: str, manifest: Manifest) -> None:
        """Raise MANIFEST_BLOB_UNKNOWN for what is missing; a subject may come later."""
        missing = [
            blob.digest
            for blob in manifest.blobs
            if not is_nondistributable(blob) and not self._repositories.store.exists(blob)
        ]
        missing += [child.digest for child in manifest.children if not self._has_child(repository, child)]
        if missing:
            raise Problem(
                404,
                "MANIFEST_BLOB_UNKNOWN",
                f"the manifest refers to {missing[0]}, which is not here"
                + (f", and to {len(missing) - 1} more" if len(missing) > 1 else ""),
                {"digests": missing[:100]},
            )

    def _has_child(self, repository: str, child: Descriptor) -> bool:
        try:
            self._repositories.find(repository, child.digest)
        except Problem:
            # An index may also list content that is no manifest (image-spec, image-index.md): that is a blob.
            return not is_manifest_type(child.media_type) and self._repositories.store.exists(child)
        return True


def _read(content: bytes, content_type: str) -> Manifest:
    try:
        manifest = parse(content, content_type)
    except AirgapError as error:
        raise Problem(400, "MANIFEST_INVALID", error.what) from error
    if not manifest.descriptor.media_type:
        raise Problem(400, "MANIFEST_INVALID", "neither Content-Type nor mediaType says what this is")
    reason = _shape_problem(json.loads(content), manifest.descriptor.media_type)
    if reason:
        raise Problem(400, "MANIFEST_INVALID", reason)
    return manifest


def _shape_problem(document: Mapping[str, Any], media_type: str) -> str | None:
    """Say what the image specification forbids here and :func:`parse` lets pass, since pulling need not refuse it."""
    said = document.get("mediaType", media_type)
    if said != media_type:
        return f"Content-Type is {media_type}, but the manifest says {said}"
    if media_type == OCI_ARTIFACT or media_type not in (*MANIFESTS, *INDEXES):
        return None
    if document.get("schemaVersion") != 2:
        return "schemaVersion must be 2"
    own, foreign = ("manifests", ("layers", "config")) if media_type in INDEXES else ("layers", ("manifests",))
    if not isinstance(document.get(own), list):
        return f"{own} must be a list"
    # Both at once would be an image to one client and an index to another (image-spec, manifest.md).
    both = [key for key in foreign if key in document]
    return f"a {media_type} has no {both[0]!r}" if both else None


def _check_pull(reference: str) -> None:
    if ":" in reference:
        check_digest(reference)
        return
    try:
        check_tag(reference)
    except InvalidReference:
        raise manifest_unknown(reference[:160]) from None


def _check_push_tag(tag: str) -> str:
    try:
        return check_tag(tag)
    except InvalidReference as error:
        raise Problem(400, "MANIFEST_INVALID", error.what, {"tag": tag[:160]}) from error
