# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap.errors import ContentError, ContentMissing, DigestMismatch, Interrupted, NotFound, RegistryError
from airgap.events import BlobDone, BlobProgress, Event, ImageFailed, ManifestDone, Planned, Retrying
from airgap.oci import Descriptor
from airgap.oci.manifest import is_manifest_type
from airgap.registry import Credentials, Registries
from airgap.registry.http.retry import RetryPolicy
from airgap.store import ImageLayout, MemoryStore
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BytesReader, read_verified
from airgap.transfer import (
    CancelToken,
    Context,
    CopyOptions,
    Destination,
    Jobs,
    Plan,
    copy,
    plan,
    resolve_tags,
    verify_tags,
)
from airgap.transfer.pool import parallel_map
from tests.cli.command import ROOT
from tests.doubles.registry import Answer, Request, Shelf, double
from tests.doubles.registry.shelf import error
from tests.parts.faulty_line import STALL, Break
from tests.parts.images import Images
from tests.parts.waiting import at_rest, wait_until
from tests.transfer.tools import Mounting, Noting, root, source_of


@pytest.fixture
def images() -> Images:
    return Images(31)


def planned(source: Noting, *tags: str) -> Plan:
    made = plan([root(tag) for tag in tags], {"here": source})
    assert made.failures == []
    source.log.clear()
    return made


def holds(store: MemoryStore, images: Images, **tags: Descriptor) -> None:
    for tag, wanted in tags.items():
        assert store.resolve(tag).digest == wanted.digest
        for needed in images.needed(wanted):
            assert store._content[needed.digest] == images.content[needed.digest]


def test_moves_everything(images: Images) -> None:
    whole, single = images.two_platforms(attested=True), images.image()
    source, target, events = source_of(images, v1=whole, v2=single), Noting(), list[Event]()
    report = copy(planned(source, "v1", "v2"), {"here": source}, {"there": target}, Context(emit=events.append))
    holds(target, images, v1=whole, v2=single)
    needed = {d.digest: d for d in (*images.needed(whole), *images.needed(single))}
    blobs = [d for d in needed.values() if not is_manifest_type(d.media_type)]
    assert (report.moved, report.skipped, report.mounted) == (len(blobs), 0, 0)
    assert report.moved_bytes == sum(d.size for d in blobs)
    assert report.manifests == len(needed) - len(blobs)
    assert report.failures == []
    assert events[0] == Planned(2, report.manifests, len(blobs), report.moved_bytes)
    assert sum(e.bytes for e in events if isinstance(e, BlobProgress)) == report.moved_bytes
    assert {e.digest for e in events if isinstance(e, BlobDone)} == {d.digest for d in blobs}
    assert {e.how for e in events if isinstance(e, BlobDone)} == {"pushed"}
    assert {e.digest for e in events if isinstance(e, ManifestDone)} == set(needed) - {d.digest for d in blobs}


def test_again_moves_nothing(images: Images) -> None:
    source, target = source_of(images, v1=images.two_platforms()), Noting()
    made = planned(source, "v1")
    copy(made, {"here": source}, {"there": target})
    target.log.clear()
    report = copy(made, {"here": source}, {"there": target})
    assert (report.moved, report.skipped) == (0, len(made.blobs))
    assert report.skipped_bytes == made.blob_bytes
    assert target.did("blob") == []


