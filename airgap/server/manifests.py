# SPDX-License-Identifier: Apache-2.0
"""Requests for manifests: pull, push and deletion (distribution-spec "Pulling manifests", "Pushing Manifests").

A manifest is accepted only if it is well formed, has the media type of its Content-Type, and all content that it needs
is here already. It is stored byte for byte.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airgap import bounded_json
from airgap.errors import AirgapError, InvalidReference
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import INDEXES, MANIFESTS, OCI_ARTIFACT, Manifest, is_manifest_type, is_nondistributable, parse
from airgap.oci.reference import check_tag
from airgap.server.exchange import BlobStream, Request, Response
from airgap.server.limits import Limits
from airgap.server.problems import Problem, digest_invalid, manifest_unknown
from airgap.server.repositories import Repositories, check_digest
from airgap.store import Store
from airgap.store.readers import bytes_opener

#: Bytes of a manifest from which on only one at a time is in memory.
_LARGE = 64 * 1024


class ManifestHandler:
    """Answers requests to ``/v2/NAME/manifests/REFERENCE``. With ``sparse``, indexes may lack images."""

    def __init__(
        self, repositories: Repositories, limits: Limits, folder: Path | None = None, *, sparse: bool = False
    ) -> None:
        self._repositories = repositories
        self._sparse = sparse
        self._limits = limits
        self._folder = folder
        self._large_manifest = threading.Lock()

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
        if descriptor.size <= _LARGE:
            return Response(200, headers, self._repositories.read(descriptor))
        with self._one_at_a_time(descriptor.size):
            self._repositories.verify(descriptor)
        # From the store, not from memory: the client may be slow.
        return Response(200, headers, BlobStream(self._repositories.store.open(descriptor), descriptor.size))

    def put(self, request: Request, repository: str, reference: str) -> Response:
        """Store a manifest under a tag or its digest."""
        store = self._repositories.writable_store()
        tags = [] if ":" in reference else [_check_push_tag(reference)]
        # With a tag, the query parameter "digest" may give the digest, and so the algorithm.
        given_digest = reference if not tags else request.parameter("digest")
        if given_digest is not None:
            check_digest(given_digest)
        limit = self._limits["manifest-bytes"]
        body = request.read(limit, self._folder)
        if body is None:
            raise Problem(413, "SIZE_INVALID", f"a manifest has at most {limit} bytes here")
        with body, self._one_at_a_time(body.size):
            return self._store(store, request, repository, reference, body.content(), given_digest, tags)

    def _store(
        self,
        store: Store,
        request: Request,
        repository: str,
        reference: str,
        content: bytes,
        given_digest: str | None,
        tags: list[str],
    ) -> Response:
        digest = digests.of(content, digests.algorithm(given_digest) if given_digest else "sha256")
        if given_digest and digest != given_digest:
            raise digest_invalid(given_digest, f"the manifest hashes to {digest}")
        manifest = self._parse(content, request.content_type)
        self._check_content(repository, manifest)
        descriptor = Descriptor(manifest.descriptor.media_type, digest, len(content))
        store.push(descriptor, bytes_opener(content))
        before = self._repositories.name(descriptor, repository, tags)
        try:
            # Another client may have deleted a blob before the manifest had its name.
            self._check_content(repository, manifest)
        except Problem:
            self._repositories.restore(before)
            raise
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

    def _parse(self, content: bytes, content_type: str) -> Manifest:
        try:
            document = bounded_json.loads(
                content, values=self._limits["manifest-values"], depth=self._limits["manifest-depth"]
            )
            manifest = parse(content, content_type, document=document)
        except AirgapError as error:
            raise Problem(400, "MANIFEST_INVALID", error.what) from error
        if not manifest.descriptor.media_type:
            raise Problem(400, "MANIFEST_INVALID", "neither Content-Type nor mediaType says what this is")
        reason = _shape_problem(document, manifest.descriptor.media_type)
        if reason:
            raise Problem(400, "MANIFEST_INVALID", reason)
        return manifest

    @contextlib.contextmanager
    def _one_at_a_time(self, size: int) -> Iterator[None]:
        """Wait until no other large manifest is in memory, if this is one."""
        with self._large_manifest if size > _LARGE else contextlib.nullcontext():
            yield

    def _check_content(self, repository: str, manifest: Manifest) -> None:
        """Raise MANIFEST_BLOB_UNKNOWN for missing content. A subject may be pushed later."""
        missing = [blob.digest for blob in manifest.blobs if not is_nondistributable(blob) and not self._has_blob(blob)]
        children = () if self._sparse else manifest.children
        missing += [child.digest for child in children if not self._has_child(repository, child)]
        if missing:
            raise Problem(
                404,
                "MANIFEST_BLOB_UNKNOWN",
                f"the manifest refers to {missing[0]}, which is not here"
                + (f", and to {len(missing) - 1} more" if len(missing) > 1 else ""),
                {"digests": missing[:100]},
            )

    def _has_blob(self, blob: Descriptor) -> bool:
        found = self._repositories.find_blob(blob.digest)
        return found is not None and found.size == blob.size

    def _has_child(self, repository: str, child: Descriptor) -> bool:
        try:
            self._repositories.find(repository, child.digest)
        except Problem:
            # An index may also list content that is not a manifest (image-spec, image-index.md). Then it is a blob.
            return not is_manifest_type(child.media_type) and self._has_blob(child)
        return True


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
