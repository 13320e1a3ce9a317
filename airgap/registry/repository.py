# SPDX-License-Identifier: Apache-2.0
"""A repository of a registry as a store (OCI distribution-spec 1.1, endpoints end-1 to end-13)."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any
from urllib.parse import quote, urlencode

from airgap import bounded_json, limits
from airgap.errors import ContentError, ContentMissing, DigestMismatch, NotFound, RegistryError, Rejected, Unauthorized
from airgap.events import Retrying
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.oci.reference import check_tag
from airgap.oci.signature_tags import signature_tags
from airgap.records import replace
from airgap.registry.client import RegistryClient
from airgap.registry.http.errors import not_a_registry, public_url
from airgap.registry.http.transport import Response
from airgap.registry.pagination import parse_page, read_list
from airgap.registry.upload_sessions import session_path
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BytesReader, read_opened


class _NoReferrersApi(Exception):
    """The registry has answered something else than a list of referrers."""


class Repository:
    """Thread-safe. A ``name`` is a tag or a digest. Methods raise the errors of :mod:`airgap.registry.http.errors`."""

    def __init__(self, client: RegistryClient, name: str, *, push: bool = False) -> None:
        self.client = client
        self.name = name
        self._actions = "pull,push" if push else "pull"
        self._scopes = (f"repository:{name}:{self._actions}",)
        #: Sessions that the registry has begun instead of mounting a blob, by digest.
        self._mount_sessions: dict[str, str] = {}
        self._lacks_referrers = False
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return f"{self.client.place}/{self.name}"

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a manifest: by HEAD, or by GET if the response to HEAD lacks something."""
        path = self._manifest_path(name)
        response = self.client.request(
            "HEAD", path, scopes=self._scopes, headers={"Accept": manifests.ACCEPT}, ok=(200, 404, 405, 500, 501)
        )
        if response.status == 404:
            raise self._not_found(name)
        digest = response.headers.get("Docker-Content-Digest", "")
        length = response.headers.get("Content-Length", "")
        if response.status != 200 or not digests.is_digest(digest) or not length.isdecimal():
            return self.manifest(name).descriptor
        if digests.is_digest(name) and digest != name and digests.algorithm(digest) == digests.algorithm(name):
            raise DigestMismatch(
                tr("asked for {name}, the registry offers {digest}", name=name, digest=digest), where=str(self)
            )
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return Descriptor(media_type, digest, int(length))

    def manifest(self, name: str) -> manifests.Manifest:
        """Fetch, verify and parse a manifest. If it does not match its digest, it is fetched a second time."""
        try:
            return self._fetch_manifest(name)
        except DigestMismatch as error:
            self.client.retry.emit(Retrying(f"GET {self._manifest_path(name)}", error.what, 1, 0.0))
            return self._fetch_manifest(name)

    def _fetch_manifest(self, name: str) -> manifests.Manifest:
        path = self._manifest_path(name)
        try:
            return self.client.get(
                path,
                lambda response: self._parse_manifest(response, name),
                scopes=self._scopes,
                headers={"Accept": manifests.ACCEPT},
                limit="manifest-bytes",
            )
        except NotFound as error:
            if error.status != 404:  # a manifest that is refused, such as one of schema 1
                raise
            raise self._not_found(name) from None

    def _parse_manifest(self, response: Response, name: str) -> manifests.Manifest:
        if response.headers.get_content_type() == "text/html":
            raise not_a_registry(self.client.base_url)
        is_digest = digests.is_digest(name)
        where = f"{self}{'@' if is_digest else ':'}{name}"
        header_digest = response.headers.get("Docker-Content-Digest", "")
        if is_digest:
            digests.verify(response.body, name, where=where)
        elif digests.is_digest(header_digest):
            digests.verify(response.body, header_digest, where=where)
        manifest = manifests.parse(response.body, response.headers.get("Content-Type", ""), where=where)
        if is_digest and name != manifest.descriptor.digest:
            # It was requested by its sha512 digest: keep the digest that the parent manifest uses.
            return replace(manifest, descriptor=replace(manifest.descriptor, digest=name))
        return manifest

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the repository has this content."""
        response = self.client.request(
            "HEAD",
            self._content_path(descriptor),
            scopes=self._scopes,
            headers={"Accept": manifests.ACCEPT},
            ok=(200, 404),
        )
        with self._lock:
            unused_session = self._mount_sessions.pop(descriptor.digest, "") if response.status == 200 else ""
        if unused_session:  # the blob is here, so it will not be pushed
            with contextlib.suppress(RegistryError):
                self.client.request("DELETE", unused_session, scopes=self._scopes, ok=tuple(range(200, 600)))
        return response.status == 200

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Open content at a byte offset; raise :class:`ContentMissing` if the registry lacks it."""
        if manifests.is_manifest_type(descriptor.media_type):
            return BytesReader(self._manifest_content(descriptor), offset)
        from airgap.registry.download import BlobReader  # a target that has all needs neither of the two

        return BlobReader.open(self.client, self._content_path(descriptor), self._scopes, descriptor, offset)

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        """Push a blob, or a manifest under its digest."""
        if manifests.is_manifest_type(descriptor.media_type):
            if descriptor.size > limits.value("manifest-bytes"):
                raise ContentError(tr("a manifest of {size} bytes is not sent", size=descriptor.size))
            self.push_manifest(descriptor, read_opened(descriptor, opener), descriptor.digest)
            return
        with self._lock:
            location = self._mount_sessions.pop(descriptor.digest, "")
        from airgap.registry.upload import BlobUpload

        BlobUpload(self.client, self.name, self._scopes, descriptor, opener, location).run()

    def push_manifest(self, descriptor: Descriptor, content: bytes, name: str) -> None:
        """Push a manifest under a tag or its digest.

        If it has a subject and the registry has no referrers API, it is added to the index under the fallback tag
        (distribution-spec "Pushing Manifests with Subject").
        """
        path = self._manifest_path(name)
        if not digests.is_digest(name) and digests.algorithm(descriptor.digest) != "sha256":
            path += f"?{urlencode({'digest': descriptor.digest})}"  # otherwise the registry uses sha256
        response = self._put_manifest(path, descriptor, content)
        other_digest = self._other_stored_digest(response, descriptor)
        if other_digest:
            # The content was changed during the transfer, and the tag leads to it. A second push repairs that.
            self.client.retry.emit(Retrying(f"PUT {path}", f"the registry stored {other_digest}", 1, 0.0))
            response = self._put_manifest(path, descriptor, content)
            if other_digest := self._other_stored_digest(response, descriptor):
                raise DigestMismatch(
                    tr(
                        "the registry stored {other_digest} for {digest}",
                        other_digest=other_digest,
                        digest=descriptor.digest,
                    ),
                    where=f"{self}:{name}",
                    hint=tr("something on the way changes what is sent; import over https:// with --overwrite"),
                )
        manifest = manifests.parse(content, descriptor.media_type)
        if manifest.subject is not None and not response.headers.get("OCI-Subject"):
            with self.client.referrers_lock:  # else two threads would overwrite each other's additions
                self._add_to_fallback_index(manifest, manifest.subject, descriptor)

    def _put_manifest(self, path: str, descriptor: Descriptor, content: bytes) -> Response:
        headers = {"Content-Type": descriptor.media_type}
        return self.client.request("PUT", path, scopes=self._scopes, headers=headers, body=content, ok=(200, 201, 202))

    def _other_stored_digest(self, response: Response, descriptor: Descriptor) -> str:
        """Return the digest that the registry reports if it differs from the manifest's, else an empty string."""
        stored = response.headers.get("Docker-Content-Digest", "")
        differs = stored != descriptor.digest and digests.algorithm(stored) == digests.algorithm(descriptor.digest)
        return stored if stored and differs else ""

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Give a tag to a manifest that is here; raise :class:`ContentMissing` if it is not."""
        check_tag(name)
        self.push_manifest(descriptor, self._manifest_content(descriptor), name)

    def delete(self, name: str) -> bool:
        """Delete a manifest by its digest with all its tags, or a tag alone (end-9); return whether it was there.

        A registry that does not delete, or that deletes no tags, answers 405 or 400: that is
        :class:`airgap.errors.Rejected`, or :class:`airgap.errors.DigestMismatch` where it calls the tag a digest.
        """
        scopes = (f"repository:{self.name}:delete,pull",)
        response = self.client.request("DELETE", self._manifest_path(name), scopes=scopes, ok=(200, 202, 204, 404))
        return response.status != 404

    def mount(self, descriptor: Descriptor, from_repository: str) -> bool:
        """Mount a blob from another repository of the registry (end-11); return whether it is here now.

        A registry that does not mount it begins an upload session, which the next :meth:`push` of this blob uses. After
        the first such answer the registry is not asked to mount again: some, Nexus among them, never do.
        """
        if self.client.refuses_mounts:
            return False
        query = urlencode({"mount": descriptor.digest, "from": from_repository})
        scopes = (*self._scopes, f"repository:{from_repository}:pull")
        path = f"/v2/{self.name}/blobs/uploads/"
        try:
            response = self.client.request(
                "POST", f"{path}?{query}", scopes=scopes, headers={"Content-Length": "0"}, ok=(201, 202)
            )
        except (Rejected, Unauthorized, NotFound):
            return False  # the blob is pushed next, and that reports what is wrong
        if response.status == 201:
            return True
        self.client.refuses_mounts = True
        with self._lock:
            self._mount_sessions[descriptor.digest] = session_path(self.client, response, path)
        return False

    def referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor]:
        """Return the referrers of ``digest`` (end-12): by the API, or by the fallback tag if there is no API.

        A non-empty ``artifact_type`` returns only those of this type.
        """
        referrers = self.indexed_referrers(digest, artifact_type)
        if referrers is None:
            try:
                referrers = list(self.manifest(_fallback_tag(digest)).children)
            except NotFound:
                return []
        return [referrer for referrer in referrers if artifact_type in ("", referrer.artifact_type)]

    def signature_tags(self, digest: str) -> dict[str, str]:
        """Return the digest of what each of cosign's tags for ``digest`` stands for; missing ones are left out."""
        found = {}
        for tag in signature_tags(digest):
            with contextlib.suppress(NotFound):
                found[tag] = self.resolve(tag).digest
        return found

    def indexed_referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor] | None:
        """Return what the referrers API lists, ``None`` if there is no API.

        A registry may ignore ``artifact_type`` and list all referrers.
        """
        if self._lacks_referrers:
            return None
        path = f"/v2/{self.name}/referrers/{digest}"
        path += f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""

        def parse(response: Response) -> list[Descriptor]:
            media_type = response.headers.get("Content-Type", "").partition(";")[0]
            if response.status != 200 or media_type != manifests.OCI_INDEX:
                raise _NoReferrersApi
            return list(manifests.parse(response.body, media_type, where=str(self), kind="list-page").children)

        try:
            ok = (200, 400, 404, 405, 501)
            return read_list(
                self.client, path, self._scopes, parse, what="referrers", key=lambda entry: entry.digest, ok=ok
            )
        except _NoReferrersApi:
            self._lacks_referrers = True
            return None

    def tags(self) -> list[str]:
        """Return all tags (end-8)."""
        tags = read_list(
            self.client,
            f"/v2/{self.name}/tags/list",
            self._scopes,
            lambda response: parse_page(response, "tags", where=str(self)),
            what="tags",
            key=str,
        )
        return list(dict.fromkeys(tags))

    def _add_to_fallback_index(self, manifest: manifests.Manifest, subject: Descriptor, descriptor: Descriptor) -> None:
        """Add a referrer to the index under the fallback tag of its subject. The caller holds ``referrers_lock``."""
        tag = _fallback_tag(subject.digest)
        document: dict[str, Any] = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": []}
        try:
            index = self.manifest(tag)
        except NotFound:
            pass
        else:
            if index.descriptor.media_type != manifests.OCI_INDEX:
                raise Rejected(
                    tr("something else than a list of referrers has this tag, so the referrer cannot be listed"),
                    where=f"{self}:{tag}",
                    hint=tr("remove that tag, or leave signatures out with --no-referrers at export"),
                )
            if any(entry.digest == descriptor.digest for entry in (*index.children, *index.layers)):
                return
            # Keep the existing entries with all their fields.
            document = bounded_json.parse(index.content, "manifest")
        entry = Descriptor(
            descriptor.media_type,
            descriptor.digest,
            descriptor.size,
            annotations=manifest.annotations or {},
            artifact_type=manifest.artifact_type,
        )
        document["manifests"].append(entry.to_json())
        content = json.dumps(document, separators=(",", ":")).encode()
        new_index = Descriptor(manifests.OCI_INDEX, digests.of(content), len(content))
        try:
            self.push_manifest(new_index, content, tag)
        except Rejected as error:
            error.hint = tr("the registry takes no referrers; leave signatures out with --no-referrers at export")
            raise

    def _manifest_content(self, descriptor: Descriptor) -> bytes:
        try:
            return self.manifest(descriptor.digest).content
        except NotFound as error:
            raise ContentMissing(
                tr("the registry lacks the manifest {digest}", digest=descriptor.digest), where=str(self)
            ) from error

    def _manifest_path(self, name: str) -> str:
        return f"/v2/{self.name}/manifests/{quote(name, safe=':')}"

    def _content_path(self, descriptor: Descriptor) -> str:
        kind = "manifests" if manifests.is_manifest_type(descriptor.media_type) else "blobs"
        return f"/v2/{self.name}/{kind}/{digests.check(descriptor.digest)}"

    def _not_found(self, name: str) -> NotFound:
        is_digest = digests.is_digest(name)
        error = NotFound(
            tr(
                "the registry has no {content}",
                content=tr("manifest with this digest") if is_digest else tr("tag {name}", name=name),
            ),
            where=f"{self}{'@' if is_digest else ':'}{name}",
            hint=tr("check the spelling; asked at {public_url}", public_url=public_url(self.client.base_url)),
        )
        error.status = 404
        return error


def _fallback_tag(digest: str) -> str:
    """Return the tag for the referrers of ``digest`` (distribution-spec "Referrers Tag Schema")."""
    return digest.replace(":", "-", 1)
