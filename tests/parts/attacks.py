# SPDX-License-Identifier: Apache-2.0
"""Inputs on which a regular expression may be slow, made from its tree."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

if sys.version_info >= (3, 11):
    from re import _constants as codes
    from re import _parser as parser
else:
    import sre_constants as codes
    import sre_parse as parser

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


@dataclass(frozen=True)
class Pattern:
    """``where`` is ``module:line``; ``how`` are the functions that it is read by."""

    where: str
    text: str | bytes
    flags: int
    how: frozenset[str]


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
            low, _, body = argument
            choices = [text * max(low, 1) for text in _samples(body, pool, flags)] + ([""] if low == 0 else [])
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
