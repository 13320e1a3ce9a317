# SPDX-License-Identifier: Apache-2.0
"""What is counted: bytes that have to move, never backwards, at the rate of the last seconds; and its drawing, which
fits whatever terminal there is."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from airgap.cli.progress.model import Tally
from airgap.cli.progress.view import clock, draw, plainly
from airgap.events import BlobDone, BlobProgress, BlobResumed, BlobStarted, Planned, Retrying

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture
def tally(time: Clock) -> Tally:
    made = Tally(time)
    made.count(Planned(1, 1, 3, 6000))
    for digest, size in ((A, 1000), (B, 2000), (C, 3000)):
        made.count(BlobStarted(digest, size))
    return made


def steady(tally: Tally, time: Clock, digest: str, pieces: int, size: int, every: float) -> None:
    for _ in range(pieces):
        time.now += every
        tally.count(BlobProgress(digest, size))


@pytest.mark.parametrize("how", ["skipped", "mounted", "failed"])
def test_what_need_not_move_leaves_the_total(tally: Tally, how: str) -> None:
    tally.count(BlobProgress(B, 500))
    tally.count(BlobDone(A, 1000, how))
    assert (tally.moved, tally.total, tally.rate > 0) == (500, 5000, True)


@pytest.mark.parametrize("how", ["fetched", "pushed", "verified"])
def test_what_moved_counts_whole(tally: Tally, how: str) -> None:
    tally.count(BlobProgress(A, 400))
    tally.count(BlobDone(A, 1000, how))
    assert (tally.moved, tally.total) == (1000, 6000)


def test_a_part_from_an_earlier_run_leaves_the_total_and_moves_nothing(tally: Tally, time: Clock) -> None:
    tally.count(BlobResumed(C, 2500))
    assert (tally.moved, tally.total, tally.rate) == (0, 3500, 0.0)
    tally.count(BlobProgress(C, 500))
    tally.count(BlobDone(C, 3000, "resumed"))
    assert (tally.moved, tally.total) == (500, 3500)
    # All of it was there: whoever told so told it at the end only.
    tally.count(BlobDone(B, 2000, "resumed"))
    assert (tally.moved, tally.total) == (500, 1500)


def test_a_part_that_turns_out_useless_has_to_move(tally: Tally) -> None:
    tally.count(BlobResumed(C, 2500))
    tally.count(BlobProgress(C, 300))
    before = tally.ratio
    tally.count(BlobResumed(C, -2500))
    tally.count(BlobProgress(C, -300))
    assert (tally.moved, tally.total) == (300, 6000)
    assert tally.ratio == before
    tally.count(BlobProgress(C, 3000))
    tally.count(BlobDone(C, 3000, "fetched"))
    assert (tally.moved, tally.total) == (3000, 6000)


def test_it_never_goes_back_and_ends_at_the_total() -> None:
    chance = random.Random(5)
    for _ in range(100):
        tally = Tally(Clock())
        sizes = {f"sha256:{number}": chance.randrange(1, 1000) for number in range(8)}
        tally.count(Planned(1, 1, len(sizes), sum(sizes.values())))
        seen = [(0.0, 0)]
        for digest, size in sizes.items():
            tally.count(BlobStarted(digest, size))
            there = chance.choice([0, 0, size // 2])
            if there:
                tally.count(BlobResumed(digest, there))
            for _ in range(chance.randrange(4)):
                part = chance.randrange(size - there + 1)
                tally.count(BlobProgress(digest, part))
                seen.append((tally.ratio, tally.moved))
                tally.count(BlobProgress(digest, -part))
                seen.append((tally.ratio, tally.moved))
            # Sent to two repositories, where the second would not mount: twice the blob's bytes.
            for _ in range(chance.randrange(1, 3)):
                tally.count(BlobProgress(digest, size - there))
                seen.append((tally.ratio, tally.moved))
            tally.count(BlobDone(digest, size, chance.choice(["fetched", "resumed", "pushed"])))
            seen.append((tally.ratio, tally.moved))
        assert [ratio for ratio, _ in seen] == sorted(ratio for ratio, _ in seen)
        assert [moved for _, moved in seen] == sorted(moved for _, moved in seen)
        assert seen[-1] == (1.0, tally.total)
        assert tally.running == {}


def test_all_there_already_is_all_done(tally: Tally) -> None:
    for digest, size in ((A, 1000), (B, 2000), (C, 3000)):
        assert tally.ratio == 0.0
        tally.count(BlobDone(digest, size, "skipped"))
    assert (tally.total, tally.ratio) == (0, 1.0)


def test_the_rate_is_that_of_the_last_seconds(tally: Tally, time: Clock) -> None:
    steady(tally, time, C, 100, 10, 0.1)  # ten seconds at 100 bytes a second
    assert tally.rate == pytest.approx(100, rel=0.1)
    assert tally.left == pytest.approx(50, rel=0.1)
    steady(tally, time, B, 100, 1, 0.1)  # then ten at ten
    assert tally.rate == pytest.approx(10, rel=0.1)
    # A line that stands still: slower and slower, then nothing, and no time that could be told.
    time.now += 4
    assert 0 < tally.rate < 7
    time.now += 5
    assert (tally.rate, tally.left) == (0.0, None)


def test_the_rate_is_one_of_the_line(tally: Tally, time: Clock) -> None:
    """Bytes that had to move again were on the line too; what was taken back was not."""
    steady(tally, time, A, 10, 100, 0.5)
    tally.count(BlobProgress(A, -1000))
    steady(tally, time, A, 6, 100, 0.5)
    assert tally.moved == 1000
    assert tally.rate == pytest.approx(200, rel=0.1)


def test_a_new_plan_begins_at_nothing(tally: Tally, time: Clock) -> None:
    steady(tally, time, A, 10, 100, 0.5)
    tally.count(Planned(1, 1, 1, 50))
    assert (tally.moved, tally.ratio, tally.rate, tally.running) == (0, 0.0, 0.0, {})


def test_what_waits_for_another_try(tally: Tally, time: Clock) -> None:
    tally.count(Retrying(f"PUT {A}", "the connection broke", 1, 3.0))
    tally.count(Retrying("GET /v2/", "429 Too Many Requests", 2, 1.0))
    assert [(one.reason, one.digest) for one in tally.waiting] == [
        ("429 Too Many Requests", ""),
        ("the connection broke", A),
    ]
    time.now += 1.5
    assert [one.what for one in tally.waiting] == [f"PUT {A}"]
    time.now += 2
    assert tally.waiting == []


def test_the_drawing(tally: Tally, time: Clock) -> None:
    steady(tally, time, C, 15, 100, 0.1)
    tally.count(Retrying(f"GET /v2/x/blobs/{B}", "the body ended 7 bytes too early", 1, 3.0))
    tally.count(Retrying("HEAD /v2/y", "503 Service Unavailable", 1, 2.0))
    first, *rest = draw(tally, 100, 24)
    assert first.startswith(" 25% ━━━")
    assert first.endswith("1.5 kB of 6.0 kB    1.0 kB/s     0:04 left")
    assert [line.split()[0] for line in rest] == ["c" * 12, "b" * 12, "a" * 12, "HEAD"]
    assert rest[0].endswith("1.5 kB of 3.0 kB")
    assert " 50% ━━━" in rest[0]
    assert rest[1].endswith("again in 3 s: the body ended 7 bytes too early")
    assert rest[3] == "  HEAD /v2/y  again in 2 s: 503 Service Unavailable"
    assert all(line.isascii() for line in draw(tally, 100, 24, plain=True))


def many(count: int) -> Tally:
    made = Tally(Clock())
    made.count(Planned(1, 1, count, 10**12))
    for number in range(count):
        made.count(BlobStarted(f"sha256:{number:064x}", 10**9 + number))
        made.count(BlobProgress(f"sha256:{number:064x}", 123_456_789))
        made.count(Retrying(f"POST /v2/{'long/' * 30}{number}", "a\nlong \x1b[31mreason " * 20, 1, 100.0))
    return made


@pytest.mark.parametrize("width", [1, 2, 5, 9, 15, 20, 30, 39, 40, 41, 60, 80, 120, 300])
def test_it_fits_every_terminal(width: int) -> None:
    for count in (0, 1, 4, 40):
        for height in (1, 2, 3, 5, 10, 50):
            lines = draw(many(count), width, height)
            assert all(len(line) < width for line in lines)
            assert len(lines) <= max(1, height - 1)
            assert len(lines) <= 6
            assert "".join(lines).replace("━", "").replace("─", "").isprintable()
    if width >= 9:
        assert lines[0].lstrip().startswith("0%")
    if width >= 40:
        assert "of 1.0 TB" in lines[0]


def test_those_that_have_no_line_are_counted() -> None:
    made = Tally(Clock())
    made.count(Planned(1, 1, 9, 9000))
    for number in range(9):
        made.count(BlobStarted(f"sha256:{number:064x}", 1000))
    assert draw(made, 80, 24)[-1] == "  and 5 more"
    assert draw(made, 80, 4)[-1] == "  and 8 more"
    assert len(draw(made, 80, 2)) == 1


def test_one_line_for_logs(tally: Tally, time: Clock) -> None:
    assert plainly(tally) == "0 B of 6.0 kB, 0 B/s"
    steady(tally, time, C, 15, 100, 0.1)
    assert plainly(tally) == "1.5 kB of 6.0 kB, 1.0 kB/s, 0:04 left"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3723, "1:02:03"), (10**7, "days")]
)
def test_times(seconds: float, said: str) -> None:
    assert clock(seconds) == said
