# SPDX-License-Identifier: Apache-2.0
"""What is counted: bytes that have to move, never backwards, at the rate of the last seconds; and its drawing, which
fits whatever terminal there is."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from airgap.cli.progress.model import ProgressModel
from airgap.cli.progress.view import draw, draw_plain, format_seconds
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
def model(time: Clock) -> ProgressModel:
    made = ProgressModel(time)
    made.update(Planned(1, 1, 3, 6000))
    for digest, size in ((A, 1000), (B, 2000), (C, 3000)):
        made.update(BlobStarted(digest, size))
    return made


def steady(model: ProgressModel, time: Clock, digest: str, pieces: int, size: int, every: float) -> None:
    for _ in range(pieces):
        time.now += every
        model.update(BlobProgress(digest, size))


@pytest.mark.parametrize("how", ["skipped", "mounted", "failed"])
def test_what_need_not_move_leaves_the_total(model: ProgressModel, how: str) -> None:
    model.update(BlobProgress(B, 500))
    model.update(BlobDone(A, 1000, how))
    assert (model.moved, model.total, model.rate > 0) == (500, 5000, True)


@pytest.mark.parametrize("how", ["fetched", "pushed", "verified"])
def test_what_moved_counts_whole(model: ProgressModel, how: str) -> None:
    model.update(BlobProgress(A, 400))
    model.update(BlobDone(A, 1000, how))
    assert (model.moved, model.total) == (1000, 6000)


def test_a_part_from_an_earlier_run_leaves_the_total_and_moves_nothing(model: ProgressModel, time: Clock) -> None:
    model.update(BlobResumed(C, 2500))
    assert (model.moved, model.total, model.rate) == (0, 3500, 0.0)
    model.update(BlobProgress(C, 500))
    model.update(BlobDone(C, 3000, "resumed"))
    assert (model.moved, model.total) == (500, 3500)
    # All of it was there: whoever told so told it at the end only.
    model.update(BlobDone(B, 2000, "resumed"))
    assert (model.moved, model.total) == (500, 1500)


def test_a_part_that_turns_out_useless_has_to_move(model: ProgressModel) -> None:
    model.update(BlobResumed(C, 2500))
    model.update(BlobProgress(C, 300))
    before = model.ratio
    model.update(BlobResumed(C, -2500))
    model.update(BlobProgress(C, -300))
    assert (model.moved, model.total) == (300, 6000)
    assert model.ratio == before
    model.update(BlobProgress(C, 3000))
    model.update(BlobDone(C, 3000, "fetched"))
    assert (model.moved, model.total) == (3000, 6000)


def test_it_never_goes_back_and_ends_at_the_total() -> None:
    chance = random.Random(5)
    for _ in range(100):
        model = ProgressModel(Clock())
        sizes = {f"sha256:{number}": chance.randrange(1, 1000) for number in range(8)}
        model.update(Planned(1, 1, len(sizes), sum(sizes.values())))
        seen = [(0.0, 0)]
        for digest, size in sizes.items():
            model.update(BlobStarted(digest, size))
            there = chance.choice([0, 0, size // 2])
            if there:
                model.update(BlobResumed(digest, there))
            for _ in range(chance.randrange(4)):
                part = chance.randrange(size - there + 1)
                model.update(BlobProgress(digest, part))
                seen.append((model.ratio, model.moved))
                model.update(BlobProgress(digest, -part))
                seen.append((model.ratio, model.moved))
            # Sent to two repositories, where the second would not mount: twice the blob's bytes.
            for _ in range(chance.randrange(1, 3)):
                model.update(BlobProgress(digest, size - there))
                seen.append((model.ratio, model.moved))
            model.update(BlobDone(digest, size, chance.choice(["fetched", "resumed", "pushed"])))
            seen.append((model.ratio, model.moved))
        assert [ratio for ratio, _ in seen] == sorted(ratio for ratio, _ in seen)
        assert [moved for _, moved in seen] == sorted(moved for _, moved in seen)
        assert seen[-1] == (1.0, model.total)
        assert model.transfers == {}


def test_all_there_already_is_all_done(model: ProgressModel) -> None:
    for digest, size in ((A, 1000), (B, 2000), (C, 3000)):
        assert model.ratio == 0.0
        model.update(BlobDone(digest, size, "skipped"))
    assert (model.total, model.ratio) == (0, 1.0)


def test_the_rate_is_that_of_the_last_seconds(model: ProgressModel, time: Clock) -> None:
    steady(model, time, C, 100, 10, 0.1)  # ten seconds at 100 bytes a second
    assert model.rate == pytest.approx(100, rel=0.1)
    assert model.seconds_left == pytest.approx(50, rel=0.1)
    steady(model, time, B, 100, 1, 0.1)  # then ten at ten
    assert model.rate == pytest.approx(10, rel=0.1)
    # A line that stands still: slower and slower, then nothing, and no time that could be told.
    time.now += 4
    assert 0 < model.rate < 7
    time.now += 5
    assert (model.rate, model.seconds_left) == (0.0, None)


def test_the_rate_is_one_of_the_line(model: ProgressModel, time: Clock) -> None:
    """Bytes that had to move again were on the line too; what was taken back was not."""
    steady(model, time, A, 10, 100, 0.5)
    model.update(BlobProgress(A, -1000))
    steady(model, time, A, 6, 100, 0.5)
    assert model.moved == 1000
    assert model.rate == pytest.approx(200, rel=0.1)


def test_a_new_plan_begins_at_nothing(model: ProgressModel, time: Clock) -> None:
    steady(model, time, A, 10, 100, 0.5)
    model.update(Planned(1, 1, 1, 50))
    assert (model.moved, model.ratio, model.rate, model.transfers) == (0, 0.0, 0.0, {})


def test_what_waits_for_another_try(model: ProgressModel, time: Clock) -> None:
    model.update(Retrying(f"PUT {A}", "the connection broke", 1, 3.0))
    model.update(Retrying("GET /v2/", "429 Too Many Requests", 2, 1.0))
    assert [(one.reason, one.digest) for one in model.retries] == [
        ("429 Too Many Requests", ""),
        ("the connection broke", A),
    ]
    time.now += 1.5
    assert [one.what for one in model.retries] == [f"PUT {A}"]
    time.now += 2
    assert model.retries == []


def test_the_drawing(model: ProgressModel, time: Clock) -> None:
    steady(model, time, C, 15, 100, 0.1)
    model.update(Retrying(f"GET /v2/x/blobs/{B}", "the body ended 7 bytes too early", 1, 3.0))
    model.update(Retrying("HEAD /v2/y", "503 Service Unavailable", 1, 2.0))
    first, *rest = draw(model, 100, 24)
    assert first.startswith(" 25% ━━━")
    assert first.endswith("1.5 kB of 6.0 kB    1.0 kB/s     0:04 left")
    assert [line.split()[0] for line in rest] == ["c" * 12, "b" * 12, "a" * 12, "HEAD"]
    assert rest[0].endswith("1.5 kB of 3.0 kB")
    assert " 50% ━━━" in rest[0]
    assert rest[1].endswith("again in 3 s: the body ended 7 bytes too early")
    assert rest[3] == "  HEAD /v2/y  again in 2 s: 503 Service Unavailable"
    assert all(line.isascii() for line in draw(model, 100, 24, ascii_only=True))


def many(count: int) -> ProgressModel:
    made = ProgressModel(Clock())
    made.update(Planned(1, 1, count, 10**12))
    for number in range(count):
        made.update(BlobStarted(f"sha256:{number:064x}", 10**9 + number))
        made.update(BlobProgress(f"sha256:{number:064x}", 123_456_789))
        made.update(Retrying(f"POST /v2/{'long/' * 30}{number}", "a\nlong \x1b[31mreason " * 20, 1, 100.0))
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
    made = ProgressModel(Clock())
    made.update(Planned(1, 1, 9, 9000))
    for number in range(9):
        made.update(BlobStarted(f"sha256:{number:064x}", 1000))
    assert draw(made, 80, 24)[-1] == "  and 5 more"
    assert draw(made, 80, 4)[-1] == "  and 8 more"
    assert len(draw(made, 80, 2)) == 1


def test_one_line_for_logs(model: ProgressModel, time: Clock) -> None:
    assert draw_plain(model) == "0 B of 6.0 kB, 0 B/s"
    steady(model, time, C, 15, 100, 0.1)
    assert draw_plain(model) == "1.5 kB of 6.0 kB, 1.0 kB/s, 0:04 left"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3723, "1:02:03"), (10**7, "days")]
)
def test_times(seconds: float, said: str) -> None:
    assert format_seconds(seconds) == said


@pytest.mark.parametrize(
    ("image", "width", "label"),
    [
        ("quay.io/jetstack/cert-manager-webhook:v1.14.4", 120, "cert-manager-webhook:v1.14.4 000000000001"),
        (f"quay.io/a/x:1@sha256:{'0' * 64}", 80, "x:1 000000000001"),
        ("quay.io/jetstack/cert-manager-webhook:v1.14.4", 60, "cert-manager-w 000000000001"),
        ("quay.io/jetstack/cert-manager-webhook:v1.14.4", 30, "000000000001"),
        ("quay.io/a/\x1b[31mx:1", 80, "\\x1b[31mx:1 000000000001"),
        ("", 80, "000000000001"),
    ],
)
def test_a_blob_is_called_by_its_image(image: str, width: int, label: str) -> None:
    made = ProgressModel(lambda: 0.0)
    made.update(Planned(1, 1, 1, 1000))
    made.update(BlobStarted(f"sha256:{'000000000001':<064}", 1000, image))
    line = draw(made, width, 24)[1]
    assert line.startswith(f"  {label}   0%")
    assert len(line) < width
