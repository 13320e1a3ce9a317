# SPDX-License-Identifier: Apache-2.0
"""``solve``: the values with which a chart's images are where they are wanted, found by search and proven by helm.

Recipes say which parts of which values make an image; for each image the wanted name is cut at the recipe's
constants. Where several images share a value they are solved together. Each solution is rendered, and what did not
come out as wanted is tried in another way, a few times; what is left is given back by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airgap.errors import ResourceError
from airgap.kube.model import Site
from airgap.kube.render import chart
from airgap.kube.render import trace as provenance
from airgap.kube.render.trace import ImageTemplate, Render, SiteKey, ValueSlice
from airgap.oci import Reference
from airgap.records import Record

_Assignment = dict[ValueSlice, str]
#: How often images that do not come out as wanted are tried in another way, and how many steps one search may have.
_ROUNDS = 6
_STEPS = 20_000
#: How many renderings may fail before a search ends: a chart that takes no change at all would be asked for minutes.
_REFUSALS = 80
_CUTS = 64


class Solved(Record):
    """``values`` hold only what differs; ``content`` is the chart rendered with them, ``left`` the sites in it whose
    image is not the wanted one; ``said`` is what helm said of values that it would not have changed, if anything."""

    values: dict[str, Any]
    content: bytes
    left: tuple[Site, ...]
    said: str


def solve(
    values: Mapping[str, Any], base: bytes, wanted: Mapping[Reference, Reference], render: Render, shown: str
) -> Solved:
    """Look for values with which each image of ``base`` that ``wanted`` knows becomes what it says.

    ``render`` gives the chart with values over its own. Raises ResourceError where a rendering cannot be scanned.
    """
    return _Search(values, base, wanted, render, shown).run()


class _Search:
    def __init__(
        self, values: Mapping[str, Any], base: bytes, wanted: Mapping[Reference, Reference], render: Render, shown: str
    ) -> None:
        self.values, self.base, self.shown = values, base, shown
        self._render, self._seen = render, dict[str, bytes]()
        self._refusals, self._proving = 0, False
        self.sites = provenance.places(base, shown)
        self.goal = {place: wanted.get(site.reference, site.reference) for place, site in self.sites.items()}
        self.said = ""
        self.fixed = self._digests()

    def run(self) -> Solved:
        groups = _groups(self._options())
        tries = [_assignments(group) for group in groups]
        best: list[_Assignment] = [{} for _ in groups]
        fewest = [len(group) for group in groups]
        current = [next(one, None) for one in tries]
        for _ in range(_ROUNDS):
            open_ = [number for number, one in enumerate(current) if one is not None]
            if not open_:
                break
            kept, said = provenance.bisect(open_, lambda some: self._rendered([current[n] or {} for n in some]))
            self.said = said or self.said
            content = self._attempt([current[number] or {} for number in kept])
            wrong = self._wrong(content) if content is not None else set(self.sites)
            for number in open_:
                missing = len(wrong & set(groups[number])) if number in kept else len(groups[number])
                if missing < fewest[number]:
                    best[number], fewest[number] = current[number] or {}, missing
                current[number] = next(tries[number], None) if missing and fewest[number] else None
        return self._proven(best)

    def _proven(self, best: Sequence[_Assignment]) -> Solved:
        self._proving = True
        news = [one for one in best if one]
        content = self._attempt(news)
        if content is None:  # each by itself was borne, all together are not
            news, self.said = provenance.bisect(news, self._rendered)
            content = self._attempt(news)
        if content is None:
            news, content = [], self.base
        wrong = self._wrong(content)
        goals = {*self.goal.values()}
        now = provenance.places(content, self.shown)
        left = [
            site
            for place, site in now.items()
            if place in wrong or (place not in self.goal and site.reference not in goals)
        ]
        return Solved(self._tree(news) if content is not self.base else {}, content, tuple(left), self.said)

    def _tree(self, news: Sequence[_Assignment]) -> dict[str, Any]:
        merged = {part: text for one in news for part, text in one.items()}
        # Where both hold, the name's own change is made in the value whose digest is changed already.
        return chart.overlay(self.values, provenance.changed(self.values, {**self.fixed, **merged}))

    def _rendered(self, news: Sequence[_Assignment]) -> bytes:
        return self.render(self._tree(news))

    def _attempt(self, news: Sequence[_Assignment]) -> bytes | None:
        try:
            return self._rendered(news)
        except ResourceError as error:
            self.said = error.what
            return None

    def _wrong(self, content: bytes) -> set[SiteKey]:
        now = provenance.places(content, self.shown)
        return {
            place for place, goal in self.goal.items() if (site := now.get(place)) is None or site.reference != goal
        }

    def _digests(self) -> _Assignment:
        """A digest that another stands for is replaced wherever it is a value's text: no two things share one."""
        news = {
            site.reference.digest: goal.digest
            for site, goal in ((self.sites[place], goal) for place, goal in self.goal.items())
            if site.reference.digest and goal.digest != site.reference.digest
        }
        found = {}
        for path, value in chart.leaves(self.values):
            for old, new in news.items():
                for text, replacement in ((old, new), (old.partition(":")[2], new.partition(":")[2])):
                    start = value.find(text)
                    if start >= 0:
                        found[ValueSlice(path, start, start + len(text), text)] = replacement
                        break
        return found

    def render(self, tree: Mapping[str, Any]) -> bytes:
        """Each tree once: halving and proving ask for the same ones again."""
        key = chart.dump(tree)
        if key not in self._seen:
            if self._refusals >= _REFUSALS and not self._proving:
                raise ResourceError(self.said)
            try:
                self._seen[key] = self._render(tree)
            except ResourceError as error:
                self._refusals += 1
                self.said = error.what
                raise
        return self._seen[key]

    # From images to what their values could be.

    def _options(self) -> dict[SiteKey, list[_Assignment]]:
        """For each image to move, the ways to move it, best first. More values are asked while some have none."""
        moving = {place for place, goal in self.goal.items() if self.sites[place].reference != goal}
        names = [provenance.split(self.sites[place].value)[0] for place in moving]
        options: dict[SiteKey, list[_Assignment]] = {}
        known: list[ValueSlice] = []
        for kind in ("image keys", "any key", "unset"):
            if moving <= options.keys():
                break
            more = provenance.candidates(self.values, names, any_key=kind == "any key")
            if kind == "unset":
                more += provenance.unset(self.values)
            found = self._asked(known, [part for part in more if part not in known], moving)
            gained = found.keys() - options.keys()
            # Only what helps is marked from here on, and what else it is a part of is asked anew with it.
            helping = {part for place in gained for part in found[place][0]}
            if gained:
                known += [part for part in more if part in helping and part not in known]
                options.update(self._asked(known, [], moving))
        return options

    def _asked(
        self, known: Sequence[ValueSlice], new: Sequence[ValueSlice], moving: set[SiteKey]
    ) -> dict[SiteKey, list[_Assignment]]:
        """The ways to move each image that show when ``known`` and as many of ``new`` as the chart bears are marked."""
        try:
            good, said = provenance.bisect(new, lambda some: self._trace([*known, *some])) if new else ([], "")
            recipes = self._trace([*known, *good])
        except ResourceError as error:
            good, said, recipes = [], error.what, {}
        self.said = said or self.said
        ways = {place: self._ways(place, recipe) for place, recipe in recipes.items() if place in moving}
        return {place: some for place, some in ways.items() if some}

    def _trace(self, parts: Sequence[ValueSlice]) -> dict[SiteKey, ImageTemplate]:
        return provenance.trace(self.values, parts, self.render, self.shown)

    def _ways(self, place: SiteKey, recipe: ImageTemplate) -> list[_Assignment]:
        site, goal = self.sites[place], self.goal[place]
        text = goal.name + provenance.split(site.value)[1]  # what becomes of its digest is decided already
        first, last = recipe.constants[0], recipe.constants[-1]
        if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
            return []
        middle = text[len(first) : len(text) - len(last)]
        ways: list[_Assignment] = []
        for cut in _cuts(middle, recipe.constants[1:-1]):
            way: _Assignment = {}
            if all(way.setdefault(part, piece) == piece for part, piece in zip(recipe.parts, cut, strict=True)):
                ways.append(way)
            if len(ways) == _CUTS:
                break
        return sorted(ways, key=lambda way: _rank(way, recipe))


