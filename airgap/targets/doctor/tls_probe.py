# SPDX-License-Identifier: Apache-2.0
"""Connections that the checks open themselves: direct or through the proxy, as requests go."""

from __future__ import annotations

import http.client
import re
import ssl
from typing import Any

from airgap.errors import AirgapError
from airgap.registry.http.connect import ConnectionKey, Connector, Trust
from airgap.registry.http.errors import from_exception
from airgap.registry.http.proxy import Proxy, proxy_for_url
from airgap.targets.probe import Probe

#: Seconds that a connection may take.
TIMEOUT = 10.0


def proxy_of(probe: Probe) -> Proxy | None:
    """Return the proxy that the environment names for this address, if any."""
    return proxy_for_url(probe.url, probe.client.transport.environment)


def shake_hands(probe: Probe, trust: Trust) -> None:
    """Do a TLS handshake with the address.

    Raises :class:`ssl.SSLError` for a failed handshake, another :class:`OSError` if there is no connection (also if a
    proxy refuses CONNECT), and :class:`airgap.errors.Unavailable` for a proxy that does not answer or is not one.
    """
    peer = ConnectionKey("https", probe.host, probe.port, trust)
    connection = Connector().connection(peer, proxy_of(probe), TIMEOUT)
    try:
        connection.connect()
    except http.client.HTTPException as error:
        raise from_exception(error, probe.url, answered_before=False) from error
    finally:
        connection.close()


def reason_of(error: ssl.SSLError) -> str:
    """Return OpenSSL's name for what went wrong, such as ``UNSUPPORTED_PROTOCOL``; empty if it gives none.

    Python's ``reason`` is ``None`` for errors that are newer than its table of names, but the message has the words.
    """
    words = re.match(r"\[SSL\] ([a-z0-9 ]{1,200}) \(", str(error))
    return getattr(error, "reason", None) or (words[1].upper().replace(" ", "_") if words else "")


def chain_length(probe: Probe) -> int:
    """Return how many certificates the server sends; 0 if that cannot be found out."""
    peer = ConnectionKey(probe.scheme, probe.host, probe.port, Trust(insecure=True))
    connection = Connector().connection(peer, proxy_of(probe), TIMEOUT)
    try:
        connection.connect()
        sock: Any = connection.sock
        # A method of the socket itself since Python 3.13.
        read_chain = getattr(sock, "get_unverified_chain", None) or sock._sslobj.get_unverified_chain
        return len(read_chain() or ())
    except (OSError, AirgapError, AttributeError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def certificate_of(probe: Probe) -> str:
    """Return the server's certificate as PEM; empty if it sends none."""
    peer = ConnectionKey(probe.scheme, probe.host, probe.port, Trust(insecure=True))
    return Connector().certificate(peer, proxy_of(probe))
