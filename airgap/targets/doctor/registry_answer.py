# SPDX-License-Identifier: Apache-2.0
"""Checks that a registry answers ``GET /v2/``, and not web pages, a proxy's error or a redirect."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airgap.errors import AirgapError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.targets.doctor import nexus_settings, tls_probe
from airgap.targets.doctor.web_page import described
from airgap.targets.harbor.detection import is_harbor
from airgap.targets.nexus.detection import has_server_header, is_nexus_response
from airgap.targets.nexus.probe import NexusProbe, version_of
from airgap.targets.nexus.refusals import ANNOTATE, find_refusal
from airgap.targets.nexus.routes import find_repository_route, get, repository_routes, serves_nexus_pages
from airgap.targets.probe import Probe, is_kubernetes, is_registry
from airgap.targets.protocols import Finding

if TYPE_CHECKING:
    from airgap.registry.http.transport import Response


def check_registry(probe: Probe) -> list[Finding]:
    """Check the answer to ``GET /v2/`` without a credential, and explain what answers instead of a registry."""
    answer = probe.ask()
    if isinstance(answer, AirgapError):
        return [Finding("problem", str(answer), answer.hint or "")]
    status, where = answer.status, f"{probe.url}/v2/"
    text = answer.body[:2000].decode("utf-8", "replace") + answer.reason
    if is_registry(answer):
        return [
            Finding("ok", tr("{where} is answered by {product_name}", where=where, product_name=_product_name(probe)))
        ]
    refusal = find_refusal(status, text)
    if refusal is not None and refusal.id != "missing":
        return [
            Finding(
                "problem",
                tr("{what} ({status} at {where})", what=refusal.what, status=status, where=where),
                refusal.hint,
            )
        ]
    if status in (301, 302, 303, 307, 308):
        return [_redirect(probe, answer.headers.get("Location", ""), where)]
    if status == 429:
        what = tr("{where} limits requests (429) and gives no other answer now", where=where)
        return [Finding("problem", what, tr("wait and look again later; sign in first if it limits strangers only"))]
    if status == 407:
        error = answer.error()
        return [Finding("problem", str(error), error.hint or "")]
    if status == 503 and has_server_header(answer):
        what = tr("Nexus itself answers 503 at {where}: it starts, or is being stopped", where=where)
        return [Finding("problem", what, tr("wait until it has started, which takes minutes, and look again"))]
    if status in (502, 503, 504):
        return [_gateway_error(probe, status, where)]
    if status == 400 and "HTTPS" in text:
        what = tr("{netloc} speaks HTTPS, and was asked by plain HTTP", netloc=probe.netloc)
        return [Finding("problem", what, tr("write it with https://"))]
    return [_not_registry(probe, answer, where)]


def _product_name(probe: Probe) -> str:
    version, edition = version_of(probe.response) if probe.response is not None else ("", "")
    if version:
        return tr("Nexus {version} ({edition})", version=version, edition=edition)
    if probe.response is not None and is_nexus_response(probe.response):
        return "Nexus"
    return "Harbor" if is_harbor(probe) else tr("a registry")


def _gateway_error(probe: Probe, status: int, where: str) -> Finding:
    connector_hint, fix = _connector_remedy(probe)
    proxy = tls_probe.proxy_of(probe)
    gateway = (
        tr("the proxy {host}:{port}, or one behind it,", host=proxy.host, port=proxy.port)
        if proxy
        else tr("a proxy or Ingress")
    )
    return Finding(
        "problem",
        tr(
            "{gateway} answers {status} at {where}: what stands behind it does not",
            gateway=gateway,
            status=status,
            where=where,
        ),
        tr(
            "check that the Service has endpoints and that the Ingress names its port, the connector's{connector_hint}",
            connector_hint=f"; {connector_hint}" if connector_hint else "",
        ),
        run=("kubectl get endpoints,ingress -A | grep -i nexus",),
        fix=fix,
    )


def _connector_remedy(probe: Probe) -> tuple[str, str]:
    """As :func:`nexus_settings.connector_remedy`; two empty strings if Nexus's settings cannot be read."""
    if isinstance(probe, NexusProbe) and nexus_settings.registries_of(probe):
        return nexus_settings.connector_remedy(probe, port_is_free=False)
    return "", ""


def _redirect(probe: Probe, location: str, where: str) -> Finding:
    what = tr("{where} leads on to {location}", where=where, location=location[:200])
    target = urlsplit(location)
    if target.hostname in (None, probe.host) or target.path.startswith("/v2"):
        return Finding("problem", what, tr("use that address: {target_at}", target_at=_target_at(probe, location)))
    return Finding(
        "problem",
        tr("{what}: a portal, a proxy or a sign-on page answers, not the registry", what=what),
        tr(
            "sign in to it in a browser, or have it let /v2/ through; where a proxy leads there: NO_PROXY={host}",
            host=probe.host,
        ),
    )


