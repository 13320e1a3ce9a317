# SPDX-License-Identifier: Apache-2.0
"""Checks that the host has an address, that something accepts connections, and that it speaks HTTP or HTTPS."""

from __future__ import annotations

import socket
import ssl

from airgap.errors import AirgapError, RegistryError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import replace
from airgap.registry.http.connect import Trust
from airgap.registry.http.proxy import Proxy
from airgap.targets.doctor import nexus_settings, signin, tls_probe
from airgap.targets.doctor.nodes import hosts_command
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding


def check_name(probe: Probe) -> list[Finding]:
    """Check that this machine resolves the host's name; with a proxy, the proxy resolves it."""
    if proxy := tls_probe.proxy_of(probe):
        via = f"{proxy.host}:{proxy.port}"
        what = tr(
            "{host} is asked through the proxy {via}, so whether this name is known was not looked at",
            host=probe.host,
            via=via,
        )
        return [Finding("ok", what)]
    try:
        entries = socket.getaddrinfo(probe.host, probe.port, 0, socket.SOCK_STREAM)
    except OSError as error:
        return [
            Finding(
                "problem",
                tr(
                    "the name {host} is unknown here ({getattr})",
                    host=probe.host,
                    getattr=getattr(error, "strerror", None) or error,
                ),
                tr(
                    "if it is an Ingress's name, give it the address of the Ingress controller's node or load "
                    "balancer, on "
                    "this machine and on every node; else put it into DNS, or use the address itself"
                ),
                run=(f"echo 'ADDRESS {probe.host}' >> /etc/hosts", "kubectl get ingress -A"),
            )
        ]
    addresses = list(dict.fromkeys(str(socket_address[0]) for *_, socket_address in entries))
    return [Finding("ok", tr("{host} is {addresses}", host=probe.host, addresses=", ".join(addresses[:4])))]


def check_connection(probe: Probe) -> list[Finding]:
    """Check that something accepts connections; through a proxy, by CONNECT."""
    host, port = probe.host, probe.port
    if proxy := tls_probe.proxy_of(probe):
        return [_check_proxy(probe, proxy)]
    try:
        socket.create_connection((host, port), tls_probe.TIMEOUT).close()
    except ConnectionRefusedError:
        return _nothing_listens(probe)
    except OSError as error:
        reason = tr("no answer in time") if isinstance(error, TimeoutError) else str(error.strerror or error)
        return [
            Finding(
                "problem",
                tr("{host}:{port} cannot be reached ({reason})", host=host, port=port, reason=reason),
                tr("a firewall, a NetworkPolicy or a route is in between; from a node, try"),
                run=(f"curl -v telnet://{host}:{port}",),
            )
        ]
    return [Finding("ok", tr("{host}:{port} accepts connections", host=host, port=port))]


def _check_proxy(probe: Probe, proxy: Proxy) -> Finding:
    """A proxy forwards plain HTTP itself, so that only the proxy can be checked before the first request."""
    from airgap.registry.http.errors import from_exception, proxy_unreachable

    host, port = probe.host, probe.port
    proxy_name = tr("the proxy {host}:{port}", host=proxy.host, port=proxy.port)
    if probe.scheme == "http":
        try:
            socket.create_connection((proxy.host, proxy.port), tls_probe.TIMEOUT).close()
        except OSError as error:
            unavailable = proxy_unreachable(error, proxy.host, proxy.port)
            return Finding("problem", unavailable.what, unavailable.hint or "")
        what = tr(
            "{proxy_name} accepts connections; it passes plain HTTP on itself, so {host}:{port} was not looked at",
            proxy_name=proxy_name,
            host=host,
            port=port,
        )
        return Finding("ok", what)
    try:
        tls_probe.shake_hands(probe, Trust(insecure=True))
    except ssl.SSLError:
        pass  # there is a connection; the next check examines TLS
    except AirgapError as error:
        return Finding("problem", error.what, error.hint or "")
    except OSError as error:
        translated = from_exception(error, probe.url, answered_before=False)
        hint = tr(
            "the proxy must allow CONNECT to {host}:{port} and reach it (many allow port 443 alone); "
            "NO_PROXY={host} leaves the proxy out",
            host=host,
            port=port,
        )
        if isinstance(translated, RegistryError) and translated.status == 407 and translated.hint:
            hint = translated.hint
        return Finding(
            "problem",
            tr(
                "{proxy_name} makes no connection to {host}:{port} ({what})",
                proxy_name=proxy_name,
                host=host,
                port=port,
                what=translated.what,
            ),
            hint,
        )
    return Finding("ok", tr("{proxy_name} connects to {host}:{port}", proxy_name=proxy_name, host=host, port=port))


