# SPDX-License-Identifier: Apache-2.0
"""Which proxy a URL goes through: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

``NO_PROXY`` is read as Go programs read it, since the same environment serves containerd and kubectl:
names with or without a leading dot cover their sub-domains, ``*`` covers everything, and addresses may
be networks (``10.0.0.0/8``). Loopback never goes through a proxy.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from airgap.errors import UsageError
from airgap.records import Record, field
from airgap.registry.settings import is_loopback


class Proxy(Record):
    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def for_url(url: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy for ``url``, or ``None`` to connect directly. Raises :class:`UsageError` for one we cannot use."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if is_loopback(parts.netloc.rpartition("@")[2]) or _excepted(host, port, _get(environment, "NO_PROXY")):
        return None
    address = _get(environment, f"{parts.scheme.upper()}_PROXY") or _get(environment, "ALL_PROXY")
    if not address:
        return None
    try:
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        proxy_port = proxy.port or 80
    except ValueError as error:  # its words may hold the password
        raise UsageError("the proxy's address cannot be read", hint="write it as http://host:port") from error
    if proxy.scheme != "http" or not proxy.hostname:
        raise UsageError(
            f"cannot use the proxy {proxy.scheme}://{proxy.hostname}: only http:// proxies are spoken to",
            hint="set HTTPS_PROXY=http://host:port; what goes through it is still TLS, by CONNECT",
        )
    authorization = ""
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(proxy.hostname, proxy_port, authorization)


def _get(environment: Mapping[str, str], name: str) -> str:
    # Lower case first, as curl does; HTTP_PROXY in capitals can be set by a CGI request, which we are not.
    return environment.get(name.lower()) or environment.get(name) or ""


def _excepted(host: str, port: int, rules: str) -> bool:
    for rule in (rule.strip().lower() for rule in rules.split(",")):
        if not rule:
            continue
        if rule == "*":
            return True
        if _covers(rule, host.lower(), port):
            return True
    return False


def _covers(rule: str, host: str, port: int) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        pass
    name, colon, number = rule.rpartition(":")
    if colon and number.isdigit() and "/" not in rule:
        if int(number) != port:
            return False
        rule = name.strip("[]")
    rule = rule.lstrip("*").lstrip(".")
    return host == rule or host.endswith(f".{rule}")
