# SPDX-License-Identifier: Apache-2.0
"""Finds every regular expression of the package, and measures it.

``python -m tests.parts.patterns PACKAGE`` prints a JSON line for each pattern, and another one with ``slow`` for each
that takes more than linear time. Of the phrases of ``airgap explain`` it takes one of each shape, with
``--all-phrases`` every one.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import json
import pkgutil
import re
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.parts.attacks import Attack, Pattern, attacks

#: The functions of ``re`` and of patterns that read a text.
_READING = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
_WHOLE = 100_000
#: A linear pattern takes a few milliseconds for the largest input, a quadratic one ten seconds or more.
_SIZES = (400, 1_500, 6_000, 25_000, _WHOLE)
#: Repetitions that show exponential time before it becomes too long to wait for.
_COUNTS = (16, 24, 40)
_SCREENED = 5
_SUSPICIOUS, _RATIO, _STEP = 0.1, 8.0, 0.01
_CPU_SECONDS = 240
ALL_PHRASES = "--all-phrases"
#: Words in a row, in a pattern that airgap/explain/model.py makes of a phrase.
_WORDS = re.compile(r"[A-Za-z0-9]+(?:\[\\W_\]\+[A-Za-z0-9]+)*")


@dataclass(frozen=True)
class Unknown:
    """A call whose pattern is only known when the program runs; ``source`` is its argument."""

    module: str
    source: str


def modules(package: str = "airgap") -> list[ModuleType]:
    """Every module of the package."""
    top = importlib.import_module(package)
    names = [info.name for info in pkgutil.walk_packages(top.__path__, f"{package}.")]
    return [top, *(importlib.import_module(name) for name in names if not name.endswith("__main__"))]


def collect(found: Sequence[ModuleType]) -> tuple[list[Pattern], list[Unknown]]:
    """The patterns of these modules: those of calls of ``re``, and every compiled one that a module holds."""
    patterns: dict[tuple[str | bytes, int], Pattern] = {}
    unknown: list[Unknown] = []
    trees = {module: ast.parse(Path(str(module.__file__)).read_text("utf-8")) for module in found}
    uses = _uses(trees)

    def add(where: str, pattern: re.Pattern[Any], how: Iterable[str]) -> None:
        key = (pattern.pattern, pattern.flags)
        earlier = patterns.get(key)
        every = frozenset(how) | (earlier.how if earlier else frozenset())
        patterns[key] = Pattern(earlier.where if earlier else where, pattern.pattern, pattern.flags, every)

    for module, tree in trees.items():
        nodes = list(ast.walk(tree))
        at_once = {id(node.value): node.attr for node in nodes if isinstance(node, ast.Attribute)}
        for node in nodes:
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            owner, function = node.func.value, node.func.attr
            if not (isinstance(owner, ast.Name) and owner.id == "re" and function in _READING | {"compile"}):
                continue
            where = f"{module.__name__}:{node.lineno}"
            try:
                text = _evaluated(node.args[0], module)
                compiled = re.compile(text, _flags(node, module))
            except (NameError, TypeError):
                unknown.append(Unknown(module.__name__, ast.unparse(node.args[0])))
                continue
            add(where, compiled, {function, at_once.get(id(node), "")} & _READING)
        for name, value in vars(module).items():
            for compiled in _compiled(value):
                how = uses.get((module.__name__, name), set())
                if not isinstance(value, re.Pattern):  # a collection: whatever the module reads texts by
                    how = uses.get((module.__name__, ""), set()) - {"split"}
                add(f"{module.__name__}.{name}", compiled, how)
    whole = [p if p.how else Pattern(p.where, p.text, p.flags, frozenset({"search"})) for p in patterns.values()]
    return whole, unknown


def _uses(trees: dict[ModuleType, ast.Module]) -> dict[tuple[str, str], set[str]]:
    """The functions that each module's name is read by, there or where it is imported; under ``""`` those of all the
    names that are no module's own."""
    uses: dict[tuple[str, str], set[str]] = {}
    for module, tree in trees.items():
        origins = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in _READING and isinstance(node.value, ast.Name):
                name = node.value.id
                own = isinstance(vars(module).get(name), re.Pattern)
                place = origins.get(name, (module.__name__, name)) if own else (module.__name__, "")
                if name != "re":
                    uses.setdefault(place, set()).add(node.attr)
    return uses


