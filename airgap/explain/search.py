# SPDX-License-Identifier: Apache-2.0
"""Finds the known messages in a text and fills the addresses of the text into their steps."""

from __future__ import annotations

import difflib
import functools
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from airgap.explain.messages import known_messages
from airgap.explain.model import WRAPPER, KnownMessage, Step, fill_in, words
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
_URL = re.compile(rf"(https?)://({_HOST}(?::[0-9]{{1,5}})?)(?=[/\s\"'\\:,;)?]|$)(/[^\s\"'\\]*)?", re.IGNORECASE)
_IMAGE = re.compile(
    rf"(?<![\w./:@-])({_HOST}(?::[0-9]{{1,5}})?)/([a-z0-9][a-z0-9._/-]*(?::[A-Za-z0-9_][\w.-]*)?(?:@sha256:[0-9a-f]{{64}})?)"
)
_DIAL_ADDRESS = re.compile(rf"(?:dial tcp:?|lookup) ({_HOST}(?::[0-9]{{1,5}})?)")
_CERTIFICATE_HOST = re.compile(rf"validate certificate for ({_HOST}) because")
#: What a shell takes as it stands, in quotes or not: the text is not trusted.
_SAFE_PATH = re.compile(r"/[A-Za-z0-9._~:/%@-]*(?:\?[A-Za-z0-9._~:/%@=-]*)?")
#: Used for ``{host}`` if the text names no address.
_UNKNOWN_HOST = "HOST:PORT"
#: Docker Hub's name in image references, and the host that serves it.
_DOCKER_HUB = {"registry-1.docker.io": "docker.io"}


class Match(Record):
    """A known message in a text. ``steps`` have the addresses of the text; ``text`` is the part that was recognised.

    ``certainty`` is ``exact``, or ``near`` if the text only resembles a phrase of the message.
    """

    message: KnownMessage
    steps: tuple[Step, ...]
    text: str
    certainty: Literal["exact", "near"]


def find_matches(
    text: str,
    *,
    host: str = "",
    plain_http: bool | None = None,
    messages: Sequence[KnownMessage] | None = None,
) -> list[Match]:
    """Return the known messages in ``text``, the most useful first; if there are none, up to three similar ones.

    Causes come before answers and wrappers. Among equals the last one in the text is first, since chains of errors
    end with the reason. A message that is only a part of another one is left out, and so are wrappers beside a reason.
    ``host`` is the address to use in steps and ``plain_http`` its scheme; by default both are taken from the text.
    """
    plain = " ".join(_CONTROL_CHARACTERS.sub("", text[-_MAX_TEXT:]).replace("\\", " ").split())
    messages = known_messages() if messages is None else messages
    values = _placeholder_values(plain, host, plain_http)
    found = _exact_messages(plain, messages)
    if not found:
        return [
            Match(message, _fill_in(message.steps, values), similar_text, "near")
            for message, similar_text in _similar_messages(plain, messages)
        ]
    if any(message.weight > WRAPPER for message, _ in found):
        found = [(message, hit) for message, hit in found if message.weight > WRAPPER]
    found.sort(key=lambda item: (-item[0].weight, -item[1].end()))
    return [Match(message, _fill_in(message.steps, values), hit[0][:300], "exact") for message, hit in found]


def _exact_messages(text: str, messages: Sequence[KnownMessage]) -> list[tuple[KnownMessage, re.Match[str]]]:
    """The messages with a phrase in ``text``, each with its last hit.

    A hit inside a longer hit of another message says less than that one and does not count: "404 Not Found" in "is not
    a valid chart repository … 404 Not Found" is no missing image.
    """
    lower = text.lower()
    hits = [
        (message, hit)
        for message in messages
        for needed_words, pattern in message.patterns
        if all(word in lower for word in needed_words)
        for hit in pattern.finditer(text)
    ]
    longest = sorted(hits, key=lambda item: (item[1].start(), -item[1].end()))
    last_hits: dict[str, tuple[KnownMessage, re.Match[str]]] = {}
    covering: list[tuple[KnownMessage, re.Match[str]]] = []
    for message, hit in longest:
        covering = [item for item in covering if item[1].end() > hit.start()]
        if any(_covers(other, other_hit, message, hit) for other, other_hit in covering):
            continue
        covering.append((message, hit))
        last = last_hits.get(message.id)
        if last is None or hit.end() > last[1].end():
            last_hits[message.id] = (message, hit)
    return [last_hits[message.id] for message in messages if message.id in last_hits]


def _covers(outer: KnownMessage, outer_hit: re.Match[str], inner: KnownMessage, inner_hit: re.Match[str]) -> bool:
    return (
        outer is not inner
        and outer.weight >= inner.weight
        and outer_hit.start() <= inner_hit.start()
        and inner_hit.end() <= outer_hit.end()
        and outer_hit.span() != inner_hit.span()
    )


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


def _placeholder_values(text: str, host: str, plain_http: bool | None) -> dict[str, str]:
    """The values of the placeholders for ``text``.

    Only well-formed addresses are used: they become part of commands that people run.
    """
    images = [match for match in _IMAGE.finditer(text) if "." in match[1] or ":" in match[1]]
    urls = list(_URL.finditer(text))
    tagged = [] if host else [match for match in images if re.search("[:@]", match[2])]
    host = host or _host_in(text, urls, tagged) or _UNKNOWN_HOST
    if plain_http is None:
        plain_http = {match[1].lower() for match in urls if match[2] == host} == {"http"}
    at_host = [match for match in images if match[1] == _DOCKER_HUB.get(host, host)]
    # An image of another registry is pulled through a mirror at this host.
    image = next((match[0] for match in [*at_host, *tagged]), f"{host}/IMAGE:TAG")
    name = host if host.endswith("]") else re.sub(r":[0-9]+$", "", host)
    has_port = name != host
    name = name.strip("[]") if host != _UNKNOWN_HOST else "HOST"
    try:
        san = f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        san = f"DNS:{name}"
    url = f"http://{host}" if plain_http else f"https://{host}"
    return {
        "host": host,
        "name": name,
        "endpoint": host if has_port else f"{host}:{80 if plain_http else 443}",
        "san": san,
        "image": image,
        "address": url if plain_http else host,
        "url": url,
        "request": _request_in(urls, host) or f"{url}/v2/",
    }


def _host_in(text: str, urls: Sequence[re.Match[str]], tagged_images: Sequence[re.Match[str]]) -> str:
    """The registry that ``text`` speaks of: the address of a registry request, of an image, or any other address."""
    candidates = [
        *(match[2] for match in urls if match[3] and "/v2/" in match[3]),
        *(match[1] for match in tagged_images),
        *(match[2] for match in urls),
        *(match[1] for pattern in (_DIAL_ADDRESS, _CERTIFICATE_HOST) for match in pattern.finditer(text)),
    ]
    return candidates[0] if candidates else ""


def _request_in(urls: Sequence[re.Match[str]], host: str) -> str:
    """The address of a request to the registry ``host``, without the punctuation that follows it in a sentence."""
    for match in urls:
        path = (match[3] or "").rstrip(".,:;)")
        if match[2] == host and path.startswith("/v2/") and _SAFE_PATH.fullmatch(path):
            return f"{match[1].lower()}://{host}{path}"
    return ""


def _fill_in(steps: Sequence[Step], values: Mapping[str, str]) -> tuple[Step, ...]:
    return tuple(
        replace(step, say=fill_in(step.say, values), run=tuple(fill_in(line, values) for line in step.run))
        for step in steps
    )