def test_each_digest_is_read_and_sent_once(images: Images) -> None:
    """Twenty images that share their layers, into four repositories, by eight workers."""
    base = [images.layer() for _ in range(3)]
    tags = {f"v{n}": images.image(layers=[*base, images.layer()]) for n in range(20)}
    source = source_of(images, **tags)
    siblings: dict[str, Noting] = {}
    for name in "abcd":
        siblings[name] = Mounting(siblings)
    roots = [root(tag, Destination("abcd"[n % 4], tag)) for n, tag in enumerate(tags)]
    made = plan(roots, {"here": source})
    source.log.clear()
    report = copy(made, {"here": source}, siblings, Context(Jobs.of(8)))
    sent = sum((store.counted("blob") for store in siblings.values()), siblings["a"].counted("nothing"))
    assert set(sent) == set(made.blobs)
    assert set(sent.values()) == {1}
    assert all(count <= 1 for digest, count in source.counted("open").items() if digest not in made.inline_blobs)
    for layer in base:
        assert sum(store.counted("mount")[layer.descriptor.digest] for store in siblings.values()) == 3
    assert report.moved == len(made.blobs)
    for n, (tag, wanted) in enumerate(tags.items()):
        holds(siblings["abcd"[n % 4]], images, **{tag: wanted})


def test_mounted_from_where_it_already_is(images: Images) -> None:
    whole = images.image()
    source = source_of(images, v1=whole)
    siblings: dict[str, Noting] = {}
    for name in "ab":
        siblings[name] = Mounting(siblings)
    images.push_to(siblings["a"], {"v1": whole})
    siblings["a"].log.clear()
    made = plan([root("v1", Destination("a", "v1"), Destination("b", "v1"))], {"here": source})
    report = copy(made, {"here": source}, siblings)
    assert siblings["a"].did("blob") == siblings["b"].did("blob") == []
    assert (report.mounted, report.mounted_bytes) == (len(made.blobs), made.blob_bytes)
    assert (report.moved, report.skipped) == (0, 0)
    holds(siblings["b"], images, v1=whole)


def test_a_mount_that_does_not_work_is_a_push(images: Images) -> None:
    whole = images.image()
    source = source_of(images, v1=whole)
    target = {"a": Noting(), "b": Mounting({"a": Noting()})}
    made = plan([root("v1", Destination("a", "v1"), Destination("b", "v1"))], {"here": source})
    copy(made, {"here": source}, target)
    assert set(target["b"].did("blob")) == set(made.blobs)
    holds(target["b"], images, v1=whole)


def test_the_largest_first(images: Images) -> None:
    layers = [images.layer(size=size) for size in (100, 90_000, 5_000, 40_000)]
    source, target = source_of(images, v1=images.image(layers=layers)), Noting()
    made = planned(source, "v1")
    copy(made, {"here": source}, {"there": target}, Context(Jobs.of(1)))
    sizes = [made.blobs[digest].descriptor.size for digest in target.did("blob")]
    assert sizes == sorted(sizes, reverse=True)


def test_blobs_then_children_then_tags(images: Images) -> None:
    inner = images.two_platforms(attested=True)
    signed = images.artifact(subject=inner)
    source, target = source_of(images, v1=images.index([inner]), s=signed), Noting()
    copy(planned(source, "v1", "s"), {"here": source}, {"there": target}, Context(Jobs.of(4)))
    order = [what for verb, what in target.log if verb in ("blob", "manifest")]
    seen: set[str] = set()
    for digest in order:
        if digest in images.descriptors and is_manifest_type(images.descriptors[digest].media_type):
            lacking = [d for d in images.needed(images.descriptors[digest])[:-1] if d.digest not in seen]
            assert lacking == []
        seen.add(digest)
    assert order.index(inner.digest) < order.index(signed.digest)
    tagged = target.log.index(("tag", "v1"))
    assert all(target.log.index((verb, what)) < tagged for verb, what in target.log if verb == "blob")


def test_a_tagged_root_is_put_once_by_its_tag(images: Images) -> None:
    whole = images.two_platforms()
    source = source_of(images, v1=whole)
    with double(Shelf()) as peer, registries() as net:
        made = plan([root("v1", Destination("r", "v1"), Destination("r", "latest"))], {"here": source})
        copy(made, {"here": source}, {"r": net.repository(peer.address, "team/app", push=True)})
        puts = [r.path.rpartition("/")[2] for r in peer.seen("PUT", "/manifests/")]
    children = [d.digest for d in images.needed(whole) if d.platform]
    assert sorted(puts) == sorted([*children, "v1", "latest"])
    assert set(puts[:2]) == set(children)


