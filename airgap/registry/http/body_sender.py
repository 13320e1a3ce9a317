# SPDX-License-Identifier: Apache-2.0
"""How a blob's bytes get into a socket: as they lie in a file, by ``sendfile`` where that can be, or read, hashed and
sent.

What is hashed here never leaves whole unless it is the blob: its last piece is withheld otherwise.
"""

from __future__ import annotations

import os
import select
import socket
import ssl

from airgap.errors import ContentError, DigestMismatch
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import FileRange, thread_buffer, translate_read_errors

#: One ``sendfile`` call sends no more, so that progress and Ctrl-C are noticed.
_SENDFILE = 4 * 1024 * 1024
#: Longer bodies are copied. What ``sendfile`` saves here costs a receiver on the same machine more, who gets each page
#: by itself; with many bodies that evens out, one long body waits for it (docker-registry, 1.5 GB: 2.63 s, not 2.16).
_LONG = 256 * 1024 * 1024
#: A socket's time-out counts for one call: with so little in each, a slow line is not taken for a silent one.
_PIECE = 256 * 1024


class Hashing:
    """The hash of a blob's first ``done`` bytes; ``send`` hands on what follows."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._hash = digests.hasher(descriptor.digest)
        self.done = 0

    def at(self, offset: int, opener: Opener) -> Hashing:
        """A copy that has hashed exactly ``offset`` bytes: what is missing of them is read once more."""
        made = Hashing(self._descriptor)
        if self.done <= offset:
            made._hash, made.done = self._hash.copy(), self.done
        if made.done < offset:
            with translate_read_errors(self._descriptor.digest, made.done):
                reader = opener(made.done)
            try:
                made._read(reader, offset - made.done, None)
            finally:
                reader.close()
        return made

    def send(self, sock: socket.socket, reader: Reader, length: int) -> None:
        self._read(reader, length, sock)

    def _read(self, reader: Reader, length: int, sock: socket.socket | None) -> None:
        buffer, left = thread_buffer(), length
        while left:
            with translate_read_errors(self._descriptor.digest, self.done):
                count = reader.readinto(buffer[: min(left, len(buffer))])
            if count == 0:
                raise ContentError(f"{self._descriptor.digest} ends after {self.done} bytes")
            self._hash.update(buffer[:count])
            self.done += count
            left -= count
            if self.done == self._descriptor.size:
                self._check_end(reader)
            if sock is not None:
                _send(sock, buffer[:count])

    def _check_end(self, reader: Reader) -> None:
        if self._hash.hexdigest() != digests.encoded(self._descriptor.digest):
            found = f"{digests.algorithm(self._descriptor.digest)}:{self._hash.hexdigest()}"
            raise DigestMismatch(f"content hashes to {found}, not to {self._descriptor.digest}; it was not sent")
        with translate_read_errors(self._descriptor.digest, self.done):
            surplus = reader.readinto(memoryview(bytearray(1)))
        if surplus:
            raise ContentError(f"{self._descriptor.digest} is longer than the {self.done} bytes that it should have")


def send_file(sock: socket.socket, reader: FileRange, length: int) -> None:
    """Send ``length`` bytes of a file. They pass through this process only to be encrypted, and where there are many.

    Raises what the reader raises where the file cannot be read or ends before, and :class:`OSError` only for what the
    socket reports.
    """
    if isinstance(sock, ssl.SSLSocket) or length > _LONG:
        _send_copy(sock, reader, length)
        return
    # A socket with a time-out is non-blocking underneath, and sendfile then says EAGAIN.
    left, timeout = length, sock.gettimeout()
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while left:
        try:
            count = os.sendfile(sock.fileno(), reader.fd, reader.offset, min(left, _SENDFILE))
        except BlockingIOError:
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise TimeoutError("the registry takes no more bytes") from None
            continue
        except OSError as error:
            # The error number does not tell whether the file or the socket failed: reading the range does.
            _check_readable(reader, min(left, _SENDFILE))
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            # Some file systems do not support sendfile; any error of the socket comes again.
            _send_copy(sock, reader, left)
            return
        if count == 0:
            raise reader.cut_short()
        reader.advance(count)
        left -= count


def _check_readable(reader: FileRange, length: int) -> None:
    buffer, seen = thread_buffer(), 0
    while seen < length:
        seen += reader.peek(buffer[: min(len(buffer), length - seen)], seen)


def _send_copy(sock: socket.socket, reader: FileRange, length: int) -> None:
    buffer, left = thread_buffer(), length
    while left:
        count = reader.peek(buffer[: min(left, len(buffer))])
        if count == 0:
            raise reader.cut_short()
        _send(sock, buffer[:count])
        reader.advance(count)
        left -= count


def _send(sock: socket.socket, content: memoryview) -> None:
    sent = 0
    while sent < len(content):
        sent += sock.send(content[sent : sent + _PIECE])
