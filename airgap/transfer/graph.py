# SPDX-License-Identifier: Apache-2.0
"""The graph below images: roots resolved, manifests read level by level, each digest once, and referrers."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence

from airgap import bounded_json, limits
from airgap.errors import AirgapError, ContentError, NotFound
from airgap.events import Noted, Sink, Warned
from airgap.i18n import tr
from airgap.oci import Descriptor, Platform
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.records import Record, field, replace
from airgap.store.protocols import Source
from airgap.store.readers import fetch
from airgap.transfer.budget import FailureCount, MemoryBudget
from airgap.transfer.pool import CancelToken, parallel_map
from airgap.transfer.sources import ManifestSource, PartialSource, ReferrerSource, SignatureTagSource, SparseSource

#: How deep indexes may be nested. Nobody nests that deep, and a hostile registry could nest without end.
MAX_DEPTH = 8
#: Signatures of signatures of signatures: how many levels of referrers are asked for.
_REFERRER_LEVELS = 3


class Destination(Record):
    """A repository of the target, and a tag there; ``tag`` is empty for what is reachable only by its digest."""

    repository: str
    tag: str = ""


class Root(Record):
    """One image to move: ``name`` (tag or digest) in ``source``, to one or more destinations.

    ``label`` is what messages call it. A ``companion`` comes along with an image, such as a signature, and is not
    counted as one.
    """

    label: str
    source: str
    name: str
    destinations: tuple[Destination, ...] = ()
    companion: bool = False


class Image(Record):
    """A resolved root: ``resolved`` is what its name stands for, ``manifest`` is what moves.

    ``referrer_of`` is the digest of the subject, for an image that comes along as a referrer, and ``referrer_tag`` the
    tag by which it is found, if that is how it is found.
    """

    root: Root
    manifest: Manifest
    platforms: tuple[Platform, ...]
    resolved: Descriptor
    referrer_of: str = ""
    referrer_tag: str = ""

    @property
    def derived_from(self) -> str:
        """The digest of the index that platforms were chosen from; empty where nothing was left out."""
        return "" if self.resolved.digest == self.digest else self.resolved.digest

    @property
    def digest(self) -> str:
        """The digest of the manifest that moves."""
        return self.manifest.descriptor.digest


class GraphReader(Record, frozen=False):
    """Reads roots, their children and their referrers. ``manifests`` and ``inline_blobs`` (configs) fill meanwhile.

    ``platforms`` are those to keep of each index, all if empty. An index of which not all are kept becomes a new one,
    or, if ``sparse``, stays as it is, without the images that are not kept. ``known_referrers``, by the digest of their
    subject, and ``known_referrer_tags``, the tags of some of them by digest, are used instead of asking the source.
    """

    sources: Mapping[str, Source]
    platforms: Sequence[Platform]
    workers: int
    cancel: CancelToken
    known_referrers: Mapping[str, Sequence[str]] | None = None
    manifests: dict[str, Manifest] = field(default_factory=dict)
    inline_blobs: dict[str, bytes] = field(default_factory=dict)
    budget: MemoryBudget = field(default_factory=lambda: MemoryBudget(1))
    known_referrer_tags: Mapping[str, str] = field(default_factory=dict)
    sparse: bool = False
    #: Children of sparse indexes that are kept, and those that are not, by digest; each may be a child of several.
    kept: set[str] = field(default_factory=set)
    not_kept: set[str] = field(default_factory=set)

    def resolve(self, root: Root) -> Image:
        """Read the manifest of a root and choose its platforms. Errors say which image they are about."""
        source = self.sources[root.source]
        try:
            manifest = self._read(source, root.name)
            return self._choose_platforms(root, source, manifest)
        except AirgapError as error:
            if error.where is None or root.label not in error.where:
                error.where = (
                    root.label if error.where is None else tr("{label} at {where}", label=root.label, where=error.where)
                )
            raise

    def read_children(self, images: list[Image], failures: list[tuple[Root, AirgapError]]) -> list[Image]:
        """Read all manifests below ``images``, level by level. Images with an unreadable child go to ``failures``; the
        others are returned."""
        unreadable: dict[str, AirgapError] = {}
        failure_count = FailureCount()
        level = [(image.root, image.manifest) for image in images]
        for depth in range(MAX_DEPTH + 1):
            unread: dict[str, tuple[Root, Descriptor]] = {}
            for root, manifest in level:
                self.manifests[manifest.descriptor.digest] = manifest
                absent = self._absent_children(self.sources[root.source])
                for child in manifest.children:
                    if child.digest in absent:
                        continue
                    if child.digest not in self.manifests and child.digest not in unreadable:
                        unread.setdefault(child.digest, (root, child))
            if not unread:
                break
            if depth == MAX_DEPTH:
                too_deep = ContentError(tr("indexes are nested more than {max_depth} deep", max_depth=MAX_DEPTH))
                unreadable.update(dict.fromkeys(unread, too_deep))
                break
            results = parallel_map(
                unread.values(),
                lambda item: failure_count.run(item[0], lambda: self._read_child(item)),
                workers=self.workers,
                cancel=self.cancel,
                keep_going=True,
            )
            level = []
            for (root, child), result in zip(unread.values(), results, strict=True):
                if isinstance(result, AirgapError):
                    unreadable[child.digest] = result
                else:
                    level.append((root, result))
        readable = []
        for image in images:
            error = self._error_below(image.manifest, unreadable, set())
            if error is None:
                readable.append(image)
                continue
            if failure_count.is_exhausted(image.root):
                error = copy.copy(error)
                error.what = tr(
                    "{what}; after {failures} failures nothing more of this image was read",
                    what=error.what,
                    failures=failure_count.limit,
                )
            failures.append((image.root, error))
        return readable

    def _absent_children(self, source: Source) -> Collection[str]:
        """The digests of manifests that indexes list, and that are not read."""
        absent = source.absent_manifests if isinstance(source, SparseSource) else ()
        return {*absent, *(self.not_kept - self.kept)}

    def _read(self, source: Source, name: str) -> Manifest:
        manifest = read_manifest(source, name)
        self.budget.add_manifest(manifest)
        return manifest

    def referrers(self, images: Sequence[Image], emit: Sink) -> list[Image]:
        """The signatures and the like of ``images``, and of these again. A source that cannot tell is a warning."""
        referrers: list[Image] = []
        seen = {image.digest for image in images}
        subjects = list(images)
        for _ in range(_REFERRER_LEVELS):
            results = parallel_map(
                subjects,
                lambda image: self._referrers_of(image, emit),
                workers=self.workers,
                cancel=self.cancel,
                keep_going=True,
            )
            next_subjects: list[Image] = []
            for image, result in zip(subjects, results, strict=True):
                if isinstance(result, AirgapError):
                    emit(
                        Warned(
                            tr(
                                "{label}: its signatures could not be asked for ({result})",
                                label=image.root.label,
                                result=result,
                            )
                        )
                    )
                    continue
                next_subjects += [referrer for referrer in result if referrer.digest not in seen]
                seen.update(referrer.digest for referrer in result)
            referrers += next_subjects
            subjects = next_subjects
            if not subjects:
                break
        return referrers

    def _choose_platforms(self, root: Root, source: Source, manifest: Manifest) -> Image:
        if not manifest.is_index:
            platform = self._config_platform(source, manifest)
            if self.platforms and platform is not None and not any(platform.matches(p) for p in self.platforms):
                raise NotFound(
                    tr(
                        "is for {platform} alone, not for {requested}",
                        platform=platform,
                        requested=", ".join(map(str, self.platforms)),
                    ),
                    hint=tr("choose another tag for this image, or leave --platform out"),
                )
            return Image(root, manifest, (platform,) if platform else (), manifest.descriptor)
        platforms = _known_platforms(manifest.children)
        wanted = self.platforms or (source.held_platforms(manifest) if isinstance(source, PartialSource) else ())
        if not wanted or not platforms:
            return Image(root, manifest, platforms, manifest.descriptor)
        kept = manifests.select_platforms(manifest, wanted)
        index = manifest.descriptor
        kept_platforms = _known_platforms(kept)
        if self.sparse:
            self.kept.update(child.digest for child in kept)
            self.not_kept.update(child.digest for child in manifest.children)
            return Image(root, manifest, kept_platforms, index)
        if len(wanted) == 1:
            child = next(child for child in kept if not manifests.attested_digest(child))
            return Image(root, self._read(source, child.digest), kept_platforms, index)
        if len(kept) == len(manifest.children):
            return Image(root, manifest, platforms, index)
        return Image(root, manifests.filter_index(manifest, kept), kept_platforms, index)

    def _config_platform(self, source: Source, manifest: Manifest) -> Platform | None:
        config = manifest.config
        if config is None or not manifest.is_container_image:
            return None
        with bounded_json.one_at_a_time(config.size):  # many images at once may have the same large one
            if config.digest not in self.inline_blobs:
                self.budget.add(config.digest, config.size)
                self.inline_blobs[config.digest] = fetch(source, config, limit=limits.value("config-bytes"))
        return manifests.config_platform(self.inline_blobs[config.digest])

    def _read_child(self, item: tuple[Root, Descriptor]) -> Manifest:
        root, descriptor = item
        manifest = self._read(self.sources[root.source], descriptor.digest)
        if manifest.descriptor.size != descriptor.size:
            raise ContentError(
                tr(
                    "{digest} has {size} bytes, its index says {descriptor_size}",
                    digest=descriptor.digest,
                    size=manifest.descriptor.size,
                    descriptor_size=descriptor.size,
                ),
                where=root.label,
            )
        return manifest

    def _error_below(
        self, manifest: Manifest, unreadable: Mapping[str, AirgapError], seen: set[str]
    ) -> AirgapError | None:
        for child in manifest.children:
            if child.digest in seen:
                continue  # indexes that list one child a thousand times, eight deep, would take forever
            seen.add(child.digest)
            if child.digest in unreadable:
                return unreadable[child.digest]
            if child.digest in self.manifests:
                error = self._error_below(self.manifests[child.digest], unreadable, seen)
                if error is not None:
                    return error
        return None

    def _referrers_of(self, image: Image, emit: Sink) -> list[Image]:
        source = self.sources[image.root.source]
        if not isinstance(source, ReferrerSource):
            return []
        if self.known_referrers is None and image.derived_from and self._find_referrers(source, image.derived_from):
            emit(
                Noted(
                    tr(
                        "{label}: signatures of the whole index are left out: only some platforms were chosen "
                        "(--sparse keeps the index)",
                        label=image.root.label,
                    )
                )
            )
        subjects = [image.digest]
        if not image.referrer_of:
            # Of an index each image may be signed too, but nobody signs BuildKit's attestations.
            children = [child for child in image.manifest.children if child.digest in self.manifests]
            subjects += [child.digest for child in children if not manifests.attested_digest(child)]
        referrers: list[Image] = []
        for subject in dict.fromkeys(subjects):
            if self.known_referrers is None:
                found = self._find_referrers(source, subject, tags=not image.referrer_of)
            else:
                known = self.known_referrers.get(subject, ())
                found = {digest: self.known_referrer_tags.get(digest, "") for digest in known}
            for digest, tag in found.items():
                referrer = self._read_referrer(image, subject, digest, tag, emit)
                if referrer is not None:
                    referrers.append(referrer)
        return referrers

    def _find_referrers(self, source: ReferrerSource, subject: str, *, tags: bool = True) -> dict[str, str]:
        """The digests of what refers to ``subject``, each with the tag by which it is found, or an empty string."""
        found = {descriptor.digest: "" for descriptor in source.referrers(subject)}
        if tags and isinstance(source, SignatureTagSource):
            found |= {digest: tag for tag, digest in source.signature_tags(subject).items() if digest not in found}
        return found

    def _read_referrer(self, image: Image, subject: str, digest: str, tag: str, emit: Sink) -> Image | None:
        source = self.sources[image.root.source]
        destinations = tuple(dict.fromkeys(replace(place, tag="") for place in image.root.destinations))
        root = Root(image.root.label, image.root.source, digest, destinations, companion=True)
        manifest = self._read(source, digest)
        if missing := [blob.digest for blob in manifest.blobs if not source.exists(blob)]:
            emit(
                Warned(
                    tr(
                        "{label}: a referrer stays behind, the registry lacks its {missing}",
                        label=image.root.label,
                        missing=missing[0],
                    )
                )
            )
            return None
        return Image(root, manifest, (), manifest.descriptor, subject, tag)


def read_manifest(source: Source, name: str) -> Manifest:
    """Read a manifest by tag or digest from any source."""
    if isinstance(source, ManifestSource):
        return source.manifest(name)
    descriptor = source.resolve(name)
    content = fetch(source, descriptor, limit=limits.value("manifest-bytes"))
    manifest = manifests.parse(content, descriptor.media_type)
    return replace(manifest, descriptor=replace(manifest.descriptor, digest=descriptor.digest))


def _known_platforms(children: Sequence[Descriptor]) -> tuple[Platform, ...]:
    """The platforms of an index's children, each once, without attestations (``unknown/unknown``)."""
    return tuple(dict.fromkeys(child.platform for child in children if child.platform and child.platform.is_known))
