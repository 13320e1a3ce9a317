# SPDX-License-Identifier: Apache-2.0
"""What a push that begins in the middle tells: bytes that are there already do not move."""

from __future__ import annotations

import pytest

from airgap.errors import ContentError, Interrupted
from airgap.events import BlobDone, BlobProgress, BlobResumed, Event
from airgap.oci import Descriptor
from airgap.store.protocols import Opener
from airgap.store.readers import bytes_opener
from airgap.transfer import CancelToken, Context, CopyOptions, copy, plan
from airgap.transfer.progress import Meter
from tests.parts.images import Images
from tests.transfer.tools import Noting, root, source_of

CONTENT = bytes(1000)
BLOB = Descriptor("application/octet-stream", "sha256:" + "a" * 64, len(CONTENT))


def metered(*opened: tuple[int, int]) -> list[tuple[str, int]]:
    """Open at an offset and read so many bytes, again and again; what was told of it."""
    events: list[Event] = []
    meter = Meter(BLOB, bytes_opener(CONTENT), events.append, CancelToken())
    for offset, count in opened:
        reader = meter.open(offset)
        if count:
            assert reader.readinto(memoryview(bytearray(count))) == count
        reader.close()
    return [(type(e).__name__, e.bytes) for e in events if isinstance(e, BlobProgress | BlobResumed)]


def test_from_the_start() -> None:
    assert metered((0, 1000)) == [("BlobProgress", 1000)]


def test_what_an_earlier_run_left_is_told_apart() -> None:
    assert metered((400, 600)) == [("BlobResumed", 400), ("BlobProgress", 600)]
    assert metered((1000, 0)) == [("BlobResumed", 1000)]


def test_a_break_is_taken_back_to_where_it_goes_on() -> None:
    assert metered((0, 500), (200, 800)) == [("BlobProgress", 500), ("BlobProgress", -300), ("BlobProgress", 800)]
    assert metered((0, 500), (0, 0)) == [("BlobProgress", 500), ("BlobProgress", -500)]
    assert metered((0, 500), (500, 500)) == [("BlobProgress", 500), ("BlobProgress", 500)]


def test_what_was_left_may_turn_out_useless() -> None:
    told = metered((400, 100), (0, 1000))
    assert told == [("BlobResumed", 400), ("BlobProgress", 100), ("BlobResumed", -400), ("BlobProgress", -100),
                    ("BlobProgress", 1000)]  # fmt: skip
    told = metered((400, 100), (250, 750))
    assert sum(count for kind, count in told if kind == "BlobResumed") == 250
    assert sum(count for kind, count in told if kind == "BlobProgress") == 750


def test_ctrl_c_is_noticed() -> None:
    stop = CancelToken()
    meter = Meter(BLOB, bytes_opener(CONTENT), lambda _: None, stop)
    reader = meter.open(0)
    stop.set()
    with pytest.raises(Interrupted):
        reader.readinto(memoryview(bytearray(10)))


class Halfway(Noting):
    """Has the first hundred bytes of every layer from an earlier run."""

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        if descriptor.size > 300:
            reader = opener(100)
            while reader.readinto(memoryview(bytearray(4096))):
                pass
            self._content[descriptor.digest] = b"whole"
            self._media_types[descriptor.digest] = descriptor.media_type
        else:
            super().push(descriptor, opener)


def test_a_report_tells_what_was_resumed() -> None:
    images, events = Images(3), list[Event]()
    source = source_of(images, v1=images.image(layers=2, size=2000))
    made = plan([root("v1")], {"here": source})
    big = [job.descriptor for job in made.blobs.values() if job.descriptor.size > 300]
    assert big
    report = copy(made, {"here": source}, {"there": Halfway()}, Context(emit=events.append))
    assert (report.moved, report.resumed, report.resumed_bytes) == (len(made.blobs), len(big), 100 * len(big))
    assert report.moved_bytes == made.blob_bytes - 100 * len(big)
    assert report.seconds > 0
    assert {e.digest for e in events if isinstance(e, BlobDone) and e.how == "resumed"} == {d.digest for d in big}


class Refusing(Noting):
    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        if descriptor.size > 2000:
            raise ContentError("no")
        super().push(descriptor, opener)


def test_a_blob_that_failed_is_told() -> None:
    images, events = Images(3), list[Event]()
    source = source_of(images, v1=images.image(layers=2, size=2000))
    made = plan([root("v1")], {"here": source})
    report = copy(
        made, {"here": source}, {"there": Refusing()}, Context(emit=events.append), CopyOptions(keep_going=True)
    )
    assert len(report.failures) == 1
    failed = {e.digest for e in events if isinstance(e, BlobDone) and (e.how, e.bytes) == ("failed", 0)}
    assert failed == {d for d, job in made.blobs.items() if job.descriptor.size > 2000}
