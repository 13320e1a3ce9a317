# SPDX-License-Identifier: Apache-2.0
"""Find the values with which a chart's images are at the target, and verify them by rendering.

An image template (:mod:`airgap.kube.render.trace`) tells which slices of values an image consists of. For each image
the target name is cut at the template's constants. Images that share a slice form a group and are solved together. A
solution is rendered, and groups whose images are not at the target get another one, for a few rounds. Images that
could not be moved are returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airgap.errors import ResourceError
from airgap.kube.model import Site
from airgap.kube.render import chart, trace
from airgap.kube.render.trace import ImageTemplate, Render, SiteKey, ValueSlice
from airgap.oci import Reference
from airgap.records import Record

_Assignment = dict[ValueSlice, str]
"""A new text for each slice."""
_Options = dict[SiteKey, list[_Assignment]]
"""The ways to move each image, best first."""
#: How many solutions each group gets, and how many steps the search for a solution may take.
_ROUNDS = 6
_STEPS = 20_000
#: How many renderings may fail while values are traced, and again while solutions are tried. A chart that refuses all
#: changed values would otherwise take minutes.
_REFUSALS = 80
_CUTS = 64


class Solved(Record):
    """A solution.

    ``values`` are those that differ from the chart's, ``content`` is the chart rendered with them, ``unmoved`` are its
    sites whose image is not at the target, and ``helm_message`` is helm's last reason to refuse other values, or "".
    """

    values: dict[str, Any]
    content: bytes
    unmoved: tuple[Site, ...]
    helm_message: str


def solve(
    values: Mapping[str, Any], base: bytes, targets: Mapping[Reference, Reference], render: Render, label: str
) -> Solved:
    """Find values with which each image of ``base``, the chart's rendering, becomes its target.

    ``values`` are the chart's computed values. ``render`` renders the chart with further values. ``label`` is the name
    of a rendering in messages. Raises ResourceError if a rendering cannot be scanned.
    """
    return _Search(values, base, targets, render, label).run()


class _Search:
    def __init__(
        self, values: Mapping[str, Any], base: bytes, targets: Mapping[Reference, Reference], render: Render, label: str
    ) -> None:
        self.values, self.base, self.label = values, base, label
        self._render, self._renderings = render, dict[str, bytes]()
        self._refusals, self._is_final = 0, False
        self.sites = trace.sites_by_key(base, label)
        self.targets = {key: targets.get(site.reference, site.reference) for key, site in self.sites.items()}
        self.helm_message = ""
        self.digest_changes = self._digest_changes()

    def run(self) -> Solved:
        """Try several solutions of each group and return the best ones together."""
        groups = _groups(self._options())
        self._refusals = 0  # values that the chart does not have may all have been refused
        solutions = [_solutions(group) for group in groups]
        best: list[_Assignment] = [{} for _ in groups]
        fewest_missing = [len(group) for group in groups]
        current = {number: next(solutions[number], None) for number in range(len(groups))}
        for _ in range(_ROUNDS):
            tried = {number: assignment for number, assignment in current.items() if assignment is not None}
            if not tried:
                break
            accepted = self._accepted_groups(tried)
            content = self._try_render([tried[number] for number in accepted])
            wrong_keys = self._wrong_keys(content) if content is not None else set(self.sites)
            for number, assignment in tried.items():
                group_keys = set(groups[number])
                missing = len(wrong_keys & group_keys) if number in accepted else len(group_keys)
                if missing < fewest_missing[number]:
                    best[number], fewest_missing[number] = assignment, missing
                is_done = missing == 0 or fewest_missing[number] == 0
                current[number] = None if is_done else next(solutions[number], None)
        return self._result(best)

    def _accepted_groups(self, assignments: Mapping[int, _Assignment]) -> list[int]:
        """The numbers of the groups whose assignments helm accepts."""

        def render_groups(numbers: Sequence[int]) -> bytes:
            return self._render_with([assignments[number] for number in numbers])

        accepted, message = trace.bisect(list(assignments), render_groups)
        self.helm_message = message or self.helm_message
        return accepted

    def _result(self, best: Sequence[_Assignment]) -> Solved:
        self._is_final = True
        assignments = [assignment for assignment in best if assignment]
        content = self._try_render(assignments)
        if content is None:  # helm accepts each one alone, but not all together
            assignments, self.helm_message = trace.bisect(assignments, self._render_with)
            content = self._try_render(assignments)
        if content is None:
            assignments, content = [], self.base
        wrong_keys = self._wrong_keys(content)
        all_targets = {*self.targets.values()}
        unmoved = [
            site
            for key, site in trace.sites_by_key(content, self.label).items()
            if key in wrong_keys or (key not in self.targets and site.reference not in all_targets)
        ]
        values = self._values_with(assignments) if content is not self.base else {}
        return Solved(values, content, tuple(unmoved), self.helm_message)

    def _values_with(self, assignments: Sequence[_Assignment]) -> dict[str, Any]:
        merged = {value_slice: text for assignment in assignments for value_slice, text in assignment.items()}
        # A value may hold both a name and a digest: the digest's change and the name's are made in the same text.
        changes = trace.changed_values(self.values, {**self.digest_changes, **merged})
        return chart.overlay(self.values, changes)

    def _render_with(self, assignments: Sequence[_Assignment]) -> bytes:
        return self.render(self._values_with(assignments))

    def _try_render(self, assignments: Sequence[_Assignment]) -> bytes | None:
        try:
            return self._render_with(assignments)
        except ResourceError as error:
            self.helm_message = error.what
            return None

    def _wrong_keys(self, content: bytes) -> set[SiteKey]:
        """The images that are missing in ``content`` or not at their targets."""
        sites = trace.sites_by_key(content, self.label)
        return {
            key
            for key, target in self.targets.items()
            if (site := sites.get(key)) is None
            or site.reference != target
            or not trace.keeps_parts(self.sites[key], site)
        }

    def _digest_changes(self) -> _Assignment:
        """The changes of digests that differ at the target. They need no search, because a digest is unique."""
        references = [(self.sites[key].reference, target) for key, target in self.targets.items()]
        new_digests = {
            reference.digest: target.digest
            for reference, target in references
            if reference.digest and target.digest != reference.digest
        }
        changes: _Assignment = {}
        for path, value in chart.text_values(self.values):
            for old, new in new_digests.items():
                for text, replacement in ((old, new), (old.partition(":")[2], new.partition(":")[2])):
                    start = value.find(text)
                    if start >= 0:
                        changes[ValueSlice(path, start, start + len(text), text)] = replacement
                        break
        return changes

    def render(self, values: Mapping[str, Any]) -> bytes:
        """Render the chart with ``values``. Renderings are cached, because a search asks for some of them twice."""
        cache_key = chart.dump(values)
        if cache_key not in self._renderings:
            if self._refusals >= _REFUSALS and not self._is_final:
                raise ResourceError(self.helm_message)
            try:
                self._renderings[cache_key] = self._render(values)
            except ResourceError as error:
                self._refusals += 1
                self.helm_message = error.what
                raise
        return self._renderings[cache_key]

    def _options(self) -> _Options:
        """The options of each image to move. More values are traced as long as an image has none."""
        moved = {key for key, target in self.targets.items() if self.sites[key].reference != target}
        names = [self._written_name(key)[0] for key in moved]
        options: _Options = {}
        known: list[ValueSlice] = []
        for kind in ("image keys", "any key", "unset", "templates"):
            if moved <= options.keys():
                break
            candidates = trace.name_slices(self.values, names, any_key=kind == "any key")
            if kind == "unset":
                candidates += trace.unset_slices(self.values)
            elif kind == "templates":
                candidates += trace.template_slices(self.values)
            new = [candidate for candidate in candidates if candidate not in known]
            new_options = self._options_with(known, new, moved)
            gained = new_options.keys() - options.keys()
            if gained:
                # From now on only slices of the gained images are marked, and all images are traced with them again.
                helpful = {value_slice for key in gained for value_slice in new_options[key][0]}
                known += [value_slice for value_slice in new if value_slice in helpful]
                options.update(self._options_with(known, [], moved))
        return options

    def _options_with(self, known: Sequence[ValueSlice], new: Sequence[ValueSlice], moved: set[SiteKey]) -> _Options:
        """The options that appear when ``known`` and those of ``new`` that helm accepts are marked."""

        def trace_with(slices: Sequence[ValueSlice]) -> dict[SiteKey, ImageTemplate]:
            return trace.trace_images(self.values, [*known, *slices], self.render, self.label)

        message = ""
        templates: dict[SiteKey, ImageTemplate] = {}
        try:
            accepted: Sequence[ValueSlice] = []
            if new:
                accepted, message = trace.bisect(new, trace_with)
            templates = trace_with(accepted)
        except ResourceError as error:
            message = error.what
        self.helm_message = message or self.helm_message
        options = {key: self._ways(key, template) for key, template in templates.items() if key in moved}
        return {key: ways for key, ways in options.items() if ways}

    def _written_name(self, key: SiteKey) -> tuple[str, str]:
        """The image's name, and its tag and digest, as the chart writes them."""
        return trace.split_name(trace.written_reference(self.sites[key]))

    def _ways(self, key: SiteKey, template: ImageTemplate) -> list[_Assignment]:
        """The assignments with which ``template`` makes the image's target, best first."""
        # The tag and digest stay: a changed digest is one of the digest changes.
        text = self.targets[key].name + self._written_name(key)[1]
        first, last = template.constants[0], template.constants[-1]
        if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
            return []
        middle = text[len(first) : len(text) - len(last)]
        ways: list[_Assignment] = []
        for cut in _cuts(middle, template.constants[1:-1]):
            way: _Assignment = {}
            # A slice may occur more than once in a template; it must then get the same text each time.
            if all(way.setdefault(part, text) == text for part, text in zip(template.slices, cut, strict=True)):
                ways.append(way)
            if len(ways) == _CUTS:
                break
        return sorted(ways, key=lambda way: _rank(way, template))


