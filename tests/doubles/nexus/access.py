# SPDX-License-Identifier: Apache-2.0
"""Who asks, and may they: both challenges, tokens, privileges, the count of sign-ins and the lock (2 to 8, 12)."""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from tests.doubles.nexus import answers
from tests.doubles.nexus.routes import Route, base_of
from tests.doubles.nexus.settings import DOCKER_REALM, OCI_REALM, Settings, User
from tests.doubles.registry import Answer, Request

BASIC = 'BASIC realm="Sonatype Nexus Repository Manager"'
ANONYMOUS = "anonymous"


@dataclass
class SignIns:
    """What one user's name and password were used for: ``good`` and ``failed`` tries, ``refused`` ones while the
    account was locked, ``tokens`` given out. ``locked_until`` is of the double's clock."""

    good: int = 0
    failed: int = 0
    refused: int = 0
    tokens: int = 0
    in_a_row: int = 0
    locked_until: float = 0.0

    @property
    def tries(self) -> int:
        return self.good + self.failed + self.refused


@dataclass(frozen=True)
class Token:
    user: User
    repository: str
    given: float


class Access:
    """``realms`` may be changed through REST, and then decides whether tokens are taken."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._users = {user.name: user for user in settings.users}
        self.realms = list(settings.realms)
        self.anonymous = User(ANONYMOUS, "", settings.anonymous_actions)
        self.tokens: dict[str, Token] = {}
        self.sign_ins: dict[str, SignIns] = {}

    def identify(self, request: Request, challenge: str) -> User | Answer | None:
        """The user whose name and password came (7: in both modes), ``None`` where none did, or 401 and 429 (12)."""
        scheme, _, given = request.authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return answers.unauthorized(challenge)
        return self._sign_in(name, password, challenge)

    def _sign_in(self, name: str, password: str, challenge: str) -> User | Answer:
        """More than the suffered number of failures: 429 whatever the password, each try prolonging it (12)."""
        count = self.sign_ins.setdefault(name, SignIns())
        suffered, now = self._settings.sign_ins_suffered, self._clock()
        if suffered >= 0 and count.in_a_row > suffered:
            if now < count.locked_until:
                count.refused += 1
                count.locked_until = now + self._settings.lockout_seconds
                refused = answers.problem(429, "TOOMANYREQUESTS", "too many failed sign-ins")
                refused.headers["Retry-After"] = "30"
                return refused
            count.in_a_row = 0
        user = self._users.get(name)
        if user is not None and hmac.compare_digest(user.password.encode(), password.encode()):
            count.good, count.in_a_row = count.good + 1, 0
            return user
        count.failed, count.in_a_row = count.failed + 1, count.in_a_row + 1
        count.locked_until = now + self._settings.lockout_seconds
        return answers.unauthorized(challenge)

    def challenge(self, route: Route, request: Request, scheme: str) -> str:
        """Force-basic: upper-case BASIC (4). Otherwise Bearer, realm and service the token's absolute URL (5)."""
        if self.forces_basic(route):
            return BASIC
        base = base_of(request, scheme)
        if self._settings.realm == "null":
            base = "null://" + base.partition("://")[2]
        elif self._settings.realm == "http443":
            base = "http://" + base.partition("://")[2].partition(":")[0] + ":443"
        elif self._settings.doubles_port and ":" in (request.headers.get("X-Forwarded-Host") or ""):
            base += ":" + base.rpartition(":")[2]
        url = f"{base}{self._token_root(route)}/v2/token"
        scoped = self._settings.scope if self._settings.scope is not None else self._settings.profile != "3.8x"
        return f'Bearer realm="{url}",service="{url}"' + (',scope="repository:*:pull"' if scoped else "")

    def _token_root(self, route: Route) -> str:
        where = self._settings.path_realm or ("base" if self._settings.profile == "3.96" else "repository")
        if route.kind == "path" and route.content is not None and where == "repository":
            return f"{route.root}/repository/{route.content.name}"
        if route.kind == "repository" and self._settings.repository_realm == "bare":
            return ""
        return route.root

    def forces_basic(self, route: Route) -> bool:
        """Whether tokens are out of use: for ``/v2/`` of the path route, where nothing tells which repository is
        meant, they are in use (inferred)."""
        return route.content is not None and route.content.settings.force_basic

    def token(self, route: Route, request: Request, scheme: str) -> Answer:
        """GET of the token's URL: ``{"token": "DockerToken.<uuid>"}`` and nothing of its life time (6)."""
        user = self.identify(request, BASIC)
        if isinstance(user, Answer):
            return user
        repository = route.content.name if route.content is not None else ""
        if user is None:
            if not self._settings.anonymous or self.forces_basic(route) or not self._path_allows(route):
                return answers.unauthorized(BASIC)
            user = self.anonymous
        token = f"{self._realm(route)}.{uuid.uuid4()}"
        self.tokens[token] = Token(user, repository, self._clock())
        self.sign_ins.setdefault(user.name, SignIns()).tokens += 1
        return answers.document(200, {"token": token})

    def admit(self, route: Route, request: Request, scheme: str, action: str) -> User | Answer:
        """The user, if ``action`` is allowed (empty: just being known). Unprivileged 403, anonymous 401 (8)."""
        challenge = self.challenge(route, request, scheme)
        user = self.identify(request, challenge)
        if user is None:
            user = self._bearer(route, request)
        if isinstance(user, Answer):
            return user
        if user is None and self._settings.names_anonymous and not request.authorization:
            answer = answers.problem(401, "UNAUTHORIZED", "access is not authorized", "user: anonymous")
            answer.headers["WWW-Authenticate"] = challenge
            return answer
        if user is None:
            return answers.unauthorized(challenge)
        if not action or route.content is None or user.may(action, route.content.name):
            return user
        if user is self.anonymous:
            return answers.unauthorized(challenge)
        return answers.problem(403, "DENIED", "access to the requested resource is not authorized")

    def _bearer(self, route: Route, request: Request) -> User | None:
        """Tokens want the format's realm switched on (H2); np#873 and a life time are switches."""
        scheme, _, given = request.authorization.partition(" ")
        if not scheme:
            free = self._settings.anonymous and self._settings.anonymous_without_token
            return self.anonymous if free and not self.forces_basic(route) and self._path_allows(route) else None
        token = self.tokens.get(given.strip())
        if scheme.lower() != "bearer" or token is None or self._realm(route) not in self.realms:
            return None
        lives, foreign = self._settings.token_seconds, route.content and route.content.name != token.repository
        if (lives is not None and self._clock() - token.given >= lives) or (
            self._settings.tokens_per_repository and foreign
        ):
            return None
        if token.user is self.anonymous and (self.forces_basic(route) or not self._path_allows(route)):
            return None
        return token.user

    def _path_allows(self, route: Route) -> bool:
        return route.kind != "path" or self._settings.path_anonymous

    def _realm(self, route: Route) -> str:
        return OCI_REALM if route.content is not None and route.content.settings.format == "oci" else DOCKER_REALM

    def refuse_rest(self) -> Answer:
        """What REST answers to a request without credentials that needs a permission (46): a challenge only from 3.96,
        and only where anonymous access is off; else 403 without a challenge."""
        if self._settings.rest_challenges:
            return answers.unauthorized(BASIC)
        return answers.only_reason(403, "Forbidden")

    def of_rest(self, request: Request) -> User | Answer | None:
        """REST knows name and password alone; wrong ones are 401 even where none are needed (section 3)."""
        return self.identify(request, BASIC)
