# SPDX-License-Identifier: Apache-2.0
"""Stores in memory that count, and can be made to fail."""

from __future__ import annotations

import threading
from collections import Counter

from airgap.errors import AirgapError
from airgap.oci import Descriptor
from airgap.oci.manifest import is_manifest_type
from airgap.store import MemoryStore, Reader
from airgap.store.protocols import Opener
from airgap.transfer import Destination, Root
from tests.parts.images import Images


class Noting(MemoryStore):
    """``log`` holds ``(verb, digest or name)`` in order; ``fail`` raises for a digest. ``siblings`` allows mounting
    from these stores."""

    def __init__(self, siblings: dict[str, Noting] | None = None) -> None:
        super().__init__()
        self.log: list[tuple[str, str]] = []
        self.fail: dict[str, AirgapError] = {}
        self.siblings = siblings
        self._noting = threading.Lock()

    def note(self, verb: str, what: str) -> None:
        with self._noting:
            self.log.append((verb, what))

    def did(self, verb: str) -> list[str]:
        return [what for done, what in self.log if done == verb]

    def counted(self, verb: str) -> Counter[str]:
        return Counter(self.did(verb))

    def resolve(self, name: str) -> Descriptor:
        self.note("resolve", name)
        return super().resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        self.note("exists", descriptor.digest)
        return super().exists(descriptor)

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        self.note("open", descriptor.digest)
        if descriptor.digest in self.fail:
            raise self.fail[descriptor.digest]
        return super().open(descriptor, offset)

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        self.note("manifest" if is_manifest_type(descriptor.media_type) else "blob", descriptor.digest)
        super().push(descriptor, opener)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        self.note("tag", name)
        super().tag(descriptor, name)


class Mounting(Noting):
    """Takes blobs from its siblings."""

    def mount(self, descriptor: Descriptor, from_repository: str) -> bool:
        assert self.siblings is not None
        other = self.siblings[from_repository]
        if descriptor.digest not in other._content:
            return False
        self.note("mount", descriptor.digest)
        content = other._content[descriptor.digest]
        self._content[descriptor.digest], self._media_types[descriptor.digest] = content, descriptor.media_type
        return True


def source_of(images: Images, **tags: Descriptor) -> Noting:
    made = Noting()
    images.push_to(made, tags)
    made.log.clear()
    return made


def root(tag: str, *destinations: Destination, source: str = "here", label: str = "") -> Root:
    return Root(label or f"r.test/app:{tag}", source, tag, destinations or (Destination("there", tag),))
