# SPDX-License-Identifier: Apache-2.0
"""The threads that answer requests: as many as there are requests, up to a limit; those without work end.

A request reaches a worker when its headers are complete, so only bodies can keep a worker waiting. Where all are busy,
the slowest transfers make room.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import threading
import time
from collections import Counter
from typing import Any

from airgap.server.limits import Limits
from airgap.store.readers import release_thread_buffer

_log = logging.getLogger("airgap.server")

#: Workers that stay when there is nothing to do.
_MIN_WORKERS = 4
#: Seconds after which a worker without work ends.
_IDLE_TIME = 5.0
#: With more workers than these, each uses a small part of its buffer only.
_CROWD = 32
_STACK_SIZE = 512 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
#: Seconds that a transfer has before it can be cut off for another request.
_UNDISTURBED_TIME = 5.0


class WorkerPool:
    """Takes the place of cheroot's pool, which neither grows nor shrinks by itself."""

    def __init__(self, server: Any, limits: Limits) -> None:
        self._server = server
        self._limit = limits["workers"]
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._requests = 0  # at work and waiting
        self._at_work: set[Any] = set()
        self._stopping = False

    def start(self) -> None:
        """Begin; threads are started when they are needed."""
        _keep_freed_memory_small()
        self._stopping = False

    def put(self, connection: Any) -> None:
        """Answer the request of ``connection``, in a thread of its own if there is none without work."""
        with self._lock:
            self._requests += 1
            self._queue.put(connection)
            if self._requests > len(self._threads) and len(self._threads) < self._limit:
                self._start_worker()

    @property
    def is_crowded(self) -> bool:
        """Whether so many requests are at work that each should use little memory."""
        return len(self._at_work) > _CROWD

    @property
    def waiting(self) -> int:
        """Requests that have no worker."""
        return self._queue.qsize()

    def make_room(self) -> None:
        """Cut off the slowest transfers for requests that wait: those of the client with the most requests."""
        for _ in range(min(self.waiting, 64)):
            now = time.monotonic()
            at_work = [connection for connection in self._at_work.copy() if not connection.cut_off]
            by_client = Counter(connection.client for connection in at_work)
            candidates = [connection for connection in at_work if now - connection.channel.started > _UNDISTURBED_TIME]
            if len(at_work) < self._limit or not candidates:
                return
            chosen = min(candidates, key=lambda connection: (-by_client[connection.client], connection.channel.rate))
            chosen.cut_off = True
            _log.info("%s: cut off, since all workers are busy and it was the slowest", chosen.client)
            with contextlib.suppress(OSError):
                socket.socket.shutdown(chosen.socket, socket.SHUT_RDWR)

    def stop(self, timeout: float = 5.0) -> None:
        """End all workers; after ``timeout`` seconds the connections of those at work are closed."""
        with self._lock:
            self._stopping = True
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        for connection in self._at_work.copy():
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()
        with contextlib.suppress(queue.Empty):
            while True:
                connection = self._queue.get_nowait()
                if connection is not None:
                    connection.close()

    def _start_worker(self) -> None:
        thread = threading.Thread(target=self._work, name="airgap-server-worker", daemon=True)
        self._threads.add(thread)
        previous = threading.stack_size(_STACK_SIZE)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads; those that are there take the request
            self._threads.discard(thread)
        finally:
            threading.stack_size(previous)

    def _work(self) -> None:
        try:
            while True:
                try:
                    connection = self._queue.get(timeout=_IDLE_TIME)
                except queue.Empty:
                    if self._may_end():
                        return
                    continue
                if connection is None:
                    return
                self._answer(connection)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _may_end(self) -> bool:
        with self._lock:
            if self._requests < len(self._threads) and len(self._threads) > _MIN_WORKERS:
                self._threads.discard(threading.current_thread())
                return True
        return False

    def _answer(self, connection: Any) -> None:
        self._at_work.add(connection)
        keep = False
        try:
            keep = connection.communicate()
        except Exception:  # noqa: BLE001 - an error of one connection must not end the thread
            _log.exception("%s: the connection failed", connection.client)
        finally:
            self._at_work.discard(connection)
            with self._lock:
                self._requests -= 1
                is_crowd = len(self._threads) > _CROWD
            if is_crowd:
                release_thread_buffer()
            if keep and not self._stopping:
                self._server.put_conn(connection)
            else:
                connection.close()


def _keep_freed_memory_small() -> None:
    """Let the C library give freed memory back: otherwise it keeps megabytes for each of many threads (mallopt(3))."""
    with contextlib.suppress(ImportError, OSError, AttributeError):  # a system without glibc
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((_M_ARENA_MAX, 2), (_M_MMAP_THRESHOLD, 256 * 1024), (_M_TRIM_THRESHOLD, 1024 * 1024)):
            mallopt(parameter, value)
