# SPDX-License-Identifier: Apache-2.0
"""The address of a target while it is examined, and its first answer, by which the product is recognized."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from airgap.errors import AirgapError, Unauthorized
from airgap.records import Record, field
from airgap.registry.settings import is_loopback
from airgap.targets.mapping import Mapping

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult

    from airgap.registry.auth.challenge import Challenge
    from airgap.registry.client import RegistryClient
    from airgap.registry.http.transport import Response


def is_registry(response: Response) -> bool:
    """Whether an answer to ``GET /v2/`` is a registry's, and not that of some web page or its login."""
    if response.status == 401 and response.headers.get("Docker-Distribution-Api-Version") is not None:
        return True
    if response.headers.get_content_type() == "text/html":
        return False
    if response.status == 200:
        return True
    is_json = response.headers.get_content_type() == "application/json"
    return response.status == 401 and is_json and not is_kubernetes(response)


def is_kubernetes(response: Response) -> bool:
    """Whether an answer is that of Kubernetes' API server."""
    return b'"kind":"Status"' in response.body.replace(b" ", b"")


def challenges_of(response: Response) -> list[Challenge]:
    """The challenges of an answer's ``WWW-Authenticate`` headers (RFC 9110, 11.6.1)."""
    from airgap.registry.auth import challenge

    return challenge.parse(response.headers.get_all("WWW-Authenticate") or [])


def asks_for_tokens(probe: Probe) -> bool:
    """Whether the registry asks for Bearer tokens."""
    response = probe.response
    return response is not None and any(challenge.scheme == "bearer" for challenge in challenges_of(response))


class Probe(Record, frozen=False, eq=False):
    """An address that is examined; its answers are requested once and kept.

    ``client`` sends the requests to where images are pushed; ``mapping`` makes the names that nodes pull. ``answer`` is
    what ``GET /v2/`` gave without a credential: a response, the error of the connection, or ``None`` before it was
    sent. ``signed_in`` is set once the user was accepted, and ``may_read`` is false once the user was refused to read.
    """

    client: RegistryClient
    mapping: Mapping
    answer: Response | AirgapError | None = field(default=None, init=False)
    signed_in: bool = field(default=False, init=False)
    may_read: bool | None = field(default=None, init=False)
    _refusal: Unauthorized | None = field(default=None, init=False)

    @property
    def registry(self) -> str:
        """``host[:port]`` as nodes write it."""
        return self.mapping.address.registry

    @property
    def target(self) -> str:
        """The target as a command line takes it, with the options that reach it in the same way."""
        return f"{self.mapping.address.argument}{self.client.settings.arguments(self.client.registry)}"

    @property
    def url(self) -> str:
        """The address that requests go to, with scheme and path, without a trailing slash."""
        return self.client.base_url

    @property
    def netloc(self) -> str:
        """``host[:port]`` that requests go to, as it is written in the URL."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return self._parts.scheme

    @property
    def host(self) -> str:
        """The host that requests go to, without brackets around an IPv6 address."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        """The port that requests go to."""
        return self._parts.port or (443 if self.scheme == "https" else 80)

    @property
    def root(self) -> str:
        """``scheme://host[:port]`` that requests go to."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def subject_alt_name(self) -> str:
        """``IP:…`` or ``DNS:…``: the name that a certificate for this address must contain."""
        try:
            return f"IP:{ipaddress.ip_address(self.host)}"
        except ValueError:
            return f"DNS:{self.host}"

    @property
    def is_loopback(self) -> bool:
        """Whether the address is this machine itself."""
        return is_loopback(self.netloc)

    @property
    def _parts(self) -> SplitResult:
        from airgap.registry.http.errors import split_url

        return split_url(self.url)

    def ask(self) -> Response | AirgapError:
        """Send ``GET /v2/`` without a credential, once, and return the response or the error of the connection."""
        if self.answer is None:
            try:
                self.answer = self.client.ping_anonymously()
            except AirgapError as error:
                self.answer = error
        return self.answer

    def sign_in(self, request: Callable[[], None] | None = None) -> None:
        """Sign in, once, with ``request`` instead of ``GET /v2/`` if it is given.

        Raises the error of the connection, and :class:`Unauthorized` if the user is refused.
        """
        if self.signed_in:
            return
        if self._refusal is not None:
            raise self._refusal
        try:
            (request or self.client.ping)()
        except Unauthorized as error:
            self._refusal = error
            raise
        self.signed_in = True

    @property
    def response(self) -> Response | None:
        """The response to ``GET /v2/``; ``None`` if there was no connection."""
        answer = self.ask()
        return None if isinstance(answer, AirgapError) else answer
