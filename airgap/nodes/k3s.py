# SPDX-License-Identifier: Apache-2.0
"""k3s and rke2: ``registries.yaml``, from which they write containerd's files when they start.

Follows their documentation ("Private Registry Configuration"). ``rewrite`` replaces repository names by regular
expression, so every mapping can be expressed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airgap.i18n import tr
from airgap.nodes import yaml_edit
from airgap.nodes.model import MirroredRegistry, NodeFile, NodeSetup, PullEndpoint, replace_with
from airgap.nodes.yaml_changes import Value, YamlChanges, new_document

_RESTART = {
    "k3s": tr("systemctl restart k3s on servers, k3s-agent on agents: registries.yaml is read at the start"),
    "rke2": tr("systemctl restart rke2-server on servers, rke2-agent on agents: registries.yaml is read at the start"),
}


def setup(endpoint: PullEndpoint, mirrors: Sequence[MirroredRegistry], runtime: str = "k3s") -> NodeSetup:
    """Return registries.yaml with the target and each mirrored registry, and the certificate if any."""
    folder = f"/etc/rancher/{runtime}"
    path = f"{folder}/registries.yaml"
    mirror_entries: dict[str, YamlChanges] = {endpoint.address: {"endpoint": Value([endpoint.url]), "rewrite": None}}
    for mirror in mirrors:
        mirror_entries[mirror.registry] = {"endpoint": Value([endpoint.url]), "rewrite": _rewrite_rules(mirror)}
    # Remove the --insecure of an earlier run.
    tls: dict[str, Value | None] = {"insecure_skip_verify": None}
    files = []
    if endpoint.ca and not endpoint.unverified:
        ca_path = f"{folder}/airgap-{re.sub(r'[^A-Za-z0-9.-]+', '_', endpoint.address)}.crt"
        files.append(NodeFile(ca_path, endpoint.ca, replace_with(endpoint.ca)))
        tls["ca_file"] = Value(ca_path)
    elif endpoint.insecure and not endpoint.plain_http:
        tls = {"insecure_skip_verify": Value(True), "ca_file": None}
    changes: YamlChanges = {"mirrors": mirror_entries, "configs": {endpoint.address: {"tls": tls}}}
    header = (
        "# Made by airgap hosts. To sign in, on each node, readable by root alone:\n"
        f'#   configs: {{"{endpoint.address}": {{auth: {{username: USER, password: PASSWORD}}}}}}\n'
    )
    content = (header + yaml_edit.dump(new_document(changes))).encode()
    files.append(NodeFile(path, content, lambda existing: yaml_edit.edit(existing, changes, path)))
    notes = (
        tr(
            "to sign in, add auth: {{username, password}} under configs: {address}: on each node (chmod 600)",
            address=endpoint.address,
        ),
        tr("the original registries are still asked last; --disable-default-registry-endpoint keeps nodes from it"),
        tr("{runtime}: written from its documentation, not run here", runtime=runtime),
    )
    return NodeSetup(tuple(files), _RESTART[runtime], notes=notes)


def _rewrite_rules(mirror: MirroredRegistry) -> Value | None:
    """The ``rewrite`` of a mirror, pattern to replacement; ``None`` if repository names do not change."""
    if mirror.prefix == "":
        return None
    if mirror.prefix is not None:
        return Value({"^(.*)$": f"{mirror.prefix}/$1"})
    return Value({f"^{re.escape(source)}$": target for source, target in mirror.repositories.items()})
