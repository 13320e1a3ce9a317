# SPDX-License-Identifier: Apache-2.0
"""Finds every regular expression of the package, and inputs on which it is slow.

``python -m tests.parts.patterns`` measures them all and prints one JSON line for each that takes more than linear time.
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

if sys.version_info >= (3, 11):
    from re import _constants as codes
    from re import _parser as parser
else:
    import sre_constants as codes
    import sre_parse as parser

#: The functions of ``re`` and of patterns that read a text.
_READING = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
_WHOLE = 100_000
#: A linear pattern takes a few milliseconds for the largest input, a quadratic one ten seconds or more.
_SIZES = (400, 1_500, 6_000, 25_000, _WHOLE)
#: Repetitions that show exponential time before it becomes too long to wait for.
_COUNTS = (16, 24, 40)
_SCREENED = 5
_SUSPICIOUS, _RATIO, _STEP = 0.1, 8.0, 0.01
#: Inputs that were slow once: what leads there, what is repeated, what follows.
_KNOWN = (
    ("", "<", ""),
    ("<a>", '""', '"'),
    ("", "/", "\n"),
    ("x: ", "/a", " "),
    ("{{- ", "\t", "x"),
    ("{{ if ", "( ", "x"),
    ("0", "0", "x"),
    ("[ a", " ", "x"),
    ("a = b", " ", "x"),
    ("- a", "\t", "x"),
    ("", "{", ""),
    ("", ":", "/"),
    ("", "HTTP request ", ""),
    ("", "a.", "!"),
    ("", "labels.", "\n"),
    ('Basic realm="', "\\a", ""),
)
_POOL = "aAfnz09.-_/:=@,;#+*!~ \t\n\r\"'\\{}[]()<>|$%&?é\x00\x85"
_CPU_SECONDS = 240


@dataclass(frozen=True)
class Pattern:
    """``where`` is ``module:line``; ``how`` are the functions that it is read by."""

    where: str
    text: str | bytes
    flags: int
    how: frozenset[str]


@dataclass(frozen=True)
class Unknown:
    """A call whose pattern is only known when the program runs; ``source`` is its argument."""

    module: str
    source: str


@dataclass(frozen=True)
class Attack:
    """Inputs of any size: ``pump`` repeated between the other two."""

    prefix: str
    pump: str
    tail: str
    as_bytes: bool

    def times(self, count: int) -> str | bytes:
        """With ``count`` repetitions."""
        made = self.prefix + self.pump * count + self.tail
        return made.encode("latin-1") if self.as_bytes else made

    def of(self, size: int) -> str | bytes:
        """Of about ``size`` characters."""
        return self.times(size // len(self.pump))


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


def attacks(pattern: Pattern) -> list[Attack]:
    """Inputs that may be slow: before each repetition what leads there, then what it repeats, then what it
    cannot end with."""
    text, flags = pattern.text, pattern.flags
    tree = parser.parse(text, flags)  # type: ignore[arg-type] # bytes too, in spite of the stub
    pool = _pool(tree, flags, limit=256 if isinstance(text, bytes) else sys.maxunicode)
    parts: set[tuple[str, str]] = {("", sign) for sign in pool}
    for prefix, pumps in _repetitions(tree, "", pool, flags):
        for pump in pumps:
            parts |= {(prefix, pump), ("", prefix + pump)}
        parts |= {("", prefix)} if prefix else set()
    tails = dict.fromkeys(["", "\n", *pool[-3:]])
    whole = [(prefix, pump, tail) for (prefix, pump), tail in itertools.product(sorted(parts), tails)]
    return [Attack(*parts, isinstance(text, bytes)) for parts in (*whole, *_KNOWN)]


def _pool(tree: Any, flags: int, *, limit: int) -> str:
    """One character of each kind that the pattern tells apart."""
    classes = list(_classes(tree))
    kinds: dict[tuple[bool, ...], str] = {}
    for sign in dict.fromkeys([*(chr(argument) for code, argument in classes if code is codes.LITERAL), *_POOL]):
        if ord(sign) < limit:
            kinds.setdefault(tuple(sign in _signs(*item, sign, flags) for item in classes), sign)
    return "".join(kinds.values())


def _classes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every node that takes one character."""
    for code, argument in tree:
        if code in (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY):
            yield code, argument
        for inner in _inner(code, argument):
            yield from _classes(inner)


