# SPDX-License-Identifier: Apache-2.0
"""Blob bodies on their way in: whatever breaks, the bytes are the blob's or there is an error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from airgap.errors import AirgapError, ContentError, ContentMissing, Rejected, Unauthorized, Unavailable
from airgap.oci import Descriptor
from airgap.registry.http.retry import RetryPolicy, parse_retry_after
from airgap.store.readers import read_verified
from tests.doubles.registry import Answer, Double, Request, Shelf, double
from tests.doubles.registry.shelf import asks_basic, basic, error
from tests.parts.faulty_line import CLOSE, RESET, Break, Fault, faulty_line
from tests.registry.auth.test_authenticator import ME
from tests.registry.tools import Network
from tests.suites.store_suite import described, noise, read_all

CONTENT = noise(500_000)
BLOB = described(CONTENT)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf({"team/app": {BLOB.digest: CONTENT}})


def fetch_all(network: Network, peer: Double, blob: Descriptor = BLOB, offset: int = 0) -> bytes:
    return read_all(network.repository(peer.address).open(blob, offset))


def ranges(peer: Double) -> list[str]:
    return [r.headers.get("Range") or "" for r in peer.seen("GET", "/blobs/")]


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "early close"])
@pytest.mark.parametrize("cut", [1, 70_000, len(CONTENT) - 1])
def test_goes_on_where_it_broke(network: Network, peer: Double, reset: bool, cut: int) -> None:
    peer.on("GET", "/blobs/", Answer(200, CONTENT, broken=Break(RESET if reset else CLOSE, cut)))
    assert fetch_all(network, peer) == CONTENT
    (_, again) = ranges(peer)
    start = int(again.removeprefix("bytes=").removesuffix("-") or 0)
    # A reset may throw bytes away that had arrived; a close hands over every one of them.
    assert start <= cut if reset else start == cut
    assert len(network.recorder.retries) == 1


def test_breaks_again_and_again(network: Network, peer: Double, shelf: Shelf) -> None:
    """As long as it comes forward, it goes on: attempts count from the last byte that arrived."""

    def broken(request: Request) -> Answer:
        answer = shelf(request)
        answer.broken = Break(CLOSE, 40_000)
        return answer

    peer.on("GET", "/blobs/", *[broken] * 12)
    assert fetch_all(network, peer) == CONTENT
    assert ranges(peer) == ["", *[f"bytes={40_000 * n}-" for n in range(1, 13)]]


def test_breaks_before_a_buffer_is_full(network: Network, peer: Double, shelf: Shelf) -> None:
    """A line that is cut more often than a large buffer fills still gets everything through."""
    big = noise(4_000_000)
    blob = described(big)
    shelf.blobs["team/app"][blob.digest] = big

    def broken(request: Request) -> Answer:
        answer = shelf(request)
        answer.broken = Break(RESET, 200_000)
        return answer

    peer.always("GET", "/blobs/", broken)
    reader, taken = network.repository(peer.address).open(blob), bytearray()
    buffer = memoryview(bytearray(1 << 20))
    while count := reader.readinto(buffer):
        taken += buffer[:count]
    assert bytes(taken) == big


def test_a_slow_line_hands_on_what_has_come(network: Network, peer: Double) -> None:
    with faulty_line(peer.address, Fault("GET", "/blobs/", header="Host", delay=0.03)) as slow:
        reader = network.repository(slow.address).open(BLOB)
        count = reader.readinto(memoryview(bytearray(1 << 20)))
        assert 0 < count < BLOB.size
        reader.close()


def test_gives_up_where_nothing_comes(network: Network, peer: Double) -> None:
    peer.always("GET", "/blobs/", Answer(200, CONTENT, broken=Break(CLOSE, 0)))
    with pytest.raises(Unavailable, match="too early"):
        fetch_all(network, peer)
    assert len(ranges(peer)) == 5
    assert network.recorder.sleeps == [0.5, 1.0, 2.0, 4.0]


def test_a_reader_in_the_middle(network: Network, peer: Double) -> None:
    assert fetch_all(network, peer, offset=123_456) == CONTENT[123_456:]
    assert ranges(peer) == ["bytes=123456-"]


def test_range_ignored(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.ranges = False
    peer.on("GET", "/blobs/", Answer(200, CONTENT, broken=Break(CLOSE, 200_000)))
    assert fetch_all(network, peer) == CONTENT
    assert fetch_all(network, peer, offset=499_999) == CONTENT[499_999:]


@pytest.mark.parametrize(
    "said",
    [
        "bytes 0-499999/500000",
        "bytes 200001-499999/500000",
        "",
        "bytes */500000",
        "chapters 200000-499999/500000",
        f"bytes {'4' * 5000}-9/10",
    ],
)
def test_a_wrong_content_range(network: Network, peer: Double, said: str) -> None:
    """Such a server is asked no ranges more, and what it gives from the start is read past."""
    headers = {"Content-Range": said} if said else {}
    wrong = Answer(206, CONTENT[200_001:], headers)
    peer.on("GET", "/blobs/", Answer(200, CONTENT, broken=Break(CLOSE, 200_000)), wrong)
    assert fetch_all(network, peer) == CONTENT
    assert ranges(peer) == ["", "bytes=200000-", ""]


def test_416(network: Network, peer: Double) -> None:
    peer.on("GET", "/blobs/", Answer(200, CONTENT, broken=Break(CLOSE, 200_000)), error(416, "RANGE"))
    assert fetch_all(network, peer) == CONTENT
    assert ranges(peer) == ["", "bytes=200000-", ""]


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br", "GZIP"])
def test_a_body_encoded_on_the_way(network: Network, peer: Double, encoding: str) -> None:
    peer.always("GET", "/blobs/", Answer(200, CONTENT, {"Content-Encoding": encoding}))
    with pytest.raises(ContentError, match="encoded"):
        fetch_all(network, peer)
    assert all((r.headers.get("Accept-Encoding") or "") == "identity" for r in peer.requests)
    assert len(ranges(peer)) == 1


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "length"])
@pytest.mark.parametrize("more", [b"x", CONTENT], ids=["one", "twice"])
def test_longer_than_it_should_be(network: Network, peer: Double, chunked: bool, more: bytes) -> None:
    peer.always("GET", "/blobs/", Answer(200, CONTENT + more, chunked=chunked))
    with pytest.raises(ContentError):
        fetch_all(network, peer)


def test_shorter_than_it_should_be(network: Network, peer: Double) -> None:
    peer.always("GET", "/blobs/", Answer(200, CONTENT[:-1]))
    with pytest.raises(ContentError, match="499999 bytes there, not 500000"):
        fetch_all(network, peer)
    assert len(ranges(peer)) == 1


def test_a_whole_body_of_another_length_in_answer_to_a_range(network: Network, peer: Double) -> None:
    peer.always("GET", "/blobs/", Answer(200, CONTENT[:-1]))
    with pytest.raises(ContentError, match="499999 bytes there"):
        fetch_all(network, peer, offset=5)


def test_chunks(network: Network, peer: Double) -> None:
    peer.always("GET", "/blobs/", Answer(200, CONTENT, chunked=True))
    assert fetch_all(network, peer) == CONTENT


def test_chunks_that_break_off(network: Network, peer: Double) -> None:
    peer.on("GET", "/blobs/", Answer(200, CONTENT, chunked=True, broken=Break(CLOSE, 100_003)))
    assert fetch_all(network, peer) == CONTENT
    assert len(ranges(peer)) == 2


def test_corrupted_on_the_way(network: Network, peer: Double) -> None:
    """The reader gives what it got, and whoever drains it finds out."""
    bad = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    peer.always("GET", "/blobs/", Answer(200, bad))
    with pytest.raises(ContentError):
        read_verified(BLOB, network.repository(peer.address).open(BLOB), lambda piece, offset: None)


def test_a_missing_blob(network: Network, peer: Double) -> None:
    absent = described(b"absent")
    with pytest.raises(ContentMissing) as caught:
        fetch_all(network, peer, absent)
    assert caught.value.exit_code == 32
    assert absent.digest in str(caught.value)
    assert network.recorder.sleeps == []


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Unauthorized), (400, Rejected), (418, Rejected), (451, Rejected), (505, AirgapError)]
)
def test_what_cannot_heal_is_not_tried_again(
    network: Network, peer: Double, status: int, kind: type[AirgapError]
) -> None:
    peer.always("GET", "/blobs/", error(status, "NO"))
    with pytest.raises(kind, match=str(status)):
        fetch_all(network, peer)
    assert len(peer.requests) == 1
    assert network.recorder.sleeps == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_can_heal_is_tried_again(network: Network, peer: Double, status: int) -> None:
    peer.on("GET", "/blobs/", *[Answer(status)] * 3)
    assert fetch_all(network, peer) == CONTENT
    assert network.recorder.sleeps == [0.5, 1.0, 2.0]
    assert [r.attempt for r in network.recorder.retries] == [1, 2, 3]
    assert all(str(status) in r.reason for r in network.recorder.retries)


def test_in_the_middle_too(network: Network, peer: Double) -> None:
    busy = Answer(503, headers={"Retry-After": "3"})
    peer.on("GET", "/blobs/", Answer(200, CONTENT, broken=Break(CLOSE, 100_000)), busy, busy)
    assert fetch_all(network, peer) == CONTENT
    assert network.recorder.sleeps[1:] == [3.0, 3.0]


def test_retry_after_a_date(network: Network, peer: Double) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=100), usegmt=True)
    peer.on("GET", "/blobs/", Answer(429, headers={"Retry-After": date}))
    assert fetch_all(network, peer) == CONTENT
    assert 90 < network.recorder.sleeps[0] <= 100


def test_a_registry_that_asks_for_too_much_patience(network: Network, peer: Double) -> None:
    peer.always("GET", "/blobs/", Answer(429, headers={"Retry-After": "86400"}))
    with pytest.raises(Unavailable, match="429") as caught:
        fetch_all(network, peer)
    assert len(peer.requests) == 1
    assert "--jobs" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:28:30 -0000", 30.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    now = datetime(2015, 10, 21, 7, 28, tzinfo=timezone.utc).timestamp()
    assert parse_retry_after(value, lambda: now) == seconds


def test_delays_double_and_are_jittered_in_their_upper_half() -> None:
    low, high = RetryPolicy(random=lambda: 0.0, attempts=9), RetryPolicy(random=lambda: 1.0, attempts=9)
    spans = [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [high.delay(n, None) for n in range(1, 10)] == [*spans, None]
    assert [low.delay(n, None) for n in range(1, 10)] == [*(s / 2 for s in spans), None]


# Redirects


def test_elsewhere_without_credentials(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.guard = asks_basic("me", "s3cret-word")
    with double(Shelf({"cdn": {BLOB.digest: CONTENT}})) as elsewhere:
        there = f"{elsewhere.url}/v2/cdn/blobs/{BLOB.digest}?signature=abc"
        elsewhere.on("GET", "", Answer(200, CONTENT, broken=Break(CLOSE, 100_000)))
        peer.always(
            "GET",
            "/blobs/",
            lambda r: Answer(307, b"moved", {"Location": there}) if r.authorization else None,
        )
        registries = network.registries(explicit={peer.address: ME})
        assert read_all(registries.repository(peer.address, "team/app").open(BLOB)) == CONTENT
        assert [r.authorization for r in elsewhere.requests] == ["", ""]
        assert [r.headers.get("Range") for r in elsewhere.requests] == [None, "bytes=100000-"]
        assert [r.authorization for r in peer.requests] == ["", *[basic("me", "s3cret-word")] * 2]


def test_within_the_registry_with_credentials(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.guard = asks_basic("me", "s3cret-word")
    shelf.blobs["other"] = shelf.blobs.pop("team/app")
    location = {"Location": f"../../other/blobs/{BLOB.digest}"}
    peer.always("GET", "/team/app/", lambda r: Answer(302, headers=location) if r.authorization else None)
    # Relative to /v2/team/app/blobs/DIGEST.
    location["Location"] = f"../../../other/blobs/{BLOB.digest}"
    registries = network.registries(explicit={peer.address: ME})
    assert read_all(registries.repository(peer.address, "team/app").open(BLOB)) == CONTENT
    assert peer.seen("GET", "/other/")[0].authorization == basic("me", "s3cret-word")


def test_manifests_too(network: Network, peer: Double, shelf: Shelf, images: object) -> None:
    from tests.parts.images import Images

    made = Images(4)
    root = made.image()
    stock = Shelf()
    stock.put("cdn", made, v1=root)
    shelf.guard = asks_basic("me", "s3cret-word")
    with double(stock) as elsewhere:
        location = {"Location": f"{elsewhere.url}/v2/cdn/manifests/v1"}
        for method in ("HEAD", "GET"):
            peer.always(method, "/manifests/", lambda r: Answer(307, headers=location) if r.authorization else None)
        store = network.registries(explicit={peer.address: ME}).repository(peer.address, "team/app")
        assert store.resolve("v1").digest == root.digest
        assert store.manifest("v1").content == made.content[root.digest]
        assert all(not r.authorization for r in elsewhere.requests)


@pytest.mark.parametrize("location", ["", "/v2/team/app/blobs/{digest}?again"])
def test_redirects_without_end(network: Network, peer: Double, location: str) -> None:
    where = location.format(digest=BLOB.digest) or f"/v2/team/app/blobs/{BLOB.digest}"
    peer.always("GET", "/blobs/", Answer(307, headers={"Location": where}))
    with pytest.raises(Unavailable, match="redirects without end"):
        fetch_all(network, peer)
    assert len(peer.requests) == 6


@pytest.mark.parametrize(
    "location",
    ["http://[bad", "http://127.0.0.1:99999/", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://a b/"],
)
def test_redirects_to_nowhere(network: Network, peer: Double, location: str) -> None:
    peer.always("GET", "/blobs/", Answer(307, headers={"Location": location}))
    with pytest.raises(Unavailable):
        fetch_all(network, peer)
    assert len(peer.requests) == 1


def test_a_location_with_what_no_request_line_may_hold(network: Network, peer: Double) -> None:
    peer.on("GET", "/blobs/", Answer(307, headers={"Location": "/there/é and spaces?q=a b"}))
    peer.on("GET", "/there/", Answer(200, CONTENT))
    assert fetch_all(network, peer) == CONTENT
    assert peer.requests[-1].target == "/there/%E9%20and%20spaces?q=a%20b"


def test_connections_are_kept(network: Network, peer: Double) -> None:
    store = network.repository(peer.address)
    for _ in range(5):
        assert read_all(store.open(BLOB)) == CONTENT
        assert store.exists(BLOB)
        assert not store.exists(described(b"absent"))
    assert peer.connections == 1


def test_a_kept_connection_that_the_server_has_closed(network: Network, peer: Double) -> None:
    store = network.repository(peer.address)
    assert store.exists(BLOB)
    peer.hang_up()
    assert store.exists(BLOB)
    assert network.recorder.retries == []
