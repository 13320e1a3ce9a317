# SPDX-License-Identifier: Apache-2.0
"""Connections that a check makes for itself, by the way that requests go: straight, or through the proxy."""

from __future__ import annotations

import http.client

from airgap.registry.http.connect import ConnectionKey, Connector, Trust
from airgap.registry.http.errors import from_exception
from airgap.registry.http.proxy import Proxy, proxy_for_url
from airgap.targets.probe import Probe

#: Seconds.
TIMEOUT = 10.0


def proxy_of(probe: Probe) -> Proxy | None:
    """The proxy that the environment names for this address."""
    return proxy_for_url(probe.url, probe.client.transport.environment)


def shake_hands(probe: Probe, trust: Trust) -> None:
    """TLS with the address. Raises :class:`ssl.SSLError` for what is wrong with that, another :class:`OSError` where
    nothing comes so far (a proxy's refusal of CONNECT too), :class:`Unavailable` for a proxy that is not there or is
    none."""
    _, host, port = probe.place
    link = Connector().connection(ConnectionKey("https", host, port, trust), proxy_of(probe), TIMEOUT)
    try:
        link.connect()
    except http.client.HTTPException as error:
        raise from_exception(error, probe.url, answered_before=False) from error
    finally:
        link.close()


def shown(probe: Probe) -> str:
    """The certificate that it shows, PEM; empty where none comes."""
    scheme, host, port = probe.place
    return Connector().certificate(ConnectionKey(scheme, host, port, Trust(insecure=True)), proxy_of(probe))