def _inner(code: Any, argument: Any) -> list[Any]:
    """The sequences inside a node."""
    if code is codes.BRANCH:
        return list(argument[1])
    if code is codes.SUBPATTERN:
        return [argument[3]]
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT) or code is getattr(codes, "POSSESSIVE_REPEAT", None):
        return [argument[2]]
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        return [argument[1]]
    if code is getattr(codes, "ATOMIC_GROUP", None):
        return [argument]
    return []


def _repetitions(tree: Any, before: str, pool: str, flags: int) -> Iterator[tuple[str, list[str]]]:
    """Each repetition: a text that leads to it, and texts that it takes."""
    prefix = before
    for code, argument in tree:
        repeat = code in (codes.MAX_REPEAT, codes.MIN_REPEAT) or code is getattr(codes, "POSSESSIVE_REPEAT", None)
        if repeat and argument[1] > 20:
            pumps = [pump for pump in dict.fromkeys(_samples(argument[2], pool, flags)) if pump]
            yield prefix, pumps
            # What the body takes twice, once in each of two ways.
            yield prefix, ["".join(pair) for pair in itertools.combinations(pumps[:6], 2)]
        for inner in _inner(code, argument):
            yield from _repetitions(inner, prefix, pool, flags)
        prefix += next(iter(_samples([(code, argument)], pool, flags)), "")


def _samples(tree: Any, pool: str, flags: int) -> list[str]:
    """Some texts that a sequence matches, the lookarounds aside; empty where it needs something unusual."""
    texts = [""]
    for code, argument in tree:
        if code in (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY):
            choices = _signs(code, argument, pool, flags)
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT) or code is getattr(codes, "POSSESSIVE_REPEAT", None):
            low, high, body = argument
            least = _samples(body, pool, flags)
            choices = [text * max(low, 1) for text in least] + ([""] if low == 0 else [])
            del high
        elif code is codes.BRANCH or code is codes.SUBPATTERN or code is getattr(codes, "ATOMIC_GROUP", None):
            choices = [text for inner in _inner(code, argument) for text in _samples(inner, pool, flags)]
        else:
            choices = [""]  # a position, a lookaround or a reference back
        # Every choice once, beside the first of the others.
        texts = [texts[0] + choice for choice in choices] + [text + choices[0] for text in texts[1:]] if choices else []
        if not texts:
            return []
    return texts


def _signs(code: Any, argument: Any, pool: str, flags: int) -> list[str]:
    """The characters of the pool that one position takes; a literal whatever the pool holds."""
    if code is codes.LITERAL and chr(argument) not in pool and len(pool) > 1:
        return [chr(argument)]
    return [sign for sign in pool if _takes(code, argument, sign, flags)]


def _takes(code: Any, argument: Any, sign: str, flags: int) -> bool:
    """Whether one position takes a character. The tree is read by hand, since ``re`` compiles texts only."""
    signs = [ord(one) for one in {sign, sign.swapcase()} if len(one) == 1] if flags & re.IGNORECASE else [ord(sign)]
    if code is codes.ANY:
        return bool(flags & re.DOTALL) or sign != "\n"
    if code is codes.LITERAL:
        return argument in signs
    if code is codes.NOT_LITERAL:
        return argument not in signs
    if code is codes.RANGE:
        return any(argument[0] <= one <= argument[1] for one in signs)
    if code is codes.CATEGORY:
        name = str(argument)
        inside = {"DIGIT": sign.isdecimal(), "SPACE": sign.isspace(), "WORD": sign.isalnum() or sign == "_"}
        return inside[name.rpartition("_")[2]] != ("NOT" in name)
    negated = argument[0][0] is codes.NEGATE
    return any(_takes(what, value, sign, flags) for what, value in argument[negated:]) != negated


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
            if taken > _SUSPICIOUS:
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
                taken = seconds(pattern, function, found[at].of(size))
                if taken > _SUSPICIOUS and taken > _RATIO * max(before, _STEP):
                    return f"{function} {found[at].of(60)!r}", size, taken
                before = taken
    return None


