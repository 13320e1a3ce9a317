# SPDX-License-Identifier: Apache-2.0
"""``--jobs N``: no registry gets more than N requests at the same time, whatever they are for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.transfer import Jobs
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.images import Images

#: More images than any limit below, so that every stage could exceed it.
NAMES = [f"team/app{number}:v1" for number in range(4)]
#: Seconds for which a request waits for others to arrive.
HOLD = 0.02

LIMITS = pytest.mark.parametrize("limit", [1, 2])


class Crowded(Registry):
    """Holds each request for a moment and counts how many there are at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self._arrived = threading.Condition()
        self._present = 0
        self.most = 0
        #: A request waits until more than so many have been seen at once, or for ``HOLD`` seconds.
        self.limit = 0

    def _note(self, method: str, path: str, status: int) -> None:
        super()._note(method, path, status)
        with self._arrived:
            self._present += 1
            self.most = max(self.most, self._present)
            self._arrived.notify_all()
            self._arrived.wait_for(lambda: self.most > self.limit, HOLD if self.limit else 0)
            self._present -= 1

    def count(self, limit: int) -> None:
        """Begin to count."""
        self.limit, self.most = limit, 0


@pytest.fixture
def source() -> Iterator[Crowded]:
    with Crowded() as registry:
        images = Images(61)
        registry.fill(images, {name: images.image(size=500) for name in NAMES})
        yield registry


@pytest.fixture
def target() -> Iterator[Crowded]:
    with Crowded() as registry:
        yield registry


@pytest.fixture
def ready(airgap: Airgap, source: Crowded) -> Airgap:
    """A folder with a Pod of all images, and ``quay.io`` played by ``source``."""
    airgap.write("pod.yaml", pod(*(f"quay.io/{name}" for name in NAMES)))
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
    return airgap


def exported(airgap: Airgap) -> Path:
    airgap.run("export", "pod.yaml", "-o", "b.tar")
    return airgap.folder / "b.tar"


@LIMITS
def test_export(ready: Airgap, source: Crowded, limit: int) -> None:
    source.count(limit)
    ready.run("export", "pod.yaml", "-o", "b.tar", "--jobs", str(limit))
    assert source.most == limit


@LIMITS
def test_images_sizes(ready: Airgap, source: Crowded, limit: int) -> None:
    source.count(limit)
    ready.run("images", "pod.yaml", "--sizes", "--jobs", str(limit))
    assert source.most == limit


@LIMITS
def test_import(ready: Airgap, target: Crowded, limit: int) -> None:
    bundle = exported(ready)
    target.count(limit)
    ready.run("import", bundle, "--to", f"{target.url}/p", "--jobs", str(limit))
    assert target.most == limit
    assert len(target.names()) == len(NAMES)


@LIMITS
def test_import_of_a_differential_bundle(ready: Airgap, source: Crowded, target: Crowded, limit: int) -> None:
    """The blobs that the base brought are looked for at the target before anything is pushed."""
    bundle = exported(ready)
    ready.run("import", bundle, "--to", f"{target.url}/p", "--receipt", "first.json")
    images = Images(61)
    source.fill(images, {name.replace("v1", "v2"): images.image(size=500) for name in NAMES})
    ready.write("pod.yaml", pod(*(f"quay.io/{name.replace('v1', 'v2')}" for name in NAMES)))
    ready.run("export", "pod.yaml", "-o", "next.tar", "--base", "b.tar")
    target.count(limit)
    ready.run("import", "next.tar", "--to", f"{target.url}/p", "--jobs", str(limit), "--force")
    assert target.most == limit


@LIMITS
def test_migrate(airgap: Airgap, source: Crowded, target: Crowded, limit: int) -> None:
    source.count(limit)
    target.count(limit)
    airgap.run("migrate", source.url, target.url, "--jobs", str(limit))
    assert (source.most, target.most) == (limit, limit)
    assert target.names() == NAMES


@LIMITS
def test_inventory(airgap: Airgap, source: Crowded, limit: int) -> None:
    source.count(limit)
    airgap.run("inventory", source.url, "-o", "receipt.json", "--jobs", str(limit))
    assert source.most == limit


@LIMITS
def test_verify_against(ready: Airgap, target: Crowded, limit: int) -> None:
    bundle = exported(ready)
    ready.run("import", bundle, "--to", f"{target.url}/p")
    target.count(limit)
    ready.run("verify", bundle, "--against", f"{target.url}/p", "--jobs", str(limit))
    assert target.most == limit


def test_small_requests_are_not_held_back_by_default(ready: Airgap, source: Crowded) -> None:
    more = [f"team/more{number}:v1" for number in range(5)]
    images = Images(62)
    source.fill(images, {name: images.image(size=500) for name in more})
    ready.write("more.yaml", pod(*(f"quay.io/{name}" for name in more)))
    source.count(Jobs().transfers)
    ready.run("images", "pod.yaml", "more.yaml", "--sizes")
    assert Jobs().transfers < source.most <= Jobs().control


def test_help_tells_the_defaults(airgap: Airgap) -> None:
    said = " ".join(airgap.run("export", "--help").text.split())
    assert f"{Jobs().transfers} for blobs, {Jobs().control} for small requests" in said
