# SPDX-License-Identifier: Apache-2.0
"""Trace the images of a rendered chart to the values that they come from.

Each slice of a value that may be part of an image's name is replaced by a unique mark, and helm renders the chart.
Every image in the result then shows its template: marks, and the constant text between them. A value with which helm
refuses to render (because of a schema or a check in the chart) is found by bisection and left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from airgap.errors import ResourceError
from airgap.kube import model
from airgap.kube.detect.scan import scan
from airgap.kube.model import Site
from airgap.kube.render import chart
from airgap.records import Record

#: The place of an image in a rendering: document, path, and number among several images there.
SiteKey = tuple[int, str, int]
#: Renders the chart with values that override its own.
Render = Callable[[Mapping[str, Any]], bytes]
Item = TypeVar("Item")

_MARK = re.compile(r"airgap-m([0-9]+)-x(?:\.invalid)?")
_IMAGE_KEY = re.compile(r"image|registr|repo|hub", re.IGNORECASE)
#: The last key of a value that names an image or a part of one, and that of a mapping that describes one.
_IMAGE_VALUE = re.compile(r"(?:image|registry|repository|repo)$|^hub$", re.IGNORECASE)
_IMAGE_MAPPING = re.compile(r"image$", re.IGNORECASE)
#: The keys under which charts look for an image's name.
_IMAGE_PARTS = ("registry", "repository", "name")
#: Paths that many charts read even though their values.yaml does not have them.
UNDECLARED: tuple[chart.Path, ...] = (("global", "imageRegistry"), ("global", "image", "registry"))


class ValueSlice(Record):
    """``text``, the characters ``start`` to ``end`` of the value at ``path``; a part of an image's name."""

    path: chart.Path
    start: int
    end: int
    text: str


class ImageTemplate(Record):
    """What an image consists of: ``constants[0] slices[0] constants[1] … constants[-1]``."""

    constants: tuple[str, ...]
    slices: tuple[ValueSlice, ...]


def sites_by_key(content: bytes, label: str) -> dict[SiteKey, Site]:
    """Return the sites of a rendering by key. ``label`` is its name in messages."""
    counts: Counter[tuple[int, str]] = Counter()
    slices: dict[SiteKey, Site] = {}
    for site in scan(content, label).sites:
        where = site.document, site.path
        slices[(where[0], where[1], counts[where])] = site
        counts[where] += 1
    return slices


def written_reference(site: Site) -> str:
    """Return the site's reference as it is written: for separate keys, what a program gets that joins all of them."""
    parts = {part.role: part.value.strip() for part in site.parts}
    if model.NAME not in parts:
        return site.value
    organisations = [part.value.strip().strip("/") for part in site.parts if part.role == model.ORGANISATION]
    text = "/".join([*organisations, parts[model.NAME].lstrip("/")]) if organisations else parts[model.NAME]
    if registry := parts.get(model.REGISTRY):
        text = f"{registry.rstrip('/')}/{text.lstrip('/')}"
    if tag := parts.get(model.TAG):
        text = f"{text}:{tag}"
    if digest := parts.get(model.DIGEST):
        text = f"{text}@{digest}" if ":" in digest else f"{text}@sha256:{digest}"
    return text


def keeps_parts(old: Site, new: Site) -> bool:
    """Whether each key that ``old`` is joined of is still a part of ``new``.

    A scan takes a name with a registry for complete and leaves out the key of the registry. The program that reads the
    object may not: it joined the keys before and joins them again.
    """
    return {part.role for part in old.parts} - {model.WHOLE} <= {part.role for part in new.parts}


def split_name(text: str) -> tuple[str, str]:
    """Return a reference's name, and the rest with its ``:`` or ``@``."""
    name = text.partition("@")[0]
    colon = name.rfind(":")
    if colon > name.rfind("/"):
        name = name[:colon]
    return name, text[len(name) :]


def name_slices(values: Mapping[str, Any], names: Iterable[str], *, any_key: bool) -> list[ValueSlice]:
    """Return the slices of values that contain one of ``names`` or are part of one.

    Without ``any_key`` only values under keys that name images, and values with a slash, are searched.
    """
    longest_first = sorted(set(names), key=lambda name: (-len(name), name))
    slices = []
    for path, value in chart.text_values(values):
        if not value or not (any_key or "/" in value or any(_IMAGE_KEY.search(str(step)) for step in path)):
            continue
        slices += _names_in_value(path, value, longest_first) or _value_in_names(path, value, longest_first)
    return slices


def unset_slices(values: Mapping[str, Any]) -> list[ValueSlice]:
    """Return the values that may name an image and are empty or missing: the template then has a default of its own.

    These are empty texts under keys that name images, the keys that a mapping for an image lacks (``image: {}``), and
    the ``UNDECLARED`` ones.
    """
    set_paths, empty_paths = set(), []
    for path, value in chart.text_values(values):
        if not value and _may_name_image(path):
            empty_paths.append(path)
        else:
            set_paths.add(path)
    missing_paths = [
        (*path, key)
        for path in chart.mapping_paths(values)
        if _IMAGE_MAPPING.search(str(path[-1]))
        for key in _IMAGE_PARTS
    ]
    paths = dict.fromkeys([*empty_paths, *missing_paths, *UNDECLARED])
    return [ValueSlice(path, 0, 0, "") for path in paths if path not in set_paths]