def _nothing_listens(probe: Probe) -> list[Finding]:
    """Explain a refused connection by Nexus's settings. It is normal before the first repository is created."""
    problem = Finding(
        "problem",
        tr("nothing listens on {host}:{port}", host=probe.host, port=probe.port),
        tr("check the port (a Service's nodePort, a connector's port) and that the pod runs"),
        run=("kubectl get service -A | grep -i nexus",),
    )
    if not isinstance(probe, NexusProbe) or not probe.rest.answers:
        return [problem]
    nexus = probe
    try:
        nexus.rest.sign_in()
        registries, licence = nexus.rest.registries, nexus_settings.check_licence(nexus)
    except AirgapError as error:
        unexplained = replace(problem, hint=tr("Nexus's settings, which may say why, could not be read"))
        return [signin.settings_unreadable(nexus.rest.client, error), unexplained]
    hint, fix = _explain_by_settings(nexus, registries)
    return [replace(problem, hint=hint, fix=fix), *(replace(finding, check="licence") for finding in licence)]


def _explain_by_settings(probe: NexusProbe, registries: list[RepositorySettings]) -> tuple[str, str]:
    """The hint why no connector listens, and the name of the fix."""
    port = probe.fix_port
    by_port = [repository for repository in registries if port in repository.ports]
    connector_hint, connector_fix = nexus_settings.connector_remedy(probe, port_is_free=True)
    if by_port:
        return (
            tr(
                "Nexus's settings name {port} as connector of {name}, but it is dead or not led here: "
                "see Nexus's log for a port in use (an HTTPS connector needs Jetty's HTTPS too), and whether "
                "the Service, "
                "and its NodePort, lead to that port",
                port=port,
                name=by_port[0].name,
            )
        ), ""
    if not probe.fix_connector and any(repository.ports or repository.path_enabled for repository in registries):
        return (
            tr(
                "no repository of this Nexus has the connector port {port}; there is "
                "{addresses_of} (behind a NodePort the numbers differ: then look at the Service)"
                "{connector_hint}",
                port=probe.port,
                addresses_of=nexus_settings.addresses_of(probe),
                connector_hint=f"; {connector_hint}" if connector_hint else "",
            )
        ), connector_fix
    if connector_hint:
        return connector_hint, connector_fix
    if registries and not any(repository.has_details for repository in registries):
        return tr(
            "this user does not see the connectors of Nexus's repositories: ask as an administrator (--username)"
        ), ""
    return (
        tr(
            "Nexus has no Docker repository with this connector; --fix makes one, {fix_repository} on port {port}",
            fix_repository=probe.fix_repository,
            port=port,
        ),
        "repository",
    )


def check_protocol(probe: Probe) -> list[Finding]:
    """Check that the server speaks HTTPS for an https address, and plain HTTP for an http one."""
    netloc = probe.netloc
    if probe.scheme == "http" and tls_probe.proxy_of(probe):
        return [
            Finding(
                "ok", tr("whether {netloc} speaks plain HTTP was not looked at, because of the proxy", netloc=netloc)
            )
        ]
    speaks_tls = _speaks_tls(probe)
    if probe.scheme == "https" and not speaks_tls:
        return [
            Finding(
                "problem",
                tr("{netloc} speaks plain HTTP, and was asked by HTTPS", netloc=netloc),
                tr(
                    "write the address with http:// before it; nodes must be told too, or they fail with "
                    "'server gave HTTP "
                    "response to HTTPS client'"
                ),
                run=(f"airgap doctor {quoted(f'http://{probe.mapping.address}')}", hosts_command(probe, "http")),
            )
        ]
    if probe.scheme == "http" and speaks_tls:
        return [
            Finding(
                "problem",
                tr("{netloc} speaks HTTPS, and was asked by plain HTTP", netloc=netloc),
                tr("write the address with https:// before it, and leave --plain-http out"),
                run=(f"airgap doctor {quoted(f'https://{probe.mapping.address}')}",),
            )
        ]
    return [
        Finding(
            "ok",
            tr(
                "{netloc} speaks {protocol}, as it was asked",
                netloc=netloc,
                protocol="HTTPS" if speaks_tls else tr("plain HTTP"),
            ),
        )
    ]


def _speaks_tls(probe: Probe) -> bool:
    try:
        tls_probe.shake_hands(probe, Trust(insecure=True))
        return True
    except ssl.SSLError as error:
        # A server that requires a client certificate or an older TLS version speaks TLS, too.
        reason = tls_probe.reason_of(error)
        return reason not in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "") and (
            "EOF" not in reason
        )
    except OSError:
        return False
