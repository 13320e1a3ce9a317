# SPDX-License-Identifier: Apache-2.0
"""Which entries of the table a text speaks of, the one true cause first."""

from __future__ import annotations

import difflib
import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import Literal

from airgap.explain.model import Entry, Step, words
from airgap.explain.table import table as whole_table
from airgap.records import Record, replace

#: What is looked at of a text: a log may be long, and the reason stands at its end.
_MOST = 200_000
#: How many different words of a text, from its end, are compared with misspelling allowed.
_NEAR = 200
_NOISE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_PART}(?:\.{_PART})*|\[[0-9A-Fa-f:.]+\])"
_URL = re.compile(rf"https?://({_HOST}(?::[0-9]{{1,5}})?)(?=[/\s\"'\\:,;)?]|$)(/[^\s\"'\\]*)?", re.IGNORECASE)
_IMAGE = re.compile(
    rf"(?<![\w./:@-])({_HOST}(?::[0-9]{{1,5}})?)/([a-z0-9][a-z0-9._/-]*(?::[A-Za-z0-9_][\w.-]*)?(?:@sha256:[0-9a-f]{{64}})?)"
)
_DIALLED = re.compile(rf"(?:dial tcp:?|lookup) ({_HOST}(?::[0-9]{{1,5}})?)")
_CERTIFIED = re.compile(rf"validate certificate for ({_HOST}) because")
_HERE = "HOST:PORT"


class Match(Record):
    """``steps`` have the addresses of the text in them; ``said`` is the part of the text that was recognised.
    ``certainty`` is ``exact`` for a known message, ``near`` for one that only resembles it."""

    entry: Entry
    steps: tuple[Step, ...]
    said: str
    certainty: Literal["exact", "near"]


def explain(text: str, *, host: str = "", table: Sequence[Entry] | None = None) -> list[Match]:
    """Every entry that ``text`` speaks of: causes before answers before what only wraps them, and of equals the one
    that stands last, where error chains have their reason. ``host`` is the address where the user says it."""
    plain = " ".join(_NOISE.sub("", text[-_MOST:]).replace("\\", " ").split())
    table = whole_table() if table is None else table
    found: list[tuple[int, int, Match]] = []
    places, lower = _places(plain, host), plain.lower()
    for entry in table:
        hits = [
            hit
            for needed, pattern in entry.patterns
            if all(word in lower for word in needed)
            for hit in pattern.finditer(plain)
        ]
        if hits:
            last = max(hits, key=lambda hit: (hit.end(), -hit.start()))
            match = Match(entry, _filled(entry.steps, places), last[0][:300], "exact")
            found.append((-entry.weight, -last.end(), match))
    if not found:
        return [Match(entry, _filled(entry.steps, places), said, "near") for entry, said in _near(plain, table)]
    return [match for _, _, match in sorted(found, key=lambda one: one[:2])]


def _near(text: str, table: Sequence[Entry]) -> list[tuple[Entry, str]]:
    """Up to three entries one of whose phrases stands in ``text`` with misspelt or missing words."""
    there = list(dict.fromkeys(reversed(words(text))))[:_NEAR]

    @functools.cache
    def close(word: str) -> str:
        return next(iter(difflib.get_close_matches(word, there, 1, 0.8)), "")

    scored = []
    for entry in table:
        best, said = 0.0, ""
        for phrase in entry.phrases:
            wanted = words(phrase)
            hits = [hit for word in wanted if (hit := close(word))]
            if len(wanted) > 2 and len(hits) / len(wanted) > best:
                best, said = len(hits) / len(wanted), " ".join(hits)
        if best >= 0.75:
            scored.append((-best, -entry.weight, entry.id, entry, said))
    return [(entry, said) for *_, entry, said in sorted(scored, key=lambda one: one[:3])[:3]]


def _places(text: str, host: str) -> dict[str, str]:
    """``{host}``, ``{name}``, ``{san}``, ``{image}`` as the text has them. Only what is a well-formed address is
    taken, since it goes into commands that people run."""
    urls = [(bool(match[2] and "/v2/" in match[2]), match[1]) for match in _URL.finditer(text)]
    images = [match for match in _IMAGE.finditer(text) if "." in match[1] or ":" in match[1]]
    if not host:
        tagged = (match[1] for match in images if re.search("[:@]", match[2]))
        named = (match[1] for pattern in (_DIALLED, _CERTIFIED) for match in pattern.finditer(text))
        host = next((one for api, one in urls if api), "") or next(tagged, "") or next((one for _, one in urls), "")
        host = host or next(named, "")
    image = next((match[0] for match in images if match[1] == host), "")
    host = host or _HERE
    name = host if host.endswith("]") else re.sub(r":[0-9]+$", "", host)
    name = name.strip("[]") if host != _HERE else "HOST"
    try:
        san = f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        san = f"DNS:{name}"
    return {"host": host, "name": name, "san": san, "image": image or f"{host}/IMAGE:TAG"}


def _filled(steps: Sequence[Step], places: dict[str, str]) -> tuple[Step, ...]:
    def fill(text: str) -> str:
        return re.sub(r"\{(host|name|san|image)\}", lambda match: places[match[1]], text)

    return tuple(replace(step, say=fill(step.say), run=tuple(map(fill, step.run))) for step in steps)
