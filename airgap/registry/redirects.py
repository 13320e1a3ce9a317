# SPDX-License-Identifier: Apache-2.0
"""Single requests on behalf of one registry, and the redirects that answer them.

Only this module follows redirects: of GET and HEAD, at most five, and without credentials when they leave the
registry's own origin (distribution-spec "Pulling blobs" allows a 307 to any address). Where a registry may lead is
decided by its own address (``http/addresses.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from airgap.errors import Unavailable
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.registry.http.addresses import AddressRule
from airgap.registry.http.connect import Trust
from airgap.registry.http.errors import RefusedAddress, join_url, public_url, split_url
from airgap.registry.http.limiter import BUSY, Limiter
from airgap.registry.http.pace import Patience
from airgap.registry.http.retry import parse_retry_after
from airgap.registry.http.transport import Headers, StreamedResponse, Transport
from airgap.registry.settings import TIMEOUT, RegistrySettings, names_host, quoted_key

REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5


class Requester(Record, frozen=False, eq=False):
    """Sends requests without retries. Thread-safe.

    ``registry`` is the name in references, ``base_url`` the address of its requests.
    """

    registry: str
    base_url: str
    settings: RegistrySettings
    transport: Transport
    trust: Trust
    limiter: Limiter
    #: Headers of every request to the origin of ``base_url``, and of no other.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The address at which the registry was reached last, empty behind a proxy.
    peer: str = ""

    def follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        authorization: str,
        *,
        stay: bool = False,
        setting: str = "redirects",
        patience: Patience = Patience.BODY,
    ) -> StreamedResponse:
        """Send a request and follow redirects. ``authorization`` is sent to the origin of ``url`` only.

        With ``stay``, a redirect to another origin is returned. ``setting`` is the one in ``airgap.yaml`` by which the
        user allows the host of ``url``. Raises :class:`RefusedAddress` for an address that the registry may not name.
        """
        first_origin = origin_of(url)
        for _ in range(_MAX_REDIRECTS + 1):
            all_headers = dict(headers)
            if authorization and origin_of(url) == first_origin:
                all_headers["Authorization"] = authorization
            stream = self._exchange_named(method, url, all_headers, body, setting, patience)
            setting = "redirects"
            location = stream.headers.get("Location")
            if stream.status not in REDIRECTS or not location or method not in ("GET", "HEAD"):
                return stream
            try:
                next_url = join_url(url, location)
            except Unavailable:
                stream.read()
                raise
            if stay and origin_of(next_url) != first_origin:
                return stream
            stream.read()
            url = next_url
        raise Unavailable(
            tr("redirects without end, the last one to {public_url}", public_url=public_url(url)),
            where=public_url(self.base_url),
            hint=tr("what stands in front, such as a sign-on page, must let /v2/ through unchanged"),
        )

    def _exchange_named(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        setting: str,
        patience: Patience,
    ) -> StreamedResponse:
        """Send a request to an address that the registry may have named: then its rule applies."""
        self.transport.secrets.add_header(headers.get("Authorization", ""))
        if origin_of(url) == origin_of(self.base_url):
            return self.exchange(method, url, {**self.headers, **headers}, body, limited=True, patience=patience)
        parts = split_url(url)
        allowed = (*self.settings.redirects, *(self.settings.realms if setting == "realms" else ()))
        is_own = parts.hostname == split_url(self.base_url).hostname
        rule = None if is_own or names_host(allowed, parts.netloc) else AddressRule.for_registry_at(self.peer)
        try:
            stream = self._send(method, url, headers, body, rule, patience)
        except RefusedAddress as error:
            error.hint = tr(
                "if that is right, allow it in airgap.yaml: registries: {{{registry}: {{{setting}: [{host}]}}}}",
                registry=quoted_key(self.registry),
                setting=setting,
                host=quoted_key(parts.netloc.rpartition("@")[2]),
            )
            raise
        if is_own:
            self.peer = stream.peer
        return stream

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        limited: bool,
        patience: Patience = Patience.PATIENT,
    ) -> StreamedResponse:
        """Send a request to an address that the user gave; ``limited`` counts it among those to the registry."""
        self.transport.secrets.add_header(headers.get("Authorization", ""))
        if not limited:  # token servers and targets of redirects have rate limits of their own
            return self._send(method, url, headers, body, None, patience)
        with self.limiter.slot() as report:
            stream = self._send(method, url, headers, body, None, patience)
            report(stream.status, retry_after_of(stream.status, stream.headers))
        self.peer = stream.peer
        return stream

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        rule: AddressRule | None,
        patience: Patience,
    ) -> StreamedResponse:
        timeout = self.settings.timeout
        if timeout is not None and patience is Patience.PROMPT:
            patience = Patience.PATIENT  # the user knows how long this registry takes
        return self.transport.request(
            method, url, self.trust, headers, body, timeout or TIMEOUT, rule, patience=patience
        )


def retry_after_of(status: int, headers: Headers) -> float | None:
    """Return the seconds for which a registry that is busy wants to be left alone."""
    return parse_retry_after(headers.get("Retry-After")) if status in BUSY else None


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL."""
    parts = split_url(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
