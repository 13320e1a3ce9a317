# SPDX-License-Identifier: Apache-2.0
"""``--limit-rate`` below the command line: how many bytes pass in which time, by a clock of the test's own."""

from __future__ import annotations

import http.client
import io
import socket
from pathlib import Path

import pytest

from airgap.errors import Interrupted, UsageError
from airgap.registry.http import body_sender
from airgap.registry.http.body import ResponseBody
from airgap.registry.http.rate import RateLimit
from airgap.registry.settings import parse_rate
from airgap.store.readers import BytesReader
from tests.registry.tools import file_opener
from tests.suites.store_suite import described, noise

CONTENT = noise(200_000)
BLOB = described(CONTENT)


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def limit(rate: int) -> tuple[RateLimit, Clock]:
    clock = Clock()
    return RateLimit(rate, sleep=clock.sleep, clock=clock), clock


def test_so_many_bytes_take_so_long() -> None:
    rate, clock = limit(1000)
    for _ in range(20):
        rate.wait(500)
    assert 9.5 <= clock.now - 50 <= 10.0


def test_what_a_pause_leaves_unused_is_no_burst() -> None:
    rate, clock = limit(1000)
    rate.wait(1000)
    clock.now += 3600
    before = clock.now
    rate.wait(2000)
    assert clock.now - before >= 1.7


def test_who_comes_second_waits_for_the_first() -> None:
    waits: list[float] = []
    rate = RateLimit(1000, sleep=waits.append, clock=lambda: 50.0)
    for _ in range(3):
        rate.wait(1000)
    assert waits == pytest.approx([0.75, 1.75, 2.75])


@pytest.mark.parametrize("how", ["sendfile", "copy", "hashed"])
def test_bodies_go_in_small_pieces_at_the_rate(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 kB at 20 kB/s take ten seconds, and no piece is so large that a server would see a silent line."""
    rate, clock = limit(20_000)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.sleep(seconds)

    rate.sleep = sleep
    if how == "copy":
        monkeypatch.setattr(body_sender, "_MAX_SENDFILE_LENGTH", 1)
    (tmp_path / "blob").write_bytes(CONTENT)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        if how == "hashed":
            body_sender.BlobHash(BLOB).send(ours, BytesReader(CONTENT, 0), len(CONTENT), rate)
        else:
            body_sender.send_file(ours, file_opener(tmp_path / "blob", BLOB)(0), len(CONTENT), rate)
        ours.shutdown(socket.SHUT_WR)
        with theirs.makefile("rb") as file:
            assert file.read() == CONTENT
    assert 9.5 <= clock.now - 50 <= 10.0
    assert max(waits) <= 0.1


def test_answers_are_read_in_small_pieces_at_the_rate() -> None:
    rate, clock = limit(20_000)
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT
    response = http.client.HTTPResponse(Line(raw))  # type: ignore[arg-type] # all that it takes of a socket
    response.begin()
    body, received, buffer = ResponseBody(response, rate), b"", memoryview(bytearray(1 << 20))
    while count := body.readinto(buffer):
        assert count <= rate.piece
        received += buffer[:count]
    assert received == CONTENT
    assert 9.5 <= clock.now - 50 <= 10.0


class Line:
    """What ``http.client`` reads an answer from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._content))  # type: ignore[arg-type] # a raw stream by its methods


def test_a_wait_can_be_ended() -> None:
    def interrupted(_: float) -> None:
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        RateLimit(1000, sleep=interrupted).wait(1_000_000)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("2MB", 2_000_000), ("500k", 500_000), ("1.5 MiB/s", 1_572_864), ("20Mbit", 2_500_000), ("8Mbit/s", 1_000_000),
     ("100mbps", 100_000_000), ("4096", 4096)],
)  # fmt: skip
def test_rates_as_people_write_them(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "-1MB", "0", "999", "7kbit", "1e6", "10TB", "1MB/h"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(UsageError):
        parse_rate(text)
