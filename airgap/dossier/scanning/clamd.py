# SPDX-License-Identifier: Apache-2.0
"""Speaks to clamd, ClamAV's daemon (man clamd, "COMMANDS"): one connection for each command.

At a Unix socket a file is passed by its descriptor (FILDES), so that clamd reads it itself; elsewhere, and where no
descriptor arrives, its bytes are sent (INSTREAM).
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator

from airgap import limits
from airgap.dossier.scanning.engine import EngineIdentity
from airgap.dossier.scanning.spool import Spool
from airgap.dossier.scanning.unscannable import Unscannable
from airgap.errors import ScanFailure, UsageError
from airgap.formatting import escaped
from airgap.i18n import tr

_CHUNK = 256 * 1024
_CONNECT_SECONDS = 10
_MOST_ANSWER = 4096
_TCP = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^/:\s]+)):(?P<port>[0-9]{1,5})", re.ASCII)
#: Reported instead of a signature with AlertExceedsMax and AlertEncrypted: these are no findings.
_LIMITS, _ENCRYPTED = "Heuristics.Limits.Exceeded", "Heuristics.Encrypted."


class Clamd:
    """clamd at ``address``: the path of a Unix socket, or HOST:PORT. Raises :class:`UsageError` for neither."""

    named_files = False

    def __init__(self, address: str) -> None:
        self.address = address
        match = _TCP.fullmatch(address)
        self._tcp = (match["ipv6"] or match["host"], int(match["port"])) if match else None
        self._passes_files = self._tcp is None
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._aborted = False
        if self._tcp is None and "/" not in address:
            raise UsageError(
                tr("this is neither the path of a socket nor HOST:PORT"),
                where=address,
                hint=tr("for example --clamd /run/clamav/clamd.ctl"),
            )

    def identify(self) -> EngineIdentity:
        """Ask for the version: ``ClamAV 1.4.3/27500/Thu Nov 26 09:00:00 2026``; without its own database only a name.

        Raises :class:`ScanFailure`.
        """
        with self._command(b"VERSION") as connection:
            answer = self._answer(connection)
        name, _, rest = answer.partition("/")
        database, _, date = rest.partition("/")
        return EngineIdentity(name, database, _iso(date))

    def scan(self, spool: Spool) -> str:
        """Scan a file. Raises :class:`Unscannable` and :class:`ScanFailure`."""
        answer = self._pass_file(spool) if self._passes_files else self._send_bytes(spool)
        if self._passes_files and "No file descriptor received" in answer:
            self._passes_files = False
            answer = self._send_bytes(spool)
        result = answer.partition(": ")[2]
        if result == "OK":
            return ""
        if result.endswith(" FOUND"):
            signature = result.removesuffix(" FOUND")
            if signature.startswith(_LIMITS):
                raise Unscannable("too-large", signature)
            if signature.startswith(_ENCRYPTED):
                raise Unscannable("encrypted", signature)
            return signature
        if "size limit exceeded" in answer:
            raise Unscannable("too-large", answer)
        raise Unscannable("engine", answer)

    def abort(self) -> None:
        """Shut all connections down, also later ones, so that who waits for an answer gets an error."""
        with self._lock:
            self._aborted = True
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _pass_file(self, spool: Spool) -> str:
        with self._command(b"FILDES") as connection:
            socket.send_fds(connection, [b"\0"], [spool.fileno()])
            return self._answer(connection)

    def _send_bytes(self, spool: Spool) -> str:
        with self._command(b"INSTREAM") as connection:
            # Past its StreamMaxLength it answers and closes, while bytes are still being sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                offset = 0
                while piece := spool.pread(_CHUNK, offset):
                    connection.sendall(len(piece).to_bytes(4, "big") + piece)
                    offset += len(piece)
                connection.sendall(bytes(4))
            return self._answer(connection)

    @contextlib.contextmanager
    def _command(self, name: bytes) -> Iterator[socket.socket]:
        """Connect and send a command. Raises :class:`ScanFailure` for what fails in the block, too."""
        try:
            with self._connect() as connection:
                with self._lock:
                    self._connections.add(connection)
                    if self._aborted:  # while this connection was being opened
                        connection.shutdown(socket.SHUT_RDWR)
                try:
                    connection.sendall(b"z" + name + b"\0")
                    yield connection
                finally:
                    with self._lock:
                        self._connections.discard(connection)
        except OSError as error:
            raise ScanFailure(
                tr("clamd does not answer: {reason}", reason=error.strerror or error),
                where=self.address,
                hint=tr("start it, then run the same command again"),
            ) from error

    def _connect(self) -> socket.socket:
        if self._tcp:
            connection = socket.create_connection(self._tcp, timeout=_CONNECT_SECONDS)
        else:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.settimeout(_CONNECT_SECONDS)
                connection.connect(self.address)
            except BaseException:
                connection.close()
                raise
        connection.settimeout(limits.value("scan-time"))
        return connection

    def _answer(self, connection: socket.socket) -> str:
        """Return one line. Raises OSError where the connection ends before it."""
        answer = b""
        deadline = time.monotonic() + limits.value("scan-time")
        while b"\0" not in answer and len(answer) < _MOST_ANSWER:
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                piece = connection.recv(_MOST_ANSWER)
            except TimeoutError:
                raise Unscannable(
                    "engine", tr("no answer after {seconds} s", seconds=limits.value("scan-time"))
                ) from None
            if not piece:
                raise ConnectionResetError(tr("it has closed the connection"))
            answer += piece
        return escaped(answer.partition(b"\0")[0].decode(errors="backslashreplace"))


def _iso(date: str) -> str:
    """Return the date of a database as 2026-11-26 09:00:00; clamd writes it in its own time zone, and without that."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.strptime(date, "%a %b %d %H:%M:%S %Y"))
    except ValueError:
        return date
