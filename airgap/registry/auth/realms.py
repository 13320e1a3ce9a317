# SPDX-License-Identifier: Apache-2.0
"""Which token servers get the password of a registry.

The registry names its token server, and a password goes only to one that is the registry's by its name, that the user
has allowed in ``airgap.yaml``, or that the user agrees to on a terminal. It never goes from TLS to plain HTTP.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from airgap.errors import Unauthorized
from airgap.i18n import tr
from airgap.oci.reference import DOCKER_HUB
from airgap.records import Record, field
from airgap.registry.http.errors import public_url, split_url
from airgap.registry.settings import is_loopback, names_host, quoted_key

_HUB_REALM = "auth.docker.io"
#: Second levels of country domains that are open to everybody, beside all of up to three letters (co.kr, com.au).
_SECOND_LEVELS = frozenset({
    "busan", "chungbuk", "chungnam", "daegu", "daejeon", "gangwon", "gwangju", "gyeongbuk", "gyeonggi",
    "gyeongnam", "incheon", "jeju", "jeonbuk", "jeonnam", "seoul", "ulsan", "tokyo", "osaka", "kyoto", "nagoya",
    "yokohama", "kobe", "sapporo", "fukuoka", "govt", "school", "geek", "police", "asso", "info", "name",
    "firm", "store", "blog", "web", "mobi", "coop",
})  # fmt: skip
#: Domains below which strangers get names: those of clouds, and of names for addresses.
_SHARED = frozenset({
    "amazonaws.com", "awsapps.com", "azurecr.io", "azurewebsites.net", "azurecontainer.io", "cloudapp.net",
    "cloudfront.net", "appspot.com", "run.app", "web.app", "pkg.dev", "github.io", "githubusercontent.com",
    "gitlab.io", "herokuapp.com", "netlify.app", "vercel.app", "pages.dev", "workers.dev", "r2.dev", "fly.dev",
    "onrender.com", "ngrok.io", "ngrok.app", "ngrok-free.app", "duckdns.org", "no-ip.org", "dyndns.org",
    "ddns.net", "nip.io", "sslip.io", "xip.io", "traefik.me", "blogspot.com", "firebaseapp.com",
    "digitaloceanspaces.com", "ondigitalocean.app", "linodeobjects.com", "myqcloud.com", "aliyuncs.com",
    "ncloud.com", "kakaocdn.net",
})  # fmt: skip


class ForeignRealm(Unauthorized):
    """The registry names a token server that may not get the password."""


class TokenServers(Record, frozen=False, eq=False):
    """Decides about the token servers of one registry. Thread-safe.

    ``registry`` is its name in references, ``base_url`` the address of requests, ``allowed`` the hosts in its
    ``realms:``. ``confirm`` asks the user a question; ``None`` where nobody can be asked.
    """

    registry: str
    base_url: str
    allowed: Sequence[str] = ()
    confirm: Callable[[str], bool] | None = None
    _answers: dict[str, bool] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, realm: str, *, with_password: bool) -> None:
        """Raise :class:`Unauthorized` for a token server that is no web address, or may not get the password."""
        server = split_url(realm)
        if server.scheme in ("http", "https") and not with_password:
            return
        if server.scheme not in ("http", "https") or not server.hostname or self._loses_protection(realm):
            raise Unauthorized(
                tr(
                    "the registry names {public_url} to sign in at, where a password would travel unprotected",
                    public_url=public_url(realm)[:200],
                ),
                where=public_url(self.base_url),
                hint=tr("have the registry's external address (X-Forwarded-Proto, X-Forwarded-Host) put right"),
            )
        if not self._is_own(server.hostname) and not names_host(self.allowed, server.netloc):
            self._ask(server.netloc.rpartition("@")[2])

    def _loses_protection(self, realm: str) -> bool:
        """Whether the password would go from TLS to plain HTTP, or by plain HTTP to another host."""
        own, server = urlsplit(self.base_url), split_url(realm)
        if server.scheme == "https":
            return False
        is_near = server.hostname == own.hostname or is_loopback(server.netloc.rpartition("@")[2])
        return own.scheme == "https" or not (is_near or names_host(self.allowed, server.netloc))

    def _is_own(self, host: str) -> bool:
        own = urlsplit(self.base_url).hostname or ""
        if host == own or (self.registry == DOCKER_HUB and host == _HUB_REALM):
            return True
        domain = domain_of(own)
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))

    def _ask(self, host: str) -> None:
        with self._lock:  # one question at a time, and each only once
            if host not in self._answers:
                self._answers[host] = self.confirm is not None and self.confirm(
                    tr(
                        "{registry} wants its password sent to {host}, which is not of its domain. Send it?",
                        registry=self.registry,
                        host=host,
                    )
                )
            if self._answers[host]:
                return
        raise ForeignRealm(
            tr("the registry wants the password sent to {host}, which is not of its domain", host=host[:200]),
            where=public_url(self.base_url),
            hint=tr(
                "if that is right, allow it in airgap.yaml: registries: {{{registry}: {{realms: [{host}]}}}}",
                registry=quoted_key(self.registry),
                host=quoted_key(host[:200]),
            ),
        )


def domain_of(host: str) -> str:
    """Return the domain of a host: its name without the first label; empty if that is no domain of one owner.

    It must have two labels and be no public suffix. Only the usual suffixes are known here (ADR 0033).
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        domain = host.lower().rstrip(".").partition(".")[2]
    else:
        return ""
    labels = domain.split(".")
    if len(labels) < 2 or not all(labels):
        return ""
    is_country = len(labels) == 2 and len(labels[1]) == 2
    is_suffix = is_country and (len(labels[0]) <= 3 or labels[0] in _SECOND_LEVELS)
    is_shared = any(".".join(labels[start:]) in _SHARED for start in range(len(labels) - 1))
    return "" if is_suffix or is_shared else domain