def test_a_manifest_is_reported_under_the_name_that_it_got(images: Images) -> None:
    whole = images.two_platforms()
    source, events = source_of(images, v1=whole), list[Event]()
    made = plan([root("v1", Destination("there", "v1"), Destination("there", "latest"))], {"here": source})
    copy(made, {"here": source}, {"there": Noting()}, Context(emit=events.append))
    children = {d.digest for d in images.needed(whole) if d.platform}
    reported = [(event.digest, event.name) for event in events if isinstance(event, ManifestDone)]
    expected = {(digest, digest) for digest in children} | {(whole.digest, "v1"), (whole.digest, "latest")}
    assert set(reported) == expected
    assert len(reported) == len(expected)


def test_derived_indexes_are_pushed(images: Images) -> None:
    from airgap.oci import Platform

    whole = images.index([images.image(f"linux/{name}") for name in ("amd64", "arm64", "s390x")])
    source, target = source_of(images, v1=whole), Noting()
    platforms = [Platform.parse("linux/amd64"), Platform.parse("linux/arm64")]
    made = plan([root("v1")], {"here": source}, platforms=platforms)
    copy(made, {"here": source}, {"there": target})
    assert target.resolve("v1").digest == made.images[0].digest != whole.digest
    verify_tags(made.images, {"there": target})


# Failing


def test_the_first_failure_stops_the_rest(images: Images) -> None:
    source, target = source_of(images, v1=images.image(layers=30, size=9000)), Noting()
    made = planned(source, "v1")
    worst = max(made.blobs.values(), key=lambda job: job.descriptor.size).descriptor.digest
    source.fail[worst] = ContentError("broken there")
    with pytest.raises(ContentError, match="broken there"):
        copy(made, {"here": source}, {"there": target}, Context(Jobs.of(2)))
    assert len(target.did("blob")) < 10
    assert target.did("tag") == []
    assert target.did("manifest") == []


def test_keep_going_leaves_out_what_failed_alone(images: Images) -> None:
    shared = images.layer()
    bad = images.layer()
    good, lost = images.image(layers=[shared]), images.image(layers=[shared, bad])
    index = images.index([lost])
    source, target, events = source_of(images, good=good, lost=lost, index=index), Noting(), list[Event]()
    made = planned(source, "good", "lost", "index")
    source.fail[bad.descriptor.digest] = ContentMissing("gone")
    report = copy(made, {"here": source}, {"there": target}, Context(emit=events.append), CopyOptions(keep_going=True))
    holds(target, images, good=good)
    assert [r.name for r, _ in report.failures] == ["lost", "index"]
    assert all("gone" in str(failure) for _, failure in report.failures)
    assert [e.reference for e in events if isinstance(e, ImageFailed)] == ["r.test/app:lost", "r.test/app:index"]
    for tag in ("lost", "index"):
        with pytest.raises(NotFound):
            target.resolve(tag)
    assert not target.exists(lost)


def test_another_source_is_tried(images: Images) -> None:
    layer = images.layer()
    first, second = images.image(layers=[layer]), images.image(layers=[layer, images.layer()])
    sources = {"one": source_of(images, v1=first), "two": source_of(images, v2=second)}
    made = plan([root("v1", source="one"), root("v2", source="two")], sources)
    sources["one"].delete(layer.descriptor.digest)
    target = Noting()
    copy(made, sources, {"there": target})
    holds(target, images, v1=first, v2=second)


def test_a_registry_that_lost_blobs_is_healed(images: Images) -> None:
    """It answers HEAD for a blob and then misses it: the blobs are sent once more, and the manifest again."""
    whole = images.image()
    source, shelf = source_of(images, v1=whole), Shelf()
    with double(shelf) as peer, registries() as net:
        peer.always("HEAD", "/blobs/", Answer(200))
        report = copy(
            planned(source, "v1"),
            {"here": source},
            {"there": net.repository(peer.address, "team/app", push=True)},
        )
        assert peer.count("PUT", "/manifests/") == 2
    assert report.failures == []
    assert shelf.manifests["team/app", "v1"][1] == images.content[whole.digest]
    assert len(shelf.blobs["team/app"]) == 3


