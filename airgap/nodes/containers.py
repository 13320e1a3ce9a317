# SPDX-License-Identifier: Apache-2.0
"""podman, buildah, skopeo and CRI-O: one drop-in of ``registries.conf.d`` (containers-registries.conf.5).

A ``[[registry]]`` replaces a prefix by a location, so that any mapping can be followed, one entry for each image
where a whole registry does not go by one rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airgap.errors import OutputError
from airgap.nodes import toml
from airgap.nodes.model import Endpoint, Moved, NodeFile, Setup, replaced

#: Behind what distributions bring: of two entries with one prefix the file that is read later wins.
FILE = "/etc/containers/registries.conf.d/90-airgap.conf"
CERTS = "/etc/containers/certs.d"
_HEADER = b"# Made by airgap hosts. An entry with one of its prefixes in a file that sorts later wins.\n"
_RESTART = {
    "podman": "nothing to restart: it counts from the next command on",
    "crio": "systemctl reload crio (CRI-O reads these files again at SIGHUP; running containers go on)",
}


def setup(endpoint: Endpoint, moved: Sequence[Moved], runtime: str = "podman") -> Setup:
    entries = {endpoint.address: endpoint.address, **dict(_remapped(endpoint, moved))}
    blocks = {prefix: _block(prefix, location, endpoint) for prefix, location in entries.items()}

    def merge(there: bytes) -> bytes:
        return _merged(there, blocks)

    files = [NodeFile(FILE, _merged(_HEADER, blocks), merge)]
    if endpoint.ca and not endpoint.unverified:
        files.append(NodeFile(f"{CERTS}/{endpoint.address}/ca.crt", endpoint.ca, replaced(endpoint.ca)))
    notes = ["without root, podman reads ~/.config/containers/registries.conf.d and ~/.config/containers/certs.d"]
    if moved and runtime == "crio":
        notes = ["under its original name an image is pulled without the target's pull secret: let nodes read "
                 "anonymously"]  # fmt: skip
    return Setup(tuple(files), _RESTART[runtime], notes=() if runtime == "crio" and not moved else tuple(notes))


def _remapped(endpoint: Endpoint, moved: Sequence[Moved]) -> Iterator[tuple[str, str]]:
    for one in moved:
        if one.prefix is not None:
            yield one.registry, "/".join(part for part in (endpoint.address, one.prefix) if part)
            continue
        for source, target in one.images.items():
            yield f"{one.registry}/{source}", f"{endpoint.address}/{target}"


def _block(prefix: str, location: str, endpoint: Endpoint) -> bytes:
    keys: dict[str, toml.Value] = {"prefix": prefix, "location": location}
    if endpoint.unverified:
        keys["insecure"] = True
    lines = "".join(f"{key} = {toml.written(value)}\n" for key, value in keys.items())
    return f"[[registry]]\n{lines}".encode()


def _merged(there: bytes, blocks: dict[str, bytes]) -> bytes:
    """What is there without the entries of our prefixes, then ours."""
    try:
        text = there.decode()
    except UnicodeDecodeError as error:
        raise OutputError("it is not UTF-8", where=FILE, hint="move it away") from error
    found = list(toml.statements(text))
    heads = [one for one in found if not one.key]
    kept, ours = text[: heads[0].start] if heads else text, False
    for head, end in zip(heads, [*(one.start for one in heads), len(text)][1:], strict=False):
        if head.table == ("registry",):
            keys = {one.key[0]: toml.string(one.value) for one in found if one.key and head.start < one.start < end}
            ours = keys.get("prefix", keys.get("location")) in blocks
        elif head.table[0] != "registry":  # its mirrors belong to an entry, other tables do not
            ours = False
        kept += "" if ours else text[head.start : end]
    pieces = [kept.rstrip("\n").encode() + b"\n"] if kept.strip() else []
    return b"\n".join([*pieces, *blocks.values()])