def template_slices(values: Mapping[str, Any]) -> list[ValueSlice]:
    """Return the names in values that are templates themselves (``image: "{{ .Values.registry }}/x:1"``)."""
    slices = []
    for path, value in chart.text_values(values):
        name = split_name(value)[0]
        if "{{" in name and _may_name_image(path):
            slices.append(ValueSlice(path, 0, len(name), name))
    return slices


def _may_name_image(path: chart.Path) -> bool:
    """Whether the last key says registry, repository or image, or is a name below an image's key."""
    key = str(path[-1])
    if len(path) > 1 and key.lower() == "name":
        return _IMAGE_MAPPING.search(str(path[-2])) is not None
    return _IMAGE_VALUE.search(key) is not None


def _names_in_value(path: chart.Path, value: str, names: Sequence[str]) -> list[ValueSlice]:
    """Whole names in a value: the value itself, with or without a tag, or a text that contains names."""
    slices: list[ValueSlice] = []
    for name in names:
        whole = value == name or value.startswith((f"{name}:", f"{name}@"))
        if name not in value or not (whole or "/" in name):
            continue
        for match in re.finditer(rf"(?<![\w./-]){re.escape(name)}(?![\w./-])", value):
            if all(match.end() <= other.start or match.start() >= other.end for other in slices):
                slices.append(ValueSlice(path, match.start(), match.end(), name))
    return slices


def _value_in_names(path: chart.Path, value: str, names: Sequence[str]) -> list[ValueSlice]:
    """The slice of a value that is part of a name, in whole words: a template may add ``-fips``."""
    for core in (value.strip("/"), split_name(value)[0].strip("/")):  # the second form is without a tag
        if core and any(_contains_words(name, core) for name in names):
            start = value.index(core)
            return [ValueSlice(path, start, start + len(core), core)]
    return []


def _contains_words(name: str, part: str) -> bool:
    """Whether ``name`` contains ``part`` between slashes, dashes, dots and underscores."""
    start = name.find(part)
    while start >= 0:
        around = name[max(start - 1, 0) : start] + name[start + len(part) : start + len(part) + 1]
        if not any(character.isalnum() for character in around):
            return True
        start = name.find(part, start + 1)
    return False


def changed_values(values: Mapping[str, Any], replacements: Mapping[ValueSlice, str]) -> dict[chart.Path, str]:
    """Return the values that differ when each slice has its new text."""
    texts = dict(chart.text_values(values))
    new_texts: dict[chart.Path, str] = {}
    for value_slice, new in sorted(replacements.items(), key=lambda item: -item[0].start):
        text = new_texts.get(value_slice.path, texts.get(value_slice.path, ""))
        new_texts[value_slice.path] = text[: value_slice.start] + new + text[value_slice.end :]
    return {path: text for path, text in new_texts.items() if text != texts.get(path, "")}


def trace_images(
    values: Mapping[str, Any], slices: Sequence[ValueSlice], render: Render, label: str
) -> dict[SiteKey, ImageTemplate]:
    """Return the template of each image that contains some of ``slices``."""
    if not slices:
        return {}
    content = render(chart.overlay(values, changed_values(values, _marks(slices))))
    templates = {}
    for place, site in sites_by_key(content, label).items():
        pieces = _MARK.split(written_reference(site))
        slice_numbers = [int(number) for number in pieces[1::2]]
        if slice_numbers and all(number < len(slices) for number in slice_numbers):
            templates[place] = ImageTemplate(tuple(pieces[::2]), tuple(slices[number] for number in slice_numbers))
    return templates


def _marks(slices: Sequence[ValueSlice]) -> dict[ValueSlice, str]:
    """A mark for each slice, like a host where the slice is one: a scan recognises some images by their host."""
    marks = {}
    for number, value_slice in enumerate(slices):
        host = re.match(r"[^/]*[.:]|localhost(?:/|$)", value_slice.text) or not value_slice.text
        marks[value_slice] = f"airgap-m{number}-x{'.invalid' if host else ''}"
    return marks


def bisect(items: Sequence[Item], attempt: Callable[[Sequence[Item]], object]) -> tuple[list[Item], str]:
    """Return the items with which ``attempt`` raises no ResourceError, and the message of the last error or "".

    Items are tried together and divided into halves where that fails.
    """
    try:
        attempt(items)
    except ResourceError as error:
        if len(items) < 2:
            return [], error.what
        middle = len(items) // 2
        left, left_error = bisect(items[:middle], attempt)
        right, right_error = bisect(items[middle:], attempt)
        return left + right, right_error or left_error
    return list(items), ""
