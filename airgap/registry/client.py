# SPDX-License-Identifier: Apache-2.0
"""The client of one registry: address, trust, login, retries and rate limit on top of the transport."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import parse_qs

from airgap import bounded_json
from airgap.errors import AirgapError, Unauthorized
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.registry.auth.authenticator import Authenticator, PasswordTrials
from airgap.registry.auth.credentials import Credentials
from airgap.registry.auth.realms import TokenServers
from airgap.registry.http.connect import Trust
from airgap.registry.http.errors import not_a_registry, public_url
from airgap.registry.http.limiter import Limiter
from airgap.registry.http.pace import Patience
from airgap.registry.http.retry import RetryPolicy, SlowCount
from airgap.registry.http.transport import Response, StreamedResponse, Transport
from airgap.registry.redirects import REDIRECTS, Requester, origin_of, retry_after_of
from airgap.registry.settings import TIMEOUT, RegistrySettings
from airgap.registry.upload_sessions import NoUploadSessions, UploadSessions

Document = TypeVar("Document")

#: The first 401 tells how to log in, the second may be due to a token that has expired meanwhile.
_MAX_AUTHENTICATED_ATTEMPTS = 3


class RegistryClient(Record, frozen=False, eq=False):
    """Sends requests to one registry. Thread-safe.

    ``registry`` is the name in references, ``base_url`` the address of requests, without a trailing slash.
    """

    registry: str
    settings: RegistrySettings
    transport: Transport
    credentials: Credentials
    retry: RetryPolicy
    #: What the registry thought of passwords; clients of other addresses of the same registry share it.
    trials: PasswordTrials = field(default_factory=PasswordTrials)
    #: Instead of what ``settings`` say, for requests in the place of another machine.
    own_trust: Trust | None = None
    #: Headers of every request to the registry's own address.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    base_url: str = field(init=False)
    trust: Trust = field(init=False)
    timeout: float = field(init=False)
    #: Bytes of a chunk, once the registry has refused a whole blob: later uploads start with this size.
    initial_chunk_size: int | None = None
    #: Bytes of the largest body, once connections have broken: larger blobs are sent in chunks of this size, each over
    #: a new connection.
    max_body: int | None = None
    #: Whether the registry has answered a request to mount a blob with an upload session.
    refuses_mounts: bool = False
    #: Unfinished upload sessions: read from an earlier run, recorded for the next.
    sessions: UploadSessions = field(default_factory=NoUploadSessions)
    #: Held while the index of referrers under a fallback tag is read, extended and written.
    referrers_lock: threading.Lock = field(default_factory=threading.Lock)
    #: Asks the user a question; ``None`` where nobody can be asked.
    confirm: Callable[[str], bool] | None = None
    #: Turns an error of :meth:`request` into one with advice for the registry's product. By default unchanged.
    refine_error: Callable[[AirgapError], AirgapError] = lambda error: error

    def __post_init__(self) -> None:
        self.base_url = self.settings.base_url(self.registry)
        self.timeout = self.settings.timeout or TIMEOUT
        self.trust = self.own_trust or Trust(self.settings.ca_file, self.settings.insecure)
        self._pace = SlowCount(public_url(self.base_url))
        self.limiter = Limiter(self.retry.patience, sleep=self.retry.sleep, clock=self.retry.clock)
        self._requester = Requester(
            self.registry, self.base_url, self.settings, self.transport, self.trust, self.limiter, self.headers
        )
        self._auth = Authenticator(
            self.settings.credential_name(self.registry),
            self.base_url,
            self.credentials,
            self._send_login,
            self.settings.login_arguments(self.registry),
            trials=self.trials,
            token_servers=TokenServers(self.registry, self.base_url, self.settings.realms, self.confirm),
        )

    def ping(self) -> None:
        """Send ``GET /v2/`` and log in if the registry asks for it; raise the error that any later request would raise.

        This is done before workers start, so a wrong password is sent only once.
        """
        response = self.request("GET", "/v2/", scopes=(), ok=(200, 404))
        if response.status == 404 or response.headers.get_content_type() == "text/html":
            raise not_a_registry(self.base_url)

    def ping_anonymously(self) -> Response:
        """Send ``GET /v2/`` without credentials and return any response. A challenge is kept for later requests.

        A redirect to another host or port is not followed: what answers there says nothing of this address.

        Raises the error of a connection that fails.
        """

        def attempt() -> Response:
            with self._pace.watch():
                return self._requester.follow(
                    "GET", self._url("/v2/"), {}, None, "", stay=True, patience=Patience.PROMPT
                ).read()

        response = self.retry.run("GET /v2/", attempt)
        if response.status == 401:
            with contextlib.suppress(Unauthorized):  # without credentials; a request that needs them will fail
                self._auth.handle_challenge(response, (), "")
        return response

    def request(
        self,
        method: str,
        path: str,
        *,
        scopes: Sequence[str],
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        ok: Sequence[int] = (200,),
        limit: str = "",
    ) -> Response:
        """Send a small request, with retries, and return the response; raise the error for a status not in ``ok``.

        ``limit`` is the name of the limit for the bytes of the body, as in :meth:`StreamedResponse.read`; that of a GET
        is ``download-bytes`` by default, so that no body is cut short in silence.
        """
        limit = limit or ("download-bytes" if method == "GET" else "")
        patience = Patience.of(method, limit)

        def attempt() -> Response:
            with self._pace.watch(method):
                response = self._request_authenticated(method, path, scopes, headers or {}, body, patience).read(limit)
            return self._checked(response, ok)

        return self.retry.run(f"{method} {path.partition('?')[0]}", attempt)

    def get(
        self, path: str, parse: Callable[[Response], Document], *, scopes: Sequence[str],
        headers: Mapping[str, str] | None = None, ok: Sequence[int] = (200,), limit: str,
    ) -> Document:  # fmt: skip
        """Send a GET for a document, with retries, and return what ``parse`` makes of it.

        Large documents are read and parsed one at a time: each takes many times its length meanwhile. ``limit`` is as
        in :meth:`request`.
        """
        patience = Patience.of("GET", limit)

        def attempt() -> Document:
            with self._pace.watch():
                stream = self._request_authenticated("GET", path, scopes, headers or {}, None, patience)
                with bounded_json.one_at_a_time(stream.response.length):
                    if self._pace.is_given_up:  # others have found it too slow while this one waited
                        stream.release()
                        self._pace.check()
                    return parse(self._checked(stream.read(limit), ok))

        return self.retry.run(f"GET {path.partition('?')[0]}", attempt)

    def _checked(self, response: Response, ok: Sequence[int]) -> Response:
        if response.status not in ok:
            raise self.refine_error(self._error(response))
        return response

    def request_url(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        authorization: str = "",
    ) -> Response:
        """Send a small request to an address outside ``/v2/``, and return any response except a 429.

        ``authorization`` is sent with it. Challenges are not answered and redirects are not followed. Broken
        connections and a 429 are retried. Raises the error of the last attempt, and :class:`AccountLocked` for a 429 to
        a password that was never accepted.
        """
        all_headers = {**(headers or {}), "Authorization": authorization} if authorization else dict(headers or {})
        limited = origin_of(url) == origin_of(self.base_url)

        def attempt() -> Response:
            with self._pace.watch():
                response = self._requester.exchange(method, url, all_headers, body, limited=limited).read("rest-bytes")
            if response.status == 429:
                if self._auth.is_untested((), authorization):
                    raise self._auth.locked_out_error(response, ())
                raise response.error()
            return response

        return self.retry.run(f"{method} {public_url(url)}", attempt)

    def open(
        self, path: str, *, scopes: Sequence[str], headers: Mapping[str, str], ok: Sequence[int]
    ) -> StreamedResponse:
        """Send a GET and return the response with its body unread; raise the error for a status not in ``ok``.

        It is sent once: only the caller knows which byte to continue at.
        """
        with self._pace.watch():
            stream = self._request_authenticated("GET", path, scopes, headers, None, Patience.BODY)
            if stream.status not in ok:
                raise self._error(stream.read())
        return stream

    def send_body(
        self,
        method: str,
        path: str,
        *,
        scopes: Sequence[str],
        headers: Mapping[str, str],
        length: int,
        write_body: Callable[[socket.socket], None],
        dedicated: bool = False,
    ) -> Response:
        """Send a request with a body of ``length`` bytes that ``write_body`` writes, once; return any response.

        ``dedicated`` opens a connection for this request only.
        """
        authorization = self._auth.header(scopes)
        all_headers = {**headers, "Authorization": authorization} if authorization else dict(headers)
        self.transport.secrets.add_header(authorization)
        with self.limiter.slot() as report, self._pace.watch():
            response = self.transport.upload(
                method, self._url(path), self.trust, all_headers, length, write_body, self.timeout, dedicated=dedicated
            )
            report(response.status, retry_after_of(response.status, response.headers))
        if response.status == 401:
            self._auth.handle_challenge(response, scopes, authorization)
        elif response.status < 500:
            self._auth.mark_accepted(scopes, authorization)
        return response

    def download(self, url: str) -> bytes:
        """Return the content of ``url``, requested without credentials."""

        def attempt() -> bytes:
            with self._pace.watch():
                response = self._requester.follow("GET", url, {}, None, "").read("download-bytes")
            if response.status != 200:
                raise response.error()
            return response.body

        return self.retry.run(f"GET {public_url(url)}", attempt)

    def sign_in_at_once(self) -> bool:
        """Send user and password with every request, for servers that refuse without asking for them.

        Returns whether they are known. Raises :class:`Unauthorized` if they were refused before.
        """
        return self._auth.offer_basic()

    def send_token(self, token: str) -> None:
        """Send a Bearer token with every request: one that the user was given, not one that a token server issues."""
        self._auth.offer_token(token)

    def use_one_token(self) -> None:
        """Use one token for all repositories, for servers whose tokens are not bound to a scope."""
        self._auth.shares_tokens = True

    @property
    def password_refused(self) -> bool:
        """Whether this registry has refused a password in this run."""
        return self._auth.password_refused

    @property
    def credentials_requested(self) -> bool:
        """Whether this registry has asked for credentials in this run."""
        return self._auth.challenged

    @property
    def place(self) -> str:
        """The registry in messages: its name, and the path of its API if that is below the same host."""
        address = self.base_url.partition("://")[2]
        return address if address.startswith(f"{self.registry}/") else self.registry

    @property
    def is_plain_http(self) -> bool:
        """Whether the registry is reached without TLS."""
        return self.base_url.startswith("http://")

    def _error(self, response: Response) -> AirgapError:
        error = response.error()
        if isinstance(error, Unauthorized) and response.status == 401:
            error.hint = tr(
                "{hint}; to sign in: airgap login {login_arguments}",
                hint=error.hint,
                login_arguments=self.settings.login_arguments(self.registry),
            )
        elif response.status in REDIRECTS:
            to_https = response.headers.get("Location", "").startswith("https://") and self.is_plain_http
            error.hint = tr("it redirects to HTTPS: write the address as https://") if to_https else None
        return error

    def _request_authenticated(
        self, method: str, path: str, scopes: Sequence[str], headers: Mapping[str, str], body: bytes | None,
        patience: Patience,
    ) -> StreamedResponse:  # fmt: skip
        for attempt in range(1, _MAX_AUTHENTICATED_ATTEMPTS + 1):
            with self._auth.try_credential(scopes) as authorization:
                stream = self._requester.follow(
                    method, self._url(path), headers, body, authorization, patience=patience
                )
                # A 401 of a server that the registry redirects to is not a challenge of the registry.
                if stream.status != 401 or origin_of(stream.url) != origin_of(self.base_url):
                    if stream.status == 429 and self._auth.is_untested(scopes, authorization):
                        raise self._auth.locked_out_error(stream.read(), scopes)
                    if stream.status < 500:
                        self._auth.mark_accepted(scopes, authorization)
                    break
                if attempt < _MAX_AUTHENTICATED_ATTEMPTS:
                    self._auth.handle_challenge(stream.read(), scopes, authorization)
        return stream

    def _send_login(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Response:
        """Send a request of the authenticator. Its Authorization header is sent to the origin of ``url`` only."""

        for token in parse_qs((body or b"").decode()).get("refresh_token", ()):
            self.transport.secrets.add(token)

        def attempt() -> Response:
            authorization = headers.get("Authorization", "")
            other_headers = {name: value for name, value in headers.items() if name != "Authorization"}
            with self._pace.watch():
                stream = self._requester.follow(
                    method, url, other_headers, body, authorization, setting="realms", patience=Patience.PROMPT
                )
                response = stream.read("token-bytes")
            if response.status == 429 and self._auth.is_untested((), authorization):
                raise self._auth.locked_out_error(response, ())
            if response.status == 429 or response.status >= 500:
                raise response.error()
            return response

        return self.retry.run("sign in", attempt)

    def _url(self, path: str) -> str:
        return f"{self.base_url}{path}"
