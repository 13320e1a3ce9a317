# SPDX-License-Identifier: Apache-2.0
"""A few threads that work a list off, and the one way to stop them."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from airgap.errors import AirgapError, Interrupted

A = TypeVar("A")
B = TypeVar("B")

#: Seconds after which the main thread looks whether it was interrupted.
_LOOK_UP = 0.5


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

    # An interrupt may come anywhere in this thread, so it only reads which workers run: they say themselves when they
    # end. The queue is written in C: unlike a semaphore, it cannot be interrupted while it holds its lock.
    working: set[int] = set()
    ended: SimpleQueue[int] = SimpleQueue()

    def wait() -> None:
        while working:
            # A signal that comes just before this thread blocks does not wake it.
            with suppress(Empty):
                ended.get(timeout=_LOOK_UP)

    def worker(number: int) -> None:
        try:
            work_off()
        finally:
            working.discard(number)
            ended.put(number)

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

    try:
        # A signal that one of these threads takes would not wake the main thread, which alone can act on it: they are
        # started with these signals blocked. So no thread is started without being counted, either.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        try:
            for number in range(min(jobs, len(todo))):
                thread = threading.Thread(target=worker, args=(number,), name=f"airgap-{number}", daemon=True)
                working.add(number)
                try:
                    thread.start()
                except RuntimeError:
                    working.discard(number)
                    raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        wait()
    except BaseException:
        stop.set()
        # Not Thread.join: interrupted once, it says at the next call that the thread has ended (before Python 3.13).
        wait()
        raise
    if failed:
        raise failed[0]
    return results  # type: ignore[return-value] # every slot is filled once no worker failed
