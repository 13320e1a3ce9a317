# SPDX-License-Identifier: Apache-2.0
"""Finds the known messages in a text and fills the addresses of the text into their steps."""

from __future__ import annotations

import difflib
import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import Literal

from airgap.explain.messages import known_messages
from airgap.explain.model import KnownMessage, Step, words
from airgap.records import Record, replace

#: Characters of a text that are searched, from its end: a log may be long, and the cause is near its end.
_MAX_TEXT = 200_000
#: Different words of a text, from its end, that are compared with spelling mistakes allowed.
_MAX_WORDS = 200
#: The share of a phrase's words that a text must have to resemble it.
_MIN_SHARE = 0.75
_CONTROL_CHARACTERS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])"
_URL = re.compile(rf"https?://({_HOST}(?::[0-9]{{1,5}})?)(?=[/\s\"'\\:,;)?]|$)(/[^\s\"'\\]*)?", re.IGNORECASE)
_IMAGE = re.compile(
    rf"(?<![\w./:@-])({_HOST}(?::[0-9]{{1,5}})?)/([a-z0-9][a-z0-9._/-]*(?::[A-Za-z0-9_][\w.-]*)?(?:@sha256:[0-9a-f]{{64}})?)"
)
_DIAL_ADDRESS = re.compile(rf"(?:dial tcp:?|lookup) ({_HOST}(?::[0-9]{{1,5}})?)")
_CERTIFICATE_HOST = re.compile(rf"validate certificate for ({_HOST}) because")
#: Used for ``{host}`` if the text names no address.
_UNKNOWN_HOST = "HOST:PORT"


class Match(Record):
    """A known message in a text. ``steps`` have the addresses of the text; ``text`` is the part that was recognised.

    ``certainty`` is ``exact``, or ``near`` if the text only resembles a phrase of the message.
    """

    message: KnownMessage
    steps: tuple[Step, ...]
    text: str
    certainty: Literal["exact", "near"]


def find_matches(text: str, *, host: str = "", messages: Sequence[KnownMessage] | None = None) -> list[Match]:
    """Return the known messages in ``text``, the most useful first; if there are none, up to three similar ones.

    Causes come before answers and wrappers. Among equals the last one in the text is first, since chains of errors
    end with the reason. ``host`` is the address to use in steps; by default it is taken from the text.
    """
    plain = " ".join(_CONTROL_CHARACTERS.sub("", text[-_MAX_TEXT:]).replace("\\", " ").split())
    lower = plain.lower()
    messages = known_messages() if messages is None else messages
    values = _placeholder_values(plain, host)
    matches: list[tuple[int, int, Match]] = []
    for message in messages:
        hits = [
            hit
            for needed_words, pattern in message.patterns
            if all(word in lower for word in needed_words)
            for hit in pattern.finditer(plain)
        ]
        if hits:
            last_hit = max(hits, key=lambda hit: (hit.end(), -hit.start()))
            match = Match(message, _fill_in(message.steps, values), last_hit[0][:300], "exact")
            matches.append((-message.weight, -last_hit.end(), match))
    if not matches:
        return [
            Match(message, _fill_in(message.steps, values), similar_text, "near")
            for message, similar_text in _similar_messages(plain, messages)
        ]
    return [match for _, _, match in sorted(matches, key=lambda item: item[:2])]


def _similar_messages(text: str, messages: Sequence[KnownMessage]) -> list[tuple[KnownMessage, str]]:
    """Up to three messages with a phrase that occurs in ``text`` with misspelt or missing words, and those words."""
    text_words = list(dict.fromkeys(reversed(words(text))))[:_MAX_WORDS]

    @functools.cache
    def closest_word(word: str) -> str:
        return next(iter(difflib.get_close_matches(word, text_words, 1, 0.8)), "")

    scored = []
    for message in messages:
        best_share, best_text = 0.0, ""
        for phrase in message.phrases:
            phrase_words = words(phrase)
            hits = [hit for word in phrase_words if (hit := closest_word(word))]
            if len(phrase_words) > 2 and len(hits) / len(phrase_words) > best_share:
                best_share, best_text = len(hits) / len(phrase_words), " ".join(hits)
        if best_share >= _MIN_SHARE:
            scored.append((-best_share, -message.weight, message.id, message, best_text))
    return [(message, best_text) for *_, message, best_text in sorted(scored, key=lambda item: item[:3])[:3]]


def _placeholder_values(text: str, host: str) -> dict[str, str]:
    """The values of ``{host}``, ``{name}``, ``{san}`` and ``{image}`` in ``text``.

    Only well-formed addresses are used: they become part of commands that people run.
    """
    images = [match for match in _IMAGE.finditer(text) if "." in match[1] or ":" in match[1]]
    host = host or _host_in(text, images)
    image = next((match[0] for match in images if match[1] == host), "")
    host = host or _UNKNOWN_HOST
    name = host if host.endswith("]") else re.sub(r":[0-9]+$", "", host)
    name = name.strip("[]") if host != _UNKNOWN_HOST else "HOST"
    try:
        san = f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        san = f"DNS:{name}"
    return {"host": host, "name": name, "san": san, "image": image or f"{host}/IMAGE:TAG"}


def _host_in(text: str, images: Sequence[re.Match[str]]) -> str:
    """The registry that ``text`` speaks of: the address of a registry request, of an image, or any other address."""
    urls = list(_URL.finditer(text))
    candidates = [
        *(match[1] for match in urls if match[2] and "/v2/" in match[2]),
        *(match[1] for match in images if re.search("[:@]", match[2])),
        *(match[1] for match in urls),
        *(match[1] for pattern in (_DIAL_ADDRESS, _CERTIFICATE_HOST) for match in pattern.finditer(text)),
    ]
    return candidates[0] if candidates else ""


def _fill_in(steps: Sequence[Step], values: dict[str, str]) -> tuple[Step, ...]:
    def fill_in(text: str) -> str:
        return re.sub(r"\{(host|name|san|image)\}", lambda match: values[match[1]], text)

    return tuple(replace(step, say=fill_in(step.say), run=tuple(map(fill_in, step.run))) for step in steps)
