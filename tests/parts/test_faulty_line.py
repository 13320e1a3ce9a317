# SPDX-License-Identifier: Apache-2.0
"""The faulty line itself: each fault is seen by a plain HTTP client, and what it carried is counted."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator

import pytest

from tests.doubles.registry import Answer, Double, double
from tests.parts.faulty_line import CLOSE, RESET, STALL, Break, Ending, Fault, FaultyLine, Reply, faulty_line
from tests.parts.waiting import wait_until

BODY = bytes(range(256)) * 400
#: Bytes of the body that pass before a break.
PART = 50_000


@pytest.fixture
def server() -> Iterator[Double]:
    """A server that answers every request with its body, or with ``BODY`` if it has none."""
    with double(lambda request: Answer(200, request.read() or BODY)) as peer:
        yield peer


def connect(line: FaultyLine) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(line.address, timeout=30)


def get(line: FaultyLine) -> bytes:
    """The body of ``GET /blob`` over a connection of its own."""
    connection = connect(line)
    try:
        connection.request("GET", "/blob")
        return connection.getresponse().read()
    finally:
        connection.close()


def fault(method: str = "GET", **settings: object) -> Fault:
    return Fault(method, "/blob", header="Host", **settings)  # type: ignore[arg-type] # passed on


def test_without_faults_it_relays_and_counts(server: Double) -> None:
    with faulty_line(server.address) as line:
        assert get(line) == BODY
        assert get(line) == BODY
    assert line.connections == 2
    assert 2 * len(BODY) < line.received < 2 * len(BODY) + 1000
    assert 0 < line.sent < 1000
    assert line.resets == 0


@pytest.mark.parametrize(("ending", "error"), [(RESET, ConnectionResetError), (CLOSE, http.client.IncompleteRead)])
def test_an_answer_that_breaks(server: Double, ending: Ending, error: type[Exception]) -> None:
    with faulty_line(server.address, fault(response=Break(ending, PART))) as line:
        with pytest.raises(error):
            get(line)
        assert get(line) == BODY, "only once"
    assert line.resets == (ending == RESET)
    assert [method for method, _, _ in line.requests] == ["GET", "GET"]


@pytest.mark.parametrize("ending", [RESET, CLOSE])
def test_a_connection_that_breaks_before_the_head(server: Double, ending: Ending) -> None:
    with faulty_line(server.address, fault(response=Break(ending))) as line, pytest.raises(ConnectionResetError):
        get(line)
    assert server.count("GET", "/blob") == 1


def test_a_request_that_breaks(server: Double) -> None:
    with faulty_line(server.address, fault("PUT", request=Break(RESET, PART))) as line:
        connection = connect(line)
        with contextlib.suppress(ConnectionError):
            connection.request("PUT", "/blob", BODY)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            connection.getresponse()
        connection.close()
    wait_until(lambda: [len(request.body) for request in server.seen("PUT")] == [PART])
    (request,) = server.seen("PUT")
    assert bytes(request.body) == BODY[:PART]


def test_a_stall_lasts_until_the_release(server: Double) -> None:
    with faulty_line(server.address, fault(response=Break(STALL, PART))) as line:
        bodies: list[bytes] = []

        def read() -> None:
            try:
                bodies.append(get(line))
            except http.client.IncompleteRead as error:
                bodies.append(error.partial)

        reader = threading.Thread(target=read)
        reader.start()
        assert line.stalled.wait(60)
        assert reader.is_alive()
        line.release()
        reader.join(60)
    assert bodies == [BODY[:PART]]


@pytest.mark.parametrize("ending", [RESET, CLOSE])
def test_a_limit_for_each_connection(server: Double, ending: Ending) -> None:
    with faulty_line(server.address, limit=PART, ending=ending) as line:
        for _ in range(2):
            with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
                get(line)
    assert line.sent + line.received == 2 * PART
    assert line.resets == (2 if ending == RESET else 0)


def test_a_limit_of_all_that_is_sent(server: Double) -> None:
    with faulty_line(server.address) as line:
        line.stall_after = 1
        connections = [connect(line), connect(line)]
        connections[0].request("GET", "/blob")  # one piece: a body might come as a second one, and stall
        connections[0].getresponse().read()
        sent = line.sent
        connections[1].request("GET", "/blob")
        assert line.stalled.wait(60)
        assert line.sent == sent
        line.release()
        for connection in connections:
            connection.close()


def test_a_body_that_is_corrupted_or_truncated(server: Double) -> None:
    faults = [fault(corrupt_response=PART), fault(truncate=PART), fault("PUT", corrupt_request=PART)]
    corrupted = BODY[:PART] + bytes([BODY[PART] ^ 1]) + BODY[PART + 1 :]
    with faulty_line(server.address, *faults) as line:
        assert get(line) == corrupted
        assert get(line) == BODY[:PART]
        connection = connect(line)
        connection.request("PUT", "/blob", BODY)
        assert connection.getresponse().read() == corrupted
        connection.close()


def test_an_answer_without_the_server(server: Double) -> None:
    reply = Reply(503, "Busy", [("Retry-After", "1")], b"later")
    with faulty_line(server.address, fault(answer=reply, skip=1)) as line:
        assert get(line) == BODY
        assert get(line) == b"later"
    assert server.count() == 1


def test_a_delay_is_waited_for_at_each_chunk(server: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float | None] = []
    with faulty_line(server.address, fault(delay=7.5)) as line:
        monkeypatch.setattr(line._released, "wait", delays.append)
        assert get(line) == BODY
    assert delays == [7.5] * -(-len(BODY) // (16 * 1024))
