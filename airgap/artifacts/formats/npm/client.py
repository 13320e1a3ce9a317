# SPDX-License-Identifier: Apache-2.0
"""npm's settings: two lines of an ``npmrc``, which may be a project's, a user's or everybody's."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.nodes.model import Create, NodeFile, NodeSetup

#: Everybody's npmrc is below the prefix of npm: that of a distribution's node, and of a node installed by hand or
#: Debian's npm.
_GLOBAL = ("/usr/etc/npmrc", "/usr/local/etc/npmrc")


class NpmSettingsFile:
    """``registry`` is where packages come from. ``replace-registry-host`` makes npm take those of a lock file from
    there too, though the lock file has the addresses of another registry."""

    client = "npm"

    def setup(self, repository_url: str) -> NodeSetup:
        """Merge into everybody's settings on a machine; else the lines, and the command that writes them."""
        values = {"registry": f"{repository_url}/", "replace-registry-host": "always"}

        def merge(content: bytes) -> bytes:
            return _merged(content, values)

        lines = merge(b"")
        pairs = [quoted(line) for line in lines.decode().splitlines()]
        command = " ".join(["npm", "config", "set", "--location=global", *pairs])
        files = tuple(NodeFile(path, lines, merge, Create.ON_NODE) for path in _GLOBAL)
        note = tr("a project's and a user's own .npmrc go before it")
        return NodeSetup(files, "", {".npmrc": lines, "npm": f"{command}\n".encode()}, notes=(note,))


def _merged(old: bytes, values: Mapping[str, str]) -> bytes:
    """Set keys of an ``npmrc``, each where it stands already, else before the first section. Other bytes are kept."""
    rest, result, in_section = dict(values), list[str](), False
    sections_at: int | None = None
    for line in old.decode("utf-8", "surrogateescape").splitlines(keepends=True):
        text = line.strip()
        key = text.partition("=")[0].strip()
        if text.startswith("[") and text.endswith("]"):
            in_section, sections_at = True, len(result) if sections_at is None else sections_at
        elif not in_section and key in values:
            # npm takes the last one of equal keys, so that no other may stay.
            if key in rest:
                result.append(f"{key}={rest.pop(key)}\n")
            continue
        result.append(line)
    place = len(result) if sections_at is None else sections_at
    if rest and place and not result[place - 1].endswith("\n"):
        result[place - 1] += "\n"
    result[place:place] = [f"{key}={value}\n" for key, value in rest.items()]
    return "".join(result).encode("utf-8", "surrogateescape")
