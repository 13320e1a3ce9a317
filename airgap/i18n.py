# SPDX-License-Identifier: Apache-2.0
"""Messages in the user's language, by GNU gettext catalogues.

English is the source: ``tr("cannot read {path}", path=path)`` looks the text up in the catalogue of the language and
fills in its fields. The catalogues are ``airgap/locale/LANGUAGE/LC_MESSAGES/airgap.mo``, which are also read out of a
zip file. The language is chosen once, before the messages of other modules are evaluated: by ``AIRGAP_LANG``, or by
``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` as every program does. The command line also asks ``airgap.yaml``.

``tools/messages`` collects the messages, and fails on text that goes around this module.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from typing import Literal, NamedTuple

_DOMAIN = "airgap"
_VARIABLES = ("AIRGAP_LANG", "LC_ALL", "LC_MESSAGES", "LANG")

#: The languages that there are messages in.
LANGUAGES = ("en", "ko")


class _Catalogue:
    """A compiled catalogue (GNU gettext manual, "The Format of GNU MO Files").

    It is searched as it lies: the standard library reads all messages at once, which takes as long as a short command.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order: Literal["little", "big"] = "little" if data[:4] == b"\xde\x12\x04\x95" else "big"
        self._count, self._originals, self._translations = (self._number(at) for at in (8, 12, 16))
        self._found: dict[str, str] = {}

    def gettext(self, message: str) -> str:
        """Return the translation of ``message``, of which there is one form for all numbers; itself without one."""
        if message not in self._found:
            self._found[message] = self._find(message.encode()) or message
        return self._found[message]

    def _find(self, key: bytes) -> str:
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._text(self._originals, middle) < key:
                low = middle + 1
            else:
                high = middle
        is_there = key and low < self._count and self._text(self._originals, low) == key
        return self._text(self._translations, low).decode() if is_there else ""

    def _text(self, table: int, index: int) -> bytes:
        """A text of a table; the first of its forms."""
        length, start = self._number(table + 8 * index), self._number(table + 8 * index + 4)
        return self._data[start : start + length].partition(b"\0")[0]

    def _number(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], self._order)


#: The catalogue in use; ``None`` is English.
_catalogue: _Catalogue | None = None
_language = "en"
#: The catalogue of a thread that writes a text :func:`in_language`.
_chosen = threading.local()


def tr(message: str, /, **fields: object) -> str:
    """Return ``message`` in the user's language, with ``fields`` in place of its ``{name}`` (as in ``str.format``).

    Without ``fields``, braces stand for themselves.
    """
    catalogue = getattr(_chosen, "catalogue", _catalogue)
    text = catalogue.gettext(message) if catalogue else message
    return text.format_map(fields) if fields else text


def plural(one: str, many: str, number: int, /, **fields: object) -> str:
    """Return the form for ``number``, which fills the field ``{number}``: ``1 image`` or ``2 images``."""
    return plural_form(one, many, number).format_map({"number": number, **fields})


def plural_form(one: str, many: str, number: int, /) -> str:
    """Return the form for ``number`` with its fields not filled in."""
    english = one if number == 1 else many
    catalogue = getattr(_chosen, "catalogue", _catalogue)
    translated = catalogue.gettext(one) if catalogue else one
    return translated if translated != one else english


class Bilingual(NamedTuple):
    """A text of a document that is read in both languages, whatever the user's is."""

    en: str
    ko: str


def bilingual(message: str, /, **fields: object) -> Bilingual:
    """Return ``message`` in English and Korean, with ``fields`` as :func:`tr` takes them."""
    catalogue = _korean()
    texts = (message, catalogue.gettext(message) if catalogue else message)
    return Bilingual(*(text.format_map(fields) if fields else text for text in texts))


@contextlib.contextmanager
def in_language(language: str) -> Iterator[None]:
    """Have this thread's messages in ``language`` for the block: for documents whose language is not the user's."""
    _chosen.catalogue = _korean() if language == "ko" else None
    try:
        yield
    finally:
        del _chosen.catalogue


def requested_language() -> str:
    """Return the language that the environment asks for, such as ``ko``; ``en`` if it asks for none."""
    for variable in _VARIABLES:
        value = os.environ.get(variable)
        if value:
            language = value.partition(".")[0].partition("@")[0].partition("_")[0].lower()
            return "en" if language in ("c", "posix") else language
    return "en"


def use_language(language: str) -> bool:
    """Use the catalogue of ``language``; return false, and use English, if there is none."""
    global _catalogue, _language
    _catalogue = None if language == "en" else _load(language)
    _language = language if _catalogue else "en"
    return _language == language


def language_in_use() -> str:
    """Return the language of the catalogue in use, such as ``ko``; ``en`` without one."""
    return _language


@functools.cache
def _korean() -> _Catalogue | None:
    return _load("ko")


def _load(language: str) -> _Catalogue | None:
    if not (language.isascii() and language.isalpha()):
        return None
    path = os.path.join(os.path.dirname(__file__), "locale", language, "LC_MESSAGES", f"{_DOMAIN}.mo")
    try:
        # As pkgutil.get_data does, whose import would take longer than to read the file.
        return _Catalogue(__loader__.get_data(path))  # type: ignore[name-defined] # of a file, or of a zip file
    except OSError:
        return None


use_language(requested_language())
