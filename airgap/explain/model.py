# SPDX-License-Identifier: Apache-2.0
"""A known message: how it is recognised, its cause, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from airgap.records import Record

#: The ``weight`` of a message. A cause names what is wrong, an answer may have several causes, and a wrapper only
#: contains another message. A decisive message comes before the causes that are named with it: a proxy that refuses a
#: connection, for example, is mended at the proxy. If a text has several messages, the heaviest is shown first.
DECISIVE, CAUSE, ANSWER, WRAPPER = 4, 3, 2, 1


#: What steps may contain in braces, and what documentation shows there. ``host`` is host:port as image references have
#: it, ``name`` the host without port, ``endpoint`` the host with its port always, ``san`` the entry of a certificate;
#: ``address`` is what airgap's commands take (``http://`` before it if the text says so), ``url`` the same with its
#: scheme always, ``request`` the address of the registry request in the text.
PLACEHOLDERS = {
    "host": "HOST:PORT",
    "name": "HOST",
    "endpoint": "HOST:PORT",
    "san": "IP:ADDRESS",
    "image": "HOST:PORT/IMAGE:TAG",
    "address": "http://HOST:PORT",
    "url": "http://HOST:PORT",
    "request": "http://HOST:PORT/v2/",
}
_PLACEHOLDER = re.compile(r"\{(host|name|endpoint|san|image|address|url|request)\}")


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with its placeholders replaced by ``values``."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


class Step(Record):
    """One thing to do: ``say`` is a sentence, ``run`` are lines to type or to write into a file.

    Both may contain the placeholders of :data:`PLACEHOLDERS`.
    """

    say: str
    run: tuple[str, ...] = ()


class KnownMessage(Record):
    """A family of messages with the same cause.

    ``phrases`` are texts that programs print. In them a space matches any characters that are not letters or digits,
    so that quotes, escapes and line breaks do not matter; ``…`` matches up to 200 characters; case is ignored.
    ``expressions`` are regular expressions for what no phrase can say, in text whose blanks are single spaces.
    ``seen`` names the programs. ``guide`` is a path relative to docs/, or empty.
    """

    id: str
    title: str
    phrases: tuple[str, ...]
    seen: str
    cause: str
    steps: tuple[Step, ...]
    guide: str = ""
    weight: int = CAUSE
    expressions: tuple[str, ...] = ()

    @cached_property
    def patterns(self) -> tuple[tuple[frozenset[str], re.Pattern[str]], ...]:
        """For each phrase its words in lower case, and its pattern. A text without all the words cannot match."""
        phrases = [(frozenset(words(phrase)), _compile(phrase)) for phrase in self.phrases]
        expressions = [(frozenset[str](), re.compile(expression, re.IGNORECASE)) for expression in self.expressions]
        return (*phrases, *expressions)


def words(text: str) -> list[str]:
    """Return the runs of letters and digits in ``text``, in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def _compile(phrase: str) -> re.Pattern[str]:
    parts = [(part, re.findall(r"[^\W_]+", part)) for part in phrase.split()]
    patterns = [
        r".{0,200}?" if part == "…" else r"[\W_]+".join(map(re.escape, runs))
        for part, runs in parts
        if part == "…" or runs
    ]
    # "…" may match nothing, so one separator is enough around it.
    pattern = r"[\W_]+".join(patterns).replace(r"[\W_]+.{0,200}?[\W_]+", r"[\W_].{0,200}?")
    return re.compile(rf"(?<![^\W_]){pattern}(?![^\W_])", re.IGNORECASE | re.DOTALL)
