# SPDX-License-Identifier: Apache-2.0
"""One registry as it is reached in this run: its address, trust, sign-in and retries around the transport.

Redirects are followed here and nowhere else: at most five, without credentials once they leave the
registry's own origin (distribution-spec "Pulling blobs" allows 307 to anywhere).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping, Sequence

from airgap.errors import AirgapError, Unauthorized, Unavailable
from airgap.records import Record, field
from airgap.registry.auth.authenticator import Authenticator
from airgap.registry.auth.credentials import Credentials
from airgap.registry.http.connect import Trust
from airgap.registry.http.errors import join, no_registry, public_url, split
from airgap.registry.http.limiter import BUSY, Limiter
from airgap.registry.http.retry import RetryPolicy, retry_after
from airgap.registry.http.transport import Headers, Response, Stream, Transport
from airgap.registry.settings import RegistrySettings
from airgap.registry.upload_sessions import NoSessions, Sessions

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5


class Endpoint(Record, frozen=False, eq=False):
    """Thread-safe. ``registry`` is the name in references; ``base_url`` has no trailing slash."""

    registry: str
    settings: RegistrySettings
    transport: Transport
    credentials: Credentials
    retry: RetryPolicy
    base_url: str = field(init=False)
    trust: Trust = field(init=False)
    timeout: float = field(init=False)
    #: Whether this registry refused a blob in one PUT, so that the others need not try.
    chunk_limit: int | None = None
    #: What one connection to this registry could be trusted to carry, once connections were seen to break: larger
    #: blobs go in chunks of so many bytes, each on a connection of its own.
    line: int | None = None
    #: Uploads that an earlier run left, and those that this one may leave.
    sessions: Sessions = field(default_factory=NoSessions)
    #: Held while an index of referrers under a fallback tag is rewritten.
    fallback: threading.Lock = field(default_factory=threading.Lock)
    #: What a target knows of its product: gives an answer's error back, or another that says more and may be final.
    judge: Callable[[AirgapError], AirgapError] = lambda error: error

    def __post_init__(self) -> None:
        self.base_url = self.settings.base_url(self.registry)
        self.timeout = self.settings.timeout
        self.trust = Trust(self.settings.ca_file, self.settings.insecure)
        self.limiter = Limiter(self.retry.patience, sleep=self.retry.sleep, clock=self.retry.clock)
        self._auth = Authenticator(
            self.settings.credential_name(self.registry), self.base_url, self.credentials, self._send_plain
        )

    def ping(self) -> None:
        """``GET /v2/`` with sign-in: raises what is wrong before any worker starts, and tries a password once."""
        response = self.call("GET", "/v2/", scopes=(), ok=(200, 404))
        if response.status == 404 or response.headers.get_content_type() == "text/html":
            raise no_registry(self.base_url)

    def look(self) -> Response:
        """``GET /v2/`` without a credential, whatever the status; a challenge is taken in for later. Only a broken
        connection is tried again."""
        response = self.retry.run("GET /v2/", lambda: self._follow("GET", self._url("/v2/"), {}, None, "").small())
        if response.status == 401:
            with contextlib.suppress(Unauthorized):  # nothing to sign in with: whoever needs to will be told
                self._auth.learn(response, (), "")
        return response

    def call(
        self,
        method: str,
        path: str,
        *,
        scopes: Sequence[str],
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        ok: Sequence[int] = (200,),
    ) -> Response:
        """A small request whose answer is read whole; raises the translated fault for any other status."""

        def once() -> Response:
            response = self._signed(method, path, scopes, headers or {}, body).small()
            if response.status not in ok:
                raise self.judge(self._fault(response))
            return response

        return self.retry.run(f"{method} {path.partition('?')[0]}", once)

    def request_url(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        authorization: str = "",
    ) -> Response:
        """Send a small request to an address outside ``/v2/`` and return its answer, whatever the status but 429.

        ``authorization`` is sent with it; challenges are not answered and redirects are not followed. A broken
        connection and a 429 are tried again. Raises what the last attempt raised, and :class:`AccountLocked` for a 429
        to a password that was never accepted.
        """
        signed = {**(headers or {}), "Authorization": authorization} if authorization else dict(headers or {})
        limited = _origin(url) == _origin(self.base_url)

        def once() -> Response:
            response = self._exchange(method, url, signed, body, limited=limited).small()
            if response.status == 429:
                if self._auth.unproven((), authorization):
                    raise self._auth.lock(response, ())
                raise response.fault()
            return response

        return self.retry.run(f"{method} {public_url(url)}", once)

    def open(self, path: str, *, scopes: Sequence[str], headers: Mapping[str, str], ok: Sequence[int]) -> Stream:
        """A GET whose body is left to be read; one try, since whoever reads it knows where to go on."""
        stream = self._signed("GET", path, scopes, headers, None)
        if stream.status not in ok:
            raise self._fault(stream.small())
        return stream

    def send(
        self,
        method: str,
        path: str,
        *,
        scopes: Sequence[str],
        headers: Mapping[str, str],
        length: int,
        feed: Callable[[socket.socket], None],
        alone: bool = False,
    ) -> Response:
        """A request with a body that ``feed`` writes; one try, and whatever the status. ``alone`` gives it a
        connection of its own."""
        authorization = self._auth.header(scopes)
        signed = {**headers, "Authorization": authorization} if authorization else dict(headers)
        with self.limiter.turn() as answered:
            response = self.transport.upload(
                method, self._url(path), self.trust, signed, length, feed, self.timeout, alone=alone
            )
            answered(response.status, _after(response.status, response.headers))
        if response.status == 401:
            self._auth.learn(response, scopes, authorization)
        return response

    def _fault(self, response: Response) -> AirgapError:
        error = response.fault()
        if isinstance(error, Unauthorized) and response.status == 401:
            # Credentials go by the registry's name in references, whatever address is asked.
            error.hint = f"airgap login {self.settings.credential_name(self.registry)}; {error.hint}"
        elif response.status in _REDIRECTS:
            there = response.headers.get("Location", "")
            secure = there.startswith("https://") and self.plain
            error.hint = "it redirects to HTTPS: write the address as https://" if secure else None
        return error

    def download(self, url: str) -> bytes:
        """The body behind ``url``, without signing in."""

        def once() -> bytes:
            response = self._follow("GET", url, {}, None, "").small()
            if response.status != 200:
                raise response.fault()
            return response.body

        return self.retry.run(f"GET {public_url(url)}", once)

    @property
    def refused(self) -> bool:
        """Whether this registry has refused a password in this run."""
        return self._auth.refused

    @property
    def asks(self) -> bool:
        """Whether this registry has asked for credentials in this run."""
        return self._auth.challenged

    @property
    def plain(self) -> bool:
        """Whether bodies travel over a bare socket, so that ``sendfile`` works."""
        return self.base_url.startswith("http://")

    def _signed(
        self, method: str, path: str, scopes: Sequence[str], headers: Mapping[str, str], body: bytes | None
    ) -> Stream:
        # Twice: the first 401 teaches the challenge, the second may be a token that ran out meanwhile.
        for last in (False, False, True):
            with self._auth.turn(scopes) as authorization:
                stream = self._follow(method, self._url(path), headers, body, authorization)
                # Whom the registry redirects to may ask for nothing: its challenges are none of the registry's.
                if stream.status != 401 or _origin(stream.url) != _origin(self.base_url):
                    if stream.status == 429 and self._auth.unproven(scopes, authorization):
                        raise self._auth.lock(stream.small(), scopes)
                    if stream.status < 500:
                        self._auth.let_in(scopes, authorization)
                    break
                if last:
                    break
                self._auth.learn(stream.small(), scopes, authorization)
        return stream

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, authorization: str
    ) -> Stream:
        origin = _origin(url)
        for _ in range(_MAX_REDIRECTS + 1):
            signed = dict(headers)
            if authorization and _origin(url) == origin:
                signed["Authorization"] = authorization
            stream = self._exchange(method, url, signed, body, limited=_origin(url) == _origin(self.base_url))
            location = stream.headers.get("Location")
            if stream.status not in _REDIRECTS or not location or method not in ("GET", "HEAD"):
                return stream
            stream.small()
            url = join(url, location)
        raise Unavailable("redirects without end", where=public_url(self.base_url))

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, limited: bool
    ) -> Stream:
        if not limited:  # whom the registry redirects to, or has tokens made by, counts its own requests
            return self.transport.exchange(method, url, self.trust, headers, body, self.timeout)
        with self.limiter.turn() as answered:
            stream = self.transport.exchange(method, url, self.trust, headers, body, self.timeout)
            answered(stream.status, _after(stream.status, stream.headers))
            return stream

    def _send_plain(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Response:
        """For the authenticator: headers go to ``url`` alone, and a redirect gets none of them."""

        def once() -> Response:
            authorization = headers.get("Authorization", "")
            rest = {name: value for name, value in headers.items() if name != "Authorization"}
            response = self._follow(method, url, rest, body, authorization).small()
            if response.status == 429 and self._auth.unproven((), authorization):
                raise self._auth.lock(response, ())
            if response.status == 429 or response.status >= 500:
                raise response.fault()
            return response

        return self.retry.run("sign in", once)

    def _url(self, path: str) -> str:
        return f"{self.base_url}{path}"


def _after(status: int, headers: Headers) -> float | None:
    return retry_after(headers.get("Retry-After")) if status in BUSY else None


def _origin(url: str) -> tuple[str, str, int]:
    parts = split(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
