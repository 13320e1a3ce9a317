# SPDX-License-Identifier: Apache-2.0
"""What nodes need so that they can pull from the registry."""

from __future__ import annotations

from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding


def check_nodes(probe: Probe) -> list[Finding]:
    """Return the containerd configuration that nodes need for plain HTTP or for a private certificate authority."""
    if probe.scheme == "http" and not probe.is_loopback:
        return [
            Finding(
                "ok",
                f"nodes need to be told that {probe.registry} speaks plain HTTP",
                f"on every node, /etc/containerd/certs.d/{probe.registry}/hosts.toml:",
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
                f"nodes need the certificate authority of {probe.registry}",
                f"on every node, /etc/containerd/certs.d/{probe.registry}/hosts.toml, with the file beside it:",
                run=(*_hosts_toml(f"https://{probe.registry}", 'ca = "ca.crt"'), hosts_command(probe, "https")),
            )
        ]
    return [Finding("ok", f"nodes can pull from {probe.registry} without further words")]


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
