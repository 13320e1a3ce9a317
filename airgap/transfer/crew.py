# SPDX-License-Identifier: Apache-2.0
"""A few threads for work that is found bit by bit, while a bounded number of pieces waits for them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full, Queue, SimpleQueue

from airgap.transfer.pool import CancelToken

Work = Callable[[], None]

#: Seconds after which the main thread checks whether a worker has failed, or it was interrupted.
_CHECK_SECONDS = 0.5


class Crew:
    """Threads that call what :meth:`submit` gives them. A context manager: leaving it waits until all is done.

    Each piece of work is called, even after a failure, so that it can release what it holds; it should check ``cancel``
    first. The first exception of a piece sets ``cancel`` and is raised by :meth:`submit` and at the end.
    """

    def __init__(self, workers: int, cancel: CancelToken) -> None:
        self._cancel = cancel
        self._queue: Queue[Work | None] = Queue(workers)
        self._failures: list[BaseException] = []
        # See parallel_map: this is how a thread waits for others and can still be interrupted.
        self._working: set[int] = set()
        self._ended: SimpleQueue[int] = SimpleQueue()
        self._workers = workers

    def __enter__(self) -> Crew:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        try:
            for number in range(self._workers):
                thread = threading.Thread(target=self._work_off, args=(number,), name=f"airgap-{number}", daemon=True)
                self._working.add(number)
                try:
                    thread.start()
                except RuntimeError:
                    self._working.discard(number)
                    raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return self

    def submit(self, work: Work) -> None:
        """Give a piece of work away; wait while as many wait as there are threads. Raises the first failure.

        If it raises, the piece was not taken.
        """
        while True:
            if self._failures:
                raise self._failures[0]
            with suppress(Full):
                self._queue.put(work, timeout=_CHECK_SECONDS)
                return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._cancel.set()
        try:
            self._wait()
        except BaseException:
            self._cancel.set()
            self._wait()
            raise
        if error is None and self._failures:
            raise self._failures[0]

    def _wait(self) -> None:
        """Wait until all work is done and the threads have ended. May be called again after an interruption."""
        while self._working:
            # One end for each thread that is left, and perhaps some more: nobody reads those.
            with suppress(Full):
                self._queue.put(None, timeout=_CHECK_SECONDS / 10)
            with suppress(Empty):
                self._ended.get(timeout=_CHECK_SECONDS / 10)

    def _work_off(self, number: int) -> None:
        try:
            while (work := self._queue.get()) is not None:
                try:
                    work()
                except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                    self._failures.append(error)
                    self._cancel.set()
        finally:
            self._working.discard(number)
            self._ended.put(number)
