# SPDX-License-Identifier: Apache-2.0
"""Connections of the plainest kind, for clients that do not behave, and a server in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from airgap.server import Server

SOURCE = str(Path(__file__).parents[2])


def connect(url: str, source: str | None = None) -> socket.socket:
    """Connect to a server, from the loopback address ``source`` if one is given."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    return socket.create_connection(
        (address.hostname, address.port), timeout=30, source_address=(source, 0) if source else None
    )


def read_all(connection: socket.socket) -> bytes:
    """Read until the server ends the connection."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def ask(server: Server | str, request: bytes) -> bytes:
    """Send a request, keep the connection open, and return all that the server sends until it closes it."""
    with connect(server if isinstance(server, str) else server.url) as connection:
        connection.sendall(request)
        return read_all(connection)


class Process:
    """A running ``airgap serve``."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    @property
    def peak(self) -> float:
        """The most memory that it had, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextlib.contextmanager
def serving(layout: Path, *options: str) -> Iterator[Process]:
    """Run ``airgap serve`` on a free port."""
    command = [sys.executable, "-m", "airgap", "serve", str(layout), "--listen", "127.0.0.1:0", *options]
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    with (
        open(layout.parent / "serve.log", "wb") as log,
        subprocess.Popen(command, stderr=subprocess.PIPE, stdout=log, env=environment) as process,
    ):
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        try:
            assert " is served at " in line, line + process.stderr.read().decode()
            # What it says of each request must not fill the pipe.
            drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=log)
            yield Process(line.partition(" is served at ")[2].partition(";")[0], process.pid)
        finally:
            process.terminate()
            process.wait()
            drain.wait()