def test_healing_is_tried_once(images: Images) -> None:
    source = source_of(images, v1=images.image())
    with double(Shelf()) as peer, registries() as net:
        peer.always("PUT", "/manifests/", error(400, "MANIFEST_BLOB_UNKNOWN"))
        with pytest.raises(RegistryError, match="MANIFEST_BLOB_UNKNOWN"):
            copy(
                planned(source, "v1"),
                {"here": source},
                {"there": net.repository(peer.address, "team/app", push=True)},
            )
        assert peer.count("PUT", "/manifests/") == 2


def test_a_manifest_that_is_refused_is_not_sent_again(images: Images) -> None:
    source = source_of(images, v1=images.image())
    with double(Shelf()) as peer, registries() as net:
        peer.always("PUT", "/manifests/", error(400, "MANIFEST_INVALID"))
        with pytest.raises(RegistryError, match="MANIFEST_INVALID"):
            copy(
                planned(source, "v1"),
                {"here": source},
                {"there": net.repository(peer.address, "team/app", push=True)},
            )
        assert peer.count("PUT", "/manifests/") == 1


class Altering(Noting):
    """A registry whose line changes a byte of each blob, the first ``times`` that it is read."""

    times = 1

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        reader = super().open(descriptor, offset)
        if is_manifest_type(descriptor.media_type) or len(self.did("open")) > self.times:
            return reader
        return BytesReader(bytes([self._content[descriptor.digest][0] ^ 1]) + self._content[descriptor.digest][1:])


class Lying(Altering):
    """The same with the bytes lying here, so that it can look; ``sound`` they are, or as they were read."""

    sound = True

    def check_blob(self, descriptor: Descriptor, opener: Opener) -> None:
        self.note("check", descriptor.digest)
        if not self.sound:
            read_verified(descriptor, opener(0), lambda piece, at: None)


@pytest.mark.parametrize("kind", [Altering, Lying])
def test_what_a_line_changed_is_sent_once_more(images: Images, kind: type[Altering]) -> None:
    source, target = kind(), Noting()
    whole = images.image(layers=1)
    images.push_to(source, {"v1": whole})
    made, events = planned(source, "v1"), list[Event]()
    copy(made, {"here": source}, {"there": target}, Context(Jobs.of(1), events.append))
    holds(target, images, v1=whole)
    (again,) = [event for event in events if isinstance(event, Retrying)]
    assert target.counted("blob") == {digest: 1 + (digest == again.what) for digest in made.blobs}
    moved = [event.bytes for event in events if isinstance(event, BlobProgress)]
    assert sum(moved) == made.blob_bytes


def test_what_is_changed_each_time_is_sent_twice(images: Images) -> None:
    source, target = Altering(), Noting()
    images.push_to(source, {"v1": images.image(layers=1, size=5000)})
    made, source.times = planned(source, "v1"), 99
    with pytest.raises(DigestMismatch) as caught:
        copy(made, {"here": source}, {"there": target}, Context(Jobs.of(1)))
    assert "twice" in (caught.value.hint or "")
    assert list(target.counted("blob").values()) == [2]


def test_damage_of_what_lies_here_is_told_at_once(images: Images) -> None:
    source, target = Lying(), Noting()
    images.push_to(source, {"v1": images.image(layers=1, size=5000)})
    made, source.times, source.sound = planned(source, "v1"), 99, False
    with pytest.raises(DigestMismatch, match="is damaged where it lies"):
        copy(made, {"here": source}, {"there": target}, Context(Jobs.of(1)))
    assert list(target.counted("blob").values()) == [1]


