# SPDX-License-Identifier: Apache-2.0
"""A registry that says "too many": nobody asks before its time, and fewer at once afterwards."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from airgap.errors import Unavailable
from airgap.registry import Credentials, Registries
from airgap.registry.http.errors import Transient
from airgap.registry.http.limiter import Limiter
from airgap.registry.http.retry import RetryPolicy
from tests.doubles.registry import Answer, Request, double
from tests.parts.waiting import at_rest, wait_until
from tests.registry.tools import together

CROWD = 8


class Clock(threading.local):
    """Each thread has its own time, which stands still but for what that thread sleeps."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Busy:
    """Refuses one of the first eight requests, which must come at once, with ``after`` as its Retry-After. The seven
    others are answered once ``noticed`` says that the client knows of the refusal.

    ``later`` counts the other requests. The first four of them are answered when they are there together and ``quiet``
    says that no more will come; ``most`` is how many of them were there at once.
    """

    def __init__(self, status: int, after: str, *, quiet: Callable[[], bool] = lambda: True) -> None:
        self._status, self._after, self._quiet = status, after, quiet
        self._lock = threading.Lock()
        self._crowd = threading.Barrier(CROWD)
        self._four = threading.Event()
        self._count = 0
        self.noticed: Callable[[], bool] = lambda: True
        self.later = self.inside = self.most = 0

    def __call__(self, request: Request) -> Answer:
        with self._lock:
            self._count += 1
            first = self._count <= CROWD
        if first:
            if self._crowd.wait(60) == 0:
                return Answer(self._status, headers={"Retry-After": self._after} if self._after else {})
            wait_until(self.noticed)
            return Answer(200, b"{}")
        with self._lock:
            self.later += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            fourth = self.later == 4
        if fourth:
            wait_until(self._quiet)
            self._four.set()
        self._four.wait(60)
        with self._lock:
            self.inside -= 1
        return Answer(200, b"{}")


def registries(tmp_path: Path, clock: Clock | None = None) -> Registries:
    environment = {"HOME": str(tmp_path)}
    policy = None if clock is None else RetryPolicy(sleep=clock.sleep, clock=clock)
    return Registries(credentials=Credentials(environment), environment=environment, retry=policy)


@pytest.mark.parametrize(("status", "after"), [(429, "100"), (503, "100"), (429, "date")])
def test_nobody_asks_inside_retry_after(tmp_path: Path, status: int, after: str) -> None:
    """Eight workers, one of which is refused: the seven others wait too."""
    clock = Clock()
    busy = Busy(status, formatdate(time.time() + 200, usegmt=True) if after == "date" else after)
    waited: list[float] = []
    with double(busy) as peer, registries(tmp_path, clock) as net:
        client = net.client(peer.address)
        busy.noticed = lambda: client.limiter.limit is not None

        def work(number: int) -> None:
            begun = clock()
            for _ in range(8):
                client.request("GET", "/v2/", scopes=())
            waited.append(clock() - begun)

        assert together(CROWD, work) == [None] * CROWD
    assert busy.later == 8 * 7 + 1, "what was refused went once more"
    assert len(waited) == CROWD
    # A date counts from when it is read, and this machine may be slow.
    assert min(waited) >= (100 if after == "100" else 50)


def test_fewer_at_once_and_slowly_more_again(tmp_path: Path) -> None:
    """Half of the eight, and one more after sixteen answers."""
    clock, working = Clock(), list[int]()
    busy = Busy(503, "", quiet=at_rest(os.getpid(), lambda: working))
    with double(busy) as peer, registries(tmp_path, clock) as net:
        client = net.client(peer.address)
        busy.noticed = lambda: client.limiter.limit is not None

        def work(number: int) -> None:
            working.append(threading.get_native_id())
            try:
                for _ in range(2):
                    client.request("GET", "/v2/", scopes=())
            finally:
                working.remove(threading.get_native_id())

        assert together(CROWD, work) == [None] * CROWD
    assert 4 <= busy.most <= 5
    assert busy.later == CROWD + 1


def test_bodies_wait_too(tmp_path: Path) -> None:
    from airgap.store.readers import bytes_opener
    from tests.suites.store_suite import described, noise

    clock = Clock()
    with double(lambda _: Answer(202, headers={"Location": "/v2/a/blobs/uploads/1"})) as peer:
        peer.always("PUT", "", Answer(201))
        peer.on("PUT", "", Answer(429, headers={"Retry-After": "100"}))
        peer.always("GET", "/uploads/", Answer(404))
        peer.always("HEAD", "/blobs/", Answer(404))
        with registries(tmp_path, clock) as net:
            content, begun = noise(1000), clock()
            net.repository(peer.address, "a", push=True).push(described(content), bytes_opener(content))
    assert clock() - begun >= 100
    assert peer.count("PUT") == 2


def test_one_who_wants_to_be_left_alone_for_long(tmp_path: Path) -> None:
    """What asks for more than we are ready to wait is an error at once, for everybody, without a request."""
    with double(lambda _: Answer(429, headers={"Retry-After": "4000"})) as peer, registries(tmp_path) as net:
        client = net.client(peer.address)
        for _ in range(3):
            with pytest.raises(Unavailable):
                client.request("GET", "/v2/", scopes=())
        assert peer.count() == 1


def test_another_registry_does_not_wait(tmp_path: Path) -> None:
    refusing = Answer(429, headers={"Retry-After": "200"})
    with double(lambda _: Answer(200, b"{}")) as one, double(lambda _: refusing) as other, registries(tmp_path) as net:
        thread = threading.Thread(target=lambda: _quiet(net, other.address), daemon=True)
        thread.start()
        wait_until(lambda: net.client(other.address).limiter.limit is not None)
        net.client(one.address).request("GET", "/v2/", scopes=())
        assert thread.is_alive()
        assert other.count() == 1
        net.abort()
        thread.join(60)
        assert not thread.is_alive()


def _quiet(net: Registries, address: str) -> None:
    from airgap.errors import Interrupted

    try:
        net.client(address).request("GET", "/v2/", scopes=())
    except Interrupted:
        return


def test_one_burst_is_one_reduction() -> None:
    """Eight refusals of eight that were in flight together halve once, not eight times."""
    limiter = Limiter()
    turns = [limiter.slot() for _ in range(8)]
    told = [turn.__enter__() for turn in turns]
    for tell in told:
        tell(429, None)
    for turn in turns:
        turn.__exit__(None, None, None)
    assert limiter.limit == 4
    for _ in range(4 * 4 + 4 * 5):
        with limiter.slot() as tell:
            tell(200, None)
    assert limiter.limit == 6
    for _ in range(4 * 6 + 4 * 7 + 4 * 8):
        with limiter.slot() as tell:
            tell(200, None)
    assert limiter.limit is None


def test_a_time_that_moves_on_while_waiting() -> None:
    """Somebody else is refused while this one waits: it waits for that time too."""
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        if len(slept) == 1:
            limiter._not_before = now[0] + 7

    limiter = Limiter(sleep=sleep, clock=lambda: now[0])
    with limiter.slot() as tell:
        tell(503, 3.0)
    with limiter.slot():
        pass
    assert slept == [3.0, 7.0]
    with limiter.slot() as tell:
        tell(503, 400.0)
    with pytest.raises(Transient) as caught, limiter.slot():
        pass
    assert caught.value.retry_after == 400.0
