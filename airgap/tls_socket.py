# SPDX-License-Identifier: Apache-2.0
"""TLS sockets whose errors stay their own, for clients and the server.

OpenSSL keeps the errors of failed calls in a list of the thread, and the next call that has to wait, on any connection,
reports what it finds there. Since 2025, Python leaves the error of a lost connection in that list (python/cpython
issues 127257 and 148594), so a client that hangs up would break the connections of others.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
from typing import Any


class TlsSocket(ssl.SSLSocket):
    """Set it as ``sslsocket_class`` of a context. A call that fails leaves no error for other sockets of its thread."""

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """Do as :class:`ssl.SSLSocket`; ``recv`` and ``recv_into`` call it."""
        try:
            return super().read(len, buffer)
        except OSError as error:
            _clear_errors(error)
            raise

    def send(self, data: Any, flags: int = 0) -> int:
        """Do as :class:`ssl.SSLSocket`; ``sendall`` calls it."""
        try:
            return super().send(data, flags)
        except OSError as error:
            _clear_errors(error)
            raise

    def do_handshake(self, block: bool = False) -> None:
        """Do as :class:`ssl.SSLSocket`."""
        try:
            super().do_handshake(block)
        except OSError as error:
            _clear_errors(error)
            raise


def _clear_errors(error: OSError) -> None:
    """Empty the list of this thread after ``error``. A handshake begins with that (OpenSSL, ssl/statem/statem.c)."""
    if isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return  # of these, Python leaves nothing
    with contextlib.suppress(ssl.SSLError):  # it has nobody to talk to
        _context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True).do_handshake()


@functools.cache
def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
