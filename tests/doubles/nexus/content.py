# SPDX-License-Identifier: Apache-2.0
"""What one repository holds: blobs shared by all its images, manifests and tags by image name, open uploads.

All state is behind the double's one lock; nothing here speaks HTTP.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass, field

from tests.doubles.nexus.settings import Repository


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Raises :class:`ValueError` for an algorithm that hashlib does not know."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@dataclass
class Blob:
    """``images`` are the names under which it came; ``lost`` is a record whose bytes are gone (np#264)."""

    content: bytes = field(repr=False)
    media_type: str
    number: int
    images: set[str] = field(default_factory=set)
    modified: float = field(default_factory=time.time)
    lost: bool = False


@dataclass(frozen=True)
class Manifest:
    content: bytes = field(repr=False)
    media_type: str
    modified: float


@dataclass
class Session:
    """``number`` tells what was committed before it opened."""

    image: str
    number: int
    data: bytearray = field(default_factory=bytearray, repr=False)
    patches: int = 0


class Content:
    """A repository with its state. ``online``, ``write_policy`` and the rest of ``settings`` may be changed by tests
    and by REST, through :func:`dataclasses.replace`."""

    def __init__(self, settings: Repository) -> None:
        self.settings = settings
        #: The connector's port as the settings name it; it may be dead.
        self.http_port: int | None = None
        self.https_port: int | None = None
        self.blobs: dict[str, Blob] = {}
        self.manifests: dict[tuple[str, str], Manifest] = {}
        #: By image and tag: the manifest's digest and when (the double's clock) it was set.
        self.tagged: dict[tuple[str, str], tuple[str, float]] = {}
        self.uploads: dict[str, Session] = {}
        #: Files of formats other than docker, by path.
        self.files: dict[str, bytes] = {}
        #: How often an index of format apt was asked for.
        self.index_requests = 0
        self._number = 0

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def tags(self) -> dict[str, dict[str, str]]:
        """For each image its tags with the digests that they name."""
        tags_by_image: dict[str, dict[str, str]] = {}
        for (image, tag), (digest, _) in sorted(self.tagged.items()):
            tags_by_image.setdefault(image, {})[tag] = digest
        return tags_by_image

    @property
    def images(self) -> list[str]:
        """The catalog: names with at least one manifest."""
        return sorted({image for image, _ in self.manifests})

    @property
    def components(self) -> int:
        """One tag is one component; digest-only manifests are none (section 2, section 6)."""
        return len(self.tagged) + len(self.files)

    def lose(self, digest: str) -> None:
        """Keep the record of a blob and forget its bytes: HEAD says 200, a manifest that needs it is refused."""
        self.blobs[digest].lost = True

    def open_session(self, image: str) -> str:
        name = str(uuid.uuid4())
        self.uploads[name] = Session(image, self._number)
        return name

    def keep(self, image: str, digest: str, content: bytes, media_type: str) -> None:
        self._number += 1
        images = self.blobs[digest].images if digest in self.blobs else set()
        self.blobs[digest] = Blob(content, media_type, self._number, {*images, image})

    def came_meanwhile(self, session: Session, digest: str) -> bool:
        """Whether somebody else committed this blob after ``session`` had opened (39)."""
        blob = self.blobs.get(digest)
        return blob is not None and not blob.lost and blob.number > session.number

    def has(self, image: str, digest: str, shared: bool) -> Blob | None:
        """The blob, under any image name (23) or, not ``shared``, under the one that brought it."""
        blob = self.blobs.get(digest)
        return blob if blob is not None and (shared or image in blob.images) else None

    def resolve(self, image: str, reference: str) -> tuple[str, Manifest] | None:
        """Digest and manifest of a tag or a digest."""
        digest = reference if ":" in reference else self.tagged.get((image, reference), ("", 0.0))[0]
        manifest = self.manifests.get((image, digest))
        return (digest, manifest) if manifest is not None else None

    def delete(self, image: str, reference: str) -> bool:
        """By digest the manifest and all its tags, by tag that tag alone (36)."""
        if ":" not in reference:
            return self.tagged.pop((image, reference), None) is not None
        for key in [key for key, (digest, _) in self.tagged.items() if key[0] == image and digest == reference]:
            del self.tagged[key]
        return self.manifests.pop((image, reference), None) is not None

    def clear(self) -> None:
        """Empty it, its settings and connector as they were."""
        for held in (self.blobs, self.manifests, self.tagged, self.uploads, self.files):
            held.clear()
