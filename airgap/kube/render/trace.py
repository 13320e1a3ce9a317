# SPDX-License-Identifier: Apache-2.0
"""Which values of a chart does each rendered image come from? Asked of helm, not guessed from names.

Every value that could be part of an image's name gets a mark of its own, the chart is rendered once, and each image
in the result shows its recipe: marks, and between them what the template itself says. A value that helm refuses to
have marked (a schema, a check of the chart) is found by halving and left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from airgap.errors import ResourceError
from airgap.kube.detect.scan import scan
from airgap.kube.model import Site
from airgap.kube.render import chart
from airgap.records import Record

#: One image's place in a rendering: document, path, and which of several there.
SiteKey = tuple[int, str, int]
#: Values over the chart's own in, resource file out.
Render = Callable[[Mapping[str, Any]], bytes]
Item = TypeVar("Item")

_MARK = re.compile(r"airgap-m([0-9]+)-x(?:\.invalid)?")
_IMAGE_KEY = re.compile(r"image|registr|repo|hub", re.IGNORECASE)
#: Keys that charts read though their values.yaml need not have them; what an unset one means is the template's.
UNDECLARED: tuple[chart.Path, ...] = (("global", "imageRegistry"), ("global", "image", "registry"))


class ValueSlice(Record):
    """The characters ``start`` to ``end`` of the value at ``path``, which are ``text``: a piece of a name."""

    path: chart.Path
    start: int
    end: int
    text: str


class ImageTemplate(Record):
    """How a template makes one image: ``constants[0] parts[0] constants[1] … constants[-1]``."""

    constants: tuple[str, ...]
    parts: tuple[ValueSlice, ...]


def places(content: bytes, shown: str) -> dict[SiteKey, Site]:
    """Every site of a rendering by its place."""
    seen: Counter[tuple[int, str]] = Counter()
    found: dict[SiteKey, Site] = {}
    for site in scan(content, shown).sites:
        where = site.document, site.path
        found[(where[0], where[1], seen[where])] = site
        seen[where] += 1
    return found


def split(text: str) -> tuple[str, str]:
    """A reference's name, and its tag and digest with their signs."""
    name = text.partition("@")[0]
    colon = name.rfind(":")
    if colon > name.rfind("/"):
        name = name[:colon]
    return name, text[len(name) :]


def candidates(values: Mapping[str, Any], names: Iterable[str], *, any_key: bool) -> list[ValueSlice]:
    """The parts of values that stand in one of ``names``, or hold one; without ``any_key`` only under image's keys."""
    wanted = sorted(set(names), key=lambda name: (-len(name), name))
    found = []
    for path, value in chart.leaves(values):
        if not value or not (any_key or "/" in value or any(_IMAGE_KEY.search(str(step)) for step in path)):
            continue
        found += _holding(path, value, wanted) or _standing_in(path, value, wanted)
    return found


def unset(values: Mapping[str, Any]) -> list[ValueSlice]:
    """Empty values under a registry's key, and well-known ones that are not declared."""
    found = [ValueSlice(path, 0, 0, "") for path, value in chart.leaves(values) if not value and _is_registry(path)]
    there = {part.path for part in found} | {path for path, _ in chart.leaves(values)}
    return found + [ValueSlice(path, 0, 0, "") for path in UNDECLARED if path not in there]


def _is_registry(path: chart.Path) -> bool:
    return re.search("registry$|^hub$", str(path[-1]), re.IGNORECASE) is not None


def _holding(path: chart.Path, value: str, names: Sequence[str]) -> list[ValueSlice]:
    """Whole names inside a value: the value itself, with or without tag, or options and texts that name images."""
    found: list[ValueSlice] = []
    for name in names:
        whole = value == name or value.startswith((f"{name}:", f"{name}@"))
        if name not in value or not (whole or "/" in name):
            continue
        for match in re.finditer(rf"(?<![\w./-]){re.escape(name)}(?![\w./-])", value):
            if all(match.end() <= one.start or match.start() >= one.end for one in found):
                found.append(ValueSlice(path, match.start(), match.end(), name))
    return found


def _standing_in(path: chart.Path, value: str, names: Sequence[str]) -> list[ValueSlice]:
    """A value that is a part of a name, from one slash to another."""
    for core in (value.strip("/"), split(value)[0].strip("/")):  # a port is no tag
        if core and any(f"/{core}/" in f"/{name}/" for name in names):
            start = value.index(core)
            return [ValueSlice(path, start, start + len(core), core)]
    return []


def changed(values: Mapping[str, Any], news: Mapping[ValueSlice, str]) -> dict[chart.Path, str]:
    """The values that differ once each part has its new text."""
    texts = dict(chart.leaves(values))
    made: dict[chart.Path, str] = {}
    for part, new in sorted(news.items(), key=lambda item: -item[0].start):
        text = made.get(part.path, texts.get(part.path, ""))
        made[part.path] = text[: part.start] + new + text[part.end :]
    return {path: text for path, text in made.items() if text != texts.get(path, "")}


def trace(
    values: Mapping[str, Any], parts: Sequence[ValueSlice], render: Render, shown: str
) -> dict[SiteKey, ImageTemplate]:
    """The recipe of every image of which some of ``parts`` are a part."""
    if not parts:
        return {}
    content = render(chart.overlay(values, changed(values, _marks(parts))))
    recipes = {}
    for place, site in places(content, shown).items():
        pieces = _MARK.split(site.value)
        numbers = [int(number) for number in pieces[1::2]]
        if numbers and all(number < len(parts) for number in numbers):
            recipes[place] = ImageTemplate(tuple(pieces[::2]), tuple(parts[number] for number in numbers))
    return recipes


def _marks(parts: Sequence[ValueSlice]) -> dict[ValueSlice, str]:
    """A mark looks like a host where the part begins with one, so that what is recognised by its host still is."""
    marks = {}
    for number, part in enumerate(parts):
        host = re.match(r"[^/]*[.:]|localhost(?:/|$)", part.text) or not part.text
        marks[part] = f"airgap-m{number}-x{'.invalid' if host else ''}"
    return marks


def bisect(items: Sequence[Item], attempt: Callable[[Sequence[Item]], object]) -> tuple[list[Item], str]:
    """The items with which ``attempt`` does not end in a ResourceError, by halving; and the last error's words."""
    try:
        attempt(items)
    except ResourceError as error:
        if len(items) < 2:
            return [], error.what
        middle = len(items) // 2
        left, said_left = bisect(items[:middle], attempt)
        right, said_right = bisect(items[middle:], attempt)
        return left + right, said_right or said_left
    return list(items), ""
