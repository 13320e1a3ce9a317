# SPDX-License-Identifier: Apache-2.0
"""Checks where the registry sends clients to sign in, and whether it accepts the user. The password is sent once."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from airgap.errors import AirgapError, Unauthorized
from airgap.i18n import tr
from airgap.records import replace
from airgap.registry.auth.realms import ForeignRealm
from airgap.registry.http.errors import AccountLocked, split_url
from airgap.targets.doctor import probe_image
from airgap.targets.harbor.detection import is_harbor
from airgap.targets.nexus.detection import is_nexus
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.realms import REALM_HINT, RealmMissing, realm_for
from airgap.targets.nexus.refusals import explain
from airgap.targets.probe import Probe, asks_for_tokens, challenges_of
from airgap.targets.protocols import Finding

if TYPE_CHECKING:
    from airgap.registry.auth.challenge import Challenge
    from airgap.registry.client import RegistryClient

#: The address of tokens with its port written twice.
_DOUBLED_PORT = re.compile(r"https?://[^/]+:(\d+):\1(/|$)")


class UserNeeded(Finding):
    """The registry lets only users in, and no user is known for it."""


def check_challenge(probe: Probe) -> list[Finding]:
    """Check that the address for tokens has the scheme, host and port of the registry's address."""
    response = probe.response
    if response is None or response.status != 401:
        return []
    challenges = challenges_of(response)
    bearer = next((challenge for challenge in challenges if challenge.scheme == "bearer"), None)
    if bearer is not None:
        return [_check_realm(probe, bearer.parameters.get("realm", ""))]
    if any(challenge.scheme == "basic" for challenge in challenges):
        return [Finding("ok", tr("it asks for user and password on each request (Basic)"))]
    return [
        Finding(
            "problem",
            tr("it answers 401 and does not say how to sign in (no usable WWW-Authenticate)"),
            tr("a proxy in front takes the header away: have it passed on"),
        )
    ]


def _check_realm(probe: Probe, realm: str) -> Finding:
    """Check a bearer challenge's ``realm``, the address that tokens are requested from."""
    if _DOUBLED_PORT.match(realm):
        return _doubled_port(probe, realm)
    try:
        parts = split_url(realm)
    except AirgapError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return _wrong_realm(probe, realm, tr("which is no address (Nexus 3.77.0 and 3.77.1 do this; update it)"))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if (parts.scheme, parts.hostname, port) == (probe.scheme, probe.host, probe.port):
        return Finding("ok", tr("tokens are given at {realm}", realm=realm[:200]))
    is_downgrade = probe.scheme == "https" and parts.scheme == "http"
    is_near = parts.hostname == probe.host and (is_downgrade or is_harbor(probe))
    if is_nexus(probe) or is_near:
        how = tr("by plain HTTP, ") if is_downgrade else ""
        return _wrong_realm(
            probe, realm, tr("{how}which is not where it is reached ({root})", how=how, root=probe.root)
        )
    if is_downgrade:
        return _wrong_realm(probe, realm, tr("where a password would travel unprotected"))
    return Finding("ok", tr("tokens are given elsewhere, at {realm}; nodes must reach it too", realm=realm[:200]))


def _doubled_port(probe: Probe, realm: str) -> Finding:
    return Finding(
        "problem",
        tr("it sends those who sign in to {realm}, with the port twice", realm=realm[:200]),
        tr(
            "this Nexus (seen in 3.78 to 3.80) adds the port to an X-Forwarded-Host that carries it: have the proxy in "
            "front send the host without its port"
        ),
        run=_forwarded_headers(probe),
    )


def _forwarded_headers(probe: Probe) -> tuple[str, ...]:
    """nginx's directives. X-Forwarded-Host carries no port: some versions of Nexus would write it twice."""
    host = f"[{probe.host}]" if ":" in probe.host else probe.host
    return (
        tr("proxy_set_header Host {netloc};", netloc=probe.netloc),
        tr("proxy_set_header X-Forwarded-Proto {scheme};", scheme=probe.scheme),
        tr("proxy_set_header X-Forwarded-Host {host};", host=host),
        tr("proxy_set_header X-Forwarded-Port {port};", port=probe.port),
    )


def _wrong_realm(probe: Probe, realm: str, reason: str) -> Finding:
    what = tr("it sends those who sign in to {realm}, {reason}", realm=realm[:200], reason=reason)
    if is_harbor(probe) and not is_nexus(probe):
        return Finding(
            "problem",
            what,
            tr("Harbor takes this from external_url in harbor.yml: set it to {root} and prepare anew", root=probe.root),
        )
    return Finding(
        "problem",
        what,
        tr(
            "Nexus makes this of the headers that the proxy in front passes on; these belong in its configuration "
            "(ingress-nginx sets them itself, unless another proxy stands before it: then "
            'use-forwarded-headers: "true")'
        ),
        run=_forwarded_headers(probe),
    )


