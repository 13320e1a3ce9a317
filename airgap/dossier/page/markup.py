# SPDX-License-Identifier: Apache-2.0
"""HTML that cannot be broken by what is put into it: text is escaped unless an element made it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from airgap.dossier.visible import visible
from airgap.i18n import Bilingual

#: Characters of one value that a page shows; the JSON document has all of it.
LONGEST = 1000
_VOID = {"meta", "input", "br"}


class Markup(str):
    """HTML. Only this module makes it."""

    __slots__ = ()


Child = str | Bilingual | Markup | Sequence["Child"] | None
"""What an element may hold: Markup as it is, texts escaped, a bilingual text once for each language."""


def element(name: str, /, *children: Child, **attributes: str | bool | None) -> Markup:
    """Return an element. An attribute ``class_`` or ``for_`` is called so because the plain words are Python's."""
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    """Return the children one after the other."""
    return Markup("".join(map(_render, children)))


def value(text: str, *, most: int = LONGEST) -> Markup:
    """Return a text from outside, which stands for itself in both languages, isolated from the text around it."""
    return element("bdi", visible(text, most=most))


def code(text: str, *, most: int = LONGEST) -> Markup:
    """Return a digest, a path or another literal text."""
    return element("code", visible(text, most=most))


def lines(text: str) -> Markup:
    """Return a text of several lines."""
    return element("pre", Markup(escape(visible(text, lines=True))))


def table(headings: Sequence[Child], rows: Iterable[Sequence[Child]], **attributes: str) -> Markup:
    """Return a table whose first column names the row."""
    head = element("tr", *[element("th", heading, scope="col") for heading in headings])
    body = [
        element("tr", element("th", row[0], scope="row"), *[element("td", cell) for cell in row[1:]]) for row in rows
    ]
    return element("table", element("thead", head), element("tbody", *body), **attributes)


def facts(rows: Iterable[tuple[Child, Child]]) -> Markup:
    """Return a table of names and values; rows without a value are left out."""
    made = [
        element("tr", element("th", name, scope="row"), element("td", content)) for name, content in rows if content
    ]
    return element("table", element("tbody", *made), class_="facts")


def _render(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, Bilingual):
        if child.ko == child.en:
            return escape(child.en)
        return f'<span lang="ko">{escape(child.ko)}</span><span lang="en">{escape(child.en)}</span>'
    if isinstance(child, str):
        return escape(child)
    return "".join(map(_render, child))
