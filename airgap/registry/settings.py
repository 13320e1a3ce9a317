# SPDX-License-Identifier: Apache-2.0
"""How one registry is reached: the ``registries:`` entries of ``airgap.yaml`` and the flags that override them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from airgap.errors import UsageError
from airgap.oci.reference import DOCKER_HUB
from airgap.records import Record

_HUB_ADDRESS = "registry-1.docker.io"

#: Seconds in which a registry must say or take something.
TIMEOUT = 120.0
#: A registry may need long to commit a large layer, so its answer to a body is waited for so many times longer.
COMMIT = 7.5


class RegistrySettings(Record):
    """``mirror`` is pulled from instead, with the mirror's own credentials; ``endpoint`` is another address of
    the same registry, pulled from and pushed to with the registry's credentials. ``plain_http`` is ``None``
    where nobody said anything: then loopback is plain and everything else is TLS. ``timeout`` is in seconds: a
    connection on which nothing moves for so long has broken."""

    mirror: str = ""
    endpoint: str = ""
    plain_http: bool | None = None
    ca_file: str = ""
    insecure: bool = False
    timeout: float = TIMEOUT

    def base_url(self, registry: str) -> str:
        """``scheme://host[:port]`` that requests for ``registry`` go to."""
        address = self.mirror or self.endpoint or (_HUB_ADDRESS if registry == DOCKER_HUB else registry)
        if "://" not in address:
            plain = is_loopback(address) if self.plain_http is None else self.plain_http
            address = f"{'http' if plain else 'https'}://{address}"
        try:
            parts = urlsplit(address)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good:
            shown = address.rpartition("@")[2]
            raise UsageError(f"{shown!r} is no address of a registry", hint="write it as http://host:port")
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    def credential_name(self, registry: str) -> str:
        """Whose credentials may be sent: a mirror is somebody else, so never the registry's own there."""
        return urlsplit(self.base_url(registry)).netloc if self.mirror else registry


def is_loopback(address: str) -> bool:
    """Whether ``host[:port]`` names this machine itself, as written: no name is looked up."""
    host = urlsplit(f"//{address}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
