# SPDX-License-Identifier: Apache-2.0
"""Reads the large JSON documents of bundles part by part; each entry of a list or object is parsed on its own.

So memory holds what is kept of a document, never the document. What is kept has a limit too, ``document-memory``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from airgap import limits
from airgap.bounded_json import TooLarge
from airgap.errors import AirgapError, BundleError, ContentError
from airgap.i18n import tr
from airgap.json_stream import WIDEST, JsonStream


class Memory:
    """Counts what is kept of a document. :meth:`add` raises :class:`TooLarge` past ``document-memory``."""

    def __init__(self) -> None:
        self._limit = limits.value("document-memory")
        self._kept = 0
        self._texts: dict[Any, Any] = {}

    def add(self, size: int) -> None:
        """Count ``size`` bytes more."""
        self._kept += size
        if self._kept > self._limit:
            raise TooLarge(
                tr("JSON that takes more than {limit:,} bytes of memory", limit=self._limit),
                hint=limits.hint("document-memory"),
            )

    def once(self, key: Any, size: int, make: Callable[[], Any] | None = None) -> Any:
        """Return what ``make`` returned for the first such ``key``, or that key, and count ``size`` only then."""
        if key not in self._texts:
            self.add(size)
            self._texts[key] = make() if make is not None else key
        return self._texts[key]

    def text(self, text: str) -> str:
        """Return the same string for equal ones."""
        return str(self.once(text, 150 + WIDEST * len(text)))

    def texts(self, values: Iterable[Any], parse: Callable[[str], str]) -> tuple[str, ...]:
        """Return what ``parse`` makes of each value: the same strings and the same tuple for equal values."""
        found = tuple(
            self.once((parse, text), 200 + WIDEST * len(text), partial(parse, text)) for text in map(str, values)
        )
        return tuple(self.once(found, 60 + 8 * len(found)))


class Part(NamedTuple):
    """How the value of one key is read.

    ``parse`` gets each entry of a ``list``, the name and value of each entry of an ``object``, whose result is such a
    pair, or the ``value``. ``cost`` is what an entry takes in memory, in bytes, and ``factor`` what each character of
    it takes besides. ``into`` makes the result of the parsed entries. With ``located``, errors name the key or entry.
    Without ``optional``, ``null`` is an error.
    """

    shape: Literal["list", "object", "value"]
    parse: Callable[..., Any]
    cost: int = 0
    factor: int = 1
    into: Callable[[Iterable[Any]], Any] = tuple
    located: bool = False
    optional: bool = True

    def read(self, stream: JsonStream, key: str, memory: Memory) -> Any:
        """Read the value that comes next. Raises what ``parse`` raises, and what :class:`JsonStream` raises."""
        if self.shape == "value":
            value = stream.value()
            memory.add(stream.entry_memory)
            with _naming(key) if self.located else _NOTHING:
                return self.parse(value)
        is_list = self.shape == "list"
        if stream.peek() != ("[" if is_list else "{"):
            if stream.value() is not None or not self.optional:
                raise ValueError(
                    tr("{key!r} is not a list", key=key) if is_list else tr("{key!r} is not an object", key=key)
                )
            return self.into(())
        return self.into(self._elements(stream, key, memory) if is_list else self._entries(stream, key, memory))

    def _elements(self, stream: JsonStream, key: str, memory: Memory) -> Iterator[Any]:
        cost, factor, parse = self.cost, self.factor, self.parse
        for index, value in enumerate(stream.elements()):
            memory.add(cost + factor * stream.entry_memory)
            if self.located:
                with _naming(f"{key}[{index}]"):
                    parsed = parse(value)
                yield parsed
            else:
                yield parse(value)

    def _entries(self, stream: JsonStream, key: str, memory: Memory) -> Iterator[Any]:
        for name in stream.names():
            size = stream.entry_memory
            value = stream.value()
            memory.add(self.cost + self.factor * (size + stream.entry_memory))
            with _naming(f"{key}[{name[:160]}]") if self.located else _NOTHING:
                parsed = self.parse(name, value)
            yield parsed


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """Make errors begin with ``path``, the place of an entry in the JSON."""
    try:
        yield
    except TooLarge:
        raise
    except KeyError as error:
        raise BundleError(tr("{path} has no {error}", path=path, error=error)) from error
    except (AirgapError, ValueError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: {error}") from error


_NOTHING = contextlib.nullcontext()


def read_parts(
    stream: JsonStream,
    parts: Mapping[str, Part],
    memory: Memory,
    check: Callable[[Mapping[str, Any]], object],
) -> dict[str, Any]:
    """Read a document, and return the values of the keys in ``parts`` that it has.

    ``check`` gets what was read before the first list or object, if ``format`` is among it. Other keys are skipped.
    Raises what :class:`JsonStream`, ``check`` and the parts raise; :class:`ContentError` for a key that is there twice.
    """
    found: dict[str, Any] = {}
    is_checked = False
    for key in stream.names():
        part = parts.get(key)
        if part is None:
            continue
        if key in found:
            raise ContentError(tr("it has the key {key!r} twice", key=key))
        if not is_checked and part.shape != "value" and "format" in found:
            check(found)
            is_checked = True
        found[key] = part.read(stream, key, memory)
    stream.end()
    return found
