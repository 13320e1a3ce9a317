# SPDX-License-Identifier: Apache-2.0
"""What npm needs to be told of its registry: two lines of ``.npmrc``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airgap.artifacts.format import ClientFile


class NpmClient:
    """``registry`` is where packages come from. ``replace-registry-host`` makes npm take those of a lock file from
    there too, though the lock file has the addresses of another registry."""

    client = "npm"

    def lines(self, repository_url: str) -> Sequence[str]:
        """Lines of .npmrc."""
        return [f"registry={repository_url.rstrip('/')}/", "replace-registry-host=always"]

    def file(self, repository_url: str) -> ClientFile:
        """The user's .npmrc; other lines stay as they are."""
        return ClientFile("~/.npmrc", lambda old: _merged(old, self.lines(repository_url)))


def _merged(old: bytes, lines: Sequence[str]) -> bytes:
    """Replace the last line of each key, which is the one that holds, or add the line."""
    content = old.splitlines(keepends=True)
    for line in lines:
        key = re.escape(line.partition("=")[0].encode())
        places = [number for number, own in enumerate(content) if re.match(rb"\s*" + key + rb"\s*=", own)]
        if places:
            content[places[-1]] = f"{line}\n".encode()
        else:
            if content and not content[-1].endswith(b"\n"):
                content[-1] += b"\n"
            content.append(f"{line}\n".encode())
    return b"".join(content)