def _evaluated(node: ast.expr, module: ModuleType) -> Any:
    """What an expression is with nothing but the module's own names."""
    return eval(compile(ast.Expression(node), module.__name__, "eval"), dict(vars(module)))


def _flags(node: ast.Call, module: ModuleType) -> int:
    """The flags of a call: keyword, or the second argument of ``compile``, else the last."""
    given = [keyword.value for keyword in node.keywords if keyword.arg == "flags"]
    position = {"compile": 1, "match": 2, "fullmatch": 2, "search": 2, "findall": 2, "finditer": 2}
    assert isinstance(node.func, ast.Attribute)
    at = position.get(node.func.attr, 99)
    given += node.args[at : at + 1]
    return int(_evaluated(given[0], module)) if given else 0


def _compiled(value: object, depth: int = 2) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, (tuple, list, set, frozenset)):
        for item in value:
            yield from _compiled(item, depth - 1)
    elif depth and isinstance(value, dict):
        yield from _compiled(tuple(value.values()), depth)


def seconds(
    pattern: Pattern, function: str, text: str | bytes, clock: Callable[[], float] = time.process_time
) -> float:
    """The time for one reading, in processor time unless another clock is given."""
    compiled: re.Pattern[Any] = re.compile(pattern.text, pattern.flags)
    read: Callable[[], object] = {
        "sub": lambda: compiled.sub(text[:0], text),
        "subn": lambda: compiled.subn(text[:0], text),
        "finditer": lambda: sum(1 for _ in compiled.finditer(text)),
    }.get(function) or (lambda: getattr(compiled, function)(text))
    begin = clock()
    read()
    return clock() - begin


def slowest(pattern: Pattern, found: Sequence[Attack]) -> tuple[str, int, float] | None:
    """What takes more than linear time: how the input begins, its size, and the seconds; else ``None``."""
    for function, attack in itertools.product(sorted(pattern.how), found):
        for count in _COUNTS:
            taken = seconds(pattern, function, attack.times(count))
            if taken > _SUSPICIOUS and (taken := seconds(pattern, function, attack.times(count))) > _SUSPICIOUS:
                return f"{function} {attack.times(count)!r}", len(attack.times(count)), taken
    for function in sorted(pattern.how):
        # Processor time comes in steps of 10 ms on some systems; the shorter of two short readings is enough to
        # say which inputs take longest.
        screened = [
            min(seconds(pattern, function, attack.of(_SIZES[0]), time.perf_counter) for _ in range(2))
            for attack in found
        ]
        for at in sorted(range(len(found)), key=lambda at: screened[at])[-_SCREENED:]:
            before = 0.0
            for size in _SIZES:
                text = found[at].of(size)
                taken = seconds(pattern, function, text)
                # Other programs make a reading longer, by the caches that they empty; what is slow is slow each time.
                limit = max(_SUSPICIOUS, _RATIO * max(before, _STEP))
                if (
                    taken > limit
                    and (taken := min(taken, *(seconds(pattern, function, text) for _ in range(2)))) > limit
                ):
                    return f"{function} {found[at].of(60)!r}", size, taken
                before = taken
    return None


def one_of_each_shape(phrases: Iterable[re.Pattern[str]]) -> list[re.Pattern[str]]:
    """The longest of the patterns that differ in their words alone: a phrase repeats what is between words, and all are
    made by one function."""
    longest: dict[str, re.Pattern[str]] = {}
    for phrase in sorted(phrases, key=lambda phrase: len(phrase.pattern)):
        longest[_WORDS.sub("words", phrase.pattern)] = phrase
    return list(longest.values())


