# SPDX-License-Identifier: Apache-2.0
"""One family of messages: how it is recognised, what causes it, what to do."""

from __future__ import annotations

import re
from functools import cached_property

from airgap.records import Record

#: ``CAUSE`` says what is wrong, ``ANSWER`` has several causes, ``WRAPPER`` stands around the reason.
CAUSE, ANSWER, WRAPPER = 3, 2, 1


class Step(Record):
    """``say`` is a sentence; ``run`` are lines to type or to write into a file. Both may hold ``{host}`` (host:port),
    ``{name}`` (without the port), ``{san}`` (``IP:…`` or ``DNS:…``) and ``{image}``."""

    say: str
    run: tuple[str, ...] = ()


class Entry(Record):
    """``phrases`` are texts as programs say them: blanks stand for any run of signs that are no letters or digits
    (so that quotes, escapes and line breaks do not matter), ``…`` for up to 200 characters, case does not matter.
    ``seen`` says which programs say it."""

    id: str
    title: str
    phrases: tuple[str, ...]
    seen: str
    cause: str
    steps: tuple[Step, ...]
    guide: str = ""
    weight: int = CAUSE

    @cached_property
    def patterns(self) -> tuple[tuple[frozenset[str], re.Pattern[str]], ...]:
        """Each phrase's words in lower case, all of which a text must hold before its pattern is worth trying."""
        return tuple((frozenset(words(phrase)), _pattern(phrase)) for phrase in self.phrases)


def words(text: str) -> list[str]:
    """The runs of letters and digits, in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def _pattern(phrase: str) -> re.Pattern[str]:
    parts = [(word, re.findall(r"[^\W_]+", word)) for word in phrase.split()]
    words = [
        r".{0,200}?" if word == "…" else r"[\W_]+".join(map(re.escape, runs))
        for word, runs in parts
        if word == "…" or runs
    ]
    text = r"[\W_]+".join(words).replace(r"[\W_]+.{0,200}?[\W_]+", r"[\W_].{0,200}?")
    return re.compile(rf"(?<![^\W_]){text}(?![^\W_])", re.IGNORECASE | re.DOTALL)
