# SPDX-License-Identifier: Apache-2.0
"""Login at one registry: Basic, and Bearer tokens for scopes (distribution's token specification).

Tokens are kept by scope. One thread fetches a token while the others wait. Registries lock accounts after a few failed
logins. So a credential is sent by one request at a time until the registry has accepted it, and a refused credential
is never sent again in this run.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote, urlencode, urlsplit

from airgap import bounded_json
from airgap.errors import AirgapError, ContentError, RegistryError, Unauthorized
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.registry.auth import challenge as challenges
from airgap.registry.auth.credentials import Credential, Credentials
from airgap.registry.auth.missing import CredentialMissing
from airgap.registry.auth.realms import TokenServers
from airgap.registry.http.errors import locked_out, public_url
from airgap.registry.http.transport import Response

#: Seconds that a token without ``expires_in`` is valid (token specification).
_DEFAULT_LIFETIME = 60.0

Send = Callable[[str, str, dict[str, str], bytes | None], Response]
"""``send(method, url, headers, body)`` sends a request, with retries and without adding credentials."""


class TokenRefused(Unauthorized):
    """The registry has refused a token that it has just issued."""


class _Token(Record, frozen=False):
    value: str = field(repr=False)
    expires: float
    #: Whether the registry has accepted it.
    accepted: bool = False


class PasswordTrials(Record, frozen=False, eq=False):
    """Which credentials one registry has accepted or refused. The clients of all of its addresses share this."""

    #: Held while a credential is sent that the registry has not accepted yet.
    lock: threading.Lock = field(default_factory=threading.Lock)
    accepted: set[Credential] = field(default_factory=set)
    refused: dict[Credential, Unauthorized] = field(default_factory=dict)


class Authenticator(Record, frozen=False, eq=False):
    """Knows the ``Authorization`` for each request to one registry. Thread-safe.

    ``registry`` is the name for which credentials are looked up, ``base_url`` the address of the requests.
    ``login_arguments`` are those of ``airgap login`` for this registry. ``token_servers`` says which get the password.
    """

    registry: str
    base_url: str
    credentials: Credentials
    send: Send
    login_arguments: str
    token_servers: TokenServers
    clock: Callable[[], float] = time.monotonic
    trials: PasswordTrials = field(default_factory=PasswordTrials)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _token_locks: dict[str, threading.Lock] = field(default_factory=dict)
    _tokens: dict[str, _Token] = field(default_factory=dict)
    #: Whether one token is used for all scopes.
    shares_tokens: bool = False
    #: The parameters of the last Bearer challenge.
    _bearer: dict[str, str] | None = None
    _basic: bool = False
    #: The ``Authorization`` of every request, whatever is asked for: a token that its user was given.
    _fixed: str = field(default="", repr=False)
    #: Scopes that challenges named in addition to the requested ones: a registry may use other repository names.
    _extra_scopes: dict[str, list[str]] = field(default_factory=dict)
    #: Refused at this address. Another address of the registry may have accepted the same credential.
    _refused: dict[Credential, Unauthorized] = field(default_factory=dict)

    @property
    def challenged(self) -> bool:
        """Whether the registry has asked for credentials."""
        return self._basic or self._bearer is not None

    @property
    def password_refused(self) -> bool:
        """Whether the registry has refused a credential in this run."""
        return bool(self._refused or self.trials.refused)

    def offer_basic(self) -> bool:
        """Send user and password with every request from now on, if they are known; return whether they are."""
        credential = self._credential(())
        if credential is not None and credential.username:
            self._basic = True
        return self._basic

    def offer_token(self, token: str) -> None:
        """Send a Bearer token with every request from now on, as clients do that were given one."""
        self._fixed = f"Bearer {token}"

    def header(self, scopes: Sequence[str]) -> str:
        """Return the ``Authorization`` for a request with ``scopes``, an empty string before any challenge.

        Fetches a token if necessary; raises :class:`Unauthorized` if the credential was refused.
        """
        if self._fixed:
            return self._fixed
        if self._bearer is not None:
            return f"Bearer {self._token(scopes)}"
        if self._basic:
            credential = self._credential(scopes)
            return credential.basic if credential else ""
        return ""

    @contextmanager
    def try_credential(self, scopes: Sequence[str]) -> Iterator[str]:
        """Give the :meth:`header` for one request, until its status is known.

        While it is not known whether a password is correct, one request at a time sends it. The caller reports success
        with :meth:`mark_accepted`.
        """
        if not self._basic or self._bearer is not None:
            yield self.header(scopes)
            return
        credential = self._credential(scopes)
        if credential is None or credential in self.trials.accepted:
            yield credential.basic if credential else ""
            return
        with self.trials.lock:
            self._credential(scopes)  # raises if it was refused while this thread waited
            yield credential.basic

    def mark_accepted(self, scopes: Sequence[str], authorization: str) -> None:
        """Note that the registry has accepted the credential or token in ``authorization``."""
        token = self._tokens.get(self._token_key(scopes))
        if token is not None and authorization == f"Bearer {token.value}":
            token.accepted = True
        if authorization.startswith("Basic ") and (credential := self._credential(scopes)) is not None:
            self.trials.accepted.add(credential)

    def handle_challenge(self, response: Response, scopes: Sequence[str], authorization: str) -> None:
        """Keep the challenge of a 401, so that the next :meth:`header` answers it.

        ``authorization`` is the header that was refused. Raises :class:`Unauthorized` if there is nothing else to try.
        """
        if self._fixed:
            raise self._mark_refused(response, self._credential(scopes))
        offered = challenges.parse(response.headers.get_all("WWW-Authenticate") or [])
        bearer = next((c.parameters for c in offered if c.scheme == "bearer" and c.parameters.get("realm")), None)
        if bearer is not None:
            self._keep_challenge(bearer, scopes, authorization)
            return
        if any(c.scheme == "basic" for c in offered) and not authorization.startswith("Basic "):
            credential = self._credential(scopes)
            if credential is None or not credential.username:
                raise self._missing()
            self._basic = True
            return
        if not authorization and not any(c.scheme == "basic" for c in offered):
            schemes = ", ".join(sorted({c.scheme.capitalize() for c in offered}))
            raise Unauthorized(
                tr("the registry answers 401 and offers only {schemes}", schemes=schemes) if schemes
                else tr("the registry answers 401 and does not say how to sign in (no WWW-Authenticate header)"),
                where=public_url(self.base_url),
                hint=tr("a proxy in front takes the header away or puts its own there: have the registry's passed on"),
            )  # fmt: skip
        raise self._mark_refused(response, self._credential(scopes) if authorization else None)

    def _keep_challenge(self, bearer: Mapping[str, str], scopes: Sequence[str], authorization: str) -> None:
        """Keep a Bearer challenge and forget the token that it refuses: it has expired early, or its scope is too
        small. Raises :class:`TokenRefused` if a new token of the same scopes would be refused, too."""
        key = _scope_key(scopes)
        requested = {scope.rpartition(":")[0] for scope in scopes}
        challenged = bearer.get("scope", "").split()
        extra_scopes = [scope for scope in challenged if scope.rpartition(":")[0] not in requested]
        with self._lock:
            token_key = self._token_key(scopes)
            token = self._tokens.get(token_key)
            if token and authorization == f"Bearer {token.value}":
                del self._tokens[token_key]
                if self.shares_tokens and token.accepted:
                    self.shares_tokens = False  # it was issued for another scope
                elif (
                    not token.accepted and dict(bearer) == self._bearer and extra_scopes == self._extra_scopes.get(key)
                ):
                    raise TokenRefused(
                        tr("the registry has refused a token that it had just issued"),
                        where=public_url(self.base_url),
                        hint=tr(
                            "in Nexus: Settings > Security > Realms, activate the Docker Bearer Token Realm (for a "
                            "repository of format oci the OCI Bearer Token Realm)"
                        ),
                    )
            self._extra_scopes[key] = extra_scopes
            self._bearer = dict(bearer)

    def is_untested(self, scopes: Sequence[str], authorization: str) -> bool:
        """Whether ``authorization`` contains a password that the registry has not accepted yet."""
        return authorization.startswith("Basic ") and self._credential(scopes) not in self.trials.accepted

    def locked_out_error(self, response: Response, scopes: Sequence[str]) -> Unauthorized:
        """Return the error for a 429 to an untested password, which is not sent again in this run."""
        error, credential = locked_out(response.error()), self._credential(scopes)
        if credential is not None:
            self._keep_refusal(credential, error)
        return error

    def _missing(self) -> CredentialMissing:
        return CredentialMissing.of(
            tr("the registry wants a user and password, and none is known"),
            where=public_url(self.base_url),
            registry=self.registry,
            login_arguments=self.login_arguments,
        )

    def _keep_refusal(self, credential: Credential, error: Unauthorized) -> None:
        self._refused[credential] = error
        if credential not in self.trials.accepted:
            self.trials.refused[credential] = error

    def _mark_refused(self, response: Response, credential: Credential | None) -> AirgapError:
        error = response.error()
        if credential is None and isinstance(error, Unauthorized):
            error.hint = f"airgap login {self.login_arguments}; {error.hint}"
        if credential is not None and response.status == 401 and isinstance(error, Unauthorized):
            error.where = error.where or public_url(self.base_url)
            error.hint = tr(
                "it was tried once, to lock no account; with the right one: airgap login {login_arguments}",
                login_arguments=self.login_arguments,
            )
            self._keep_refusal(credential, error)
        return error

    def _credential(self, scopes: Sequence[str]) -> Credential | None:
        repository = scopes[0].split(":")[1] if scopes and scopes[0].startswith("repository:") else ""
        credential = self.credentials.find(self.registry, repository)
        if credential is not None:
            refused = self._refused.get(credential) or self.trials.refused.get(credential)
            if refused is not None:
                import copy

                raise copy.copy(refused)
        return credential

    def _token(self, scopes: Sequence[str]) -> str:
        key = self._token_key(scopes)
        with self._lock:
            token_lock = self._token_locks.setdefault(key, threading.Lock())
        with token_lock:
            token = self._tokens.get(key)
            if token is None or token.expires <= self.clock():
                token = self._tokens[key] = self._fetch_token(scopes)
            return token.value

    def _token_key(self, scopes: Sequence[str]) -> str:
        return "" if self.shares_tokens else _scope_key(scopes)

    def _fetch_token(self, scopes: Sequence[str]) -> _Token:
        bearer = self._bearer or {}
        realm, service = bearer["realm"], bearer.get("service", "")
        credential = self._credential(scopes)
        self.token_servers.check(realm, with_password=credential is not None)
        if credential is None or credential in self.trials.accepted:
            return self._request_token(realm, service, scopes, credential)
        with self.trials.lock:
            token = self._request_token(realm, service, scopes, self._credential(scopes))
            self.trials.accepted.add(credential)
            return token

    def _request_token(self, realm: str, service: str, scopes: Sequence[str], credential: Credential | None) -> _Token:
        all_scopes = list(dict.fromkeys((*scopes, *self._extra_scopes.get(_scope_key(scopes), ()))))
        headers: dict[str, str] = {}
        if credential and credential.token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": "airgap",
                "scope": " ".join(all_scopes),
                "refresh_token": credential.token,
            }
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            response = self.send("POST", realm, headers, urlencode(form).encode())
        else:
            query = [("service", service)] if service else []
            query += [("scope", scope) for scope in all_scopes]
            if credential:
                headers["Authorization"] = credential.basic
            separator = "&" if urlsplit(realm).query else "?"
            url = f"{realm}{separator}{urlencode(query, quote_via=quote, safe=':/,')}" if query else realm
            response = self.send("GET", url, headers, None)
        if response.status == 401 and credential is None:
            raise self._missing()
        if response.status in (401, 403):
            raise self._mark_refused(response, credential)
        if response.status != 200:
            raise response.error()
        return self._parse_token(response.body, realm)

    def _parse_token(self, body: bytes, realm: str) -> _Token:
        try:
            document = bounded_json.parse(body, "token")
            value = document.get("token") or document.get("access_token")
            lifetime = float(document.get("expires_in") or _DEFAULT_LIFETIME)
            lifetime = lifetime if math.isfinite(lifetime) else _DEFAULT_LIFETIME
        except bounded_json.TooLarge as error:
            raise RegistryError(error.what, where=public_url(realm), hint=error.hint) from error
        except (ValueError, TypeError, AttributeError, OverflowError, ContentError) as error:
            raise RegistryError(tr("the token server answered no token"), where=public_url(realm)) from error
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
            raise RegistryError(tr("the token server answered no token"), where=public_url(realm))
        return _Token(value, self.clock() + lifetime * 0.9)


def _scope_key(scopes: Sequence[str]) -> str:
    return " ".join(sorted(scopes))
