# SPDX-License-Identifier: Apache-2.0
"""Checks that a registry answers ``GET /v2/``, and not web pages, a proxy's error or a redirect."""

from __future__ import annotations

from airgap.errors import AirgapError
from airgap.i18n import tr
from airgap.targets.doctor import nexus_settings, tls_probe
from airgap.targets.harbor.detection import is_harbor
from airgap.targets.nexus.detection import is_nexus
from airgap.targets.nexus.probe import NexusProbe, version_of
from airgap.targets.nexus.refusals import ANNOTATE, find_refusal
from airgap.targets.nexus.routes import find_repository_route, serves_nexus_pages
from airgap.targets.probe import Probe, is_registry
from airgap.targets.protocols import Finding


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
        location = answer.headers.get("Location", "")
        hint = tr("use that address: {target_at}", target_at=_target_at(probe, location))
        return [Finding("problem", tr("{where} leads on to {location}", where=where, location=location[:200]), hint)]
    if status == 407:
        error = answer.error()
        return [Finding("problem", str(error), error.hint or "")]
    if status in (502, 503, 504):
        return [_gateway_error(probe, status, where)]
    if status == 400 and "HTTPS" in text:
        what = tr("{netloc} speaks HTTPS, and was asked by plain HTTP", netloc=probe.netloc)
        return [Finding("problem", what, tr("write it with https://"))]
    return [_not_registry(probe, status, where)]


def _product_name(probe: Probe) -> str:
    version, edition = version_of(probe.response) if probe.response is not None else ("", "")
    if version:
        return tr("Nexus {version} ({edition})", version=version, edition=edition)
    if is_nexus(probe):
        return "Nexus"
    return "Harbor" if is_harbor(probe) else "a registry"


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


def _not_registry(probe: Probe, status: int, where: str) -> Finding:
    what = tr("what answers at {where} is no registry ({status})", where=where, status=status)
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
            run=(f"airgap import BUNDLE --to NODES-ADDRESS --via {route.base}",),
        )
    if serves_nexus_pages(probe):
        return _nexus_pages(probe, what)
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


def _nexus_pages(probe: Probe, what: str) -> Finding:
    what = tr("{what}: it is Nexus's own port (its pages), not a Docker connector", what=what)
    if not isinstance(probe, NexusProbe):
        run = (f"airgap doctor {probe.mapping.address} --nexus {probe.root}",)
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