def _rank(way: _Assignment, recipe: ImageTemplate) -> int:
    """A part that was a host becomes the target's host, as the first cut has it; where it was host and path, what
    stands behind it is kept if it can be."""
    if "/" not in recipe.parts[0].text or len(recipe.parts) == 1:
        return 0
    return sum(part.text != text for part, text in way.items())


def _cuts(text: str, constants: Sequence[str]) -> Iterator[list[str]]:
    """Every way to read ``text`` as non-empty pieces with ``constants`` between them."""
    if not constants:
        if text:
            yield [text]
        return
    sign = constants[0]
    at = text.find(sign, 1) if sign else -1
    while at > 0:
        for rest in _cuts(text[at + len(sign) :], constants[1:]):
            yield [text[:at], *rest]
        at = text.find(sign, at + 1)


def _groups(options: Mapping[SiteKey, list[_Assignment]]) -> list[dict[SiteKey, list[_Assignment]]]:
    """Images that share parts of values, directly or through others."""
    owner: dict[ValueSlice, int] = {}
    groups: dict[int, dict[SiteKey, list[_Assignment]]] = {}
    for number, (place, ways) in enumerate(options.items()):
        touched = {owner[part] for part in ways[0] if part in owner}
        merged = {place: ways}
        for one in touched:
            merged.update(groups.pop(one))
        groups[number] = merged
        for part in {part for some in merged.values() for part in some[0]}:
            owner[part] = number
    return list(groups.values())


def _assignments(group: Mapping[SiteKey, list[_Assignment]]) -> Iterator[_Assignment]:
    """Values with which all images of a group come out; where there are none, with which all but some do."""
    wanted = sorted(group.values(), key=len)
    while wanted:
        found = False
        for one in _consistent(wanted):
            found = True
            yield one
        if found:
            return
        wanted = wanted[1:]


def _consistent(wanted: Sequence[list[_Assignment]]) -> Iterator[_Assignment]:
    """Depth first without recursion: a way for each image, no part with two texts."""
    stack: list[tuple[int, _Assignment]] = [(0, {})]
    steps = 0
    while stack and steps < _STEPS:
        steps += 1
        depth, chosen = stack.pop()
        if depth == len(wanted):
            yield chosen
            continue
        stack += [
            (depth + 1, {**chosen, **way})
            for way in reversed(wanted[depth])
            if all(chosen.get(part, text) == text for part, text in way.items())
        ]
