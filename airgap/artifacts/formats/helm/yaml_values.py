# SPDX-License-Identifier: Apache-2.0
"""A part of a YAML document as values: one chart out of an index of megabytes, without building the rest.

It walks the events of the parser without recursion. Scalars stay texts (``version: 1.10`` is ``1.10``), except plain
``true`` and ``false``; a plain ``null`` is left out.
"""

from __future__ import annotations

from typing import Any

from airgap.errors import ContentError
from airgap.i18n import tr

_MAX_DEPTH = 64
_NULLS = ("", "~", "null", "Null", "NULL")
_FLAGS = {"true": True, "false": False}


class _Frame:
    """A mapping or sequence that is open: ``value`` is ``None`` where nothing of it is wanted.

    ``wanted`` are the keys that lead to the part, empty inside of it.
    """

    def __init__(self, value: Any, wanted: tuple[str, ...], *, is_mapping: bool) -> None:
        self.value = value
        self.wanted = wanted
        self.is_mapping = is_mapping
        self.key: str | None = None


def read_yaml(content: bytes, *path: str, where: str) -> Any:
    """Return the value at ``path`` of the first document, ``None`` if there is none.

    Raises :class:`ContentError` for what is no YAML, for aliases in the part, and for nesting without end.
    """
    import yaml

    loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    result = _Frame({}, ("document", *path), is_mapping=True)
    result.key = "document"
    stack = [result]
    try:
        for event in yaml.parse(content, Loader=loader):
            if isinstance(event, yaml.DocumentEndEvent):
                break
            if len(stack) > _MAX_DEPTH:
                raise ContentError(tr("it is nested more than {depth} deep", depth=_MAX_DEPTH), where=where)
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                stack.append(_open(stack[-1], is_mapping=isinstance(event, yaml.MappingStartEvent)))
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                stack.pop()
            elif isinstance(event, yaml.ScalarEvent):
                _add_scalar(stack[-1], event)
            elif isinstance(event, yaml.AliasEvent):
                _add(stack[-1], None, is_alias=True, where=where)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise ContentError(
            tr("this is no YAML: {problem}", problem=getattr(error, "problem", error)), where=place
        ) from error
    value = result.value
    for key in ("document", *path):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _open(parent: _Frame, *, is_mapping: bool) -> _Frame:
    """Enter a collection, and put it into its parent if it is wanted."""
    wanted = parent.wanted[1:]
    if parent.is_mapping and parent.key is None:
        return _Frame(None, (), is_mapping=is_mapping)  # a collection as a key
    on_the_way = not parent.wanted or (parent.is_mapping and parent.key == parent.wanted[0])
    value: Any = ({} if is_mapping else []) if parent.value is not None and on_the_way else None
    _add(parent, value)
    return _Frame(value, wanted, is_mapping=is_mapping)


def _add_scalar(parent: _Frame, event: Any) -> None:
    text = str(event.value)
    if parent.is_mapping and parent.key is None:
        parent.key = text
        return
    is_plain = event.implicit[0] and not event.style
    value: Any = _FLAGS.get(text, text) if is_plain else text
    _add(parent, None if is_plain and text in _NULLS else value)


def _add(parent: _Frame, value: Any, *, is_alias: bool = False, where: str = "") -> None:
    """Put a value into an open collection, unless nothing of that is wanted."""
    key, parent.key = parent.key, None
    inside = parent.value is not None and not parent.wanted
    on_the_way = parent.value is not None and bool(parent.wanted) and key == parent.wanted[0]
    if is_alias and (inside or on_the_way):
        raise ContentError(tr("it has an alias (*), which is not read"), where=where)
    if value is None or not (inside or on_the_way):
        return
    if parent.is_mapping:
        parent.value[key] = value
    else:
        parent.value.append(value)
