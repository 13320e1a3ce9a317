# SPDX-License-Identifier: Apache-2.0
"""What nodes need so that they can pull from the registry."""

from __future__ import annotations

from airgap.i18n import tr
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding


def check_nodes(probe: Probe) -> list[Finding]:
    """Return the containerd configuration that nodes need for plain HTTP or for a private certificate authority."""
    if probe.scheme == "http" and not probe.is_loopback:
        return [
            Finding(
                "ok",
                tr("nodes need to be told that {registry} speaks plain HTTP", registry=probe.registry),
                tr("on every node, /etc/containerd/certs.d/{registry}/hosts.toml:", registry=probe.registry),
                run=(
                    *_hosts_toml(f"http://{probe.registry}", "skip_verify = true"),
                    hosts_command(probe, "http"),
                ),
            )
        ]
    if probe.client.trust.ca_file:
        return [
            Finding(
                "ok",
                tr("nodes need the certificate authority of {registry}", registry=probe.registry),
                tr(
                    "on every node, /etc/containerd/certs.d/{registry}/hosts.toml, with the file beside it:",
                    registry=probe.registry,
                ),
                run=(*_hosts_toml(f"https://{probe.registry}", 'ca = "ca.crt"'), hosts_command(probe, "https")),
            )
        ]
    return [Finding("ok", tr("nodes can pull from {registry} without further words", registry=probe.registry))]


def hosts_command(probe: Probe, scheme: str) -> str:
    """Return the command that writes the nodes' configuration."""
    trust = f" --ca-file {probe.client.trust.ca_file}" if scheme == "https" and probe.client.trust.ca_file else ""
    return f"airgap hosts {scheme}://{probe.registry} --for containerd{trust} --output nodes/"


def _hosts_toml(url: str, setting: str) -> tuple[str, ...]:
    return (
        f'server = "{url}"',
        f'[host."{url}"]',
        '  capabilities = ["pull", "resolve", "push"]',
        f"  {setting}",
    )
