# SPDX-License-Identifier: Apache-2.0
"""Changes to a YAML file, and the check that an edited text has exactly these changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airgap.errors import OutputError
from airgap.i18n import tr
from airgap.nodes.yaml_nodes import ALIAS, NULL, ParsedYaml, key_text
from airgap.records import Record

if TYPE_CHECKING:
    import yaml

#: Keys to set in a mapping. Each is a :class:`Value`, changes to the mapping below the key, or ``None`` to remove it.
YamlChanges = Mapping[str, "YamlChanges | Value | None"]


class Value(Record):
    """A string, a bool, or lists and mappings of these. Replaces the existing value, unless that is equal."""

    content: Any


def new_document(changes: YamlChanges) -> dict[str, Any]:
    """Return the content of a new file with ``changes``."""
    document: dict[str, Any] = {}
    for key, change in changes.items():
        if isinstance(change, Value):
            document[key] = change.content
        elif change is not None and (below := new_document(change)):
            document[key] = below
    return document


def has_content(node: yaml.Node, content: Any) -> bool:
    """Whether loading ``node`` gives ``content``."""
    import yaml

    if isinstance(content, dict):
        values = {key_text(key): value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
        return values.keys() == content.keys() and all(has_content(values[key], content[key]) for key in content)
    if isinstance(content, list):
        items = node.value if isinstance(node, yaml.SequenceNode) else ()
        return len(items) == len(content) and all(map(has_content, items, content))
    if isinstance(content, bool):
        return node.tag == "tag:yaml.org,2002:bool" and yaml.SafeLoader.bool_values[node.value.lower()] is content
    return isinstance(node, yaml.ScalarNode) and node.tag not in (ALIAS, NULL) and node.value == content


def verify_edit(before: ParsedYaml, changes: YamlChanges, after: str) -> None:
    """Raise :class:`OutputError` unless the text ``after`` is ``before`` with exactly ``changes``."""
    try:
        parsed = ParsedYaml.parse(after, before.where)
        correct = parsed.root is not None and parsed.describe(parsed.root) == _expected(before, before.root, changes)
    except OutputError:
        correct = False
    if not correct:
        before.refuse(0, tr("airgap cannot add to this file without changing something else in it"))


def _expected(parsed: ParsedYaml, node: yaml.Node | None, changes: YamlChanges) -> Any:
    """The description (:meth:`ParsedYaml.describe`) that ``node`` must have after ``changes``."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return _describe_new(new_document(changes))
    entries = []
    for key, value in node.value:
        name = key_text(key)
        change = changes.get(name) if name is not None else None
        if change is None:
            if name in changes:
                continue
            description = parsed.describe(value)
        elif isinstance(change, Value):
            unchanged = has_content(value, change.content)
            description = parsed.describe(value) if unchanged else _describe_new(change.content)
        elif new_document(change) or isinstance(value, yaml.MappingNode):
            description = _expected(parsed, value, change)
        else:
            description = parsed.describe(value)
        entries.append((parsed.describe(key), description))
    existing = {key_text(key) for key, _ in node.value}
    added = {key: value for key, value in new_document(changes).items() if key not in existing}
    entries += [(_describe_new(key), _describe_new(value)) for key, value in added.items()]
    return type(node).__name__, node.tag, parsed.anchors.get(id(node)), entries


def _describe_new(content: Any) -> Any:
    """What :meth:`ParsedYaml.describe` returns for ``content`` once it is written."""
    if isinstance(content, dict):
        entries = [(_describe_new(key), _describe_new(value)) for key, value in content.items()]
        return "MappingNode", "tag:yaml.org,2002:map", None, entries
    if isinstance(content, list):
        return "SequenceNode", "tag:yaml.org,2002:seq", None, [_describe_new(item) for item in content]
    if isinstance(content, bool):
        return "ScalarNode", "tag:yaml.org,2002:bool", None, str(content).lower()
    return "ScalarNode", "tag:yaml.org,2002:str", None, content
