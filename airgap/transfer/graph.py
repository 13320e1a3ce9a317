# SPDX-License-Identifier: Apache-2.0
"""Finding what images consist of: their manifests, level by level, each digest read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from airgap.errors import AirgapError, ContentError, NotFound
from airgap.events import Noted, Sink, Warned
from airgap.oci import Descriptor, Platform
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.records import Record, field, replace
from airgap.store.protocols import Source
from airgap.store.readers import fetch
from airgap.transfer.pool import Stop, each

#: An index may hold indexes; nobody nests deeper, and a registry could make us walk without end.
MAX_DEPTH = 8
#: Image configs are JSON of a few KiB.
MAX_CONFIG = 8 * 1024 * 1024


@runtime_checkable
class ManifestSource(Protocol):
    """A source that gives a manifest in one request."""

    def manifest(self, name: str, /) -> Manifest: ...


@runtime_checkable
class ReferrerSource(Protocol):
    """A source that knows what refers to a manifest: signatures, SBOMs."""

    def referrers(self, digest: str, /) -> Sequence[Descriptor]: ...


class Destination(Record):
    """``tag`` is empty for what is only reachable by its digest."""

    repository: str
    tag: str = ""


class Root(Record):
    """One image to move: ``name`` (tag or digest) in ``source``, to one or more destinations.

    ``label`` is how people know it."""

    label: str
    source: str
    name: str
    destinations: tuple[Destination, ...] = ()


class Image(Record):
    """A root as it was found: ``resolved`` is what its name stands for, ``manifest`` what moves.

    ``referrer_of`` is the digest that this manifest speaks of where it came along as a referrer."""

    root: Root
    manifest: Manifest
    platforms: tuple[Platform, ...]
    resolved: Descriptor
    referrer_of: str = ""

    @property
    def derived_from(self) -> str:
        """The index that platforms were chosen from, or an empty string where nothing was left out."""
        return "" if self.resolved.digest == self.digest else self.resolved.digest

    @property
    def digest(self) -> str:
        return self.manifest.descriptor.digest


class Walk(Record, frozen=False):
    """Reads roots, what they lead to and what refers to them; ``manifests`` and ``small`` fill on the way."""

    sources: Mapping[str, Source]
    platforms: Sequence[Platform]
    jobs: int
    stop: Stop
    known_referrers: Mapping[str, Sequence[str]] | None = None
    manifests: dict[str, Manifest] = field(default_factory=dict)
    small: dict[str, bytes] = field(default_factory=dict)

    def root(self, root: Root) -> Image:
        source = self.sources[root.source]
        try:
            manifest = read_manifest(source, root.name)
            return self._chosen(root, source, manifest)
        except AirgapError as error:
            if error.where is None or root.label not in error.where:
                error.where = root.label if error.where is None else f"{root.label} at {error.where}"
            raise

    def _chosen(self, root: Root, source: Source, manifest: Manifest) -> Image:
        if not manifest.is_index:
            found = self._config_platform(source, manifest)
            if self.platforms and found is not None and not any(found.matches(p) for p in self.platforms):
                raise NotFound(
                    f"is for {found} alone, not for {', '.join(map(str, self.platforms))}",
                    hint="choose another tag for this image, or leave --platform out",
                )
            return Image(root, manifest, (found,) if found else (), manifest.descriptor)
        known = tuple(dict.fromkeys(c.platform for c in manifest.children if c.platform and c.platform.is_known))
        if not self.platforms or not known:
            return Image(root, manifest, known, manifest.descriptor)
        kept = manifests.select_platforms(manifest, self.platforms)
        index = manifest.descriptor
        kept_platforms = tuple(dict.fromkeys(c.platform for c in kept if c.platform and c.platform.is_known))
        if len(self.platforms) == 1:
            child = next(child for child in kept if not manifests.attested_digest(child))
            return Image(root, read_manifest(source, child.digest), kept_platforms, index)
        if len(kept) == len(manifest.children):
            return Image(root, manifest, known, index)
        return Image(root, manifests.filter_index(manifest, kept), kept_platforms, index)

    def _config_platform(self, source: Source, manifest: Manifest) -> Platform | None:
        config = manifest.config
        if config is None or not manifest.is_container_image:
            return None
        if config.digest not in self.small:
            self.small[config.digest] = fetch(source, config, limit=MAX_CONFIG)
        return manifests.config_platform(self.small[config.digest])

    def descend(self, images: list[Image], failures: list[tuple[Root, AirgapError]]) -> list[Image]:
        """Read all children, level by level; images whose children fail move to ``failures``."""
        lost: dict[str, AirgapError] = {}
        level = [(image.root, image.manifest) for image in images]
        for depth in range(MAX_DEPTH + 1):
            wanted: dict[str, tuple[Root, Descriptor]] = {}
            for root, manifest in level:
                self.manifests[manifest.descriptor.digest] = manifest
                for child in manifest.children:
                    if child.digest not in self.manifests and child.digest not in lost:
                        wanted.setdefault(child.digest, (root, child))
            if not wanted:
                break
            if depth == MAX_DEPTH:
                too_deep = ContentError(f"indexes are nested more than {MAX_DEPTH} deep")
                lost.update(dict.fromkeys(wanted, too_deep))
                break
            read = each(wanted.values(), self._child, jobs=self.jobs, stop=self.stop, keep_going=True)
            level = []
            for (root, child), manifest_or_error in zip(wanted.values(), read, strict=True):
                if isinstance(manifest_or_error, AirgapError):
                    lost[child.digest] = manifest_or_error
                else:
                    level.append((root, manifest_or_error))
        kept = []
        for image in images:
            error = self._lost_below(image.manifest, lost, set())
            if error is None:
                kept.append(image)
            else:
                failures.append((image.root, error))
        return kept

    def _child(self, item: tuple[Root, Descriptor]) -> Manifest:
        root, descriptor = item
        manifest = read_manifest(self.sources[root.source], descriptor.digest)
        if manifest.descriptor.size != descriptor.size:
            raise ContentError(
                f"{descriptor.digest} has {manifest.descriptor.size} bytes, its index says {descriptor.size}",
                where=root.label,
            )
        return manifest

    def _lost_below(self, manifest: Manifest, lost: Mapping[str, AirgapError], seen: set[str]) -> AirgapError | None:
        for child in manifest.children:
            if child.digest in seen:
                continue  # indexes that list one child a thousand times, eight deep, would never end
            seen.add(child.digest)
            if child.digest in lost:
                return lost[child.digest]
            if child.digest in self.manifests:
                error = self._lost_below(self.manifests[child.digest], lost, seen)
                if error is not None:
                    return error
        return None

    def referrers(self, images: Sequence[Image], emit: Sink) -> list[Image]:
        """Signatures and the like of ``images``, and of these again."""
        found: list[Image] = []
        seen = {image.digest for image in images}
        asked = list(images)
        for _ in range(3):
            results = each(
                asked, lambda image: self._referrers_of(image, emit), jobs=self.jobs, stop=self.stop, keep_going=True
            )
            asked_next: list[Image] = []
            for image, result in zip(asked, results, strict=True):
                if isinstance(result, AirgapError):
                    emit(Warned(f"{image.root.label}: its signatures could not be asked for ({result})"))
                    continue
                asked_next += [referrer for referrer in result if referrer.digest not in seen]
                seen.update(referrer.digest for referrer in result)
            found += asked_next
            asked = asked_next
            if not asked:
                break
        return found

    def _referrers_of(self, image: Image, emit: Sink) -> list[Image]:
        source = self.sources[image.root.source]
        if not isinstance(source, ReferrerSource):
            return []
        if self.known_referrers is None and image.derived_from and source.referrers(image.derived_from):
            emit(Noted(f"{image.root.label}: signatures of the whole index do not fit, and stay behind"))
        destinations = tuple(dict.fromkeys(replace(d, tag="") for d in image.root.destinations))
        found = []
        if self.known_referrers is None:
            digests = [descriptor.digest for descriptor in source.referrers(image.digest)]
        else:
            digests = list(self.known_referrers.get(image.digest, ()))
        for digest in digests:
            root = Root(image.root.label, image.root.source, digest, destinations)
            manifest = read_manifest(source, digest)
            if missing := [blob.digest for blob in manifest.blobs if not source.exists(blob)]:
                emit(Warned(f"{image.root.label}: a referrer stays behind, the registry lacks its {missing[0]}"))
                continue
            found.append(Image(root, manifest, (), manifest.descriptor, image.digest))
        return found


def read_manifest(source: Source, name: str) -> Manifest:
    """A manifest by tag or digest from any source."""
    if isinstance(source, ManifestSource):
        return source.manifest(name)
    descriptor = source.resolve(name)
    content = fetch(source, descriptor, limit=manifests.MAX_MANIFEST)
    manifest = manifests.parse(content, descriptor.media_type)
    return replace(manifest, descriptor=replace(manifest.descriptor, digest=descriptor.digest))
