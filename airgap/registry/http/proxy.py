# SPDX-License-Identifier: Apache-2.0
"""The proxy for a URL: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

``NO_PROXY`` has the same meaning as in Go programs, since containerd and kubectl use the same environment: a name,
with or without a leading dot, includes its sub-domains, ``*`` matches every host, and an address may be a network
(``10.0.0.0/8``). Loopback addresses never use a proxy.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.registry.settings import is_loopback


class Proxy(Record):
    """An HTTP proxy. ``authorization`` is the value of its Proxy-Authorization header, or empty."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request to this proxy."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def proxy_for_url(url: str, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for ``url``, or ``None`` to connect directly; raise :class:`UsageError` for an unusable one."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if is_loopback(parts.netloc.rpartition("@")[2]) or _matches_any(_get_variable(environment, "NO_PROXY"), host, port):
        return None
    address = _get_variable(environment, f"{parts.scheme.upper()}_PROXY") or _get_variable(environment, "ALL_PROXY")
    if not address:
        return None
    try:
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        proxy_port = proxy.port or 80
    except ValueError as error:  # its text may contain the password
        raise UsageError(tr("the proxy's address cannot be read"), hint=tr("write it as http://host:port")) from error
    if proxy.scheme != "http" or not proxy.hostname:
        raise UsageError(
            tr(
                "cannot use the proxy {scheme}://{hostname}: only http:// proxies are spoken to",
                scheme=proxy.scheme,
                hostname=proxy.hostname,
            ),
            hint=tr("set HTTPS_PROXY=http://host:port; what goes through it is still TLS, by CONNECT"),
        )
    authorization = ""
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(proxy.hostname, proxy_port, authorization)


def _get_variable(environment: Mapping[str, str], name: str) -> str:
    # Lower case comes first, as in curl. Unlike a CGI program, this one can trust HTTP_PROXY in upper case.
    return environment.get(name.lower()) or environment.get(name) or ""


def _matches_any(rules: str, host: str, port: int) -> bool:
    stripped = (rule.strip().lower() for rule in rules.split(","))
    return any(rule == "*" or _matches(rule, host.lower(), port) for rule in stripped if rule)


def _matches(rule: str, host: str, port: int) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        pass
    name, colon, number = rule.rpartition(":")
    if colon and number.isascii() and number.isdigit() and len(number) <= 5 and "/" not in rule:
        if int(number) != port:
            return False
        rule = name.strip("[]")
    rule = rule.lstrip("*").lstrip(".")
    return host == rule or host.endswith(f".{rule}")
