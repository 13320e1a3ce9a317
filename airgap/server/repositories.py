# SPDX-License-Identifier: Apache-2.0
"""The manifests of each repository, in a store that has only names and digests.

A manifest is in a repository if a name of the store says so, or if it is a child of an index in the repository:
bundles and layouts of other programs have no names for children. The links of each manifest are cached by digest.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from airgap import bounded_json
from airgap.errors import AirgapError, ContentError, NotFound
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import MAX_STORED_MANIFEST, Manifest, parse
from airgap.server.catalogue import Catalogue, LinksCache, ManifestLinks
from airgap.server.naming import Naming, join_name
from airgap.server.problems import Problem, manifest_unknown, read_only
from airgap.store import Source, Store, SupportsBlobLookup, SupportsDelete, SupportsNames, fetch
from airgap.store.readers import read_verified, release_thread_buffer

#: JSON values of a manifest in a stranger's layout or bundle.
_MAX_VALUES = 262_144
#: The links of a manifest that cannot be read.
_UNREADABLE = ManifestLinks()


class Repositories:
    """Finds and lists manifests, and changes names if the store supports it and ``writable`` is true."""

    def __init__(self, store: Source, naming: Naming, *, writable: bool) -> None:
        self.store = store
        self.writable = writable
        self._naming = naming
        self._links_by_digest = LinksCache()
        self._catalogue = Catalogue({})
        # Repository and digest of deleted manifests: an index may still lead to one that another repository has too.
        self._deleted: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def writable_store(self) -> Store:
        """Return the store to push to; raise 405 if pushing is not allowed."""
        if not (self.writable and isinstance(self.store, Store)):
            raise read_only()
        return self.store

    def deletable_store(self) -> SupportsDelete:
        """Return the store to delete from; raise 405 if deleting is not allowed or possible."""
        if not self.writable:
            raise read_only()
        if not isinstance(self.store, SupportsDelete):
            raise Problem(405, "UNSUPPORTED", "this registry's store cannot delete", headers=[("Allow", "GET, HEAD")])
        return self.store

    def find(self, repository: str, reference: str, registry: str | None = None) -> Descriptor:
        """Return the descriptor of a tag or digest of a repository; raise MANIFEST_UNKNOWN."""
        candidates = self._naming.candidates(repository, registry)
        for candidate in candidates:
            try:
                descriptor = self.store.resolve(join_name(candidate, reference))
            except NotFound:
                continue
            if self.store.exists(descriptor):
                return self._with_media_type(descriptor)
        if ":" in reference:
            for candidate in candidates:
                reachable = self._reachable(candidate).get(reference)
                if reachable is not None and self.store.exists(reachable):
                    return self._with_media_type(reachable)
        raise manifest_unknown(reference)

    def find_blob(self, digest: str) -> Descriptor | None:
        """Return the descriptor of content of any repository, or ``None``. The names of the store are not read.

        A client that may push is told of the blob, so garbage collection will keep it for some time.
        """
        store = self.store
        if isinstance(store, SupportsBlobLookup):
            if self.writable and not store.renew(digest):
                return None
            size = store.blob_size(digest)
            return None if size is None else Descriptor("", digest, size)
        try:
            descriptor = store.resolve(digest)
        except NotFound:
            return None
        return descriptor if store.exists(descriptor) else None

    def read(self, descriptor: Descriptor) -> bytes:
        """Return the verified bytes of a manifest."""
        return fetch(self.store, descriptor, limit=MAX_STORED_MANIFEST)

    def verify(self, descriptor: Descriptor) -> None:
        """Read a manifest that is too large for memory; raise :class:`ContentError` if it is damaged."""
        if descriptor.size > MAX_STORED_MANIFEST:
            raise ContentError(tr("a manifest of {size:,} bytes", size=descriptor.size))
        reader = self.store.open(descriptor)
        try:
            read_verified(descriptor, reader, lambda piece, offset: None)
        finally:
            reader.close()
            release_thread_buffer()  # the client may read slowly

    def tags(self, repository: str, registry: str | None = None) -> list[str] | None:
        """Return the sorted tags of a repository, or ``None`` if there is no such repository."""
        return self._names().tags(tuple(self._naming.candidates(repository, registry)))

    def all(self) -> list[str]:
        """Return all repositories with a manifest, sorted."""
        return sorted({self._naming.public_name(stored) for stored in self._names().repositories})

    def referrers(self, repository: str, digest: str, registry: str | None = None) -> list[Descriptor]:
        """Return descriptors of the manifests of a repository whose subject is ``digest``, sorted by digest."""
        referrers: dict[str, Descriptor] = {}
        for candidate in self._naming.candidates(repository, registry):
            for descriptor in self._reachable(candidate).values():
                links = self._links(descriptor)
                if links.subject == digest and links.referrer and self.store.exists(descriptor):
                    referrers.setdefault(descriptor.digest, links.referrer)
        return [referrers[key] for key in sorted(referrers)]

    def name(self, descriptor: Descriptor, repository: str, tags: list[str]) -> Mapping[str, Descriptor | None]:
        """Add a pushed manifest to ``repository`` under its digest and ``tags``; return what these were before."""
        store = self.writable_store()
        with self._lock:
            names = [join_name(repository, identifier) for identifier in (descriptor.digest, *tags)]
            before = {name: self._names().names.get(name) for name in names}
            for name in names:
                store.tag(descriptor, name)
            if (repository, descriptor.digest) in self._deleted:
                self._deleted.discard((repository, descriptor.digest))
                self._catalogue.reachable.clear()
        return before

    def restore(self, names: Mapping[str, Descriptor | None]) -> None:
        """Make names what they were before, as :meth:`name` returned them."""
        store = self.writable_store()
        with self._lock:
            for name, descriptor in names.items():
                if descriptor is not None and store.exists(descriptor):
                    store.tag(descriptor, name)
                elif isinstance(store, SupportsDelete):
                    store.untag(name)

    def untag(self, repository: str, tag: str) -> None:
        """Remove a tag; the manifest is kept under its digest. Raise MANIFEST_UNKNOWN."""
        store = self.deletable_store()
        with self._lock:
            if tag not in self._names().repositories.get(repository, {}):
                raise manifest_unknown(tag)
            store.untag(join_name(repository, tag))

    def delete(self, repository: str, digest: str) -> None:
        """Remove a manifest and its tags from this repository; delete its content if no other repository has it."""
        store = self.deletable_store()
        with self._lock:
            self.find(repository, digest)
            names = self._names().by_digest.get(digest, [])
            for stored, identifier in names:
                if stored == repository:
                    store.untag(join_name(stored, identifier))
            if all(stored == repository for stored, _ in names):
                store.delete(digest)
            self._deleted.add((repository, digest))
            self._catalogue.reachable.clear()

    def needed_elsewhere(self, repository: str, digest: str) -> bool:
        """Whether an image of another repository needs this blob. Repositories share their blobs."""
        others = [stored for stored in self._names().repositories if stored != repository]
        return any(
            digest in self._links(manifest).blobs for other in others for manifest in self._reachable(other).values()
        )

    def is_manifest(self, digest: str) -> bool:
        """Whether any repository has this content as a manifest."""
        return digest in self._names().by_digest

    def _names(self) -> Catalogue:
        names: Mapping[str, Descriptor] = self.store.names() if isinstance(self.store, SupportsNames) else {}
        if names is not self._catalogue.names:
            self._catalogue = Catalogue(names)
        return self._catalogue

    def _reachable(self, stored: str) -> Mapping[str, Descriptor]:
        """Return the manifests that a repository's names lead to, by digest, indexes before their children."""
        catalogue = self._names()
        known = catalogue.reachable.get(stored)
        if known is not None:
            return known
        queue = list(catalogue.repositories.get(stored, {}).values())
        reachable: dict[str, Descriptor] = {}
        is_complete = True
        for descriptor in queue:  # the queue grows during the loop
            if descriptor.digest in reachable or (stored, descriptor.digest) in self._deleted:
                continue
            reachable[descriptor.digest] = descriptor
            links = self._links(descriptor)
            is_complete = is_complete and links is not _UNREADABLE
            queue.extend(child for child in links.children if child.digest not in reachable)
        if is_complete:  # otherwise a manifest may arrive that the names already lead to
            catalogue.reachable[stored] = reachable
        return reachable

    def _links(self, descriptor: Descriptor) -> ManifestLinks:
        links = self._links_by_digest.get(descriptor.digest)
        if links is None:
            try:
                manifest = self._parse(descriptor)
            except AirgapError:
                # It is missing, damaged, or not a manifest. That is not cached, since it may change.
                return _UNREADABLE
            referrer = Descriptor(
                manifest.descriptor.media_type,
                descriptor.digest,
                descriptor.size,
                annotations=manifest.annotations or {},
                artifact_type=manifest.artifact_type,
            )
            links = ManifestLinks(
                tuple({child.digest: child for child in manifest.children}.values()),
                frozenset(blob.digest for blob in manifest.blobs),
                manifest.subject.digest if manifest.subject else "",
                referrer if manifest.subject else None,
            )
            self._links_by_digest.put(descriptor.digest, links)
        return links

    def _parse(self, descriptor: Descriptor) -> Manifest:
        content = self.read(descriptor)
        document = bounded_json.loads(content, values=_MAX_VALUES)
        return parse(content, descriptor.media_type, document=document)

    def _with_media_type(self, descriptor: Descriptor) -> Descriptor:
        """Return the descriptor with its media type, read from the content if the store does not know it."""
        if descriptor.media_type:
            return descriptor
        try:
            media_type = self._parse(descriptor).descriptor.media_type
        except AirgapError:
            media_type = ""
        return Descriptor(media_type or "application/octet-stream", descriptor.digest, descriptor.size)


def check_digest(text: str) -> str:
    """Return ``text`` if it is a supported digest; raise DIGEST_INVALID otherwise."""
    reason = digests.problem(text)
    if reason:
        raise Problem(400, "DIGEST_INVALID", reason, {"digest": text[:160]})
    return text