def _not_registry(probe: Probe, answer: Response, where: str) -> Finding:
    status, page = answer.status, described(answer)
    if is_kubernetes(answer):
        what = tr("what answers at {where} is Kubernetes' API server", where=where)
        return Finding("problem", what, tr("use the port of the registry's Service, not that of the API server (6443)"))
    if missing := _missing_repository(probe):
        return missing
    if _speaks_v1(probe):
        what = tr("what answers at {where} is a registry that speaks version 1 of the API alone", where=where)
        return Finding("problem", what, tr("no runtime pulls from it any more: use a registry that speaks version 2"))
    what = tr("what answers at {where} is no registry ({page})", where=where, page=page)
    if route := find_repository_route(probe):
        return Finding(
            "problem",
            tr(
                "{what}: it is Nexus's own port, where {repository} is served only below {base}/v2/, which no "
                "node pulls",
                what=what,
                repository=route.repository,
                base=route.base,
            ),
            tr(
                "give the repository a connector port, or from 3.83 on path-based routing; there is "
                "{addresses_of}. Pushing can go this way at once, with the address that nodes pull "
                "from as target",
                addresses_of=nexus_settings.addresses_of(probe),
            ),
            run=(f"airgap import BUNDLE --to NODES-ADDRESS --via {quoted(route.base)}",),
        )
    if serves_nexus_pages(probe):
        return _nexus_pages(probe, what)
    if status != 404:
        return _portal(probe, what)
    return Finding(
        "problem",
        what,
        tr(
            "check host, port and path; behind an Ingress its rule must lead /v2/ of this host to the "
            "connector's port, "
            "without a rewrite, since clients always ask HOST/v2/: {annotate}rewrite-target-",
            annotate=ANNOTATE,
        ),
        run=(f"curl -i {where}",),
    )


def _portal(probe: Probe, what: str) -> Finding:
    """What answers with a page of its own, such as a portal, a filter or a web server."""
    proxy = tls_probe.proxy_of(probe)
    if proxy:
        hint = tr(
            "it comes from the proxy {host}:{port} or what is behind it: have it let {netloc} "
            "through, or leave it out: NO_PROXY={probe_host}",
            host=proxy.host,
            port=proxy.port,
            netloc=probe.netloc,
            probe_host=probe.host,
        )
    else:
        hint = tr(
            "a portal, a filter, a proxy or another web server answers: sign in to the network, have this address "
            "allowed, or check host and port (behind nginx or an Ingress, the rule for this host)"
        )
    return Finding("problem", what, hint, run=(f"curl -i {probe.url}/v2/",))


def _missing_repository(probe: Probe) -> Finding | None:
    """The problem of a ``/repository/NAME`` that Nexus does not have; ``None`` if the prefix names none."""
    parts = probe.mapping.address.prefix.split("/")
    for route in repository_routes(probe) if "repository" in parts[:-1] else ():
        response = get(probe, f"{route.base}/v2/")
        if response is not None and response.status == 404 and b"Repository not found" in response.body:
            what = tr("Nexus has no repository {repository}", repository=route.repository)
            if isinstance(probe, NexusProbe) and nexus_settings.registries_of(probe):
                return Finding(
                    "problem", what, tr("there is {addresses_of}", addresses_of=nexus_settings.addresses_of(probe))
                )
            run = (f"airgap doctor {probe.mapping.address} --nexus {route.base.partition('/repository/')[0]}",)
            return Finding(
                "problem", what, tr("check the spelling; an administrator sees the list by --nexus:"), run=run
            )
    return None


def _speaks_v1(probe: Probe) -> bool:
    """Whether ``/v1/_ping`` is answered as by a registry of the first version."""
    response = get(probe, f"{probe.url}/v1/_ping")
    return response is not None and response.status == 200 and response.headers.get_content_type() != "text/html"


def _nexus_pages(probe: Probe, what: str) -> Finding:
    what = tr("{what}: it is Nexus's own port (its pages), not a Docker connector", what=what)
    if not isinstance(probe, NexusProbe):
        run = (f"airgap doctor {probe.target} --nexus {quoted(probe.root)}",)
        return Finding("problem", what, tr("use the connector's port of the hosted repository"), run=run)
    addresses = nexus_settings.addresses_of(probe)
    fix = "" if probe.rest.registries else "repository"
    connector_hint, connector_fix = _connector_remedy(probe)
    if connector_hint:
        addresses, fix = f"{addresses}; {connector_hint}", connector_fix
    return Finding("problem", what, tr("use the connector's port; there is {addresses}", addresses=addresses), fix=fix)


def _target_at(probe: Probe, location: str) -> str:
    from airgap.registry.http.errors import split_url

    try:
        parts = split_url(location)
    except AirgapError:
        return tr("the one that it names")
    prefix = probe.mapping.address.prefix
    return f"{parts.scheme}://{parts.netloc}{'/' + prefix if prefix else ''}" if parts.netloc else location[:200]
