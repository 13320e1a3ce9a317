# SPDX-License-Identifier: Apache-2.0
"""Is anything there, does it speak what we speak, is its certificate good for this name, and is it a registry."""

from __future__ import annotations

import socket
import ssl

from airgap.errors import AirgapError
from airgap.records import replace
from airgap.registry.http.connect import Trust
from airgap.registry.http.proxy import Proxy
from airgap.targets.doctor import certificates, settings, signin
from airgap.targets.doctor import tls_probe as line
from airgap.targets.nexus.refusals import ANNOTATE, refusal_of
from airgap.targets.nexus.rest import Hosted
from airgap.targets.probe import Probe
from airgap.targets.products import is_registry, nexus_version
from airgap.targets.protocols import Finding


def name(probe: Probe) -> list[Finding]:
    """The name has an address, here; behind a proxy that is the proxy's business."""
    host = probe.place[1]
    if proxy := line.proxy_of(probe):
        at = f"{proxy.host}:{proxy.port}"
        return [
            Finding("ok", f"{host} is asked through the proxy {at}, so whether this name is known was not looked at")
        ]
    try:
        found = socket.getaddrinfo(host, probe.place[2], 0, socket.SOCK_STREAM)
    except OSError as error:
        return [
            Finding(
                "problem",
                f"the name {host} is unknown here ({getattr(error, 'strerror', None) or error})",
                "if it is an Ingress's name, give it the address of the Ingress controller's node or load balancer, on "
                "this machine and on every node; else put it into DNS, or use the address itself",
                run=(f"echo 'ADDRESS {host}' >> /etc/hosts", "kubectl get ingress -A"),
            )
        ]
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    return [Finding("ok", f"{host} is {', '.join(addresses[:4])}")]


def connection(probe: Probe) -> list[Finding]:
    """Something accepts connections; through a proxy, by CONNECT."""
    _, host, port = probe.place
    if proxy := line.proxy_of(probe):
        return [_through(probe, proxy)]
    try:
        socket.create_connection((host, port), line.TIMEOUT).close()
    except ConnectionRefusedError:
        return _nothing_listens(probe)
    except OSError as error:
        what = "no answer in time" if isinstance(error, TimeoutError) else str(error.strerror or error)
        return [
            Finding(
                "problem",
                f"{host}:{port} cannot be reached ({what})",
                "a firewall, a NetworkPolicy or a route is in between; from a node, try",
                run=(f"curl -v telnet://{host}:{port}",),
            )
        ]
    return [Finding("ok", f"{host}:{port} accepts connections")]


def _through(probe: Probe, proxy: Proxy) -> Finding:
    """Plain HTTP is passed on by a proxy itself, and only the proxy can be looked at before the first request."""
    from airgap.registry.http.errors import from_exception, proxy_unreachable

    scheme, host, port = probe.place
    by = f"the proxy {proxy.host}:{proxy.port}"
    if scheme == "http":
        try:
            socket.create_connection((proxy.host, proxy.port), line.TIMEOUT).close()
        except OSError as error:
            gone = proxy_unreachable(error, proxy.host, proxy.port)
            return Finding("problem", gone.what, gone.hint or "")
        return Finding(
            "ok", f"{by} accepts connections; it passes plain HTTP on itself, so {host}:{port} was not looked at"
        )
    try:
        line.shake_hands(probe, Trust(insecure=True))
    except ssl.SSLError:
        pass  # it is connected: what is wrong with TLS is the next check's
    except AirgapError as error:
        return Finding("problem", error.what, error.hint or "")
    except OSError as error:
        told = from_exception(error, probe.url, answered_before=False)
        hint = f"the proxy must allow CONNECT to {host}:{port} and reach it (many allow port 443 alone)"
        hint = told.hint if told.hint and "407" in told.what else f"{hint}; NO_PROXY={host} leaves the proxy out"
        return Finding("problem", f"{by} makes no connection to {host}:{port} ({told.what})", hint)
    return Finding("ok", f"{by} connects to {host}:{port}")


