# SPDX-License-Identifier: Apache-2.0
"""One repository of a registry as a store (OCI distribution-spec 1.1, endpoints end-1 to end-13)."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any
from urllib.parse import quote, urlencode

from airgap.errors import ContentError, ContentMissing, DigestMismatch, NotFound, RegistryError, Rejected, Unauthorized
from airgap.events import Retrying
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.oci.reference import check_tag
from airgap.records import replace
from airgap.registry.client import Endpoint
from airgap.registry.download import BlobReader
from airgap.registry.http.errors import no_registry, public_url
from airgap.registry.http.transport import Response
from airgap.registry.pagination import listed, pages
from airgap.registry.upload import Upload, session_path
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BytesReader


class Repository:
    """Thread-safe. Names are tags or digests. Raises the errors of :mod:`airgap.registry.http.errors`."""

    def __init__(self, endpoint: Endpoint, name: str, *, push: bool = False) -> None:
        self.endpoint = endpoint
        self.name = name
        self._actions = "pull,push" if push else "pull"
        self._scopes = (f"repository:{name}:{self._actions}",)
        self._sessions: dict[str, str] = {}
        self._lacks_referrers = False
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return f"{self.endpoint.registry}/{self.name}"

    def resolve(self, name: str) -> Descriptor:
        """Ask with HEAD; where the answer lacks what a descriptor needs, fetch the manifest."""
        path = self._manifest_path(name)
        response = self.endpoint.call(
            "HEAD", path, scopes=self._scopes, headers={"Accept": manifests.ACCEPT}, ok=(200, 404, 405, 500, 501)
        )
        if response.status == 404:
            raise self._not_found(name)
        digest = response.headers.get("Docker-Content-Digest", "")
        length = response.headers.get("Content-Length", "")
        if response.status != 200 or digests.problem(digest) or not length.isdecimal():
            return self.manifest(name).descriptor
        if not digests.problem(name) and digest != name and digests.algorithm(digest) == digests.algorithm(name):
            raise DigestMismatch(f"asked for {name}, the registry offers {digest}", where=str(self))
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return Descriptor(media_type, digest, int(length))

    def manifest(self, name: str) -> manifests.Manifest:
        """Fetch and read a manifest by tag or digest: one request, verified; a second if that shows a change."""
        try:
            return self._manifest(name)
        except DigestMismatch as error:
            self.endpoint.retry.emit(Retrying(f"GET {self._manifest_path(name)}", error.what, 1, 0.0))
            return self._manifest(name)

    def _manifest(self, name: str) -> manifests.Manifest:
        path = self._manifest_path(name)
        try:
            response = self.endpoint.call(
                "GET", path, scopes=self._scopes, headers={"Accept": manifests.ACCEPT}, ok=(200,)
            )
        except NotFound:
            raise self._not_found(name) from None
        if response.headers.get_content_type() == "text/html":
            raise no_registry(self.endpoint.base_url)
        where = f"{self}{'@' if not digests.problem(name) else ':'}{name}"
        if len(response.body) > manifests.MAX_MANIFEST:
            raise ContentError(f"a manifest of {len(response.body)} bytes is not read", where=where)
        said = response.headers.get("Docker-Content-Digest", "")
        if not digests.problem(name):
            digests.verify(response.body, name, where=where)
        elif not digests.problem(said):
            digests.verify(response.body, said, where=where)
        manifest = manifests.parse(response.body, response.headers.get("Content-Type", ""), where=where)
        if not digests.problem(name) and name != manifest.descriptor.digest:
            # Asked for by sha512: it keeps the name that its parent knows it by.
            return replace(manifest, descriptor=replace(manifest.descriptor, digest=name))
        return manifest

    def exists(self, descriptor: Descriptor) -> bool:
        response = self.endpoint.call(
            "HEAD", self._path_of(descriptor), scopes=self._scopes, headers={"Accept": manifests.ACCEPT}, ok=(200, 404)
        )
        with self._lock:
            begun = self._sessions.pop(descriptor.digest, "") if response.status == 200 else ""
        if begun:  # by a mount that did not come about: nobody will push what is here
            with contextlib.suppress(RegistryError):
                self.endpoint.call("DELETE", begun, scopes=self._scopes, ok=tuple(range(200, 600)))
        return response.status == 200

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        if manifests.is_manifest_type(descriptor.media_type):
            return BytesReader(self._held(descriptor), offset)
        return BlobReader(self.endpoint, self._path_of(descriptor), self._scopes, descriptor, offset)

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        """Send a blob, or a manifest by its digest."""
        if manifests.is_manifest_type(descriptor.media_type):
            self.push_manifest(descriptor, _read(descriptor, opener), descriptor.digest)
            return
        with self._lock:
            location = self._sessions.pop(descriptor.digest, "")
        Upload(self.endpoint, self.name, self._scopes, descriptor, opener, location).run()

    def push_manifest(self, descriptor: Descriptor, content: bytes, name: str) -> None:
        """Put a manifest under a tag or its digest; where it has a subject that the registry does not index
        itself, the fallback tag is kept up (distribution-spec "Pushing Manifests with Subject")."""
        path = self._manifest_path(name)
        if digests.problem(name) and digests.algorithm(descriptor.digest) != "sha256":
            path += f"?{urlencode({'digest': descriptor.digest})}"  # else a tag stands for the sha256 digest
        response = self._put_manifest(path, descriptor, content)
        said = self._stored(response, descriptor)
        if said:
            # A byte that changed on the way gave the tag to something else: once more puts that right.
            self.endpoint.retry.emit(Retrying(f"PUT {path}", f"the registry stored {said}", 1, 0.0))
            response = self._put_manifest(path, descriptor, content)
            if said := self._stored(response, descriptor):
                raise DigestMismatch(
                    f"the registry stored {said} for {descriptor.digest}",
                    where=f"{self}:{name}",
                    hint="something on the way changes what is sent; import over https:// with --overwrite",
                )
        manifest = manifests.parse(content, descriptor.media_type)
        if manifest.subject is not None and not response.headers.get("OCI-Subject"):
            self._add_to_fallback(manifest, descriptor)

    def _put_manifest(self, path: str, descriptor: Descriptor, content: bytes) -> Response:
        headers = {"Content-Type": descriptor.media_type}
        return self.endpoint.call("PUT", path, scopes=self._scopes, headers=headers, body=content, ok=(200, 201, 202))

    def _stored(self, response: Response, descriptor: Descriptor) -> str:
        """The digest that a registry says it stored, if it is another."""
        said = response.headers.get("Docker-Content-Digest", "")
        other = said != descriptor.digest and digests.algorithm(said) == digests.algorithm(descriptor.digest)
        return said if said and other else ""

    def tag(self, descriptor: Descriptor, name: str) -> None:
        check_tag(name)
        self.push_manifest(descriptor, self._held(descriptor), name)

    def mount(self, descriptor: Descriptor, from_repository: str) -> bool:
        """Ask for a blob from a sibling repository (end-11); a registry that will not begins an upload instead,
        which the next :meth:`push` of this blob uses, or refuses, and then a push begins one of its own."""
        query = urlencode({"mount": descriptor.digest, "from": from_repository})
        scopes = (*self._scopes, f"repository:{from_repository}:pull")
        path = f"/v2/{self.name}/blobs/uploads/"
        try:
            response = self.endpoint.call(
                "POST", f"{path}?{query}", scopes=scopes, headers={"Content-Length": "0"}, ok=(201, 202)
            )
        except (Rejected, Unauthorized, NotFound):
            return False  # only a short cut: the push that follows says what is really wrong
        if response.status == 201:
            return True
        with self._lock:
            self._sessions[descriptor.digest] = session_path(self.endpoint, response, path)
        return False

    def referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor]:
        """What refers to ``digest`` (end-12), by the API or, where a registry lacks it, by the tag scheme.
        ``artifact_type`` keeps only these, whether or not the registry filters."""
        found = self._referrers(digest, artifact_type)
        return [d for d in found if artifact_type in ("", d.artifact_type)]

    def indexed_referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor] | None:
        """What the referrers API lists, unfiltered where the registry does not filter; ``None`` where it has none."""
        if self._lacks_referrers:
            return None
        path = f"/v2/{self.name}/referrers/{digest}"
        path += f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
        found: list[Descriptor] = []
        for response in pages(self.endpoint, path, self._scopes, ok=(200, 400, 404, 405, 501)):
            media_type = response.headers.get("Content-Type", "").partition(";")[0]
            if response.status != 200 or media_type != manifests.OCI_INDEX:
                self._lacks_referrers = True
                return None
            found += manifests.parse(response.body, media_type, where=str(self)).children
        return found

    def _referrers(self, digest: str, artifact_type: str) -> list[Descriptor]:
        found = self.indexed_referrers(digest, artifact_type)
        if found is not None:
            return found
        try:
            return list(self.manifest(digest.replace(":", "-", 1)).children)
        except NotFound:
            return []

    def tags(self) -> list[str]:
        """Every tag (end-8), page by page."""
        found: list[str] = []
        for response in pages(self.endpoint, f"/v2/{self.name}/tags/list", self._scopes, ok=(200,)):
            found += listed(response, "tags", where=str(self))
        return list(dict.fromkeys(found))

    def _add_to_fallback(self, manifest: manifests.Manifest, descriptor: Descriptor) -> None:
        # Read, add, write: two at once would each forget what the other added.
        with self.endpoint.fallback:
            self._extend_fallback(manifest, descriptor)

    def _extend_fallback(self, manifest: manifests.Manifest, descriptor: Descriptor) -> None:
        assert manifest.subject is not None
        name = manifest.subject.digest.replace(":", "-", 1)
        document: dict[str, Any] = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": []}
        try:
            there = self.manifest(name)
        except NotFound:
            pass
        else:
            if there.descriptor.media_type != manifests.OCI_INDEX:
                raise Rejected(
                    "something else than a list of referrers has this tag, so the referrer cannot be listed",
                    where=f"{self}:{name}",
                    hint="remove that tag, or leave signatures out with --no-referrers at export",
                )
            if any(child.digest == descriptor.digest for child in (*there.children, *there.layers)):
                return
            # What stands there is kept as it is, with what this program does not know of it.
            document = json.loads(there.content)
        entry = Descriptor(
            descriptor.media_type,
            descriptor.digest,
            descriptor.size,
            None,
            manifest.annotations or {},
            manifest.artifact_type,
        )
        document["manifests"].append(entry.to_json())
        content = json.dumps(document, separators=(",", ":")).encode()
        index = Descriptor(manifests.OCI_INDEX, digests.of(content), len(content))
        try:
            self.push_manifest(index, content, name)
        except Rejected as error:
            error.hint = "the registry takes no referrers; leave signatures out with --no-referrers at export"
            raise

    def _held(self, descriptor: Descriptor) -> bytes:
        try:
            return self.manifest(descriptor.digest).content
        except NotFound as error:
            raise ContentMissing(f"the registry lacks the manifest {descriptor.digest}", where=str(self)) from error

    def _manifest_path(self, name: str) -> str:
        return f"/v2/{self.name}/manifests/{quote(name, safe=':')}"

    def _path_of(self, descriptor: Descriptor) -> str:
        kind = "manifests" if manifests.is_manifest_type(descriptor.media_type) else "blobs"
        return f"/v2/{self.name}/{kind}/{digests.check(descriptor.digest)}"

    def _not_found(self, name: str) -> NotFound:
        is_digest = not digests.problem(name)
        return NotFound(
            f"the registry has no {'manifest with this digest' if is_digest else f'tag {name}'}",
            where=f"{self}{'@' if is_digest else ':'}{name}",
            hint=f"check the spelling; asked at {public_url(self.endpoint.base_url)}",
        )


def _read(descriptor: Descriptor, opener: Opener) -> bytes:
    if descriptor.size > manifests.MAX_MANIFEST:
        raise ContentError(f"a manifest of {descriptor.size} bytes is not sent")
    content, reader = bytearray(descriptor.size), opener(0)
    view, filled = memoryview(content), 0
    try:
        while filled < len(content) and (count := reader.readinto(view[filled:])):
            filled += count
    finally:
        reader.close()
    return digests.verify(bytes(content[:filled]), descriptor.digest)
