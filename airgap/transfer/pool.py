# SPDX-License-Identifier: Apache-2.0
"""A few threads that work a list off, and the one way to stop them."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from airgap.errors import AirgapError, Interrupted
from airgap.records import Record

A = TypeVar("A")
B = TypeVar("B")


class Jobs(Record):
    """How many requests run at the same time: ``transfers`` of blobs, and ``control`` requests, which are small (tags,
    manifests, HEAD). Control requests mostly wait for the network, so more of them run by default."""

    transfers: int = 4
    control: int = 8

    @classmethod
    def of(cls, limit: int | None) -> Jobs:
        """At most ``limit`` requests of any kind; the defaults for ``None``."""
        return cls() if limit is None else cls(limit, limit)


class Stop:
    """Set once, by Ctrl-C or by the first failure; ``on_stop`` breaks what threads may be blocked in."""

    def __init__(self, on_stop: Callable[[], None] | None = None) -> None:
        self._event = threading.Event()
        self._on_stop = on_stop

    def set(self) -> None:
        self._event.set()
        if self._on_stop is not None:
            self._on_stop()

    def check(self) -> None:
        """Raise :class:`Interrupted` once stopped; called for every piece that moves."""
        if self._event.is_set():
            raise Interrupted("stopped")


def each(
    items: Iterable[A], work: Callable[[A], B], *, jobs: int, stop: Stop, keep_going: bool = False
) -> list[B | AirgapError]:
    """``work`` on every item by ``jobs`` threads; results in the items' order.

    An :class:`AirgapError` is a result too when ``keep_going``; otherwise the first stops the others and is
    raised, as is any other exception, Ctrl-C included.
    """
    todo = deque(enumerate(items))
    results: list[B | AirgapError | None] = [None] * len(todo)
    failed: list[BaseException] = []

    ended = threading.Semaphore(0)

    def worker() -> None:
        try:
            work_off()
        finally:
            ended.release()

    def work_off() -> None:
        while not failed:
            try:
                index, item = todo.popleft()
            except IndexError:
                return
            try:
                stop.check()
                results[index] = work(item)
            except Interrupted as error:
                failed.append(error)
            except AirgapError as error:
                results[index] = error
                if not keep_going:
                    failed.append(error)
                    stop.set()
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                failed.append(error)
                stop.set()

    running = 0
    try:
        # A signal that one of these threads takes would not wake the main thread, which alone can act on it: they are
        # started with these signals blocked. So no thread is started without being counted, either.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        try:
            for number in range(min(jobs, len(todo))):
                threading.Thread(target=worker, name=f"airgap-{number}", daemon=True).start()
                running += 1
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        while running:
            ended.acquire()
            running -= 1
    except BaseException:
        stop.set()
        # Not Thread.join: interrupted once, it says at the next call that the thread has ended (before Python 3.13).
        while running:
            ended.acquire()
            running -= 1
        raise
    if failed:
        raise failed[0]
    return results  # type: ignore[return-value] # every slot is filled once no worker failed