def _nothing_listens(probe: Probe) -> list[Finding]:
    """With what Nexus's settings say of it, where they can be read; so it is before the first repository is made."""
    _, host, port = probe.place
    what, run = f"nothing listens on {host}:{port}", ("kubectl get service -A | grep -i nexus",)
    if probe.rest is None or not probe.rest.answers:
        hint = "check the port (a Service's nodePort, a connector's port) and that the pod runs"
        return [Finding("problem", what, hint, run=run)]
    try:
        known, waiting = probe.rest.registries, settings.licence(probe)
    except AirgapError as error:
        unread = Finding("problem", what, "Nexus's settings, which may say why, could not be read", run=run)
        return [signin.unread(probe.rest.client, error), unread]
    inner, fix = probe.wanted_port, ""
    named = [one for one in known if inner in one.ports]
    lacks, mends = settings.connector_lacks(probe, free=True)
    if named:
        hint = (
            f"Nexus's settings name {inner} as connector of {named[0].name}, but it is dead or not led here: "
            "see Nexus's log for a port in use (an HTTPS connector needs Jetty's HTTPS too), and whether the Service, "
            "and its NodePort, lead to that port"
        )
    elif not probe.connector and any(one.ports or one.path_enabled for one in known):
        hint = (
            f"no repository of this Nexus has the connector port {port}; there is {_offers(probe)} (behind a "
            f"NodePort the numbers differ: then look at the Service){f'; {lacks}' if lacks else ''}"
        )
        fix = mends
    elif lacks:
        hint, fix = lacks, mends
    elif known and not any(one.is_shown for one in known):
        hint = "this user does not see the connectors of Nexus's repositories: ask as an administrator (--username)"
    else:
        hint = f"Nexus has no Docker repository with this connector; --fix makes one, {probe.expect} on port {inner}"
        fix = "repository"
    return [Finding("problem", what, hint, run=run, fix=fix), *(replace(one, check="licence") for one in waiting)]


def _registries(probe: Probe) -> list[Hosted]:
    if probe.rest is None or not probe.rest.answers:
        return []
    try:
        return list(probe.rest.registries)
    except AirgapError:
        return []


def _connector_lacks(probe: Probe, *, free: bool) -> tuple[str, str]:
    """As :func:`settings.connector_lacks`, where Nexus's settings can be asked at all."""
    return settings.connector_lacks(probe, free=free) if _registries(probe) else ("", "")


def _offers(probe: Probe) -> str:
    """The addresses under which this Nexus's settings serve Docker, in words."""
    host = probe.place[1]
    said = []
    for one in _registries(probe):
        said += [f"{one.name} ({one.type}) at {host}:{port}" for port in one.ports]
        if one.path_enabled:
            said.append(f"{one.name} ({one.type}) as {host}:{probe.place[2]}/{one.name}")
        if one.subdomain:
            said.append(f"{one.name} ({one.type}) at {one.subdomain}.{host}")
    return ", ".join(said[:6]) or "no Docker repository that can be reached by a port, a path or a subdomain"


def protocol(probe: Probe) -> list[Finding]:
    """HTTPS where HTTPS is spoken, HTTP where HTTP is."""
    scheme, at = probe.place[0], probe.address
    if scheme == "http" and line.proxy_of(probe):
        return [Finding("ok", f"whether {at} speaks plain HTTP was not looked at, because of the proxy")]
    speaks_tls = _speaks_tls(probe)
    if scheme == "https" and not speaks_tls:
        return [
            Finding(
                "problem",
                f"{at} speaks plain HTTP, and was asked by HTTPS",
                "write the address with http:// before it; nodes must be told too, or they fail with 'server gave HTTP "
                "response to HTTPS client'",
                run=(f"airgap doctor http://{probe.mapping.address}", *_hosts_line(probe, "http")),
            )
        ]
    if scheme == "http" and speaks_tls:
        return [
            Finding(
                "problem",
                f"{at} speaks HTTPS, and was asked by plain HTTP",
                "write the address with https:// before it, and leave --plain-http out",
                run=(f"airgap doctor https://{probe.mapping.address}",),
            )
        ]
    return [Finding("ok", f"{at} speaks {'HTTPS' if speaks_tls else 'plain HTTP'}, as it was asked")]


def _speaks_tls(probe: Probe) -> bool:
    try:
        line.shake_hands(probe, Trust(insecure=True))
        return True
    except ssl.SSLError as error:
        # A server that wants a certificate of ours, or an older version, speaks TLS all the same.
        return error.reason not in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", None) and (
            "EOF" not in str(error.reason)
        )
    except OSError:
        return False


def certificate(probe: Probe) -> list[Finding]:
    """The certificate is good for the name used, in time, and its issuer is known."""
    if probe.place[0] != "https":
        return []
    return certificates.judge(probe)


