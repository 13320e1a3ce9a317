# SPDX-License-Identifier: Apache-2.0
"""From spots to sites: the rules applied, references parsed, spans found. Placeholders and doubtful shapes become
near misses with a reason; a value in a certain place that no registry would take is an error with file:line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap.errors import AirgapError, InvalidReference, ResourceError, raise_all
from airgap.kube import rules, scalars
from airgap.kube.model import CERTAIN, Miss, Scalar, Scan, Site
from airgap.kube.rules import Rule
from airgap.kube.source import Source
from airgap.kube.walk import Batch, Frame, Leaf, Spot, complete
from airgap.oci import Reference

#: No reference holds these; templates, variables and unfilled blanks do. ``ko://`` names source code to be built.
_PLACEHOLDER = re.compile(r"[{}$<>%]|ko://")
#: An option with its value, alone or one of several in a string; quotes as a shell takes them.
_FLAG = re.compile(
    r"(?:^|(?<=\s))(?P<name>--?[A-Za-z][A-Za-z0-9._-]*)(?:=|\s+)(?P<value>\"[^\"\s]*\"|'[^'\s]*'|[^\s\"']+)"
)
_BARE_FLAG = re.compile(r"--?[A-Za-z][A-Za-z0-9._-]*")
_TAGGED = re.compile(r"@|:[^/]*$")
_HOSTED = re.compile(r"[^/]*[.:][^/]*/|localhost/")
_INDEX = re.compile(r"\[[0-9]+\]")
_SIMPLE_KEY = re.compile(r"[^.\[\]\s\"]+")


class Judge:
    """Collects the sites, misses and errors of one file; ``byte_units`` says that events count bytes (JSON)."""

    def __init__(self, source: Source, byte_units: bool) -> None:
        self.source = source
        self.byte_units = byte_units
        self.sites: dict[tuple[int, int], Site] = {}
        self.misses: dict[tuple[int, str], Miss] = {}
        self.errors: list[AirgapError] = []
        self._taken: set[int] = set()
        self._object: Frame | None = None
        self._names = ("", "")
        self._root = ""
        self._near: tuple[Frame | None, str] = (None, "")

    def verdict(self) -> Scan:
        """All that was found, in the order of the file; raises what must not pass."""
        raise_all(self.errors)
        sites = sorted(self.sites.values(), key=lambda site: site.spans)
        # An anchored value may be passed over where it stands and taken where an alias uses it.
        misses = [miss for (start, _), miss in self.misses.items() if start not in self._taken]
        return Scan(tuple(sites), tuple(sorted(misses, key=lambda miss: (miss.line, miss.column, miss.text))))

    def batch(self, batch: Batch) -> None:
        """Judge the spots of one object, or those of a document outside of objects."""
        frame = batch.frame
        self._object = frame
        self._names = (frame.api, frame.kind) if frame is not None else ("", "")
        self._root = _climb(frame, None)
        self._near = (None, "")
        for spot in batch.spots:
            if spot.leaf is None:
                self._arguments(spot)
            elif spot.variable:
                self._variable(spot, spot.leaf)
            else:
                self._field(spot, spot.leaf)

    # What each kind of place means.

    def _field(self, spot: Spot, leaf: Leaf) -> None:
        pattern = self._pattern(spot)
        for rule in rules.FIELDS:
            if not rule.fits(*self._names, pattern):
                continue
            others = self._split_over(spot.frame, leaf.value) if rule.alone else ()
            if rule.confidence != CERTAIN and (why := _elsewhere(pattern)):
                self._miss(spot, leaf, why)
            elif others:
                self._miss(spot, leaf, f"the rest of the reference stands under other keys: {', '.join(others)}")
            elif leaf.is_null:
                pass
            elif not leaf.value.strip():
                self._miss(spot, leaf, "it is empty")
            else:
                begin = len(leaf.value) - len(leaf.value.lstrip())
                self._take(spot, leaf, rule, begin, begin + len(leaf.value.strip()))
            return
        if complete(leaf.value):
            self._miss(spot, leaf, "it looks like a reference, but no rule says that an image stands here")

    def _variable(self, spot: Spot, leaf: Leaf) -> None:
        name = (spot.frame.leaves or {}).get("name")
        for rule in rules.ENVIRONMENT:
            if name is None or leaf.is_null or not rule.named(name.value):
                continue
            if rule.shape == rules.COMPLETE and not complete(leaf.value):
                continue
            if rule.fits(*self._names, self._pattern(spot)):
                self._take(spot, leaf, rule, 0, len(leaf.value))
                return

    def _arguments(self, spot: Spot) -> None:
        """Options with their values, a value in the next item too; whatever is left may be a complete reference."""
        pattern = ""
        before: str | None = None
        for index, leaf in enumerate(spot.frame.items or ()):
            option, before = before, None
            if leaf is None or leaf.is_null:
                continue
            if _BARE_FLAG.fullmatch(leaf.value):
                before = leaf.value
                continue
            found = [(match["name"], *_unquoted(match)) for match in _FLAG.finditer(leaf.value) if _holds_value(match)]
            if option is not None and not leaf.value.startswith("-"):
                found.insert(0, (option, 0, len(leaf.value)))
            for name, begin, end in found or [("", 0, len(leaf.value))]:
                for first, last, rule in _argument(name, leaf.value, begin, end):
                    pattern = pattern or self._pattern(spot)
                    if rule.fits(*self._names, pattern):
                        self._take(spot._replace(key=index), leaf, rule, first, last)

    # What a value is.

    def _take(self, spot: Spot, leaf: Leaf, rule: Rule, begin: int, end: int) -> None:
        text = leaf.value[begin:end]
        if _PLACEHOLDER.search(text):
            self._miss(spot, leaf, "it holds a placeholder, so no image is named yet", text)
            return
        try:
            if leaf.is_plain and scalars.NOT_TEXT.fullmatch(leaf.value):
                raise InvalidReference(f"{leaf.value} is no text in YAML; put it in quotes if it is meant as an image")
            reference = Reference.parse(text)
            if rule.shape == rules.TAGGED and not re.search("[:@/]", text):
                raise InvalidReference(f"{text!r} has neither path nor tag nor digest")
        except InvalidReference as error:
            if rule.confidence == CERTAIN:
                where = self.source.where(self._byte(leaf.start))
                self.errors.append(ResourceError(error.what, where=where))
            else:
                self._miss(spot, leaf, error.what, text)
            return
        self._site(spot, leaf, rule, begin, end, reference)

    def _site(self, spot: Spot, leaf: Leaf, rule: Rule, begin: int, end: int, reference: Reference) -> None:
        first, last = self._byte(leaf.start), self._byte(leaf.end)
        text = self.source.body[first:last].decode()
        skip = scalars.skip_properties(text)
        decoded = scalars.decode(text[skip:], leaf.style, leaf.value)
        if decoded is None:
            what = "this value is written in a way whose place in the file cannot be told; write it on one line"
            self.errors.append(ResourceError(what, where=self.source.where(first)))
            return
        self._taken.add(first)
        left, right = decoded.span(begin, end)
        start = first + _size(text, skip + left)
        stop = first + _size(text, skip + right)
        if (start, stop) in self.sites:  # an alias of what was found where its anchor stands
            return
        line, column = self.source.place(start)
        base = self.source.base
        self.sites[start, stop] = Site(
            file=self.source.file,
            document=spot.document,
            path=self._path(spot),
            line=line,
            column=column,
            spans=((base + start, base + stop),),
            value_span=(begin, end),
            text=text[skip + left : skip + right],
            value=leaf.value[begin:end],
            reference=reference,
            kind=rule.kind,
            rule=rule.id,
            confidence=rule.confidence,
            scalar=Scalar(base + first + _size(text, skip), base + last, leaf.style, leaf.flow),
        )

    def _miss(self, spot: Spot, leaf: Leaf, reason: str, text: str | None = None) -> None:
        start = self._byte(leaf.start)
        shown = (leaf.value if text is None else text).encode(errors="backslashreplace").decode()  # lone surrogates
        if (start, shown) not in self.misses:
            line, column = self.source.place(start)
            self.misses[start, shown] = Miss(self.source.file, line, column, self._path(spot), shown, reason)

    def _split_over(self, frame: Frame, value: str) -> list[str]:
        """The keys beside an image that hold what it lacks; for a bare name, also those of the mappings around."""
        lacking: frozenset[str] = frozenset()
        if not _TAGGED.search(value):
            lacking |= rules.TAG_KEYS
        if not _HOSTED.match(value):
            lacking |= rules.REGISTRY_KEYS
        others = lacking.intersection(frame.leaves or ())
        one = frame
        while not others and one.parent is not None and one is not self._object and not re.search("[:@/]", value):
            one = one.parent
            others = rules.SHARED.intersection(one.leaves or ())
        return sorted(others)

    def _byte(self, unit: int) -> int:
        return unit if self.byte_units else self.source.byte_of(unit)

    def _pattern(self, spot: Spot) -> str:
        """The path below the object, with ``[]`` for indexes, as rules are written."""
        return _INDEX.sub("[]", (self._prefix(spot.frame) + _step(spot.key)).lstrip("."))

    def _path(self, spot: Spot) -> str:
        """The path in the document: ``spec.containers[0].image``."""
        return (self._root + self._prefix(spot.frame) + _step(spot.key)).lstrip(".")

    def _prefix(self, frame: Frame) -> str:
        """The keys below the object down to ``frame``; those of its parent are remembered for its neighbours."""
        if frame is self._object or frame.parent is None:
            return ""
        if frame.parent is not self._near[0]:
            self._near = (frame.parent, _climb(frame.parent, self._object))
        return self._near[1] + _step(frame.at)


def _climb(frame: Frame | None, top: Frame | None) -> str:
    steps: list[str] = []
    while frame is not None and frame is not top:
        steps.append(_step(frame.at))
        frame = frame.parent
    return "".join(reversed(steps))


def _step(key: str | int | None) -> str:
    if key is None:
        return ""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _SIMPLE_KEY.fullmatch(key) and key.isprintable() else f"[{key!r}]"


def _elsewhere(pattern: str) -> str | None:
    return next((why for place, why in rules.ELSEWHERE if rules.compile_path(place).fullmatch(pattern)), None)


def _argument(name: str, value: str, begin: int, end: int) -> Iterator[tuple[int, int, Rule]]:
    for rule in rules.ARGUMENTS:
        if not rule.named(name):
            continue
        if rule.shape == rules.TAGGED:  # a list of references, each perhaps with a name of its own before it
            for item in re.finditer(r"[^,]+", value[begin:end]):
                own = item[0].rfind("=") + 1
                if own < len(item[0]):
                    yield begin + item.start() + own, begin + item.end(), rule
            return
        if begin < end and (rule.shape != rules.COMPLETE or complete(value[begin:end])):
            yield begin, end, rule
            return


def _holds_value(found: re.Match[str]) -> bool:
    """``--image=x`` always; ``--image x`` inside a longer text may be prose, unless x is more than a word."""
    return found.string[found.end("name")] == "=" or re.search("[:@/]", found["value"]) is not None


def _unquoted(found: re.Match[str]) -> tuple[int, int]:
    begin, end = found.span("value")
    return (begin + 1, end - 1) if found["value"][0] in "\"'" and end - begin > 1 else (begin, end)


def _size(text: str, characters: int) -> int:
    return len(text[:characters].encode())
