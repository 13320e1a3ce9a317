# SPDX-License-Identifier: Apache-2.0
"""What is to be set in a YAML file, and the proof that a text has it and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airgap.errors import OutputError
from airgap.nodes.yaml_nodes import ALIAS, NULL, Parsed, name_of
from airgap.records import Record

if TYPE_CHECKING:
    import yaml

#: Keys to set in a mapping: more keys below it, a whole :class:`Value`, or ``None`` for a key that must not be there.
Changes = Mapping[str, "Changes | Value | None"]


class Value(Record):
    """Text, a flag, or lists and mappings of these; it replaces whatever is there, unless that says the same."""

    content: Any


def new(changes: Changes) -> dict[str, Any]:
    """What a file that has only these keys holds."""
    document: dict[str, Any] = {}
    for key, change in changes.items():
        if isinstance(change, Value):
            document[key] = change.content
        elif change is not None and (below := new(change)):
            document[key] = below
    return document


def says(node: yaml.Node, content: Any) -> bool:
    """Whether a program that reads the file gets ``content`` from ``node``."""
    import yaml

    if isinstance(content, dict):
        pairs = {name_of(key): value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
        return pairs.keys() == content.keys() and all(says(pairs[key], value) for key, value in content.items())
    if isinstance(content, list):
        items = node.value if isinstance(node, yaml.SequenceNode) else ()
        return len(items) == len(content) and all(map(says, items, content))
    if isinstance(content, bool):
        return node.tag == "tag:yaml.org,2002:bool" and yaml.SafeLoader.bool_values[node.value.lower()] is content
    return isinstance(node, yaml.ScalarNode) and node.tag not in (ALIAS, NULL) and node.value == content


def prove(before: Parsed, changes: Changes, after: str) -> None:
    """Raise :class:`OutputError` where ``after`` is not ``before`` with ``changes``."""
    try:
        found = Parsed(after, before.where)
        proven = found.root is not None and found.describe(found.root) == _expected(before, before.root, changes)
    except OutputError:
        proven = False
    if not proven:
        before.refuse(0, "airgap cannot add to this file without changing something else in it")


def _expected(parsed: Parsed, node: yaml.Node | None, changes: Changes) -> Any:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return _described(new(changes))
    pairs = []
    for key, value in node.value:
        name = name_of(key)
        change = changes.get(name) if name is not None else None
        if change is None:
            if name in changes:
                continue
            described = parsed.describe(value)
        elif isinstance(change, Value):
            described = parsed.describe(value) if says(value, change.content) else _described(change.content)
        elif new(change) or isinstance(value, yaml.MappingNode):
            described = _expected(parsed, value, change)
        else:
            described = parsed.describe(value)
        pairs.append((parsed.describe(key), described))
    known = {name_of(key) for key, _ in node.value}
    pairs += [(_described(key), _described(value)) for key, value in new(changes).items() if key not in known]
    return type(node).__name__, node.tag, parsed.anchors.get(id(node)), pairs


def _described(content: Any) -> Any:
    """:meth:`Parsed.describe` of something new."""
    if isinstance(content, dict):
        pairs = [(_described(key), _described(value)) for key, value in content.items()]
        return "MappingNode", "tag:yaml.org,2002:map", None, pairs
    if isinstance(content, list):
        return "SequenceNode", "tag:yaml.org,2002:seq", None, [_described(item) for item in content]
    if isinstance(content, bool):
        return "ScalarNode", "tag:yaml.org,2002:bool", None, str(content).lower()
    return "ScalarNode", "tag:yaml.org,2002:str", None, content
