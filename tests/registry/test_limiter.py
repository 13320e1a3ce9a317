# SPDX-License-Identifier: Apache-2.0
"""A registry that says "too many": nobody asks before its time, and fewer at once afterwards."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from airgap.errors import Unavailable
from airgap.registry import Credentials, Registries
from airgap.registry.faults import Transient
from airgap.registry.limiter import Limiter
from airgap.registry.retry import RetryPolicy
from tests.doubles.registry import Answer, Request, double
from tests.registry.tools import together


class Busy:
    """Takes ``limit`` requests and refuses one with ``after``; notes when each came, and how many are inside."""

    def __init__(self, limit: int, status: int, after: str) -> None:
        self._limit, self._status, self._after = limit, status, after
        self._lock = threading.Lock()
        self.came: list[float] = []
        self.refused: list[float] = []
        self.inside = self.most = 0

    def __call__(self, request: Request) -> Answer:
        with self._lock:
            self.came.append(time.monotonic())
            self.inside += 1
            self.most = max(self.most, self.inside)
            busy = len(self.came) == self._limit
        time.sleep(0.01)
        with self._lock:
            self.inside -= 1
            if busy:
                self.refused.append(time.monotonic())
                after = formatdate(time.time() + 2, usegmt=True) if self._after == "date" else self._after
                return Answer(self._status, headers={"Retry-After": after} if after else {})
        return Answer(200, b"{}")


def registries(tmp_path: Path, **more: object) -> Registries:
    environment = {"HOME": str(tmp_path)}
    policy = RetryPolicy(base=0.05, **more)  # type: ignore[arg-type] # passed on
    return Registries(credentials=Credentials(environment), environment=environment, retry=policy)


@pytest.mark.parametrize(("status", "after"), [(429, "1"), (503, "1"), (429, "date")])
def test_nobody_asks_inside_retry_after(tmp_path: Path, status: int, after: str) -> None:
    """Eight workers, one of which is refused: the seven others wait too."""
    busy = Busy(20, status, after)
    with double(busy) as peer, registries(tmp_path) as net:
        endpoint = net.endpoint(peer.address)

        def work(number: int) -> None:
            for _ in range(8):
                endpoint.call("GET", "/v2/", scopes=())

        assert together(8, work) == [None] * 8
    (refused,) = busy.refused
    # A date counts whole seconds: two of them are at least one.
    late = [moment - refused for moment in busy.came if moment > refused]
    assert len(busy.came) == 8 * 8 + 1, "what was refused went once more"
    # What was on its way when the answer left may still come; nothing else for a second.
    assert sum(moment < 0.95 for moment in late) <= 7
    assert not [moment for moment in late if 0.1 < moment < 0.95]


def test_fewer_at_once_and_slowly_more_again(tmp_path: Path) -> None:
    busy = Busy(20, 503, "")
    with double(busy) as peer, registries(tmp_path) as net:
        endpoint = net.endpoint(peer.address)
        after: list[int] = []

        def work(number: int) -> None:
            for _ in range(16):
                endpoint.call("GET", "/v2/", scopes=())
                if busy.refused and time.monotonic() - busy.refused[0] > 0.05 and len(after) < 8:
                    after.append(busy.inside)

        assert together(8, work) == [None] * 8
        assert busy.most > 4
        assert after
        assert max(after) <= 5
        assert len(busy.came) == 8 * 16 + 1


def test_bodies_wait_too(tmp_path: Path) -> None:
    from airgap.store.base import opener_of
    from tests.suites.store_suite import described, noise

    with double(lambda _: Answer(202, headers={"Location": "/v2/a/blobs/uploads/1"})) as peer:
        moments: list[float] = []

        def put(request: Request) -> Answer:
            moments.append(time.monotonic())
            return Answer(429, headers={"Retry-After": "1"}) if len(moments) == 1 else Answer(201)

        peer.always("PUT", "", put)
        peer.always("GET", "/uploads/", Answer(404))
        peer.always("HEAD", "/blobs/", Answer(404))
        with registries(tmp_path) as net:
            content = noise(1000)
            net.repository(peer.address, "a", push=True).push(described(content), opener_of(content))
    assert moments[1] - moments[0] >= 0.98


def test_one_who_wants_to_be_left_alone_for_long(tmp_path: Path) -> None:
    """What asks for more than we are ready to wait is an error at once, for everybody, without a request."""
    with double(lambda _: Answer(429, headers={"Retry-After": "4000"})) as peer, registries(tmp_path) as net:
        endpoint = net.endpoint(peer.address)
        for _ in range(3):
            with pytest.raises(Unavailable):
                endpoint.call("GET", "/v2/", scopes=())
        assert peer.count() == 1


def test_another_registry_does_not_wait(tmp_path: Path) -> None:
    with double(lambda _: Answer(200, b"{}")) as one, double(Busy(1, 429, "5")) as other, registries(tmp_path) as net:
        started = time.monotonic()
        thread = threading.Thread(target=lambda: _quiet(net, other.address), daemon=True)
        thread.start()
        while not other.count():
            time.sleep(0.01)
        net.endpoint(one.address).call("GET", "/v2/", scopes=())
        assert time.monotonic() - started < 3
        net.abort()
        thread.join(10)
        assert not thread.is_alive()


def _quiet(net: Registries, address: str) -> None:
    from airgap.errors import Interrupted

    try:
        net.endpoint(address).call("GET", "/v2/", scopes=())
    except Interrupted:
        return


def test_one_burst_is_one_reduction() -> None:
    """Eight refusals of eight that were in flight together halve once, not eight times."""
    limiter = Limiter()
    turns = [limiter.turn() for _ in range(8)]
    told = [turn.__enter__() for turn in turns]
    for tell in told:
        tell(429, None)
    for turn in turns:
        turn.__exit__(None, None, None)
    assert limiter.allowed == 4
    for _ in range(4 * 4 + 4 * 5):
        with limiter.turn() as tell:
            tell(200, None)
    assert limiter.allowed == 6
    for _ in range(4 * 6 + 4 * 7 + 4 * 8):
        with limiter.turn() as tell:
            tell(200, None)
    assert limiter.allowed is None


def test_a_time_that_moves_on_while_waiting() -> None:
    """Somebody else is refused while this one waits: it waits for that time too."""
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        if len(slept) == 1:
            limiter._until = now[0] + 7

    limiter = Limiter(sleep=sleep, clock=lambda: now[0])
    with limiter.turn() as tell:
        tell(503, 3.0)
    with limiter.turn():
        pass
    assert slept == [3.0, 7.0]
    with limiter.turn() as tell:
        tell(503, 400.0)
    with pytest.raises(Transient) as caught, limiter.turn():
        pass
    assert caught.value.retry_after == 400.0