def test_into_a_layout(images: Images, tmp_path: Path) -> None:
    whole = images.two_platforms(docker=True)
    source = source_of(images, v1=whole)
    target = ImageLayout.create(tmp_path / "layout")
    copy(planned(source, "v1"), {"here": source}, {"there": target})
    assert target.resolve("v1").digest == whole.digest


# Surveying and confirming


def test_a_survey_costs_one_head_a_tag(images: Images) -> None:
    whole = images.two_platforms()
    source, shelf = source_of(images, v1=whole, v2=images.image()), Shelf()
    shelf.put("team/app", images, v1=whole)
    with double(shelf) as peer, registries() as net:
        targets = {"there": net.repository(peer.address, "team/app", push=True)}
        made = plan([root("v1"), root("v1"), root("v2")], {"here": source})
        assert resolve_tags(made, targets) == {Destination("there", "v1"): whole.digest}
        assert sorted((r.method, r.path) for r in peer.requests) == [
            ("HEAD", "/v2/team/app/manifests/v1"),
            ("HEAD", "/v2/team/app/manifests/v2"),
        ]


def test_a_survey_that_cannot_be_made(images: Images) -> None:
    source = source_of(images, v1=images.image())
    with (
        double(lambda _: error(403, "DENIED")) as peer,
        registries() as net,
        pytest.raises(RegistryError, match="403"),
    ):
        resolve_tags(planned(source, "v1"), {"there": net.repository(peer.address, "team/app")})


def test_confirm_reads_back(images: Images) -> None:
    one, other = images.image(), images.image()
    source, target = source_of(images, v1=one), Noting()
    made = planned(source, "v1")
    copy(made, {"here": source}, {"there": target})
    verify_tags(made.images, {"there": target})
    images.push_to(target, {"v1": other})
    with pytest.raises(ContentError, match=f"reads back as {other.digest}"):
        verify_tags(made.images, {"there": target})
    target.untag("v1")
    with pytest.raises(NotFound):
        verify_tags(made.images, {"there": target})


# Stopping


def registries() -> Registries:
    environment = {"HOME": "/nonexistent"}
    return Registries(
        credentials=Credentials(environment), environment=environment, retry=RetryPolicy(sleep=lambda _: None)
    )


class Stalling:
    """A registry that takes a few bytes of a blob, or gives a few, and then nothing more until it is released."""

    def __init__(self, images: Images) -> None:
        self.blocked = threading.Event()
        self.shelf = Shelf()
        self.released = threading.Event()
        self.shelf.put("team/app", images, v1=images.image(layers=4, size=3_000_000))

    def take(self, request: Request) -> Answer:
        request.read(1000)
        return self._wait()

    def give(self, request: Request) -> Answer:
        answer = self.shelf(request)
        if answer.status == 200 and len(answer.body) > 1_000_000:
            answer.broken = Break(STALL, 1000)
            self.blocked.set()
        return answer

    def _wait(self) -> Answer:
        self.blocked.set()
        self.released.wait(60)
        return Answer(500, early=True)


def copying_threads() -> list[threading.Thread]:
    """The threads that copy."""
    names = re.compile(r"airgap-\d+")
    return [thread for thread in threading.enumerate() if names.fullmatch(thread.name)]


