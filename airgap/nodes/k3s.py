# SPDX-License-Identifier: Apache-2.0
"""k3s and rke2: ``registries.yaml``, from which they write containerd's own files at their start.

Written from their documentation ("Private Registry Configuration"). ``rewrite`` replaces by regular expression, so
that any mapping can be followed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airgap.nodes import yaml_edit
from airgap.nodes.model import Endpoint, Moved, NodeFile, Setup, replaced
from airgap.nodes.yaml_changes import Changes, Value, new

_RESTART = {
    "k3s": "systemctl restart k3s on servers, k3s-agent on agents: registries.yaml is read at the start",
    "rke2": "systemctl restart rke2-server on servers, rke2-agent on agents: registries.yaml is read at the start",
}


def setup(endpoint: Endpoint, moved: Sequence[Moved], runtime: str = "k3s") -> Setup:
    folder = f"/etc/rancher/{runtime}"
    path = f"{folder}/registries.yaml"
    mirrors: dict[str, Changes] = {endpoint.address: {"endpoint": Value([endpoint.url]), "rewrite": None}}
    for one in moved:
        mirrors[one.registry] = {"endpoint": Value([endpoint.url]), "rewrite": _rewrite(one)}
    # An earlier --insecure does not outlive a run without it.
    tls: dict[str, Value | None] = {"insecure_skip_verify": None}
    files = []
    if endpoint.ca and not endpoint.unverified:
        where = f"{folder}/airgap-{re.sub(r'[^A-Za-z0-9.-]+', '_', endpoint.address)}.crt"
        files.append(NodeFile(where, endpoint.ca, replaced(endpoint.ca)))
        tls["ca_file"] = Value(where)
    elif endpoint.insecure and not endpoint.plain_http:
        tls = {"insecure_skip_verify": Value(True), "ca_file": None}
    changes: Changes = {"mirrors": mirrors, "configs": {endpoint.address: {"tls": tls}}}
    head = (
        "# Made by airgap hosts. To sign in, on each node, readable by root alone:\n"
        f'#   configs: {{"{endpoint.address}": {{auth: {{username: USER, password: PASSWORD}}}}}}\n'
    )
    content = (head + yaml_edit.dumped(new(changes))).encode()
    files.append(NodeFile(path, content, lambda there: yaml_edit.edited(there, changes, path)))
    notes = (
        f"to sign in, add auth: {{username, password}} under configs: {endpoint.address}: on each node (chmod 600)",
        "the original registries are still asked last; --disable-default-registry-endpoint keeps nodes from it",
        f"{runtime}: written from its documentation, not run here",
    )
    return Setup(tuple(files), _RESTART[runtime], notes=notes)


def _rewrite(moved: Moved) -> Value | None:
    if moved.prefix == "":
        return None
    if moved.prefix is not None:
        return Value({"^(.*)$": f"{moved.prefix}/$1"})
    return Value({f"^{re.escape(source)}$": target for source, target in moved.images.items()})
