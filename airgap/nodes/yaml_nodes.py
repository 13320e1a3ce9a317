# SPDX-License-Identifier: Apache-2.0
"""YAML as PyYAML's nodes, with their places in the text, their anchors and their aliases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from airgap.errors import OutputError

if TYPE_CHECKING:
    import yaml

#: The tag of a node that stands for an alias.
ALIAS = "alias"
NULL = "tag:yaml.org,2002:null"
BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_HINT = "edit it by hand, or move it away and merge what airgap then writes"


class Parsed:
    """A file's text and its one document; an alias is a node of its own, a scalar with the tag ``alias``."""

    def __init__(self, text: str, where: str) -> None:
        import yaml

        self.text, self.where = text, where
        try:
            loader = _loader()(text)
            self.root: yaml.Node | None = loader.get_single_node()
        except (yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            index = mark.index if mark is not None else getattr(error, "position", 0)
            what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is nested too deeply"
            if "another document" in what:
                what = "there is more than one document"
            self.refuse(index, f"this is no YAML that airgap can edit: {what}")
        #: The anchor of each node that has one, by the node's identity, and the anchors that aliases name.
        self.anchors: dict[int, str] = loader.named
        self.aliased: set[str] = loader.aliased

    def refuse(self, place: yaml.Node | int, what: str) -> NoReturn:
        index = place if isinstance(place, int) else place.start_mark.index
        line = len(BREAK.findall(self.text, 0, index)) + 1
        raise OutputError(what, where=f"{self.where}:{line}", hint=_HINT)

    def describe(self, node: yaml.Node) -> Any:
        """All that a node says and how it is marked, apart from its layout."""
        import yaml

        kind: Any = node.value
        if isinstance(node, yaml.SequenceNode):
            kind = [self.describe(item) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            kind = [(self.describe(key), self.describe(value)) for key, value in node.value]
        return type(node).__name__, node.tag, self.anchors.get(id(node)), kind


def name_of(key: yaml.Node) -> str | None:
    """The text of a key; ``None`` for one that is no text."""
    import yaml

    return key.value if isinstance(key, yaml.ScalarNode) and key.tag != ALIAS else None


def walk(node: yaml.Node) -> Iterator[yaml.Node]:
    import yaml

    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, yaml.MappingNode):
            pending += [part for entry in current.value for part in entry]
        elif isinstance(current, yaml.SequenceNode):
            pending += current.value


def last_of(node: yaml.Node) -> yaml.Node:
    """The node that ends where ``node`` ends: PyYAML has the end of block style at the next token."""
    import yaml

    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return node


def is_block_scalar(node: yaml.Node) -> bool:
    return getattr(node, "style", None) in ("|", ">")


@cache
def _loader() -> type[Any]:
    """PyYAML's composer, which keeps aliases as they are and notes anchors."""
    import yaml

    class Loader(yaml.SafeLoader):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            self.named: dict[int, str] = {}
            self.aliased: set[str] = set()

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            source: Any = self  # the parser's methods have no types
            event = source.peek_event()
            if source.check_event(yaml.AliasEvent):
                source.get_event()
                if event.anchor not in self.anchors:
                    problem = f"found undefined alias {event.anchor!r}"
                    raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
                self.aliased.add(event.anchor)
                return yaml.ScalarNode(ALIAS, event.anchor, event.start_mark, event.end_mark)
            node = super().compose_node(parent, index)
            if event.anchor is not None:
                self.named[id(node)] = event.anchor
            return node

    return Loader
