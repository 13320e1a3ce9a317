# SPDX-License-Identifier: Apache-2.0
"""How a registry is reached: the ``registries:`` entries of ``airgap.yaml`` and the flags that override them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.oci.reference import DOCKER_HUB
from airgap.records import Record

_HUB_ADDRESS = "registry-1.docker.io"

#: Seconds without any byte sent or received after which a connection is considered broken.
TIMEOUT = 120.0
#: The time-out for the response to a body is longer by this factor: committing a large layer may take long.
COMMIT_FACTOR = 7.5


class RegistrySettings(Record):
    """The settings of one registry.

    ``mirror`` is a registry to pull from instead, with its own credentials. ``endpoint`` is another address of the same
    registry, for pulls and pushes, with the registry's credentials. ``plain_http`` is ``None`` if it is not configured:
    then loopback addresses use plain HTTP and all others TLS. ``timeout`` is in seconds (:data:`TIMEOUT`).
    """

    mirror: str = ""
    endpoint: str = ""
    plain_http: bool | None = None
    ca_file: str = ""
    insecure: bool = False
    timeout: float = TIMEOUT

    def base_url(self, registry: str) -> str:
        """Return the address of ``registry``, ``scheme://host[:port][/path]``; raise :class:`UsageError` if invalid."""
        address = self.mirror or self.endpoint or (_HUB_ADDRESS if registry == DOCKER_HUB else registry)
        if "://" not in address:
            plain = is_loopback(address) if self.plain_http is None else self.plain_http
            address = f"{'http' if plain else 'https'}://{address}"
        try:
            parts = urlsplit(address)
            valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            shown = address.rpartition("@")[2]
            raise UsageError(
                tr("{shown!r} is no address of a registry", shown=shown), hint=tr("write it as http://host:port")
            )
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    def credential_name(self, registry: str) -> str:
        """Return the name to look credentials up by. A mirror never gets the credentials of the registry itself."""
        return urlsplit(self.base_url(registry)).netloc if self.mirror else registry


def is_loopback(address: str) -> bool:
    """Whether ``host[:port]`` is a loopback address. Names are not resolved."""
    host = urlsplit(f"//{address}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
