# SPDX-License-Identifier: Apache-2.0
"""A YAML text parsed into PyYAML's nodes, with their positions, anchors and aliases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from airgap.errors import OutputError
from airgap.i18n import tr

if TYPE_CHECKING:
    import yaml

#: The tag that :class:`ParsedYaml` gives to the node of an alias.
ALIAS = "alias"
NULL = "tag:yaml.org,2002:null"
LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_HINT = tr("edit it by hand, or move it away and merge what airgap then writes")


class ParsedYaml:
    """A YAML text and the nodes of its only document. An alias is a scalar node of its own with the tag ``ALIAS``."""

    def __init__(
        self, text: str, where: str, root: yaml.Node | None, anchors: dict[int, str], aliased: set[str]
    ) -> None:
        """``where`` is the path for messages, ``root`` is ``None`` for an empty text.

        ``anchors`` maps the ``id()`` of each node that has an anchor to the anchor's name. ``aliased`` holds the names
        of the anchors that aliases refer to.
        """
        self.text, self.where, self.root, self.anchors, self.aliased = text, where, root, anchors, aliased

    @classmethod
    def parse(cls, text: str, where: str) -> ParsedYaml:
        """Parse ``text``. Raises :class:`OutputError` with ``where:line`` if it is not one YAML document."""
        import yaml

        try:
            loader = _loader()(text)
            root: yaml.Node | None = loader.get_single_node()
        except (yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            index = mark.index if mark is not None else getattr(error, "position", 0)
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or tr("it is nested too deeply")
            if "another document" in problem:
                problem = tr("there is more than one document")
            _refuse(text, where, index, tr("this is no YAML that airgap can edit: {problem}", problem=problem))
        return cls(text, where, root, loader.named, loader.aliased)

    def refuse(self, place: yaml.Node | int, what: str) -> NoReturn:
        """Raise :class:`OutputError` with the line of ``place``, a node or an index into the text."""
        _refuse(self.text, self.where, place if isinstance(place, int) else place.start_mark.index, what)

    def describe(self, node: yaml.Node) -> Any:
        """Return the type, tag, anchor and content of ``node`` and all nodes below it, without their layout."""
        import yaml

        content: Any = node.value
        if isinstance(node, yaml.SequenceNode):
            content = [self.describe(item) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            content = [(self.describe(key), self.describe(value)) for key, value in node.value]
        return type(node).__name__, node.tag, self.anchors.get(id(node)), content


def key_text(key: yaml.Node) -> str | None:
    """Return the text of a mapping's key; ``None`` if the key is not a scalar or is an alias."""
    import yaml

    return key.value if isinstance(key, yaml.ScalarNode) and key.tag != ALIAS else None


def walk(node: yaml.Node) -> Iterator[yaml.Node]:
    """Yield ``node`` and all nodes below it, keys included, in no particular order."""
    import yaml

    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, yaml.MappingNode):
            pending += [child for entry in current.value for child in entry]
        elif isinstance(current, yaml.SequenceNode):
            pending += current.value


def last_node(node: yaml.Node) -> yaml.Node:
    """Return the last node inside ``node``, whose end mark is where ``node`` really ends.

    PyYAML sets the end mark of a block collection to the start of the next token.
    """
    import yaml

    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return node


def is_block_scalar(node: yaml.Node) -> bool:
    """Whether ``node`` is a ``|`` or ``>`` scalar, whose end mark is the start of the next line."""
    return getattr(node, "style", None) in ("|", ">")


def _refuse(text: str, where: str, index: int, what: str) -> NoReturn:
    line = len(LINE_BREAK.findall(text, 0, index)) + 1
    raise OutputError(what, where=f"{where}:{line}", hint=_HINT)


@cache
def _loader() -> type[Any]:
    """A PyYAML loader that keeps aliases as nodes and records anchors. Made on first use: importing yaml is slow."""
    import yaml

    class Loader(yaml.SafeLoader):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            self.named: dict[int, str] = {}
            self.aliased: set[str] = set()

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            parser: Any = self  # the parser's methods have no type hints
            event = parser.peek_event()
            if parser.check_event(yaml.AliasEvent):
                parser.get_event()
                if event.anchor not in self.anchors:
                    problem = tr("found undefined alias {anchor!r}", anchor=event.anchor)
                    raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
                self.aliased.add(event.anchor)
                return yaml.ScalarNode(ALIAS, event.anchor, event.start_mark, event.end_mark)
            node = super().compose_node(parent, index)
            if event.anchor is not None:
                self.named[id(node)] = event.anchor
            return node

    return Loader
