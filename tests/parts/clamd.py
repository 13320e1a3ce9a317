# SPDX-License-Identifier: Apache-2.0
"""Debian's clamd, started on a socket of its own with signatures that the tests write: one for EICAR."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airgap.dossier.scanning.engine import EICAR
from tests.parts.service import clean_environment, free_port, running

SIGNATURE = "Test-EICAR.UNOFFICIAL"
#: Files above this are not scanned, and reported as clean.
MAX_FILE_SIZE = 2 * 1024 * 1024


@dataclass(frozen=True)
class Daemon:
    """``socket`` is the path of its socket, ``tcp`` HOST:PORT."""

    socket: Path
    tcp: str


@contextlib.contextmanager
def clamd(folder: Path, *settings: str) -> Iterator[Daemon]:
    """A running clamd. ``settings`` are further lines of its configuration."""
    database = folder / "database"
    database.mkdir(parents=True)
    (database / "test.ndb").write_text(f"Test-EICAR:0:*:{EICAR.hex()}\n")
    path, port = folder / "clamd.ctl", free_port()
    configuration = folder / "clamd.conf"
    lines = [
        f"LocalSocket {path}", f"TCPSocket {port}", "TCPAddr 127.0.0.1", f"DatabaseDirectory {database}",
        "Foreground yes", "SelfCheck 86400", f"MaxFileSize {MAX_FILE_SIZE}", "MaxThreads 4",
        f"TemporaryDirectory {folder}", *settings,
    ]  # fmt: skip
    configuration.write_text("\n".join(lines) + "\n")
    command = ["clamd", "-c", str(configuration)]
    with running(command, log=folder / "log", ready=lambda: _answers(path), environment=clean_environment(folder)):
        yield Daemon(path, f"127.0.0.1:{port}")


class Relay:
    """Passes bytes from the socket ``path`` to that of a clamd, one connection after the other; no descriptors.

    ``version`` is answered to VERSION, where it is set: clamd tells a date only of a database that ClamAV's makers have
    signed. After ``most`` connections nothing answers any more.
    """

    def __init__(self, path: Path, target: Path, most: int = 10_000) -> None:
        self.path, self._target, self._most = path, target, most
        self.version = b""

    def __enter__(self) -> Relay:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        with self._listener, contextlib.suppress(OSError):
            for _ in range(self._most):
                client, _ = self._listener.accept()
                with client, socket.socket(socket.AF_UNIX) as upstream:
                    self._pass(client, upstream)

    def _pass(self, client: socket.socket, upstream: socket.socket) -> None:
        first = client.recv(65536)
        if first == b"zVERSION\0" and self.version:
            client.sendall(self.version + b"\0")
            return
        upstream.connect(str(self._target))
        upstream.sendall(first)
        back = threading.Thread(target=_pump, args=(upstream, client))
        back.start()
        _pump(client, upstream)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _answers(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(b"zPING\0")
        return connection.recv(16) == b"PONG\0"
    return False
