# SPDX-License-Identifier: Apache-2.0
"""One HTML document with the entries as data: a script of its own searches and shows them. Nothing else is loaded.

The content security policy allows exactly this script and this style, by their hashes. What comes from a bundle is
JSON in a data block, in which ``<`` is escaped, and becomes text of elements, never HTML.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Sequence

from airgap.dossier.page import frame
from airgap.dossier.page.markup import Markup, element, value
from airgap.dossier.visible import visible
from airgap.i18n import Bilingual, bilingual
from airgap.listing.entries import Entry

#: Characters of a name, and resource files of an image, that the page shows.
_LONGEST, _MOST_FILES = 500, 50


def to_bytes(title: str, entries: Sequence[Entry]) -> bytes:
    """Return the document: the same bytes for the same entries."""
    style, script = _asset("page.css"), _asset("page.js")
    heading = bilingual("What this server holds")
    head = frame.head(f"{visible(title, most=200)} · {heading.ko} · {heading.en}", style, script)
    search = bilingual("Search by name, digest, platform or file")
    page = element(
        "div",
        element("h1", value(title)),
        element("p", heading),
        element("label", search, for_="search"),
        element("input", type="search", id="search", autocomplete="off", spellcheck="false"),
        element("p", id="status", role="status"),
        element("ul", id="entries"),
        element("button", bilingual("Show more"), type="button", id="more", hidden=True),
        element("noscript", element("p", bilingual("This page needs JavaScript; curl /v2/_catalog lists the images."))),
        class_="page",
    )
    body = element(
        "body",
        element("main", *frame.language_switch(), page),
        element("script", Markup(_data(entries)), type="application/json", id="held"),
        element("script", Markup(script)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='ko')}\n".encode()


def _data(entries: Sequence[Entry]) -> str:
    words = {
        "digest": bilingual("digest"),
        "size": bilingual("size"),
        "platforms": bilingual("platforms"),
        "files": bilingual("used by"),
        "copy": bilingual("Copy"),
        "copied": bilingual("Copied"),
        "count": bilingual("{found} of {all}"),
    }
    document = {
        "words": {name: _both(text) for name, text in words.items()},
        "kinds": {"image": _both(bilingual("image")), "resource": _both(bilingual("resource file"))},
        "label": " / ".join(_both(bilingual("Copy the line for {client}"))),
        "entries": [
            {
                "kind": entry.kind,
                "name": visible(entry.name, most=_LONGEST),
                "digest": entry.digest,
                "size": entry.size,
                "platforms": entry.platforms,
                "files": [visible(name, most=_LONGEST) for name in entry.files[:_MOST_FILES]],
                "lines": [(client, visible(line)) for client, line in entry.lines],
            }
            for entry in entries
        ],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _both(text: Bilingual) -> tuple[str, str]:
    return text.ko, text.en


def _asset(name: str) -> str:
    return (pkgutil.get_data(__name__, name) or b"").decode()
