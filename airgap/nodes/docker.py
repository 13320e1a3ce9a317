# SPDX-License-Identifier: Apache-2.0
"""docker: ``daemon.json`` and ``certs.d/HOST/ca.crt`` (dockerd reference, "daemon configuration file").

docker has mirrors for Docker Hub alone, and asks them for the original path. Nothing else can be mirrored, which is
said and not hidden.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from airgap.errors import OutputError
from airgap.nodes.model import Endpoint, Moved, NodeFile, Setup, replaced
from airgap.oci.reference import DOCKER_HUB

FILE = "/etc/docker/daemon.json"
CERTS = "/etc/docker/certs.d"
_LISTS = ("insecure-registries", "registry-mirrors")


def setup(endpoint: Endpoint, moved: Sequence[Moved], runtime: str = "docker") -> Setup:
    lists: dict[str, list[str]] = {}
    files: list[NodeFile] = []
    if endpoint.unverified:
        lists["insecure-registries"] = [endpoint.address]
    elif endpoint.ca:
        path = f"{CERTS}/{endpoint.address}/ca.crt"
        files.append(NodeFile(path, endpoint.ca, replaced(endpoint.ca)))
    hub = [one for one in moved if one.registry == DOCKER_HUB]
    if hub and hub[0].prefix == "":
        lists["registry-mirrors"] = [endpoint.url]
    files.append(
        NodeFile(
            FILE,
            _merged(b"", lists, endpoint),
            lambda there: _merged(there, lists, endpoint),
            merged_only=not lists,
        )
    )
    restart = "nothing to restart: certificates count from the next pull on"
    if lists or endpoint.ca:
        restart = (
            "if daemon.json changed: systemctl reload docker (both lists are read again at SIGHUP; containers go on)"
        )
    return Setup(tuple(files), restart, warnings=tuple(_not_mirrored(moved)))


def _not_mirrored(moved: Sequence[Moved]) -> list[str]:
    said = []
    for one in moved:
        source, target = one.example
        if one.registry != DOCKER_HUB:
            said.append(
                f"docker has no mirrors for {one.registry}: its images are pulled by their rewritten names only"
            )
        elif one.prefix != "":
            said.append(
                f"docker asks a mirror of Docker Hub for {source}, and at the target it is {target}: no mirror is "
                "configured (--mapping path and a target without prefix would make one)"
            )
    return said


def _merged(there: bytes, lists: dict[str, list[str]], endpoint: Endpoint) -> bytes:
    """Each list with our entries in it and without what an earlier run said of the same registry, everything else as it
    was, in its own indentation."""
    try:
        document: Any = json.loads(there) if there.strip() else {}
    except (ValueError, RecursionError) as error:
        raise OutputError(f"this is no JSON: {error}", where=FILE, hint="mend it, or move it away") from error
    if not isinstance(document, dict):
        raise OutputError("this is no JSON object", where=FILE, hint="mend it, or move it away")
    before = json.dumps(document)
    for key in _LISTS:
        held, ours = document.get(key, []), lists.get(key, [])
        if not isinstance(held, list):
            raise OutputError(f"{key} is no list", where=FILE, hint="mend it, or move it away")
        old = {endpoint.address, f"http://{endpoint.address}", f"https://{endpoint.address}"} - set(ours)
        kept = [entry for entry in held if not (isinstance(entry, str) and entry.rstrip("/") in old)]
        kept += [entry for entry in ours if entry not in kept]
        if kept != held:
            document[key] = kept
    if there and json.dumps(document) == before:
        return there
    indent = re.search(rb"\n([ \t]+)\"", there)
    step = indent[1].decode() if indent else "  "
    return json.dumps(document, indent=step, ensure_ascii=False).encode() + b"\n"