def check_sign_in(probe: Probe) -> list[Finding]:
    """Sign in once. If tokens are issued and then rejected, a realm of Nexus is not active."""
    response, client = probe.response, probe.client
    name = client.settings.credential_name(client.registry)
    try:
        credential = client.credentials.find(name)
    except AirgapError as error:
        return [Finding("problem", str(error), error.hint or "")]
    if response is not None and response.status == 200:
        probe.signed_in = True
        return [Finding("ok", tr("it answers without a sign-in"))]
    login = f"airgap login {client.settings.login_arguments(client.registry)}"
    if credential is None and "basic" in _schemes(probe):
        return [_credential_needed(login)]
    request = None
    if is_nexus(probe) and asks_for_tokens(probe):
        client.use_one_token()
        # A later check asks for this anyway, and it proves the token as well as GET /v2/ would.
        request = functools.partial(probe_image.ask_for_tag, probe)
    try:
        probe.sign_in(request)
    except ForeignRealm as error:
        return [_foreign_realm(probe, error)]
    except Unauthorized as error:
        return [_rejected(probe, error, login) if credential is not None else _credential_needed(login)]
    except AirgapError as error:
        return [_sign_in_failed(probe, explain(error))]
    if credential is None:
        return [Finding("ok", tr("it lets everybody in, with a token and without a password"))]
    return [Finding("ok", tr("{username} is let in", username=credential.username or tr("the token")))]


def _foreign_realm(probe: Probe, error: ForeignRealm) -> Finding:
    """Explain a token server that may not get the password: its address is wrong, or the user must allow it."""
    if is_harbor(probe) and not is_nexus(probe):
        hint = tr(
            "Harbor takes this from external_url in harbor.yml: set it to {root} and prepare anew; {hint}",
            root=probe.root,
            hint=error.hint,
        )
    else:
        hint = tr("the registry names this address: have its external address put right there; {hint}", hint=error.hint)
    return Finding("problem", error.what, hint)


def _sign_in_failed(probe: Probe, error: AirgapError) -> Finding:
    """Explain a sign-in that ended in something else than a refusal. The address of the tokens may be wrong."""
    realm = next((challenge.parameters.get("realm", "") for challenge in _challenges(probe, "bearer")), "")
    if not realm or (error.where and error.where.startswith(probe.url)):
        return Finding("problem", str(error), error.hint or "")
    what = tr(
        "it gives tokens at {realm}, and that address does not answer: {what}", realm=realm[:200], what=error.what
    )
    if is_harbor(probe) and not is_nexus(probe):
        hint = tr(
            "Harbor takes this from external_url in harbor.yml: set it to {root} and prepare anew", root=probe.root
        )
        return Finding("problem", what, hint)
    return Finding(
        "problem",
        what,
        tr(
            "the registry names this address: have its external address put right there, or the token server started; "
            "nodes must reach it too (DNS, firewall)"
        ),
    )


def settings_unreadable(client: RegistryClient, error: AirgapError) -> Finding:
    """Return the problem that made the first request to Nexus's REST API fail."""
    if client.password_refused:
        login = f"airgap login {client.settings.login_arguments(client.registry)}"
        return replace(_wrong_password(login), check="sign-in")
    explained = explain(error)
    return Finding("problem", explained.what, explained.hint or "", check="sign-in")


def _credential_needed(login: str) -> Finding:
    return UserNeeded(
        "problem", tr("it wants a user and password, and none is known"), tr("sign in once:"), run=(login,)
    )


def _user(probe: Probe) -> str:
    """The name that the user signs in with; empty for none."""
    credential = probe.client.credentials.find(probe.client.settings.credential_name(probe.client.registry))
    return credential.username if credential else ""


def _wrong_password(login: str) -> Finding:
    return Finding(
        "problem",
        tr(
            "the user or the password is wrong; it was tried once, and no more is asked with it (a fourth try would "
            "lock the account on Nexus 3.96)"
        ),
        tr("check it in the browser, then"),
        run=(login,),
    )


def _challenges(probe: Probe, scheme: str) -> list[Challenge]:
    response = probe.response
    return [c for c in challenges_of(response) if c.scheme == scheme] if response is not None else []


def _schemes(probe: Probe) -> set[str]:
    response = probe.response
    return {challenge.scheme for challenge in challenges_of(response)} if response is not None else set()


def _rejected(probe: Probe, error: Unauthorized, login: str) -> Finding:
    """Explain why the registry rejected a credential."""
    if isinstance(error, AccountLocked) or "locked" in error.said:
        return Finding("problem", error.what, error.hint or "")
    if probe.client.password_refused:
        if re.search(r"\banonymous\b", error.said, re.IGNORECASE):
            return Finding(
                "problem",
                tr(
                    "user and password do not arrive: it takes the request with them for an anonymous one, so a proxy "
                    "in front takes the Authorization header away"
                ),
                tr("have it passed on; nginx: proxy_set_header Authorization $http_authorization;"),
            )
        user = _user(probe)
        if is_harbor(probe) and user.startswith("robot") and "$" not in user:
            finding = _wrong_password(login)
            hint = tr("a robot's whole name holds a $: write it in single quotes, 'robot$NAME', or the shell takes it")
            return replace(finding, hint=hint)
        return _wrong_password(login)
    if is_nexus(probe) and "bearer" in _schemes(probe):
        has_settings = isinstance(probe, NexusProbe)
        realm = realm_for(probe.repository if isinstance(probe, NexusProbe) else None)
        return RealmMissing(
            "problem",
            tr("tokens are given and then not taken: the realm {realm} is not switched on", realm=realm),
            REALM_HINT,
            fix="realm" if has_settings else "",
            run=() if has_settings else (f"airgap doctor {probe.target} --nexus URL --fix",),
        )
    return Finding("problem", error.what, error.hint or "", run=(login,))
