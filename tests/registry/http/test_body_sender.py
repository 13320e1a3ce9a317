# SPDX-License-Identifier: Apache-2.0
"""What happens between a blob and a socket: the time-out is for silence, however slow the line is."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap.registry.http import body_sender
from airgap.store.readers import BytesReader
from tests.registry.tools import file_opener
from tests.suites.store_suite import described, noise

CONTENT = noise(2 * 1024 * 1024 + 777)
BLOB = described(CONTENT)


def hashed(sock: socket.socket, path: Path) -> None:
    body_sender.BlobHash(BLOB).send(sock, BytesReader(CONTENT, 0), len(CONTENT))


def copied(sock: socket.socket, path: Path) -> None:
    body_sender.send_file(sock, file_opener(path, BLOB)(0), len(CONTENT))


class SlowLine(socket.socket):
    """A line that takes no more than ``capacity`` bytes before the time-out of one call is over, as a socket with a
    time-out says it: ``send`` takes what there is room for, ``sendall`` fails when that is not everything."""

    def __init__(self, capacity: int) -> None:
        super().__init__(socket.AF_UNIX)
        self._capacity = capacity
        self.arrived = bytearray()

    def send(self, data: memoryview, flags: int = 0, /) -> int:
        piece = bytes(data)[: self._capacity]
        self.arrived += piece
        return len(piece)

    def sendall(self, data: memoryview, flags: int = 0, /) -> None:
        if self.send(data) < len(bytes(data)):
            raise TimeoutError("timed out")


@pytest.mark.parametrize("send", [hashed, copied])
def test_a_slow_line_is_not_a_silent_one(
    send: Callable[[socket.socket, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole takes longer than the time-out, which counts for each call; a few kilobytes arrive all the while."""
    monkeypatch.setattr(body_sender, "_MAX_SENDFILE_LENGTH", 1)
    (tmp_path / "blob").write_bytes(CONTENT)
    with SlowLine(300 * 1024) as line:
        send(line, tmp_path / "blob")
        assert line.arrived == CONTENT
        with pytest.raises(TimeoutError):
            line.sendall(memoryview(CONTENT))
