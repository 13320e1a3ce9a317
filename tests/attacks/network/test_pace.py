# SPDX-License-Identifier: Apache-2.0
"""Registries that keep a command waiting: a byte now and then, interim responses without end, bodies that crawl."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from airgap import limits
from airgap.errors import Unavailable
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.registry import RegistrySettings
from airgap.registry.http.connect import CONNECT_TIMEOUT
from airgap.registry.http.errors import TooSlow
from airgap.registry.http.retry import RetryPolicy
from airgap.store.readers import bytes_opener
from tests.cli.command import Airgap, pod
from tests.parts.listener import Listener
from tests.registry.tools import Network

HEAD = b"HTTP/1.1 200 OK\r\n"
BLOB = Descriptor("application/octet-stream", digests.of(b"x" * 4096), 4096)


@contextmanager
def dripping(whole: bytes, before: bytes = b"", *, seconds: float = 0.05) -> Iterator[Listener]:
    """A server that answers each request with ``before`` at once, and ``whole`` a byte at a time."""
    ended = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        try:
            while connection.recv(65536):
                connection.sendall(before)
                for byte in whole:
                    if ended.wait(seconds):
                        return
                    connection.sendall(bytes([byte]))
        except OSError:
            return

    listener = Listener(serve)
    listener.start()
    try:
        yield listener
    finally:
        ended.set()
        listener.stop()


@pytest.mark.parametrize(
    ("before", "whole"),
    [
        (b"", HEAD + b"Content-Length: 2\r\n\r\n{}"),
        (HEAD, b"X-Header: " + b"x" * 1000),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" " * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 200),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000\r\n\r\n", b" " * 1000),
    ],
    ids=["from the first byte", "headers", "a body", "chunks", "the body of an error"],
)
def test_a_command_ends_though_its_registry_drips(airgap: Airgap, before: bytes, whole: bytes) -> None:
    """The registry is asked twice, one second each here, and no more: not for the other images either."""
    with dripping(whole, before) as there:
        airgap.write("pod.yaml", pod(*(f"{there.address}/team/app:v{number}" for number in range(12))))
        result = airgap.run(
            "export", "pod.yaml", "-o", "b.tar", code=24, environment={"AIRGAP_LIMITS": "answer-time=1"}, timeout=20
        )
        assert there.count <= 2 + 8  # eight requests run at once
    assert "an answer was not complete after 1 s" in result.stderr
    assert "AIRGAP_LIMITS=answer-time=NUMBER" in result.stderr


@contextmanager
def silent(answers: Sequence[bytes] = ()) -> Iterator[Listener]:
    """A server that answers its first requests, and then takes requests and says nothing."""
    left, ended = list(answers), threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        try:
            while connection.recv(65536):
                if not left:
                    ended.wait()
                    return
                connection.sendall(left.pop(0))
        except OSError:
            return

    listener = Listener(serve)
    listener.start()
    try:
        yield listener
    finally:
        ended.set()
        listener.stop()


EMPTY = HEAD + b"Content-Length: 2\r\n\r\n{}"


def test_a_command_ends_though_its_registry_says_nothing(airgap: Airgap) -> None:
    with silent() as there:
        airgap.write("pod.yaml", pod(*(f"{there.address}/team/app:v{number}" for number in range(12))))
        result = airgap.run(
            "export", "pod.yaml", "-o", "b.tar", code=24, environment={"AIRGAP_LIMITS": "answer-time=1"}, timeout=20
        )
        assert there.count <= 2 + 8  # eight requests run at once
    assert "no answer in time" in result.stderr


def test_a_registry_that_falls_silent_is_asked_twice(network: Network) -> None:
    with limits.changed({"answer-time": 0.05}), silent([EMPTY]) as there:
        client = network.registries().client(there.address)
        client.ping()
        with pytest.raises(TooSlow, match="no answer within"):
            client.request("HEAD", "/v2/team/app/manifests/v1", scopes=())
        assert there.count == 2
        with pytest.raises(TooSlow, match="asked no more"):
            client.request("HEAD", "/v2/team/app/manifests/v2", scopes=())
        assert there.count == 2


def test_a_registry_whose_time_the_user_knows_may_be_silent_for_so_long(network: Network) -> None:
    """Its time-out counts for the first byte, and answer-time from there on."""
    with limits.changed({"answer-time": 0.01}), dripping(b"", EMPTY) as there:
        settings = {there.address: RegistrySettings(timeout=30)}
        delayed = network.registries(settings).client(there.address)
        delayed.ping()


@pytest.mark.parametrize("limit", ["list-page-bytes", "rest-bytes"])
def test_a_list_may_begin_late(network: Network, limit: str) -> None:
    """Nexus may search for a minute before it says anything; silence to the time-out of the registry is an error."""
    with limits.changed({"answer-time": 0.3}), silent([EMPTY]) as there:
        client = network.registries({there.address: RegistrySettings(timeout=0.05)}).client(there.address)
        client.ping()
        with pytest.raises(TooSlow, match="no answer within 0") as caught:
            client.request("GET", "/v2/_catalog", scopes=(), limit=limit)
        assert "timeout: SECONDS" in (caught.value.hint or "")
        assert there.count == 2


def test_what_a_silent_registry_takes_by_default() -> None:
    policy = RetryPolicy(random=lambda: 1.0)
    assert 2 * limits.value("answer-time") + (policy.delay(1, None) or 0) < 40
    assert CONNECT_TIMEOUT < 40


def test_an_answer_in_time_is_no_drip(network: Network) -> None:
    """Slower than all at once, and whole before the deadline."""
    with limits.changed({"answer-time": 5}), dripping(b"{}", HEAD + b"Content-Length: 2\r\n\r\n", seconds=0.1) as there:
        assert network.registries().client(there.address).request("GET", "/v2/", scopes=()).body == b"{}"


def test_interim_responses_without_end(network: Network) -> None:
    with dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000) as there:
        with pytest.raises(Unavailable, match="headers of an answer have more than 65,536 bytes"):
            network.registries().client(there.address).request("GET", "/v2/", scopes=())
        assert there.count == 1


@pytest.mark.parametrize("end", range(1, len(HEAD + b"Link: </v2/?n=1>; rel=next\r\nX: y\r\n"), 5))
def test_headers_that_break_off_are_no_answer(network: Network, end: int) -> None:
    """A list without its Link header would be taken for whole."""
    whole = HEAD + b"Link: </v2/?n=1>; rel=next\r\nX: y\r\n"
    parts = [EMPTY, whole[:end], EMPTY]

    def serve(connection: socket.socket, number: int) -> None:
        while connection.recv(65536):
            part = parts.pop(0)
            connection.sendall(part)
            if part is not EMPTY:
                return

    there = Listener(serve)
    there.start()
    try:
        client = network.registries().client(there.address)
        client.ping()
        assert client.request("GET", "/v2/", scopes=()).body == b"{}"
        assert (parts, there.count) == ([], 2)
    finally:
        there.stop()


@pytest.mark.parametrize("over", [0, 1])
def test_the_length_of_headers(network: Network, over: int) -> None:
    line = b"X-Header: %s\r\n"
    head = HEAD + b"Content-Length: 2\r\n"
    left = limits.value("header-bytes") - len(head) - len(line % b"") - 2
    answer = head + line % (b"x" * (left + over)) + b"\r\n{}"
    with dripping(b"", answer) as there:
        client = network.registries().client(there.address)
        if not over:
            assert client.request("GET", "/v2/", scopes=()).body == b"{}"
            return
        with pytest.raises(Unavailable, match="headers of an answer"):
            client.request("GET", "/v2/", scopes=())


def test_a_blob_that_crawls(network: Network) -> None:
    """Its headers are there at once. One second below the rate, once more, and then it ends."""
    with (
        limits.changed({"minimum-rate": 1024, "rate-period": 1}),
        dripping(b"x" * 4096, HEAD + b"Content-Length: 4096\r\n\r\n") as there,
    ):
        reader = network.repository(there.address).open(BLOB)
        buffer = memoryview(bytearray(4096))
        with pytest.raises(TooSlow, match=re.escape("fewer than 1,024 bytes/s moved over 1 s")):
            list(iter(lambda: reader.readinto(buffer), 0))
        assert there.count == 2


def test_a_blob_at_the_minimum_rate(network: Network) -> None:
    with (
        limits.changed({"minimum-rate": 10, "rate-period": 1}),
        dripping(b"x" * 30, HEAD + b"Content-Length: 4096\r\n\r\n" + b"x" * 4066) as there,
    ):
        reader = network.repository(there.address).open(BLOB)
        buffer, count = memoryview(bytearray(4096)), 0
        while piece := reader.readinto(buffer):
            count += piece
        assert (count, there.count) == (4096, 1)


def blackhole(ended: threading.Event) -> Callable[[socket.socket, int], None]:
    """A target that begins each upload, and then takes a byte now and then."""

    def serve(connection: socket.socket, number: int) -> None:
        try:
            while request := connection.recv(4096):
                if request.startswith(b"POST"):
                    location = b"Location: /v2/team/app/blobs/uploads/s\r\nContent-Length: 0\r\n\r\n"
                    connection.sendall(b"HTTP/1.1 202 Accepted\r\n" + location)
                    continue
                while request.startswith(b"P") and connection.recv(1) and not ended.wait(0.05):
                    pass
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            return

    return serve


def test_an_upload_that_crawls(network: Network) -> None:
    content = b"x" * (16 * 1024 * 1024)
    blob = Descriptor("application/octet-stream", digests.of(content), len(content))
    ended = threading.Event()
    there = Listener(blackhole(ended), receive_buffer=4096)
    there.start()
    try:
        with limits.changed({"rate-period": 1}), pytest.raises(TooSlow, match="fewer than 1,024 bytes/s"):
            network.repository(there.address).push(blob, bytes_opener(content))
    finally:
        ended.set()
        there.stop()
