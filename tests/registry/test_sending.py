# SPDX-License-Identifier: Apache-2.0
"""What happens between a blob and a socket: the time-out is for silence, however slow the line is."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap.registry import sending
from airgap.store.base import BytesReader
from tests.registry.tools import file_opener
from tests.suites.store_suite import described, noise

CONTENT = noise(2 * 1024 * 1024 + 777)
BLOB = described(CONTENT)


def hashed(sock: socket.socket, path: Path) -> None:
    sending.Hashing(BLOB).send(sock, BytesReader(CONTENT, 0), len(CONTENT))


def copied(sock: socket.socket, path: Path) -> None:
    sending.send_file(sock, file_opener(path, BLOB)(0), len(CONTENT))


@pytest.mark.parametrize("send", [hashed, copied])
def test_a_slow_line_is_not_a_silent_one(
    send: Callable[[socket.socket, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte takes twice the time-out; a few kilobytes of it arrive all the while."""
    monkeypatch.setattr(sending, "_LONG", 1)
    (tmp_path / "blob").write_bytes(CONTENT)
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
    ours.settimeout(0.25)
    arrived = bytearray()

    def take() -> None:
        while piece := theirs.recv(32 * 1024):
            arrived.extend(piece)
            time.sleep(0.016)

    reader = threading.Thread(target=take)
    reader.start()
    with ours, theirs:
        send(ours, tmp_path / "blob")
        ours.shutdown(socket.SHUT_WR)
        reader.join(20)
    assert arrived == CONTENT
