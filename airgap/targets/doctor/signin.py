# SPDX-License-Identifier: Apache-2.0
"""Where the registry sends those who sign in, and whether our credential is taken. It is offered once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.errors import AirgapError, Unauthorized
from airgap.records import replace
from airgap.targets.doctor.settings import DOCKER_REALM, OCI_REALM, REALM_HINT
from airgap.targets.nexus.refusals import explained
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient


def challenge(probe: Probe) -> list[Finding]:
    """The token's address has the scheme, host and port that the registry itself is reached by."""
    from airgap.registry.auth import challenge as challenges
    from airgap.registry.http.errors import split_url

    first = probe.first
    if first is None or first.status != 401:
        return []
    found = challenges.parse(first.headers.get_all("WWW-Authenticate") or [])
    bearer = next((one for one in found if one.scheme == "bearer"), None)
    if bearer is None:
        if any(one.scheme == "basic" for one in found):
            return [Finding("ok", "it asks for user and password on each request (Basic)")]
        return [
            Finding(
                "problem",
                "it answers 401 and does not say how to sign in (no usable WWW-Authenticate)",
                "a proxy in front takes the header away: have it passed on",
            )
        ]
    realm = bearer.parameters.get("realm", "")
    try:
        parts = split_url(realm)
    except AirgapError:
        parts = None
    scheme, host, port = probe.place
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return [_forwarding(probe, realm, "which is no address (Nexus 3.77.0 and 3.77.1 do this; update it)")]
    there = parts.port or (443 if parts.scheme == "https" else 80)
    if (parts.scheme, parts.hostname, there) == (scheme, host, port):
        return [Finding("ok", f"tokens are given at {realm[:200]}")]
    if probe.product == "nexus" or parts.hostname == host:
        how = "by plain HTTP, " if scheme == "https" and parts.scheme == "http" else ""
        return [_forwarding(probe, realm, f"{how}which is not where it is reached ({scheme}://{probe.address})")]
    if scheme == "https" and parts.scheme == "http":
        return [_forwarding(probe, realm, "where a password would travel unprotected")]
    return [Finding("ok", f"tokens are given elsewhere, at {realm[:200]}; nodes must reach it too")]


def _forwarding(probe: Probe, realm: str, why: str) -> Finding:
    scheme, _, port = probe.place
    if probe.product == "harbor":
        return Finding(
            "problem",
            f"it sends those who sign in to {realm[:200]}, {why}",
            f"Harbor takes this from external_url in harbor.yml: set it to {scheme}://{probe.address} and prepare anew",
        )
    return Finding(
        "problem",
        f"it sends those who sign in to {realm[:200]}, {why}",
        "Nexus makes this of the headers that the proxy in front passes on; these belong in its configuration "
        '(ingress-nginx sets them itself, unless another proxy stands before it: then use-forwarded-headers: "true")',
        run=(
            f"proxy_set_header Host {probe.address};",
            f"proxy_set_header X-Forwarded-Proto {scheme};",
            f"proxy_set_header X-Forwarded-Host {probe.address};",
            f"proxy_set_header X-Forwarded-Port {port};",
        ),
    )


def sign_in(probe: Probe) -> list[Finding]:
    """One try. Where tokens are given and then not taken, the realm is what is missing."""
    first, client = probe.first, probe.client
    name = client.settings.credential_name(client.registry)
    try:
        credential = client.credentials.find(name)
    except AirgapError as error:
        return [Finding("problem", str(error), error.hint or "")]
    if first is not None and first.status == 200:
        probe.signed_in = True
        return [Finding("ok", "it answers without a sign-in")]
    login = f"airgap login {name}"
    if credential is None and first is not None and "basic" in _schemes(probe):
        return [Finding("problem", "it wants a user and password, and none is known", "sign in once:", run=(login,))]
    try:
        client.ping()
    except Unauthorized as error:
        return [_refused(probe, error, login, known=credential is not None)]
    except AirgapError as error:
        told = explained(error)
        return [Finding("problem", str(told), told.hint or "")]
    probe.signed_in = True
    if credential is None:
        return [Finding("ok", "it lets everybody in, with a token and without a password")]
    return [Finding("ok", f"{credential.username or 'the token'} is let in")]


def unread(client: RegistryClient, error: AirgapError) -> Finding:
    """What keeps Nexus's own address from being asked, where nothing else was asked before it."""
    if client.password_refused:
        return replace(_wrong(f"airgap login {client.settings.credential_name(client.registry)}"), check="sign-in")
    told = explained(error)
    return Finding("problem", told.what, told.hint or "", check="sign-in")


def _wrong(login: str) -> Finding:
    return Finding(
        "problem",
        "the user or the password is wrong; it was tried once, and no more is asked with it (a fourth try would "
        "lock the account on Nexus 3.96)",
        "check it in the browser, then",
        run=(login,),
    )


def _schemes(probe: Probe) -> set[str]:
    from airgap.registry.auth import challenge as challenges

    first = probe.first
    return {one.scheme for one in challenges.parse(first.headers.get_all("WWW-Authenticate") or [])} if first else set()


def _refused(probe: Probe, error: Unauthorized, login: str, *, known: bool) -> Finding:
    if not known:
        return Finding("problem", "it wants a user and password, and none is known", "sign in once:", run=(login,))
    if "locked" in error.what:
        return Finding("problem", error.what, error.hint or "")
    if probe.client.password_refused:
        return _wrong(login)
    if probe.product == "nexus" and "bearer" in _schemes(probe):
        hosted = probe.hosted
        realm = OCI_REALM if hosted is not None and hosted.format == "oci" else DOCKER_REALM
        return Finding(
            "problem",
            f"tokens are given and then not taken: the realm {realm} is not switched on",
            REALM_HINT,
            fix="realm" if probe.rest is not None else "",
            run=() if probe.rest is not None else (f"airgap doctor {probe.mapping.address} --nexus URL --fix",),
        )
    return Finding("problem", error.what, error.hint or "", run=(login,))
