# SPDX-License-Identifier: Apache-2.0
"""How a registry is reached: the ``registries:`` entries of ``airgap.yaml`` and the flags that override them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from airgap.errors import UsageError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.oci.reference import DOCKER_HUB
from airgap.records import Record

_HUB_ADDRESS = "registry-1.docker.io"

#: Seconds without any byte sent or received after which a connection is considered broken.
TIMEOUT = 120.0
#: The time-out for the response to a body is longer by this factor: committing a large layer may take long.
COMMIT_FACTOR = 7.5

_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([kmg]i?|)(b|bit|)(?:/s|ps|)", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
#: Bytes per second below which requests would run into time-outs.
_MIN_RATE = 1000


class RegistrySettings(Record):
    """The settings of one registry.

    ``mirror`` is a registry to pull from instead, with its own credentials. ``endpoint`` is another address of the same
    registry, for pulls and pushes, with the registry's credentials. ``plain_http`` is ``None`` if it is not configured:
    then loopback addresses use plain HTTP and all others TLS. ``timeout`` is in seconds (:data:`TIMEOUT` by
    default; then small answers have the limit ``answer-time``).
    ``redirects`` and ``realms`` are hosts, ``HOST`` or ``HOST:PORT``: redirects may lead to the former whatever their
    address, and the latter get the registry's password as token servers.
    """

    mirror: str = ""
    endpoint: str = ""
    plain_http: bool | None = None
    ca_file: str = ""
    insecure: bool = False
    timeout: float | None = None
    redirects: tuple[str, ...] = ()
    realms: tuple[str, ...] = ()

    def base_url(self, registry: str) -> str:
        """Return the address of ``registry``, ``scheme://host[:port][/path]``; raise :class:`UsageError` if invalid."""
        address = self.mirror or self.endpoint or _address_of(registry)
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

    def arguments(self, registry: str) -> str:
        """Return the options with which a command reaches ``registry`` in the same way, with a blank before each."""
        return self._options(registry, self.base_url(registry))

    def login_arguments(self, registry: str) -> str:
        """Return what ``airgap login`` needs to sign in where requests for ``registry`` go: its name, ``http://`` where
        that is needed, and options."""
        name, base_url = self.credential_name(registry), self.base_url(registry)
        is_plain = base_url.startswith("http://")
        is_default = self.plain_http is None and is_plain == is_loopback(name)
        scheme = "" if is_default else "http://" if is_plain else "https://"
        return f"{quoted(f'{scheme}{name}')}{self._options(name, base_url)}"

    def _options(self, name: str, base_url: str) -> str:
        is_elsewhere = base_url.partition("://")[2] != _address_of(name)
        via = tr(" --via {base_url}", base_url=quoted(base_url)) if is_elsewhere else ""
        ca_file = f" --ca-file {quoted(self.ca_file)}" if self.ca_file else ""
        return f"{via}{ca_file}{' --insecure' if self.insecure else ''}"


def parse_rate(text: str) -> int:
    """Return the bytes per second that ``2MB``, ``500KiB/s`` or ``20Mbit`` stands for; raise :class:`UsageError`."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            tr("{text!r} is no rate", text=text), hint=tr("such as 2MB or 500kB (bytes a second), or 20Mbit")
        )
    rate = int(float(match[1]) * _UNITS[match[2].lower()] / (8 if match[3].lower() == "bit" else 1))
    if rate < _MIN_RATE:
        raise UsageError(
            tr("{rate:,} bytes a second are too few", rate=rate), hint=tr("at least {least:,} bytes", least=_MIN_RATE)
        )
    return rate


def _address_of(registry: str) -> str:
    """The host that requests for ``registry`` go to by default."""
    return _HUB_ADDRESS if registry == DOCKER_HUB else registry


def quoted_key(text: str) -> str:
    """Return ``text`` as it may stand in a YAML mapping on one line."""
    return f'"{text}"' if ":" in text else text


def names_host(hosts: Sequence[str], netloc: str) -> bool:
    """Whether ``hosts`` contain the host of ``[user@]host[:port]``, with this port or without one."""
    address = netloc.rpartition("@")[2].lower()
    host = urlsplit(f"//{address}").hostname or ""
    return any(name.lower() in (address, host, f"[{host}]") for name in hosts)


def is_loopback(address: str) -> bool:
    """Whether ``host[:port]`` is a loopback address. Names are not resolved."""
    host = urlsplit(f"//{address}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
