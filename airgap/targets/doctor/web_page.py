# SPDX-License-Identifier: Apache-2.0
"""Recognizes what is no registry, such as a portal or a proxy's page, and quotes its title and ``Server`` header."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.registry.http.transport import Response

#: Elements whose content is not shown.
_HIDDEN = ("script", "style", "head")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\s]+")


def title_of(response: Response) -> str:
    """The title of an HTML page, at most 100 characters; empty if it has none."""
    text = response.body[:65_536].decode("utf-8", "replace")
    lower = text.lower()
    begin = lower.find(">", lower.find("<title")) + 1 if "<title" in lower else 0
    end = lower.find("</title", begin) if begin else -1
    return _clean(text[begin:end])[:100] if end >= 0 else ""


def without_tags(text: str) -> str:
    """The beginning of a text without HTML tags, at most 200 characters."""
    lower, parts, position = text.lower(), [], 0
    while 0 <= position < len(text):
        tag = text.find("<", position)
        parts.append(text[position : tag if tag >= 0 else len(text)])
        if tag < 0:
            break
        closing = next((f"</{name}>" for name in _HIDDEN if lower.startswith(name, tag + 1)), ">")
        end = lower.find(closing, tag)
        position = end + len(closing) if end >= 0 else -1
    return _clean(" ".join(parts))[:200]


def server_of(response: Response) -> str:
    """The ``Server`` header, made printable."""
    return _clean(response.headers.get("Server", ""))[:100]


def described(response: Response) -> str:
    """Words for a page: its status, its title and the server that sent it."""
    status, title, server = f"{response.status} {response.reason}".strip(), title_of(response), server_of(response)
    if title and server:
        return tr(
            '{status}, a page with the title "{title}", sent by {server}', status=status, title=title, server=server
        )
    if title:
        return tr('{status}, a page with the title "{title}"', status=status, title=title)
    return tr("{status}, sent by {server}", status=status, server=server) if server else status


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub(" ", html.unescape(text)).strip()
