# SPDX-License-Identifier: Apache-2.0
"""docker: ``daemon.json`` and ``certs.d/HOST/ca.crt`` (dockerd reference, "daemon configuration file").

docker has mirrors only for Docker Hub, and asks them for the original path. Other registries cannot be mirrored; the
setup warns about them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, OutputError
from airgap.i18n import tr
from airgap.nodes.model import Create, MirroredRegistry, NodeFile, NodeSetup, PullEndpoint, replace_with
from airgap.oci.reference import DOCKER_HUB

FILE = "/etc/docker/daemon.json"
CERTS_FOLDER = "/etc/docker/certs.d"
#: The keys of daemon.json whose entries airgap adds and removes.
_MAX_VALUES = 131_072
_LIST_KEYS = ("insecure-registries", "registry-mirrors")


def setup(endpoint: PullEndpoint, mirrors: Sequence[MirroredRegistry], runtime: str = "docker") -> NodeSetup:
    """Return daemon.json and the certificate if any, with a warning for each registry that docker cannot mirror."""
    lists: dict[str, list[str]] = {}
    files: list[NodeFile] = []
    if endpoint.unverified:
        lists["insecure-registries"] = [endpoint.address]
    elif endpoint.ca:
        path = f"{CERTS_FOLDER}/{endpoint.address}/ca.crt"
        files.append(NodeFile(path, endpoint.ca, replace_with(endpoint.ca)))
    if any(mirror.registry == DOCKER_HUB and mirror.prefix == "" for mirror in mirrors):
        lists["registry-mirrors"] = [endpoint.url]

    def merge(existing: bytes) -> bytes:
        return _merge_lists(existing, lists, endpoint)

    files.append(NodeFile(FILE, merge(b""), merge, Create.ALWAYS if lists else Create.NEVER))
    restart = tr("nothing to restart: certificates count from the next pull on")
    if lists or endpoint.ca:
        restart = tr(
            "if daemon.json changed: systemctl reload docker (both lists are read again at SIGHUP; containers go on)"
        )
    return NodeSetup(tuple(files), restart, warnings=tuple(_mirror_warnings(mirrors)))


def _mirror_warnings(mirrors: Sequence[MirroredRegistry]) -> list[str]:
    warnings = []
    for mirror in mirrors:
        source, target = mirror.example
        if mirror.registry != DOCKER_HUB:
            warnings.append(
                tr(
                    "docker has no mirrors for {registry}: its images are pulled by their rewritten names only",
                    registry=mirror.registry,
                )
            )
        elif mirror.prefix != "":
            warnings.append(
                tr(
                    "docker asks a mirror of Docker Hub for {source}, and at the target it is {target}: no mirror is "
                    "configured (--mapping path and a target without prefix would make one)",
                    source=source,
                    target=target,
                )
            )
    return warnings


def _merge_lists(existing: bytes, lists: dict[str, list[str]], endpoint: PullEndpoint) -> bytes:
    """Add the entries in ``lists`` to daemon.json and remove other entries for the same registry.

    All other keys stay as they are, and so does the indentation. Returns ``existing`` if nothing changes.
    """
    try:
        document: Any = bounded_json.loads(existing, values=_MAX_VALUES) if existing.strip() else {}
    except ContentError as error:
        raise OutputError(error.what, where=FILE, hint=tr("mend it, or move it away")) from error
    if not isinstance(document, dict):
        raise OutputError(tr("this is no JSON object"), where=FILE, hint=tr("mend it, or move it away"))
    before = json.dumps(document)
    for key in _LIST_KEYS:
        old_entries, new_entries = document.get(key, []), lists.get(key, [])
        if not isinstance(old_entries, list):
            raise OutputError(tr("{key} is no list", key=key), where=FILE, hint=tr("mend it, or move it away"))
        outdated = {endpoint.address, f"http://{endpoint.address}", f"https://{endpoint.address}"} - set(new_entries)
        merged = [entry for entry in old_entries if not (isinstance(entry, str) and entry.rstrip("/") in outdated)]
        merged += [entry for entry in new_entries if entry not in merged]
        if merged != old_entries:
            document[key] = merged
    if existing and json.dumps(document) == before:
        return existing
    indented_key = re.search(rb"\n([ \t]+)\"", existing)
    indent = indented_key[1].decode() if indented_key else "  "
    return json.dumps(document, indent=indent, ensure_ascii=False).encode() + b"\n"
