# SPDX-License-Identifier: Apache-2.0
"""Requests for manifests: pull, push and deletion (distribution-spec "Pulling manifests", "Pushing Manifests").

A manifest is accepted only if it is well formed, has the media type of its Content-Type, and all content that it needs
is here already. It is stored byte for byte.
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

#: Bytes. Every registry must accept manifests of this size; this one accepts no larger ones.
MAX_MANIFEST_SIZE = 4 * 1024 * 1024


class ManifestHandler:
    """Answers requests to ``/v2/NAME/manifests/REFERENCE``."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    def get(self, request: Request, repository: str, reference: str) -> Response:
        """Answer GET and HEAD; raise MANIFEST_UNKNOWN."""
        _check_reference(reference)
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
        """Store a manifest under a tag or its digest."""
        store = self._repositories.writable_store()
        tags = [] if ":" in reference else [_check_push_tag(reference)]
        # With a tag, the query parameter "digest" may give the digest, and so the algorithm.
        given_digest = reference if not tags else request.parameter("digest")
        if given_digest is not None:
            check_digest(given_digest)
        content = request.read(MAX_MANIFEST_SIZE)
        if content is None:
            raise Problem(413, "SIZE_INVALID", f"a manifest has at most {MAX_MANIFEST_SIZE} bytes here")
        digest = digests.of(content, digests.algorithm(given_digest) if given_digest else "sha256")
        if given_digest and digest != given_digest:
            raise digest_invalid(given_digest, f"the manifest hashes to {digest}")
        manifest = _parse(content, request.content_type)
        self._check_content(repository, manifest)
        descriptor = Descriptor(manifest.descriptor.media_type, digest, len(content))
        store.push(descriptor, bytes_opener(content))
        self._repositories.name(descriptor, repository, tags)
        headers = [("Location", f"/v2/{repository}/manifests/{reference}"), ("Docker-Content-Digest", digest)]
        if manifest.subject:
            headers.append(("OCI-Subject", manifest.subject.digest))
        return Response(201, headers)

    def delete(self, repository: str, reference: str) -> Response:
        """Delete a tag, or a manifest by its digest."""
        self._repositories.deletable_store()
        _check_reference(reference)
        if ":" in reference:
            self._repositories.delete(repository, reference)
        else:
            self._repositories.untag(repository, reference)
        return Response(202)

    def _check_content(self, repository: str, manifest: Manifest) -> None:
        """Raise MANIFEST_BLOB_UNKNOWN for missing content. A subject may be pushed later."""
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
            # An index may also list content that is not a manifest (image-spec, image-index.md). Then it is a blob.
            return not is_manifest_type(child.media_type) and self._repositories.store.exists(child)
        return True


def _parse(content: bytes, content_type: str) -> Manifest:
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
    """Return what violates the image specification, of what :func:`parse` accepts for pulls, or ``None``."""
    stated = document.get("mediaType", media_type)
    if stated != media_type:
        return f"Content-Type is {media_type}, but the manifest says {stated}"
    if media_type == OCI_ARTIFACT or media_type not in (*MANIFESTS, *INDEXES):
        return None
    if document.get("schemaVersion") != 2:
        return "schemaVersion must be 2"
    own_field, foreign_fields = (
        ("manifests", ("layers", "config")) if media_type in INDEXES else ("layers", ("manifests",))
    )
    if not isinstance(document.get(own_field), list):
        return f"{own_field} must be a list"
    # With both, one client would read an image and another an index (image-spec, manifest.md).
    both = [key for key in foreign_fields if key in document]
    return f"a {media_type} has no {both[0]!r}" if both else None


def _check_reference(reference: str) -> None:
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
