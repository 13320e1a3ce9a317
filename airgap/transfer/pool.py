# SPDX-License-Identifier: Apache-2.0
"""A few threads that work off a list, and the token that cancels them. No other room starts threads for transfers."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from airgap.errors import AirgapError, Interrupted, without_frames
from airgap.i18n import tr
from airgap.records import Record

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Seconds after which the main thread checks whether it was interrupted.
_CHECK_SECONDS = 0.5


class Jobs(Record):
    """How many requests run at the same time: ``transfers`` of blobs, and ``control`` requests, which are small (tags,
    manifests, HEAD). Control requests mostly wait for the network, so more of them run by default."""

    transfers: int = 4
    control: int = 8

    @classmethod
    def of(cls, limit: int | None) -> Jobs:
        """At most ``limit`` requests of any kind; the defaults for ``None``."""
        return cls() if limit is None else cls(limit, limit)


class CancelToken:
    """Set once, by Ctrl-C or by the first failure. ``on_cancel`` unblocks threads that wait for the network."""

    def __init__(self, on_cancel: Callable[[], None] | None = None) -> None:
        self._event = threading.Event()
        self._on_cancel = on_cancel

    def set(self) -> None:
        """Cancel the work of every thread that checks this token."""
        self._event.set()
        if self._on_cancel is not None:
            self._on_cancel()

    def check(self) -> None:
        """Raise :class:`Interrupted` once the token is set. Called for every piece that moves."""
        if self._event.is_set():
            raise Interrupted(tr("stopped"))


def parallel_map(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    workers: int,
    cancel: CancelToken,
    keep_going: bool = False,
) -> list[Result | AirgapError]:
    """Call ``work`` for every item in ``workers`` threads; return the results in the order of the items.

    With ``keep_going`` an :class:`AirgapError` is a result like any other, without its traceback. Otherwise the first
    one cancels the rest and is raised, as is any other exception, Ctrl-C included.
    """
    todo = deque(enumerate(items))
    results: list[Result | AirgapError | None] = [None] * len(todo)
    failures: list[BaseException] = []
    # An interrupt may come anywhere in this thread, so only the workers change this set when they end. The queue is
    # written in C: unlike a semaphore, it cannot be interrupted while it holds its lock.
    working: set[int] = set()
    ended: SimpleQueue[int] = SimpleQueue()

    def wait() -> None:
        while working:
            # A signal that comes just before this thread blocks does not wake it.
            with suppress(Empty):
                ended.get(timeout=_CHECK_SECONDS)

    def worker(number: int) -> None:
        try:
            work_off()
        finally:
            working.discard(number)
            ended.put(number)

    def work_off() -> None:
        while not failures:
            try:
                index, item = todo.popleft()
            except IndexError:
                return
            try:
                cancel.check()
                results[index] = work(item)
            except Interrupted as error:
                failures.append(error)
            except AirgapError as error:
                if keep_going:
                    results[index] = without_frames(error)
                else:
                    failures.append(error)
                    cancel.set()
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                failures.append(error)
                cancel.set()

    try:
        # Only the main thread can act on a signal, so the workers block them. They inherit the mask, and no thread is
        # started without being counted.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        try:
            for number in range(min(workers, len(todo))):
                thread = threading.Thread(target=worker, args=(number,), name=f"airgap-{number}", daemon=True)
                working.add(number)
                try:
                    thread.start()
                except RuntimeError:
                    working.discard(number)
                    raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        wait()
    except BaseException:
        cancel.set()
        # Not Thread.join: after an interruption, its next call says that the thread has ended (before Python 3.13).
        wait()
        raise
    if failures:
        raise failures[0]
    return results  # type: ignore[return-value] # every slot is filled once no worker failed