def _rank(way: _Assignment, template: ImageTemplate) -> int:
    """Sort key of a way: 0 keeps the order of cuts, in which a host first becomes the target's host.

    If the first slice was host and path, the ways that change the fewest slices come first.
    """
    if "/" not in template.slices[0].text or len(template.slices) == 1:
        return 0
    return sum(value_slice.text != text for value_slice, text in way.items())


def _cuts(text: str, constants: Sequence[str]) -> Iterator[list[str]]:
    """Yield every way to divide ``text`` into non-empty pieces with ``constants`` between them."""
    if not constants:
        if text:
            yield [text]
        return
    constant = constants[0]
    position = text.find(constant, 1) if constant else -1
    while position > 0:
        for rest in _cuts(text[position + len(constant) :], constants[1:]):
            yield [text[:position], *rest]
        position = text.find(constant, position + 1)


def _groups(options: _Options) -> list[_Options]:
    """The images that share slices, directly or through other images."""
    group_of_slice: dict[ValueSlice, int] = {}
    groups: dict[int, _Options] = {}
    for number, (key, ways) in enumerate(options.items()):
        touched = {group_of_slice[value_slice] for value_slice in ways[0] if value_slice in group_of_slice}
        merged = {key: ways}
        for touched_number in touched:
            merged.update(groups.pop(touched_number))
        groups[number] = merged
        for value_slice in {value_slice for group_ways in merged.values() for value_slice in group_ways[0]}:
            group_of_slice[value_slice] = number
    return list(groups.values())


def _solutions(group: _Options) -> Iterator[_Assignment]:
    """Yield assignments that move all images of a group or, if there are none, as many as possible."""
    options = sorted(group.values(), key=len)
    while options:
        has_solution = False
        for assignment in _consistent(options):
            has_solution = True
            yield assignment
        if has_solution:
            return
        options = options[1:]


def _consistent(options: Sequence[list[_Assignment]]) -> Iterator[_Assignment]:
    """Yield combinations of one way for each image in which each slice has one text. Depth first, no recursion."""
    stack: list[tuple[int, _Assignment]] = [(0, {})]
    steps = 0
    while stack and steps < _STEPS:
        steps += 1
        depth, chosen = stack.pop()
        if depth == len(options):
            yield chosen
            continue
        stack += [
            (depth + 1, {**chosen, **way})
            for way in reversed(options[depth])
            if all(chosen.get(value_slice, text) == text for value_slice, text in way.items())
        ]
