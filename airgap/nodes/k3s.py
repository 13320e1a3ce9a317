# SPDX-License-Identifier: Apache-2.0
"""k3s and rke2: ``registries.yaml``, from which they write containerd's own files at their start.

Written from their documentation ("Private Registry Configuration"). ``rewrite`` replaces by regular expression, so
that any mapping can be followed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from airgap.errors import OutputError
from airgap.nodes.model import Endpoint, Moved, NodeFile, Setup, replaced

_RESTART = {
    "k3s": "systemctl restart k3s on servers, k3s-agent on agents: registries.yaml is read at the start",
    "rke2": "systemctl restart rke2-server on servers, rke2-agent on agents: registries.yaml is read at the start",
}


def setup(endpoint: Endpoint, moved: Sequence[Moved], runtime: str = "k3s") -> Setup:
    folder = f"/etc/rancher/{runtime}"
    path = f"{folder}/registries.yaml"
    mirrors: dict[str, Any] = {endpoint.address: {"endpoint": [endpoint.url]}}
    for one in moved:
        mirrors[one.registry] = {"endpoint": [endpoint.url], **_rewrite(one)}
    document: dict[str, Any] = {"mirrors": mirrors}
    files = []
    if endpoint.ca and not endpoint.unverified:
        where = f"{folder}/airgap-{re.sub(r'[^A-Za-z0-9.-]+', '_', endpoint.address)}.crt"
        files.append(NodeFile(where, endpoint.ca, replaced(endpoint.ca)))
        document["configs"] = {endpoint.address: {"tls": {"ca_file": where}}}
    elif endpoint.insecure and not endpoint.plain_http:
        document["configs"] = {endpoint.address: {"tls": {"insecure_skip_verify": True}}}
    head = (
        "# Made by airgap hosts. To sign in, on each node, readable by root alone:\n"
        f'#   configs: {{"{endpoint.address}": {{auth: {{username: USER, password: PASSWORD}}}}}}\n'
    )
    files.append(NodeFile(path, head.encode() + _dumped(document), lambda there: _merged(there, document, path)))
    notes = (
        f"to sign in, add auth: {{username, password}} under configs: {endpoint.address}: on each node (chmod 600)",
        "the original registries are still asked last; --disable-default-registry-endpoint keeps nodes from it",
        f"{runtime}: written from its documentation, not run here",
    )
    return Setup(tuple(files), _RESTART[runtime], notes=notes)


def _rewrite(moved: Moved) -> dict[str, Any]:
    if moved.prefix == "":
        return {}
    if moved.prefix is not None:
        return {"rewrite": {"^(.*)$": f"{moved.prefix}/$1"}}
    return {"rewrite": {f"^{re.escape(source)}$": target for source, target in moved.images.items()}}


def _merged(there: bytes, document: dict[str, Any], path: str) -> bytes:
    """Ours over what is there; an entry under mirrors is replaced whole, so that no old rewrite stays in it."""
    import yaml

    try:
        found: Any = yaml.safe_load(there)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise OutputError("this is no YAML", where=path, hint="mend it, or move it away") from error
    whole = _over({} if found is None else found, document, path, 1)
    for section, deep in (("mirrors", 1), ("configs", 2)):  # what else configs say of a host, such as auth, stays
        if section in document:
            held = found.get(section) if found is not None else None
            whole[section] = _over({} if held is None else held, document[section], path, deep)
    _forget_insecure(whole, document)
    return there if whole == found and there.strip() else _dumped(whole)


def _forget_insecure(whole: dict[str, Any], document: dict[str, Any]) -> None:
    """An earlier ``--insecure`` does not outlive a run without it."""
    address = next(iter(document["mirrors"]))
    entry = (whole.get("configs") or {}).get(address)
    if isinstance(entry, dict) and isinstance(entry.get("tls"), dict) and "configs" not in document:
        kept = {key: value for key, value in entry["tls"].items() if key != "insecure_skip_verify"}
        changed = {key: value for key, value in {**entry, "tls": kept}.items() if value != {}}
        whole["configs"] = {**whole["configs"], address: changed}


def _over(there: Any, ours: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
    if not isinstance(there, dict):
        raise OutputError(
            "where a mapping belongs there is something else", where=path, hint="mend it, or move it away"
        )
    merged = dict(there)
    for key, value in ours.items():
        deeper = depth > 1 and merged.get(key) is not None
        merged[key] = _over(merged[key], value, path, depth - 1) if deeper else value
    return merged


def _dumped(document: Any) -> bytes:
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=4096)
    return text.encode()
