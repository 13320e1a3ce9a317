# SPDX-License-Identifier: Apache-2.0
"""What a registry serves, counted where it is read to be sent, and what lies in sockets of it."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from airgap.oci import Descriptor
from airgap.oci.manifest import is_manifest_type
from airgap.store import MemoryStore, Reader


class Ledger(MemoryStore):
    """Content whose blobs' readers count. ``sent`` are the bytes served since :meth:`begin`, ``again`` by digest those
    of them that had been served before. Once ``moment`` bytes of this run were, ``reached`` is set and nothing more
    is served until the next run, as after :meth:`hold`.

    A server counts a piece (at most 1 MiB) before it is sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.again: Counter[str] = Counter()
        self.reached = threading.Event()
        self._moment = 0
        self._flowing = threading.Event()
        self._flowing.set()
        #: How far each blob has ever been served.
        self._furthest: Counter[str] = Counter()
        self._counting = threading.Lock()

    def begin(self, moment: int = 0) -> None:
        """Another run; ``moment`` 0 is never reached."""
        with self._counting:
            self.sent, self._moment = 0, moment
            self.again.clear()
            self.reached.clear()
            self._flowing.set()

    def hold(self) -> None:
        """Serve nothing more in this run."""
        self._flowing.clear()

    def forget(self) -> None:
        """Nothing was served yet."""
        self._furthest.clear()

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        reader = super().open(descriptor, offset)
        if is_manifest_type(descriptor.media_type):
            return reader
        return _Counted(self, descriptor.digest, offset, reader)

    def serve(self, digest: str, start: int, stop: int) -> None:
        """Note that these bytes are on their way."""
        with self._counting:
            self.sent += stop - start
            self.again[digest] += max(0, min(stop, self._furthest[digest]) - start)
            self._furthest[digest] = max(stop, self._furthest[digest])
            if self._moment and self.sent >= self._moment:
                self.hold()
                self.reached.set()

    def wait(self) -> None:
        """Until something may be served."""
        self._flowing.wait(60)


class _Counted:
    def __init__(self, ledger: Ledger, digest: str, offset: int, reader: Reader) -> None:
        self._ledger = ledger
        self._digest = digest
        self._offset = offset
        self._reader = reader

    def readinto(self, buffer: memoryview, /) -> int:
        self._ledger.wait()
        count = self._reader.readinto(buffer)
        self._ledger.serve(self._digest, self._offset, self._offset + count)
        self._offset += count
        return count

    def close(self) -> None:
        self._reader.close()


def in_flight(port: int) -> int:
    """Bytes that lie in the kernel between the server on this loopback port (IPv4) and a client of it, of the
    connection where most do: sent and not read yet, or not sent yet, both ways."""
    lying = Counter[int]()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        ports = {int(end.rpartition(":")[2], 16) for end in (local, remote)}
        if port in ports:
            lying[sum(ports - {port})] += sum(int(queue, 16) for queue in queues.split(":"))
    return max(lying.values(), default=0)
