# SPDX-License-Identifier: Apache-2.0
"""The documents of a resource file as dicts, lists and texts, composed from the parser's events without recursion.

Scalars stay texts, keys of mappings included. An alias is the value of its anchor itself, not a copy, so that nothing
grows. The scan of the same file has charged its budget before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airgap.errors import ResourceError
from airgap.kube import ResourceFile
from airgap.kube.parse import events as ev
from airgap.kube.parse import json_events, yaml_events
from airgap.kube.parse.source import Source

_NOTHING = object()


def documents(file: ResourceFile) -> list[Any]:
    """Return the documents of a file, in order; an empty list for one that is neither JSON nor YAML.

    Anchors that stand for a collection around them are left out, since no resource has them.
    """
    source = Source(file.content, file.path)
    try:
        if json_events.could_be(source):
            try:
                return list(_compose(json_events.parse(source)))
            except json_events.NotJSON:
                pass
        return list(_compose(yaml_events.parse(source)))
    except ResourceError:
        return []


def objects(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the Kubernetes objects of a document, with their paths: itself, or the items of a list."""
    if not isinstance(document, dict):
        return
    items = document.get("items")
    if isinstance(items, list) and str(document.get("kind")).endswith("List"):
        for number, item in enumerate(items):
            if isinstance(item, dict):
                yield f"items[{number}].", item
    else:
        yield "", document


def _compose(events: ev.Events) -> Iterator[Any]:
    # Each open collection with the key whose value comes next in it; a document is the value of no key.
    stack: list[tuple[Any, Any]] = []
    anchors: dict[str, Any] = {}
    root: Any = None

    def place(value: Any) -> None:
        nonlocal root
        if not stack:
            root = value
            return
        holder, key = stack[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif key is _NOTHING:
            stack[-1] = holder, value if isinstance(value, str) else str(id(value))
        else:
            holder[key] = value
            stack[-1] = holder, _NOTHING

    for kind, text, _start, _end, style, anchor, _tag in events:
        if kind == ev.DOCUMENT:
            stack, anchors, root = [], {}, None
        elif kind == ev.DOCUMENT_END:
            yield root
        elif kind == ev.END:
            stack.pop()
        elif kind == ev.ALIAS:
            place(anchors.get(text))
        elif kind == ev.SCALAR:
            value = None if style == "" and text in ("", "~", "null") else text
            if anchor:
                anchors[anchor] = value
            place(value if value is not None or not _is_key(stack) else "")
        else:
            collection: Any = {} if kind == ev.MAPPING else []
            place(collection)
            stack.append((collection, _NOTHING))
            if anchor and not any(holder is collection for holder, _ in stack[:-1]):
                anchors[anchor] = collection


def _is_key(stack: list[tuple[Any, Any]]) -> bool:
    return bool(stack) and isinstance(stack[-1][0], dict) and stack[-1][1] is _NOTHING
