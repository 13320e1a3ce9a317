# SPDX-License-Identifier: Apache-2.0
"""A few threads that work off a list, and the token that cancels them. No other room starts threads for transfers."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from airgap.errors import AirgapError, Interrupted
from airgap.records import Record

Item = TypeVar("Item")
Result = TypeVar("Result")


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
            raise Interrupted("stopped")


def parallel_map(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    workers: int,
    cancel: CancelToken,
    keep_going: bool = False,
) -> list[Result | AirgapError]:
    """Call ``work`` for every item in ``workers`` threads; return the results in the order of the items.

    With ``keep_going`` an :class:`AirgapError` is a result like any other. Otherwise the first one cancels the rest and
    is raised, as is any other exception, Ctrl-C included.
    """
    todo = deque(enumerate(items))
    results: list[Result | AirgapError | None] = [None] * len(todo)
    failures: list[BaseException] = []
    ended = threading.Semaphore(0)

    def worker() -> None:
        try:
            work_off()
        finally:
            ended.release()

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
                results[index] = error
                if not keep_going:
                    failures.append(error)
                    cancel.set()
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                failures.append(error)
                cancel.set()

    running = 0
    try:
        # Only the main thread can act on a signal, so the workers block them. They inherit the mask, and no thread is
        # started without being counted.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        try:
            for number in range(min(workers, len(todo))):
                threading.Thread(target=worker, name=f"airgap-{number}", daemon=True).start()
                running += 1
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        while running:
            ended.acquire()
            running -= 1
    except BaseException:
        cancel.set()
        # Not Thread.join: after an interruption, its next call says that the thread has ended (before Python 3.13).
        while running:
            ended.acquire()
            running -= 1
        raise
    if failures:
        raise failures[0]
    return results  # type: ignore[return-value] # every slot is filled once no worker failed
