# SPDX-License-Identifier: Apache-2.0
"""Signing in to one registry: Basic, and Bearer tokens by scope (distribution's token specification).

Tokens are kept by scope and fetched by one thread while the others wait. Until a credential has been taken
once, one request at a time offers it, and a refused one is never offered again in this run: registries
lock accounts after a few failures.
"""

from __future__ import annotations

import copy
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, urlencode, urlsplit

from airgap.errors import AirgapError, RegistryError, Unauthorized
from airgap.records import Record, field
from airgap.registry.auth import challenge as challenges
from airgap.registry.auth.credentials import Credential, Credentials
from airgap.registry.http.errors import locked_out, public_url, split
from airgap.registry.http.transport import Response
from airgap.registry.settings import is_loopback

#: Token specification: a token without ``expires_in`` lives for 60 seconds.
_DEFAULT_LIFE = 60.0

Send = Callable[[str, str, dict[str, str], bytes | None], Response]
"""``send(method, url, headers, body)``: one exchange with retries and without credentials of its own."""


class _Token(Record, frozen=False):
    value: str = field(repr=False)
    until: float


class Authenticator(Record, frozen=False, eq=False):
    """Thread-safe. ``registry`` is the name credentials are looked up under, ``base_url`` where requests go."""

    registry: str
    base_url: str
    credentials: Credentials
    send: Send
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _tokens: dict[str, _Token] = field(default_factory=dict)
    _bearer: dict[str, str] | None = None
    _basic: bool = False
    #: What challenges named beside the scopes that were asked for (a registry may know a repository otherwise).
    _named: dict[str, list[str]] = field(default_factory=dict)
    _trial: threading.Lock = field(default_factory=threading.Lock)
    _proven: set[Credential] = field(default_factory=set)
    _refused: dict[Credential, Unauthorized] = field(default_factory=dict)

    @property
    def challenged(self) -> bool:
        return self._basic or self._bearer is not None

    def header(self, scopes: Sequence[str]) -> str:
        """The ``Authorization`` to send with a request for ``scopes``, or an empty string before any challenge."""
        if self._bearer is not None:
            return f"Bearer {self._token(scopes)}"
        if self._basic:
            credential = self._credential(scopes)
            return credential.basic if credential else ""
        return ""

    @contextmanager
    def turn(self, scopes: Sequence[str]) -> Iterator[str]:
        """:meth:`header` for one request, held until its status is known: while nobody knows whether a password is
        right, one request at a time offers it. Whoever is let in says so with :meth:`let_in`."""
        if not self._basic or self._bearer is not None:
            yield self.header(scopes)
            return
        credential = self._credential(scopes)
        if credential is None or credential in self._proven:
            yield credential.basic if credential else ""
            return
        with self._trial:
            self._credential(scopes)  # raises if it was refused meanwhile
            yield credential.basic

    def let_in(self, scopes: Sequence[str], sent: str) -> None:
        """Note that the Authorization ``sent`` was good for something."""
        if sent.startswith("Basic ") and (credential := self._credential(scopes)) is not None:
            self._proven.add(credential)

    def learn(self, response: Response, scopes: Sequence[str], sent: str) -> None:
        """Take in a 401's challenge, so that the next :meth:`header` answers it; raise :class:`Unauthorized`
        when there is nothing left to try. ``sent`` is the Authorization that was refused."""
        found = challenges.parse(response.headers.get_all("WWW-Authenticate") or [])
        bearer = next((c for c in found if c.scheme == "bearer" and c.parameters.get("realm")), None)
        basic = any(c.scheme == "basic" for c in found)
        if bearer is not None:
            key = _scope_key(scopes)
            with self._lock:
                token = self._tokens.get(key)
                fresh = not sent.startswith("Bearer ")
                if not fresh and token and sent == f"Bearer {token.value}":
                    del self._tokens[key]  # expired early, or its scope is too small: once more, then give up
                asked = {scope.rpartition(":")[0] for scope in scopes}
                named = bearer.parameters.get("scope", "").split()
                self._named[key] = [scope for scope in named if scope.rpartition(":")[0] not in asked]
                self._bearer = dict(bearer.parameters)
            return
        if basic and not sent.startswith("Basic "):
            credential = self._credential(scopes)
            if credential is None or not credential.username:
                raise Unauthorized(
                    "the registry wants a user and password, and none is known",
                    where=public_url(self.base_url),
                    hint=f"airgap login {self.registry}",
                )
            self._basic = True
            return
        raise self._refuse(response, self._credential(scopes) if sent else None)

    def _refuse(self, response: Response, credential: Credential | None) -> AirgapError:
        error = response.fault()
        if credential is not None and response.status == 401 and isinstance(error, Unauthorized):
            self._refused[credential] = self._hinted(error)
        return error

    def unproven(self, scopes: Sequence[str], sent: str) -> bool:
        """Whether ``sent`` offers a password that was never taken yet."""
        return sent.startswith("Basic ") and self._credential(scopes) not in self._proven

    def lock(self, response: Response, scopes: Sequence[str]) -> Unauthorized:
        """The error that a 429 to such a password is; it is not offered again in this run."""
        error, credential = locked_out(response.fault()), self._credential(scopes)
        if credential is not None:
            self._refused[credential] = error
        return error

    @property
    def refused(self) -> bool:
        """Whether a password was refused in this run."""
        return bool(self._refused)

    def _hinted(self, error: Unauthorized) -> Unauthorized:
        error.where = error.where or public_url(self.base_url)
        error.hint = f"check user and password: airgap login {self.registry} (tried once, to lock no account)"
        return error

    def _credential(self, scopes: Sequence[str]) -> Credential | None:
        repository = scopes[0].split(":")[1] if scopes and scopes[0].startswith("repository:") else ""
        credential = self.credentials.find(self.registry, repository)
        refused = self._refused.get(credential) if credential is not None else None
        if refused is not None:
            raise copy.copy(refused)
        return credential

    def _token(self, scopes: Sequence[str]) -> str:
        key = _scope_key(scopes)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            token = self._tokens.get(key)
            if token is None or token.until <= self.clock():
                token = self._fetch(scopes)
                self._tokens[key] = token
            return token.value

    def _fetch(self, scopes: Sequence[str]) -> _Token:
        parameters = dict(self._bearer or {})
        realm, service = parameters["realm"], parameters.get("service", "")
        credential = self._credential(scopes)
        self._check_realm(realm, credential)
        if credential is None or credential in self._proven:
            return self._ask(realm, service, scopes, credential)
        with self._trial:
            token = self._ask(realm, service, scopes, self._credential(scopes))
            self._proven.add(credential)
            return token

    def _ask(self, realm: str, service: str, scopes: Sequence[str], credential: Credential | None) -> _Token:
        wanted = list(dict.fromkeys((*scopes, *self._named.get(_scope_key(scopes), ()))))
        headers: dict[str, str] = {}
        if credential and credential.token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": "airgap",
                "scope": " ".join(wanted),
                "refresh_token": credential.token,
            }
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            response = self.send("POST", realm, headers, urlencode(form).encode())
        else:
            query = [("service", service)] if service else []
            query += [("scope", scope) for scope in wanted]
            if credential:
                headers["Authorization"] = credential.basic
            joiner = "&" if urlsplit(realm).query else "?"
            url = f"{realm}{joiner}{urlencode(query, quote_via=quote, safe=':/,')}" if query else realm
            response = self.send("GET", url, headers, None)
        if response.status in (401, 403):
            raise self._refuse(response, credential)
        if response.status != 200:
            raise response.fault()
        try:
            document = json.loads(response.body)
            value = document.get("token") or document.get("access_token")
            life = float(document.get("expires_in") or _DEFAULT_LIFE)
            life = life if math.isfinite(life) else _DEFAULT_LIFE
        except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise RegistryError("the token server answered no token", where=public_url(realm)) from error
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
            raise RegistryError("the token server answered no token", where=public_url(realm))
        return _Token(value, self.clock() + life * 0.9)

    def _check_realm(self, realm: str, credential: Credential | None) -> None:
        """A registry names its token server itself; a password goes there only if no weaker way than our own."""
        here, there = urlsplit(self.base_url), split(realm)
        if there.scheme == "https" or (there.scheme == "http" and is_loopback(there.netloc)):
            return
        if there.scheme == "http" and here.scheme == "http" and there.hostname == here.hostname:
            return
        if there.scheme == "http" and credential is None:
            return
        raise Unauthorized(
            f"the registry names {public_url(realm)[:200]} to sign in at, where a password would travel unprotected",
            where=public_url(self.base_url),
            hint="have the registry's external address (X-Forwarded-Proto, X-Forwarded-Host) put right",
        )


def _scope_key(scopes: Sequence[str]) -> str:
    return " ".join(sorted(scopes))
