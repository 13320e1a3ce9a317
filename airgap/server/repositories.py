# SPDX-License-Identifier: Apache-2.0
"""Manifests by repository, over a store that only knows names and digests.

A manifest is in a repository if one of the store's names says so, or if it is a child of an index that
is: bundles and foreign layouts do not name children. Manifests are parsed once and remembered by digest,
which is safe because content never changes under its digest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

from airgap.errors import AirgapError, NotFound
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import MAX_MANIFEST, parse
from airgap.records import Record
from airgap.server.naming import Naming, join, split
from airgap.server.problems import Problem, manifest_unknown, read_only
from airgap.store import Source, Store, SupportsDelete, SupportsNames, fetch


class Known(Record):
    """What is remembered of one manifest: the parts that discovery needs, not its bytes."""

    children: tuple[Descriptor, ...] = ()
    blobs: frozenset[str] = frozenset()
    subject: str = ""
    referrer: Descriptor | None = None


class Repositories:
    """Looks manifests up, lists them, and writes names where the store can and ``writable`` allows it."""

    def __init__(self, store: Source, naming: Naming, *, writable: bool) -> None:
        self.store = store
        self.writable = writable
        self._naming = naming
        self._known: dict[str, Known] = {}
        # Deleted here, though an index that stays may still lead to it while another repository keeps the bytes.
        self._deleted: set[tuple[str, str]] = set()
        self._changing = threading.Lock()

    def target(self) -> Store:
        """The store to push to; raise 405 where pushing is not allowed."""
        if not (self.writable and isinstance(self.store, Store)):
            raise read_only()
        return self.store

    def eraser(self) -> SupportsDelete:
        """The store to delete from; raise 405 where deleting is not allowed."""
        if not self.writable:
            raise read_only()
        if not isinstance(self.store, SupportsDelete):
            raise Problem(405, "UNSUPPORTED", "this registry's store cannot delete", headers=[("Allow", "GET, HEAD")])
        return self.store

    def find(self, repository: str, reference: str, registry: str | None = None) -> Descriptor:
        """The descriptor behind a tag or digest of a repository; raise MANIFEST_UNKNOWN."""
        stored = self._naming.candidates(repository, registry)
        for candidate in stored:
            try:
                found = self.store.resolve(join(candidate, reference))
            except NotFound:
                continue
            if self.store.exists(found):
                return self._typed(found)
        if ":" in reference:
            for candidate in stored:
                for descriptor in self._reachable(candidate):
                    if descriptor.digest == reference and self.store.exists(descriptor):
                        return self._typed(descriptor)
        raise manifest_unknown(reference)

    def read(self, descriptor: Descriptor) -> bytes:
        """A manifest's bytes, verified."""
        return fetch(self.store, descriptor, limit=MAX_MANIFEST)

    def tags(self, repository: str, registry: str | None = None) -> list[str] | None:
        """The tags of a repository in order of their characters; ``None`` if there is no such repository."""
        wanted = set(self._naming.candidates(repository, registry))
        found = [identifier for stored, identifier, _ in self._names() if stored in wanted]
        return sorted({identifier for identifier in found if ":" not in identifier}) if found else None

    def all(self) -> list[str]:
        """Every repository that has a manifest, in order of characters."""
        return sorted({self._naming.shown(stored) for stored, _, _ in self._names()})

    def referrers(self, repository: str, digest: str, registry: str | None = None) -> list[Descriptor]:
        """The manifests of a repository whose subject is ``digest``, as the referrers list describes them."""
        found: dict[str, Descriptor] = {}
        for candidate in self._naming.candidates(repository, registry):
            for descriptor in self._reachable(candidate):
                known = self._look(descriptor)
                if known.subject == digest and known.referrer and self.store.exists(descriptor):
                    found.setdefault(descriptor.digest, known.referrer)
        return [found[key] for key in sorted(found)]

    def name(self, descriptor: Descriptor, repository: str, tags: list[str]) -> None:
        """Make content that was pushed a manifest of ``repository``, by its digest and by ``tags``."""
        store = self.target()
        with self._changing:
            for identifier in (descriptor.digest, *tags):
                store.tag(descriptor, join(repository, identifier))
            self._deleted.discard((repository, descriptor.digest))

    def untag(self, repository: str, tag: str) -> None:
        """Forget a tag; the manifest stays reachable by its digest. Raise MANIFEST_UNKNOWN."""
        eraser = self.eraser()
        with self._changing:
            if (repository, tag) not in {(stored, identifier) for stored, identifier, _ in self._names()}:
                raise manifest_unknown(tag)
            eraser.untag(join(repository, tag))

    def delete(self, repository: str, digest: str) -> None:
        """Forget a manifest with all its tags in this repository; its bytes go when no repository has it."""
        eraser = self.eraser()
        with self._changing:
            self.find(repository, digest)
            names = [(stored, identifier) for stored, identifier, named in self._names() if named.digest == digest]
            for stored, identifier in names:
                if stored == repository:
                    eraser.untag(join(stored, identifier))
            if all(stored == repository for stored, _ in names):
                eraser.delete(digest)
            self._deleted.add((repository, digest))

    def needed_elsewhere(self, repository: str, digest: str) -> bool:
        """Whether an image of another repository needs this blob: all of them share one."""
        others = {stored for stored, _, _ in self._names() if stored != repository}
        return any(digest in self._look(manifest).blobs for other in others for manifest in self._reachable(other))

    def is_manifest(self, digest: str) -> bool:
        """Whether some repository has this content as a manifest."""
        return any(named.digest == digest for _, _, named in self._names())

    def _names(self) -> Iterator[tuple[str, str, Descriptor]]:
        names: Mapping[str, Descriptor] = self.store.names() if isinstance(self.store, SupportsNames) else {}
        for name, descriptor in names.items():
            repository, identifier = split(name)
            if repository:
                yield repository, identifier, descriptor

    def _reachable(self, stored: str) -> Iterator[Descriptor]:
        """The manifests that a repository's names lead to, each digest once, indexes before their children."""
        waiting = [descriptor for repository, _, descriptor in self._names() if repository == stored]
        seen: set[str] = set()
        for descriptor in waiting:  # grows while it is walked
            if descriptor.digest in seen or (stored, descriptor.digest) in self._deleted:
                continue
            seen.add(descriptor.digest)
            yield descriptor
            waiting.extend(self._look(descriptor).children)

    def _look(self, descriptor: Descriptor) -> Known:
        known = self._known.get(descriptor.digest)
        if known is None:
            try:
                manifest = parse(self.read(descriptor), descriptor.media_type)
            except AirgapError:
                # Not here (yet), damaged, or no manifest at all: it leads nowhere, and the next look may differ.
                return Known()
            referrer = Descriptor(
                manifest.descriptor.media_type,
                descriptor.digest,
                descriptor.size,
                annotations=manifest.annotations or {},
                artifact_type=manifest.artifact_type,
            )
            known = Known(
                manifest.children,
                frozenset(blob.digest for blob in manifest.blobs),
                manifest.subject.digest if manifest.subject else "",
                referrer if manifest.subject else None,
            )
            self._known[descriptor.digest] = known
        return known

    def _typed(self, descriptor: Descriptor) -> Descriptor:
        """The descriptor with its media type, read from the content where no name says it."""
        if descriptor.media_type:
            return descriptor
        try:
            media_type = parse(self.read(descriptor)).descriptor.media_type
        except AirgapError:
            media_type = ""
        return Descriptor(media_type or "application/octet-stream", descriptor.digest, descriptor.size)


def check_digest(text: str) -> str:
    """Return ``text`` if it is a digest that can be verified; raise DIGEST_INVALID."""
    reason = digests.problem(text)
    if reason:
        raise Problem(400, "DIGEST_INVALID", reason, {"digest": text[:160]})
    return text
