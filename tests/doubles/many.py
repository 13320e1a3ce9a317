# SPDX-License-Identifier: Apache-2.0
"""A registry of thousands of images that exists only as answers: what planning and surveying cost, and no network."""

from __future__ import annotations

import hashlib
import json
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

from airgap.errors import NotFound
from airgap.oci import Descriptor
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BytesReader
from airgap.transfer import (
    Context,
    CopyOptions,
    Destination,
    Jobs,
    Plan,
    Root,
    copy,
    find_existing_content,
    plan,
    resolve_tags,
)

#: Layers that every image shares, and config and layers that each has for itself.
SHARED, OWN = 5, 12
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Many:
    """A source of ``count`` images, ``app0:v`` and so on, and a target that has the tags in ``tags``."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._content: dict[str, bytes] = {}
        self._names: dict[str, str] = {}
        self.asked = 0
        shared = [self._layer(f"shared {number}") for number in range(SHARED)]
        for number in range(count):
            layers = [*shared, *(self._layer(f"{number} {part}") for part in range(OWN - 1))]
            config = {
                "os": "linux",
                "architecture": "amd64",
                "history": [f"{number} {'step ' * 8}{n}" for n in range(16)],
            }
            held = json.dumps(config).encode()
            described = {"mediaType": manifests.OCI_CONFIG, "digest": self._keep(held), "size": len(held)}
            document = {
                "schemaVersion": 2,
                "mediaType": manifests.OCI_MANIFEST,
                "config": described,
                "layers": layers,
            }
            self._names[f"app{number}:v"] = self._keep(json.dumps(document).encode())

    @property
    def blobs(self) -> int:
        return SHARED + OWN * self.count

    @property
    def roots(self) -> list[Root]:
        return [
            Root(f"r.test/app{number}:v", "r", f"app{number}:v", (Destination(f"p/app{number}", "v"),))
            for number in range(self.count)
        ]

    def _layer(self, seed: str) -> dict[str, object]:
        digest = hashlib.sha256(seed.encode()).hexdigest()
        return {"mediaType": _LAYER, "digest": f"sha256:{digest}", "size": int(digest[:6], 16)}

    def _keep(self, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._content[digest] = content
        return digest

    def resolve(self, name: str) -> Descriptor:
        content = self._content[self._names.get(name, name)]
        return Descriptor(manifests.OCI_MANIFEST, self._names.get(name, name), len(content))

    def exists(self, descriptor: Descriptor) -> bool:
        return True

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        return BytesReader(self._content[descriptor.digest], offset)

    def manifest(self, name: str) -> Manifest:
        # A copy, as what comes over a line is.
        content = bytes(bytearray(self._content[self._names.get(name, name)]))
        return manifests.parse(content, manifests.OCI_MANIFEST)


class Far:
    """One repository of the target: with ``tag`` it holds the image, without it nothing. It takes everything."""

    def __init__(self, many: Many, tag: str) -> None:
        self._many = many
        self._tag = tag

    def resolve(self, name: str) -> Descriptor:
        if not self._tag:
            raise NotFound("not there")
        return self._many.resolve(self._tag)

    def exists(self, descriptor: Descriptor) -> bool:
        return False

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        raise NotImplementedError

    def push(self, descriptor: Descriptor, opener: Opener) -> None: ...

    def tag(self, descriptor: Descriptor, name: str) -> None: ...

    def mount(self, descriptor: Descriptor, other: str) -> bool:
        return True


@dataclass(frozen=True)
class Cost:
    """CPU seconds of this process, and bytes of memory at the highest where that was measured."""

    seconds: float
    memory: int


def measured(work: Callable[[], object], *, memory: bool) -> Cost:
    """Memory is told by ``tracemalloc``, which makes everything slow: seconds count only without it."""
    if memory:
        tracemalloc.start()
    started = time.process_time()
    try:
        kept = work()
        seconds = time.process_time() - started
        peak = tracemalloc.get_traced_memory()[1] if memory else 0
        del kept
    finally:
        if memory:
            tracemalloc.stop()
    return Cost(seconds, peak)


def exporting(many: Many, jobs: int = 4) -> Plan:
    """What export does before the first layer byte."""
    transfer_plan = plan(many.roots, {"r": many}, Context(Jobs.of(jobs)))
    assert len(transfer_plan.images) == many.count
    assert len(transfer_plan.blobs) == many.blobs
    return transfer_plan


def importing(many: Many, *, there: bool, jobs: int = 4) -> tuple[Plan, object]:
    """What import does before the first byte is sent; ``there`` says whether all of it is at the target."""
    transfer_plan = exporting(many, 1)
    stores = {f"p/app{number}": Far(many, f"app{number}:v" if there else "") for number in range(many.count)}
    existing_tags = resolve_tags(transfer_plan, stores, Context(Jobs.of(jobs)))
    missing_images = [
        image for image in transfer_plan.images if existing_tags.get(image.root.destinations[0]) != image.digest
    ]
    assert len(missing_images) == (0 if there else many.count)
    existing_blobs = find_existing_content(transfer_plan, missing_images, existing_tags, stores, Context(Jobs.of(jobs)))
    return transfer_plan.subset(missing_images), existing_blobs


def moving(many: Many, jobs: int = 4) -> object:
    """And the whole of an import into a target that takes everything at once."""
    transfer_plan, existing_blobs = importing(many, there=False, jobs=jobs)
    stores = {f"p/app{number}": Far(many, "") for number in range(many.count)}
    report = copy(transfer_plan, {"r": many}, stores, Context(Jobs.of(jobs)), CopyOptions(existing=existing_blobs))  # type: ignore[arg-type] # it is ExistingContent
    assert report.moved == many.blobs
    assert report.mounted == SHARED * (many.count - 1)
    return transfer_plan