def computed() -> dict[Unknown, list[Pattern]]:
    """The patterns that are put together when the program runs, with values as they occur there."""
    from airgap.explain.table import table
    from airgap.kube import rules, scalars
    from airgap.kube.rule import Rule, compile_path
    from airgap.server import app
    from airgap.target.nexus import refusals

    def of(module: str, source: str, patterns: Iterable[re.Pattern[Any] | str], how: str) -> None:
        compiled = [re.compile(pattern) for pattern in patterns]
        made[Unknown(module, source)] = [Pattern(module, p.pattern, p.flags, frozenset({how})) for p in compiled]

    made: dict[Unknown, list[Pattern]] = {}
    phrases = [pattern for entry in table() for _, pattern in entry.patterns]
    of("airgap.explain.model", "f'(?<![^\\\\W_]){text}(?![^\\\\W_])'", phrases, "finditer")
    # Written by the user of `airgap migrate`, and read for names of repositories and tags only.
    of("airgap.flows.migration.choice", "expression", [], "fullmatch")
    name = "f'(?<![\\\\w./-]){re.escape(name)}(?![\\\\w./-])'"
    of("airgap.kube.provenance", name, [r"(?<![\w./-])aa\.b/a(?![\w./-])"], "finditer")
    known = [rule for rule in _items(vars(rules).values()) if isinstance(rule, Rule)]
    places = [rule.path for rule in known] + [place for place, _ in rules.ELSEWHERE] + ["**.a.**.b[].*.**.c.**.{d,e}"]
    of("airgap.kube.rule", "text", map(compile_path, places), "fullmatch")
    of("airgap.kube.rule", "self.name", [rule.name for rule in known], "fullmatch")
    special = (
        "f'(?P<space>(?:[ \\\\t]|{_BREAK})+)' + "
        "('|(?P<esc>\\\\\\\\)' if style == '\"' else \"|(?P<quote>'')\" if style else '')"
    )
    styles = [eval(special, {"_BREAK": vars(scalars)["_BREAK"], "style": style}) for style in ("", "'", '"')]
    of("airgap.kube.scalars", special, styles, "search")
    of("airgap.server.app", "pattern", [pattern for pattern, _ in vars(app)["_ROUTES"]], "fullmatch")
    overrides = [re.escape(text).replace(r"\*", "([^/]+(?:/[^/]+)*)") for text in ("*", "a.b/*", "*/a", "a*b/c")]
    of("airgap.target.mapping", "re.escape(pattern).replace('\\\\*', '([^/]+(?:/[^/]+)*)')", overrides, "fullmatch")
    words = [item.words for item in _items(vars(refusals).values()) if hasattr(item, "words")]
    of("airgap.target.nexus.refusals", "one.words", words, "search")
    return made


def _items(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        yield from value if isinstance(value, (tuple, list)) else [value]


def main(*packages: str) -> None:
    """Measure all; a run that hangs is ended by the kernel, and its last line says at which pattern."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    sys.path[:0] = [str(Path(package).parent) for package in packages]
    patterns, _ = collect([module for package in packages for module in modules(Path(package).name)])
    if any(Path(package).name == "airgap" for package in packages):
        patterns += [pattern for several in computed().values() for pattern in several]
    for pattern in patterns:
        print(json.dumps({"where": pattern.where, "pattern": str(pattern.text)}), flush=True)
        if found := slowest(pattern, attacks(pattern)):
            print(json.dumps({"where": pattern.where, "pattern": str(pattern.text), "slow": found}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