def working() -> list[int]:
    return [thread.native_id for thread in copying_threads() if thread.native_id is not None]


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("how", ["stop", "ctrl-c"])
def test_stops_at_once(images: Images, direction: str, how: str) -> None:
    """A blob is in flight and the other side has gone silent: a stop is not kept waiting for it."""
    stalling = Stalling(images)
    target = Noting()
    with double(stalling.shelf) as peer, registries() as net:
        made = plan([root("v1")], {"here": net.repository(peer.address, "team/app")})
        assert made.failures == []
        if direction == "down":
            peer.always("GET", "/blobs/", stalling.give)
            sources, targets = {"here": net.repository(peer.address, "team/app")}, {"there": target}
        else:
            peer.always("PUT", "/blobs/uploads/", stalling.take)
            sources = {"here": net.repository(peer.address, "team/app")}
            targets = {"there": net.repository(peer.address, "team/copy", push=True)}
        stop = CancelToken(net.abort)
        began = [0.0]

        def end() -> None:
            assert stalling.blocked.wait(60)
            wait_until(at_rest(os.getpid(), working))
            began[0] = time.monotonic()
            if how == "stop":
                stop.set()
            else:
                os.kill(os.getpid(), signal.SIGINT)

        ender = threading.Thread(target=end)
        ender.start()
        try:
            with pytest.raises(Interrupted if how == "stop" else KeyboardInterrupt):
                copy(made, sources, targets, Context(Jobs.of(3), cancel=stop))
            # 2 s are promised; a busy machine gets many more, and still less than the time-out of 30 s.
            assert time.monotonic() - began[0] < 15
        finally:
            ender.join(60)
            stalling.released.set()
    wait_until(lambda: copying_threads() == [])  # on a busy machine the last one ends a moment later
    assert target.did("tag") == []


def test_a_failure_ends_those_who_are_blocked(images: Images) -> None:
    stalling = Stalling(images)
    with double(stalling.shelf) as peer, registries() as net:
        source = net.repository(peer.address, "team/app")
        made = plan([root("v1")], {"here": source})
        peer.always("GET", "/blobs/", stalling.give)

        class Refusing(Noting):
            def push(self, descriptor: Descriptor, opener: Opener) -> None:
                if descriptor.size < 1_000_000:
                    assert stalling.blocked.wait(60)
                    raise ContentError("the disk is full")
                super().push(descriptor, opener)

        began = time.monotonic()
        try:
            with pytest.raises(ContentError, match="the disk is full"):
                copy(made, {"here": source}, {"there": Refusing()}, Context(Jobs.of(8), cancel=CancelToken(net.abort)))
            assert time.monotonic() - began < 15  # the time-out is 30 s
        finally:
            stalling.released.set()


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_keeps_order(jobs: int) -> None:
    assert parallel_map(range(50), lambda n: n * n, workers=jobs, cancel=CancelToken()) == [n * n for n in range(50)]
    assert parallel_map([], lambda n: n, workers=jobs, cancel=CancelToken()) == []


def test_each_works_side_by_side() -> None:
    together = threading.Barrier(3)
    assert parallel_map(range(3), lambda n: together.wait(60) >= 0, workers=3, cancel=CancelToken()) == [True] * 3


@pytest.mark.parametrize("kind", [ContentError, ZeroDivisionError])
def test_any_failure_calls_on_stop(kind: Callable[[str], BaseException]) -> None:
    called = threading.Event()

    def work(n: int) -> None:
        if n == 0:
            raise kind("now")
        assert called.wait(60)

    with pytest.raises((ContentError, ZeroDivisionError)):
        parallel_map(range(2), work, workers=2, cancel=CancelToken(called.set))
    assert called.is_set()


def test_an_interrupt_waits_for_workers_that_are_slow_to_stop() -> None:
    """Whoever closes a file afterwards must know that nobody writes to it any more."""
    code = """
import os, signal, threading
from airgap.transfer.pool import CancelToken, parallel_map
from tests.parts.waiting import at_rest, wait_until
from tests.parts.faulty_line import STALL, Break
both, stopped, over, ended = threading.Barrier(2), threading.Event(), threading.Event(), []
waits = at_rest(os.getpid(), lambda: [threading.main_thread().native_id])
def work(item):
    if both.wait() == 0:
        os.kill(os.getpid(), signal.SIGINT)
    stopped.wait()
    if item == 1:
        wait_until(lambda: over.is_set() or waits())
    ended.append(item)
try:
    parallel_map([1, 2], work, workers=2, cancel=CancelToken(stopped.set))
except KeyboardInterrupt:
    over.set()
    print(sorted(ended))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )
    assert done.stdout == "[1, 2]\n", done.stderr
