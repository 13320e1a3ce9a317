# SPDX-License-Identifier: Apache-2.0
"""podman, buildah, skopeo and CRI-O: one file in ``registries.conf.d`` (containers-registries.conf.5).

A ``[[registry]]`` entry replaces a prefix of image names by a location, so every mapping can be expressed. A registry
whose images all got the same path prefix needs one entry; otherwise each of its images gets its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airgap.errors import OutputError
from airgap.i18n import tr
from airgap.nodes import toml
from airgap.nodes.model import MirroredRegistry, NodeFile, NodeSetup, PullEndpoint, replace_with

#: Sorts after the files of distributions: if two files have an entry for one prefix, the last file wins.
FILE = "/etc/containers/registries.conf.d/90-airgap.conf"
CERTS_FOLDER = "/etc/containers/certs.d"
_HEADER = b"# Made by airgap hosts. An entry with one of its prefixes in a file that sorts later wins.\n"
_RESTART = {
    "podman": tr("nothing to restart: it counts from the next command on"),
    "crio": tr("systemctl reload crio (CRI-O reads these files again at SIGHUP; running containers go on)"),
}


def setup(endpoint: PullEndpoint, mirrors: Sequence[MirroredRegistry], runtime: str = "podman") -> NodeSetup:
    """Return the file with an entry for the target and for each mirrored registry, and the certificate if any."""
    locations = {endpoint.address: endpoint.address, **dict(_mirror_locations(endpoint, mirrors))}
    entries = {prefix: _format_entry(prefix, location, endpoint) for prefix, location in locations.items()}

    def merge(existing: bytes) -> bytes:
        return _merge_entries(existing, entries)

    files = [NodeFile(FILE, _merge_entries(_HEADER, entries), merge)]
    if endpoint.ca and not endpoint.unverified:
        files.append(NodeFile(f"{CERTS_FOLDER}/{endpoint.address}/ca.crt", endpoint.ca, replace_with(endpoint.ca)))
    notes = [tr("without root, podman reads ~/.config/containers/registries.conf.d and ~/.config/containers/certs.d")]
    if mirrors and runtime == "crio":
        notes = [tr("under its original name an image is pulled without the target's pull secret: let nodes read "
"anonymously")]  # fmt: skip
    return NodeSetup(tuple(files), _RESTART[runtime], notes=() if runtime == "crio" and not mirrors else tuple(notes))


def _mirror_locations(endpoint: PullEndpoint, mirrors: Sequence[MirroredRegistry]) -> Iterator[tuple[str, str]]:
    """Yield (prefix, location) pairs."""
    for mirror in mirrors:
        if mirror.prefix is not None:
            yield mirror.registry, f"{endpoint.address}/{mirror.prefix}".rstrip("/")
            continue
        for source, target in mirror.repositories.items():
            yield f"{mirror.registry}/{source}", f"{endpoint.address}/{target}"


def _format_entry(prefix: str, location: str, endpoint: PullEndpoint) -> bytes:
    keys: dict[str, toml.Value] = {"prefix": prefix, "location": location}
    if endpoint.unverified:
        keys["insecure"] = True
    lines = "".join(f"{key} = {toml.format_value(value)}\n" for key, value in keys.items())
    return f"[[registry]]\n{lines}".encode()


def _merge_entries(existing: bytes, entries: Mapping[str, bytes]) -> bytes:
    """Remove the entries for our prefixes from ``existing`` and append ``entries``, a mapping of prefix to TOML."""
    try:
        text = existing.decode()
    except UnicodeDecodeError as error:
        raise OutputError(tr("it is not UTF-8"), where=FILE, hint=tr("move it away")) from error
    statements = list(toml.statements(text))
    headers = [statement for statement in statements if not statement.key]
    # Each table reaches from its header to the next header; the last one to the end of the file.
    starts = [header.start for header in headers] + [len(text)]
    kept, removing = text[: starts[0]], False
    for header, start, end in zip(headers, starts, starts[1:], strict=False):
        if header.table == ("registry",):
            keys = {
                statement.key[0]: toml.parse_string(statement.value)
                for statement in statements
                if statement.key and start < statement.start < end
            }
            removing = keys.get("prefix", keys.get("location")) in entries
        elif header.table[0] != "registry":
            removing = False
        # else it is a subtable such as [[registry.mirror]], and is kept or removed with its entry
        kept += "" if removing else text[start:end]
    parts = [kept.rstrip("\n").encode() + b"\n"] if kept.strip() else []
    return b"\n".join([*parts, *entries.values()])
