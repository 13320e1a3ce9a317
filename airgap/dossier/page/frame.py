# SPDX-License-Identifier: Apache-2.0
"""What pages in Korean and English have in common: a head whose policy allows exactly the page's own style and script,
and the switch of languages, which works without a script."""

from __future__ import annotations

import base64
import hashlib

from airgap.dossier.page.markup import Markup, element


def head(title: str, style: str, script: str = "") -> Markup:
    """Return the head of a page that loads nothing; ``script`` is the only one that may run, none if it is empty."""
    sources = [f"style-src '{_hash(style)}'", *([f"script-src '{_hash(script)}'"] if script else [])]
    policy = "; ".join(["default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'"])
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", Markup(style)),
    )


def language_switch() -> list[Markup]:
    """Two radio buttons; the style sheet shows the texts of the one that is chosen. They precede the page in it."""
    return [
        element("input", type="radio", name="language", id="ko", checked=True),
        element("label", "한국어", for_="ko", lang="ko", class_="language"),
        element("input", type="radio", name="language", id="en"),
        element("label", "English", for_="en", lang="en", class_="language"),
    ]


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