def registry(probe: Probe) -> list[Finding]:
    """``/v2/`` is answered by a registry, and not by pages, a proxy's error or a redirection."""
    seen = probe.look()
    if isinstance(seen, AirgapError):
        return [Finding("problem", str(seen), seen.hint or "")]
    status, where = seen.status, f"{probe.url}/v2/"
    said = seen.body[:2000].decode("utf-8", "replace") + seen.reason
    if is_registry(seen):
        version, edition = nexus_version(seen)
        product = f"Nexus {version} ({edition})" if version else probe.product.capitalize() or "a registry"
        return [Finding("ok", f"{where} is answered by {product}")]
    known = refusal_of(status, said)
    if known is not None and known.id != "missing":
        return [Finding("problem", f"{known.what} ({status} at {where})", known.hint)]
    if status in (301, 302, 303, 307, 308):
        there = seen.headers.get("Location", "")
        return [
            Finding("problem", f"{where} leads on to {there[:200]}", f"use that address: {_target_at(probe, there)}")
        ]
    if status == 407:
        fault = seen.error()
        return [Finding("problem", str(fault), fault.hint or "")]
    if status in (502, 503, 504):
        lacks, mends = _connector_lacks(probe, free=False)
        proxy = line.proxy_of(probe)
        who = f"the proxy {proxy.host}:{proxy.port}, or one behind it," if proxy else "a proxy or Ingress"
        return [
            Finding(
                "problem",
                f"{who} answers {status} at {where}: what stands behind it does not",
                "check that the Service has endpoints and that the Ingress names its port, the connector's"
                f"{f'; {lacks}' if lacks else ''}",
                run=("kubectl get endpoints,ingress -A | grep -i nexus",),
                fix=mends,
            )
        ]
    if status == 400 and "HTTPS" in said:
        return [
            Finding("problem", f"{probe.address} speaks HTTPS, and was asked by plain HTTP", "write it with https://")
        ]
    return [_no_registry(probe, status, where)]


def _no_registry(probe: Probe, status: int, where: str) -> Finding:
    what = f"what answers at {where} is no registry ({status})"
    from airgap.targets.nexus.routes import nexus_is_at, repository_paths

    by_path = repository_paths(probe)
    if by_path:
        repository, base = by_path
        return Finding(
            "problem",
            f"{what}: it is Nexus's own port, where {repository} is served only below {base}/v2/, which no node pulls",
            f"give the repository a connector port, or from 3.83 on path-based routing; there is {_offers(probe)}. "
            "Pushing can go this way at once, with the address that nodes pull from as target",
            run=(f"airgap import BUNDLE --to NODES-ADDRESS --via {base}",),
        )
    if nexus_is_at(probe):
        offers = _offers(probe) if probe.rest is not None else ""
        fix = "repository" if probe.rest is not None and not probe.rest.registries else ""
        lacks, mends = _connector_lacks(probe, free=False)
        if lacks:
            offers, fix = f"{offers}; {lacks}", mends
        return Finding(
            "problem",
            f"{what}: it is Nexus's own port (its pages), not a Docker connector",
            f"use the connector's port{f'; there is {offers}' if offers else ' of the hosted repository'}",
            run=() if probe.rest is not None else (f"airgap doctor {probe.mapping.address} --nexus {_root(probe)}",),
            fix=fix,
        )
    return Finding(
        "problem",
        what,
        "check host, port and path; behind an Ingress its rule must lead /v2/ of this host to the connector's port, "
        f"without a rewrite, since clients always ask HOST/v2/: {ANNOTATE}rewrite-target-",
        run=(f"curl -i {where}",),
    )


def nodes(probe: Probe) -> list[Finding]:
    """What nodes need, so that they can pull from here too."""
    scheme = probe.place[0]
    if scheme == "http" and not probe.loopback:
        return [
            Finding(
                "ok",
                f"nodes need to be told that {probe.registry} speaks plain HTTP",
                f"on every node, /etc/containerd/certs.d/{probe.registry}/hosts.toml:",
                run=(*_toml(f"http://{probe.registry}", "skip_verify = true"), *_hosts_line(probe, "http")),
            )
        ]
    if probe.client.trust.ca_file:
        return [
            Finding(
                "ok",
                f"nodes need the certificate authority of {probe.registry}",
                f"on every node, /etc/containerd/certs.d/{probe.registry}/hosts.toml, with the file beside it:",
                run=(*_toml(f"https://{probe.registry}", 'ca = "ca.crt"'), *_hosts_line(probe, "https")),
            )
        ]
    return [Finding("ok", f"nodes can pull from {probe.registry} without further words")]


def _toml(url: str, how: str) -> tuple[str, ...]:
    return (
        f'server = "{url}"',
        f'[host."{url}"]',
        '  capabilities = ["pull", "resolve", "push"]',
        f"  {how}",
    )


def _hosts_line(probe: Probe, scheme: str) -> tuple[str, ...]:
    trust = f" --ca-file {probe.client.trust.ca_file}" if scheme == "https" and probe.client.trust.ca_file else ""
    return (f"airgap hosts {scheme}://{probe.registry} --for containerd{trust} --output nodes/",)


def _target_at(probe: Probe, location: str) -> str:
    from airgap.registry.http.errors import split_url

    try:
        parts = split_url(location)
    except AirgapError:
        return "the one that it names"
    prefix = probe.mapping.address.prefix
    return f"{parts.scheme}://{parts.netloc}{'/' + prefix if prefix else ''}" if parts.netloc else location[:200]


def _root(probe: Probe) -> str:
    scheme, _, _ = probe.place
    return f"{scheme}://{probe.address}"
