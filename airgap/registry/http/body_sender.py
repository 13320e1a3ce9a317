# SPDX-License-Identifier: Apache-2.0
"""Writing the bytes of a blob to a socket: from a file with ``sendfile``, or read, hashed and sent.

A blob that is hashed here and does not match its digest is never sent completely: its last piece is withheld.
"""

from __future__ import annotations

import functools
import select
import socket
import ssl

from airgap import system
from airgap.errors import ContentError, DigestMismatch
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.registry.http.pace import MinimumRate
from airgap.registry.http.rate import RateLimit
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import FileRange, thread_buffer, translate_read_errors

#: Bytes of one ``sendfile`` call at most, so that progress is shown and Ctrl-C is noticed.
_MAX_SENDFILE_CALL = 4 * 1024 * 1024
#: Longer bodies are copied through this process. ``sendfile`` costs a receiver on the same machine more, since it gets
#: each page by itself. With many bodies this evens out, but one long body waits for it (docker-registry, 1.5 GB: 2.63 s
#: with ``sendfile``, 2.16 s without).
_MAX_SENDFILE_LENGTH = 256 * 1024 * 1024
#: Bytes of one ``send`` call at most. The time-out of a socket applies to each call: a small call ends in time on a
#: slow connection too.
_MAX_SEND_CALL = 256 * 1024


class BlobHash:
    """The hash of the first ``position`` bytes of a blob. :meth:`send` continues it."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._hash = digests.hasher(descriptor.digest)
        self.position = 0

    def extended_to(self, offset: int, opener: Opener) -> BlobHash:
        """Return a new hash of the first ``offset`` bytes. Bytes that were not hashed yet are read from ``opener``."""
        copy = BlobHash(self._descriptor)
        if self.position <= offset:
            copy._hash, copy.position = self._hash.copy(), self.position
        if copy.position < offset:
            with translate_read_errors(self._descriptor.digest, copy.position):
                reader = opener(copy.position)
            try:
                copy._read(reader, offset - copy.position, None)
            finally:
                reader.close()
        return copy

    def send(self, sock: socket.socket, reader: Reader, length: int, rate: RateLimit | None = None) -> None:
        """Read ``length`` bytes, hash them, and send them, not faster than ``rate``.

        Raises :class:`DigestMismatch` or :class:`ContentError` before the last piece of a blob that is not intact.
        """
        self._read(reader, length, sock, rate)

    def _read(self, reader: Reader, length: int, sock: socket.socket | None, rate: RateLimit | None = None) -> None:
        buffer, remaining, minimum = thread_buffer(), length, MinimumRate()
        while remaining:
            with translate_read_errors(self._descriptor.digest, self.position):
                count = reader.readinto(buffer[: min(remaining, len(buffer))])
            if count == 0:
                raise ContentError(
                    tr("{digest} ends after {position} bytes", digest=self._descriptor.digest, position=self.position)
                )
            self._hash.update(buffer[:count])
            self.position += count
            remaining -= count
            if self.position == self._descriptor.size:
                self._check_end(reader)
            if sock is not None:
                _send_all(sock, buffer[:count], minimum, rate)

    def _check_end(self, reader: Reader) -> None:
        if self._hash.hexdigest() != digests.encoded(self._descriptor.digest):
            actual = f"{digests.algorithm(self._descriptor.digest)}:{self._hash.hexdigest()}"
            raise DigestMismatch(
                tr(
                    "content hashes to {actual}, not to {digest}; it was not sent",
                    actual=actual,
                    digest=self._descriptor.digest,
                )
            )
        with translate_read_errors(self._descriptor.digest, self.position):
            surplus = reader.readinto(memoryview(bytearray(1)))
        if surplus:
            raise ContentError(
                tr(
                    "{digest} is longer than the {position} bytes that it should have",
                    digest=self._descriptor.digest,
                    position=self.position,
                )
            )


def send_file(sock: socket.socket, reader: FileRange, length: int, rate: RateLimit | None = None) -> None:
    """Send ``length`` bytes of a file, not faster than ``rate``: by ``sendfile`` unless the connection is encrypted,
    the body is long, or this system has no ``sendfile``.

    Raises what the reader raises if the file cannot be read or is too short. An :class:`OSError` always comes from the
    socket.
    """
    sendfile = system.sendfile()
    if isinstance(sock, ssl.SSLSocket) or length > _MAX_SENDFILE_LENGTH or sendfile is None:
        _send_copy(sock, reader, length, rate)
        return
    # A socket with a time-out is non-blocking, so sendfile may fail with EAGAIN.
    remaining, minimum = length, MinimumRate()
    most = min(_MAX_SENDFILE_CALL, rate.piece) if rate else _MAX_SENDFILE_CALL
    poll = select.poll()
    poll.register(sock, select.POLLOUT)

    def send_piece() -> int:
        while True:
            try:
                return sendfile(sock.fileno(), reader.fd, reader.offset, min(remaining, most))
            except BlockingIOError:
                timeout = sock.gettimeout()
                if not poll.poll(None if timeout is None else timeout * 1000):
                    raise TimeoutError(tr("the registry takes no more bytes")) from None

    while remaining:
        try:
            count = minimum.wait(sock, send_piece)
        except OSError as error:
            # The error number does not tell whether the file or the socket failed. Reading the range does.
            _check_readable(reader, min(remaining, most))
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            # Some file systems do not support sendfile. An error of the socket is raised again by the copy.
            _send_copy(sock, reader, remaining, rate)
            return
        if count == 0:
            raise reader.cut_short()
        if rate:
            rate.wait(count)
        reader.advance(count)
        remaining -= count


def _check_readable(reader: FileRange, length: int) -> None:
    buffer, position = thread_buffer(), 0
    while position < length:
        position += reader.peek(buffer[: min(len(buffer), length - position)], position)


def _send_copy(sock: socket.socket, reader: FileRange, length: int, rate: RateLimit | None) -> None:
    buffer, remaining, minimum = thread_buffer(), length, MinimumRate()
    while remaining:
        count = reader.peek(buffer[: min(remaining, len(buffer))])
        if count == 0:
            raise reader.cut_short()
        _send_all(sock, buffer[:count], minimum, rate)
        reader.advance(count)
        remaining -= count


def _send_all(sock: socket.socket, content: memoryview, minimum: MinimumRate, rate: RateLimit | None) -> None:
    most = min(_MAX_SEND_CALL, rate.piece) if rate else _MAX_SEND_CALL
    sent = 0
    while sent < len(content):
        piece = content[sent : sent + most]
        count = minimum.wait(sock, functools.partial(sock.send, piece))
        sent += count
        if rate:
            rate.wait(count)
