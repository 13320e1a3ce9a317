# SPDX-License-Identifier: Apache-2.0
"""Checks a catalogue: every message is translated, with the same fields, in the words of the glossary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message

#: Messages that are the same in all languages: commands, and names with a version.
SAME = Path(__file__).with_name("same.txt")
_FIELD = re.compile(r"\{(\w*)")
_LETTERS = {"ko": re.compile("[가-힣]")}
#: Particles in both forms behind a field: the sentence is to be worded without them.
_BOTH_FORMS = {
    "ko": re.compile(r"\}\(?(?:을\(를\)|를\(을\)|은\(는\)|는\(은\)|이\(가\)|가\(이\)|\(으\)로|와\(과\)|과\(와\))")
}
#: A particle whose form depends on the sound that a field ends with. Counts end with their unit, such as 개.
_AFTER_A_FIELD = {
    "ko": re.compile(
        r"\{(?!\w*count\})\w+(?:![rs])?\}['\"`]?(?:은|는|이|가|을|를|과|와|(?:으?로|이?라)는?|이?나)(?![가-힣])"
    )
}
_NO_TEXT = re.compile(r"\{[^{}]*\}|[^\w]|\d")


def problems(catalog: Catalog, name: str, glossary: str = "") -> list[str]:
    """Return what is wrong with the translations of ``catalog``, which ``name`` names in the text.

    ``glossary`` is the text of the page whose tables have a column of words that are not used.
    """
    avoided = avoided_words(glossary)
    same = set(SAME.read_text().splitlines())
    return [
        f"{name}: {problem}" for message in catalog if message.id for problem in _of(message, catalog, avoided, same)
    ]


def page_problems(page: Path, glossary: str) -> list[str]:
    """Return each place of a page with a word that is not used."""
    avoided = avoided_words(glossary)
    return [
        f"{page.name}:{number}: {word} is not used, but {better}"
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1)
        for word, better in avoided.items()
        if word in line
    ]


def avoided_words(glossary: str) -> dict[str, str]:
    """Return the words of the glossary's last column, each with the word to use instead."""
    words: dict[str, str] = {}
    for line in glossary.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[3] not in ("", "쓰지 않는 말") and not cells[3].startswith("---"):
            words |= {word.strip(): cells[1] for word in cells[3].split(",")}
    return words


def _of(message: Message, catalog: Catalog, avoided: dict[str, str], same: set[str]) -> Iterator[str]:
    english = message.id if isinstance(message.id, str) else message.id[-1]
    strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
    shown = repr(english[:80])
    if message.fuzzy:
        yield f"a fuzzy translation: {shown}"
    if not all(strings) or not strings:
        yield f"not translated: {shown}"
        return
    letters = _LETTERS.get(str(catalog.locale))
    for text in strings:
        if set(_FIELD.findall(text.replace("{{", ""))) != set(_FIELD.findall(english.replace("{{", ""))):
            yield f"the fields differ from the English ones: {text[:80]!r}"
        if letters and not letters.search(text) and _NO_TEXT.sub("", text) and english not in same:
            yield f"translated without a word of the language (or to be listed in {SAME.name}): {shown}"
        if (forms := _BOTH_FORMS.get(str(catalog.locale))) and forms.search(text):
            yield f"a particle in two forms: {text[:80]!r}"
        elif (after := _AFTER_A_FIELD.get(str(catalog.locale))) and (found := after.search(text)):
            yield f"a particle that does not fit every name: {found[0]!r} in {text[:80]!r}"
        for word, better in avoided.items():
            if word in text:
                yield f"{word} is not used, but {better}: {text[:80]!r}"
