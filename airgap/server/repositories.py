# SPDX-License-Identifier: Apache-2.0
"""The manifests of each repository, in a store that has only names and digests.

A manifest is in a repository if a name of the store says so, or if it is a child of an index in the repository:
bundles and layouts of other programs have no names for children. The links of each manifest are cached by digest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

from airgap.errors import AirgapError, NotFound
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import MAX_MANIFEST, parse
from airgap.records import Record
from airgap.server.naming import Naming, join_name, split_name
from airgap.server.problems import Problem, manifest_unknown, read_only
from airgap.store import Source, Store, SupportsDelete, SupportsNames, fetch


class ManifestLinks(Record):
    """The cached part of a manifest: what it refers to. ``referrer`` is its entry in a list of referrers."""

    children: tuple[Descriptor, ...] = ()
    blobs: frozenset[str] = frozenset()
    subject: str = ""
    referrer: Descriptor | None = None


class Repositories:
    """Finds and lists manifests, and changes names if the store supports it and ``writable`` is true."""

    def __init__(self, store: Source, naming: Naming, *, writable: bool) -> None:
        self.store = store
        self.writable = writable
        self._naming = naming
        self._links_by_digest: dict[str, ManifestLinks] = {}
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
                for descriptor in self._reachable(candidate):
                    if descriptor.digest == reference and self.store.exists(descriptor):
                        return self._with_media_type(descriptor)
        raise manifest_unknown(reference)

    def read(self, descriptor: Descriptor) -> bytes:
        """Return the verified bytes of a manifest."""
        return fetch(self.store, descriptor, limit=MAX_MANIFEST)

    def tags(self, repository: str, registry: str | None = None) -> list[str] | None:
        """Return the sorted tags of a repository, or ``None`` if there is no such repository."""
        candidates = set(self._naming.candidates(repository, registry))
        identifiers = [identifier for stored, identifier, _ in self._names() if stored in candidates]
        return sorted({identifier for identifier in identifiers if ":" not in identifier}) if identifiers else None

    def all(self) -> list[str]:
        """Return all repositories with a manifest, sorted."""
        return sorted({self._naming.public_name(stored) for stored, _, _ in self._names()})

    def referrers(self, repository: str, digest: str, registry: str | None = None) -> list[Descriptor]:
        """Return descriptors of the manifests of a repository whose subject is ``digest``, sorted by digest."""
        referrers: dict[str, Descriptor] = {}
        for candidate in self._naming.candidates(repository, registry):
            for descriptor in self._reachable(candidate):
                links = self._links(descriptor)
                if links.subject == digest and links.referrer and self.store.exists(descriptor):
                    referrers.setdefault(descriptor.digest, links.referrer)
        return [referrers[key] for key in sorted(referrers)]

    def name(self, descriptor: Descriptor, repository: str, tags: list[str]) -> None:
        """Add a pushed manifest to ``repository`` under its digest and ``tags``."""
        store = self.writable_store()
        with self._lock:
            for identifier in (descriptor.digest, *tags):
                store.tag(descriptor, join_name(repository, identifier))
            self._deleted.discard((repository, descriptor.digest))

    def untag(self, repository: str, tag: str) -> None:
        """Remove a tag; the manifest is kept under its digest. Raise MANIFEST_UNKNOWN."""
        store = self.deletable_store()
        with self._lock:
            if (repository, tag) not in {(stored, identifier) for stored, identifier, _ in self._names()}:
                raise manifest_unknown(tag)
            store.untag(join_name(repository, tag))

    def delete(self, repository: str, digest: str) -> None:
        """Remove a manifest and its tags from this repository; delete its content if no other repository has it."""
        store = self.deletable_store()
        with self._lock:
            self.find(repository, digest)
            names = [(stored, identifier) for stored, identifier, named in self._names() if named.digest == digest]
            for stored, identifier in names:
                if stored == repository:
                    store.untag(join_name(stored, identifier))
            if all(stored == repository for stored, _ in names):
                store.delete(digest)
            self._deleted.add((repository, digest))

    def needed_elsewhere(self, repository: str, digest: str) -> bool:
        """Whether an image of another repository needs this blob. Repositories share their blobs."""
        others = {stored for stored, _, _ in self._names() if stored != repository}
        return any(digest in self._links(manifest).blobs for other in others for manifest in self._reachable(other))

    def is_manifest(self, digest: str) -> bool:
        """Whether any repository has this content as a manifest."""
        return any(named.digest == digest for _, _, named in self._names())

    def _names(self) -> Iterator[tuple[str, str, Descriptor]]:
        names: Mapping[str, Descriptor] = self.store.names() if isinstance(self.store, SupportsNames) else {}
        for name, descriptor in names.items():
            repository, identifier = split_name(name)
            if repository:
                yield repository, identifier, descriptor

    def _reachable(self, stored: str) -> Iterator[Descriptor]:
        """Yield the manifests that a repository's names lead to, each once, indexes before their children."""
        queue = [descriptor for repository, _, descriptor in self._names() if repository == stored]
        seen: set[str] = set()
        for descriptor in queue:  # the queue grows during the loop
            if descriptor.digest in seen or (stored, descriptor.digest) in self._deleted:
                continue
            seen.add(descriptor.digest)
            yield descriptor
            queue.extend(self._links(descriptor).children)

    def _links(self, descriptor: Descriptor) -> ManifestLinks:
        links = self._links_by_digest.get(descriptor.digest)
        if links is None:
            try:
                manifest = parse(self.read(descriptor), descriptor.media_type)
            except AirgapError:
                # It is missing, damaged, or not a manifest. That is not cached, since it may change.
                return ManifestLinks()
            referrer = Descriptor(
                manifest.descriptor.media_type,
                descriptor.digest,
                descriptor.size,
                annotations=manifest.annotations or {},
                artifact_type=manifest.artifact_type,
            )
            links = ManifestLinks(
                manifest.children,
                frozenset(blob.digest for blob in manifest.blobs),
                manifest.subject.digest if manifest.subject else "",
                referrer if manifest.subject else None,
            )
            self._links_by_digest[descriptor.digest] = links
        return links

    def _with_media_type(self, descriptor: Descriptor) -> Descriptor:
        """Return the descriptor with its media type, read from the content if the store does not know it."""
        if descriptor.media_type:
            return descriptor
        try:
            media_type = parse(self.read(descriptor)).descriptor.media_type
        except AirgapError:
            media_type = ""
        return Descriptor(media_type or "application/octet-stream", descriptor.digest, descriptor.size)


def check_digest(text: str) -> str:
    """Return ``text`` if it is a supported digest; raise DIGEST_INVALID otherwise."""
    reason = digests.problem(text)
    if reason:
        raise Problem(400, "DIGEST_INVALID", reason, {"digest": text[:160]})
    return text
