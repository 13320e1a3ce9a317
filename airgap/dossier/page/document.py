# SPDX-License-Identifier: Apache-2.0
"""The whole page: head with the style and its policy, the switch of languages, and the sections in their order."""

from __future__ import annotations

import pkgutil

from airgap.dossier.facts import Dossier
from airgap.dossier.page import frame, images, lists, summary
from airgap.dossier.page.markup import Markup, element, value
from airgap.i18n import bilingual


def to_bytes(dossier: Dossier) -> bytes:
    """Return the page, the same bytes for the same facts."""
    bundle = dossier.bundle
    title = " ".join(part for part in (bundle.name, bundle.version) if part) or bundle.file
    style = (pkgutil.get_data(__name__, "style.css") or b"").decode()
    heading = bilingual("Dossier of what is carried in")
    head = frame.head(f"{heading.ko} · {heading.en} · {_plain(title)}", style)
    page = element(
        "div",
        element("header", element("h1", heading, ": ", value(title))),
        _contents(dossier),
        summary.glance(dossier),
        summary.form(dossier),
        summary.files(dossier),
        lists.scan(dossier),
        lists.changes(dossier),
        images.overview(dossier),
        images.details(dossier),
        lists.artifacts(dossier),
        lists.resources(dossier),
        lists.documents(dossier),
        lists.notes(dossier),
        class_="page",
    )
    body = element("body", element("main", *frame.language_switch(), page))
    return f"<!doctype html>\n{element('html', head, body, lang='ko')}\n".encode()


def _contents(dossier: Dossier) -> Markup:
    entries = [
        ("glance", bilingual("At a glance"), True),
        ("form", bilingual("Application and approval"), True),
        ("files", bilingual("Files and hashes"), True),
        ("scan", bilingual("Malware scan"), dossier.scan is not None),
        ("changes", bilingual("Changes"), dossier.changes is not None),
        ("images", bilingual("Images"), bool(dossier.images)),
        ("details", bilingual("Images in detail"), bool(dossier.images)),
        ("artifacts", bilingual("Artifacts"), bool(dossier.artifacts)),
        ("resources", bilingual("Resource files"), bool(dossier.resources)),
        ("documents", bilingual("Attached documents"), bool(dossier.documents)),
        ("notes", bilingual("Release notes"), bool(dossier.notes)),
    ]
    items = [element("li", element("a", text, href=f"#{name}")) for name, text, shown in entries if shown]
    return element("nav", element("ul", *items))


def _plain(text: str) -> str:
    from airgap.dossier.visible import visible

    return visible(text, most=200)