def computed(*, all_phrases: bool = False) -> dict[Unknown, list[Pattern]]:
    """The patterns that are put together when the program runs, with values as they occur there; of the phrases of
    ``airgap explain`` one of each shape, unless all are wanted."""
    from airgap.explain.messages import known_messages
    from airgap.kube.detect import rules
    from airgap.kube.detect.rule import Rule, compile_path
    from airgap.registry.http import masking
    from airgap.server import app
    from airgap.targets.nexus import refusals

    def of(module: str, source: str, patterns: Iterable[re.Pattern[Any] | str], how: str) -> None:
        compiled = [re.compile(pattern) for pattern in patterns]
        made[Unknown(module, source)] = [Pattern(module, p.pattern, p.flags, frozenset({how})) for p in compiled]

    made: dict[Unknown, list[Pattern]] = {}
    messages = known_messages()
    phrases = [pattern for message in messages for _, pattern in message.patterns[: len(message.phrases)]]
    phrases = phrases if all_phrases else one_of_each_shape(phrases)
    of("airgap.explain.model", "f'(?<![^\\\\W_]){pattern}(?![^\\\\W_])'", phrases, "finditer")
    expressions = [expression for message in messages for expression in message.expressions]
    of("airgap.explain.model", "expression", expressions, "finditer")
    # Written by the user of `airgap migrate`, and read for names of repositories and tags only.
    of("airgap.flows.migrate.tag_filter", "expression", [], "fullmatch")
    name = "f'(?<![\\\\w./-]){re.escape(name)}(?![\\\\w./-])'"
    of("airgap.kube.render.trace", name, [r"(?<![\w./-])aa\.b/a(?![\w./-])"], "finditer")
    known = [rule for rule in _items(vars(rules).values()) if isinstance(rule, Rule)]
    places = (
        [rule.path for rule in known] + [place for place, _ in rules.NEVER_PULLED] + ["**.a.**.b[].*.**.c.**.{d,e}"]
    )
    of("airgap.kube.detect.rule", "text", map(compile_path, places), "fullmatch")
    of("airgap.kube.detect.rule", "self.name", [rule.name for rule in known], "fullmatch")
    secrets = masking.Secrets()
    for secret in ("a", "aaaaaaab", "a+b/c=&<ä", "x" * 500):
        secrets.add(secret)
    masks = "b'|'.join(map(_expression, sorted(forms, key=len, reverse=True)))"
    of("airgap.registry.http.masking", masks, [vars(secrets)["_pattern"]], "sub")
    of("airgap.server.app", "pattern", [pattern for pattern, _ in vars(app)["_ROUTES"]], "fullmatch")
    overrides = [re.escape(text).replace(r"\*", "([^/]+(?:/[^/]+)*)") for text in ("*", "a.b/*", "*/a", "a*b/c")]
    of("airgap.targets.mapping", "re.escape(pattern).replace('\\\\*', '([^/]+(?:/[^/]+)*)')", overrides, "fullmatch")
    # Expressions of a node's registries.yaml, which are refused where they repeat too much.
    of("airgap.prove.runtimes.k3s", "pattern", [], "sub")
    names = [r'<add\s+key="a"[^<>]*/>', r"<mirror>\s*<id>\s*a\s*</id>(?:(?!</?mirror>).)*</mirror>"]
    of("airgap.artifacts.xml_text", "known", [re.compile(name, re.DOTALL) for name in names], "search")
    for ending in ("", "/"):
        of("airgap.artifacts.xml_text", f"f'<{{section}}\\\\s*{ending}>'", [rf"<mirrors\s*{ending}>"], "search")
    rules_of_images = [
        re.escape(text).replace(r"\*", wildcard)
        for text in ("*", "a.b/*", "a*b/c")
        for wildcard in (".*", "[^/]+(?:/[^/]+)*")
    ]
    of("airgap.trust.image_rules", "re.escape(pattern).replace('\\\\*', wildcard)", rules_of_images, "fullmatch")
    refused = [refusal.pattern for refusal in refusals.REFUSALS]
    of("airgap.targets.nexus.refusals", "refusal.pattern", refused, "search")
    return made


def _items(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        yield from value if isinstance(value, (tuple, list)) else [value]


def main(*arguments: str) -> None:
    """Measure all; a run that hangs is ended by the kernel, and its last line says at which pattern."""
    packages = [argument for argument in arguments if argument != ALL_PHRASES]
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    sys.path[:0] = [str(Path(package).parent) for package in packages]
    patterns, _ = collect([module for package in packages for module in modules(Path(package).name)])
    if any(Path(package).name == "airgap" for package in packages):
        patterns += [
            pattern for several in computed(all_phrases=ALL_PHRASES in arguments).values() for pattern in several
        ]
    for pattern in patterns:
        print(json.dumps({"where": pattern.where, "pattern": str(pattern.text)}), flush=True)
        if found := slowest(pattern, attacks(pattern)):
            print(json.dumps({"where": pattern.where, "pattern": str(pattern.text), "slow": found}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
