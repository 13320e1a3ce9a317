# SPDX-License-Identifier: Apache-2.0
"""Set keys in somebody's YAML file by inserting text: every other byte stays, comments and line ends too.

Positions come from PyYAML's nodes. A value that differs is replaced where it stands, an entry that must go takes its
lines with it, new entries follow the last one of their mapping. What cannot be done this way is refused. The result is
parsed once more: it must be the old document with exactly these changes, each scalar as it was spelled.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airgap.errors import OutputError
from airgap.nodes.yaml_changes import Changes, Value, new, prove, says
from airgap.nodes.yaml_nodes import ALIAS, BREAK, NULL, Parsed, is_block_scalar, last_of, name_of, walk

if TYPE_CHECKING:
    import yaml


def dumped(document: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=sys.maxsize)
    return text


def edited(content: bytes, changes: Changes, where: str) -> bytes:
    """``content`` with ``changes`` made, the same bytes where nothing is to change.

    Raises :class:`OutputError` for what is not YAML or cannot be edited, with the line.
    """
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    try:
        text = content[len(mark) :].decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise OutputError("this is not UTF-8", where=f"{where}:{line}", hint="mend it, or move it away") from error
    before = Parsed(text, where)
    edits = _Edits(before)
    edits.document(changes)
    if not edits.splices:
        return content
    after = edits.apply()
    prove(before, changes, after)
    return mark + after.encode()


class _Edits:
    """Collects what is to be spliced into a text: ``(start, end, new text)``, none of which overlap."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed, self.text = parsed, parsed.text
        self.splices: list[tuple[int, int, str]] = []
        found = re.search("\r\n|[\r\n]", self.text)
        self.newline = found[0] if found else "\n"

    def apply(self) -> str:
        return self._spliced(0, len(self.text), self.splices)

    def _spliced(self, begin: int, end: int, splices: Sequence[tuple[int, int, str]]) -> str:
        """The text from ``begin`` to ``end``, with those of ``splices`` that lie in it."""
        pieces = []
        # At one place, what belongs to the deeper mapping was noted first.
        for start, stop, piece in sorted(splices, key=lambda splice: splice[:2]):
            if begin <= start and stop <= end:
                pieces += [self.text[begin:start], piece]
                begin = stop
        return "".join(pieces) + self.text[begin:end]

    def document(self, changes: Changes) -> None:
        root = self.parsed.root
        if root is None:
            self._insert_line(len(self.text), self._block(new(changes), 0))
        elif root.tag == NULL and not root.value:
            self._check_bare(root)
            self._insert_line(root.start_mark.index, self._block(new(changes), 0))
        else:
            self._check_duplicates(root)
            self._change(root, changes, 0, flow=False)

    def _change(self, node: yaml.Node, changes: Changes, column: int, *, flow: bool) -> None:
        """Set keys below ``node``; ``column`` is where keys go if it has none yet and does not stand in ``flow``
        style."""
        import yaml

        if isinstance(node, yaml.MappingNode):
            self._change_mapping(node, changes)
        elif node.tag == ALIAS:
            self.parsed.refuse(node, f"airgap cannot add to what the alias *{node.value} stands for")
        elif node.tag != NULL:
            self.parsed.refuse(node, "where a mapping belongs there is something else")
        elif added := new(changes):
            if node.value or flow:
                self._fill(node, added)
            else:
                self._check_bare(node)
                self._insert(self._line_end(node.start_mark.index), self.newline + self._block(added, column))

    def _change_mapping(self, node: yaml.MappingNode, changes: Changes) -> None:
        entries = {name: (key, value) for key, value in node.value if (name := name_of(key)) is not None}
        before = len(self.splices)
        added: dict[str, Any] = {}
        dropped: set[str] = set()
        for key, change in changes.items():
            if key not in entries:
                if isinstance(change, Value):
                    added[key] = change.content
                elif change is not None and (below := new(change)):
                    added[key] = below
            elif change is None:
                dropped.add(key)
            elif isinstance(change, Value):
                self._set(entries[key][1], change.content)
            else:
                name, value = entries[key]
                self._change(value, change, name.start_mark.column + 2, flow=node.flow_style)
        if added or dropped:
            self._change_entries(node, entries, added, dropped)
        if len(self.splices) > before:
            self._check_unshared(node)

    def _change_entries(
        self,
        node: yaml.MappingNode,
        entries: Mapping[str, tuple[yaml.Node, yaml.Node]],
        added: dict[str, Any],
        dropped: set[str],
    ) -> None:
        if "<<" in entries:
            self.parsed.refuse(node, "airgap cannot change a mapping that takes in others by <<")
        kept = [entry for entry in node.value if name_of(entry[0]) not in dropped]
        if node.flow_style:
            self._change_flow(node, kept, added, bool(dropped))
        elif kept:
            for name in dropped:
                self._drop_lines(*entries[name])
            if added:
                self._append(kept, added)
        else:
            self._replace(node, self._block(added, node.start_mark.column).lstrip() if added else "{}")

    def _change_flow(
        self, node: yaml.Node, kept: Sequence[tuple[yaml.Node, yaml.Node]], added: dict[str, Any], rebuilt: bool
    ) -> None:
        pieces = [json.dumps({key: value})[1:-1] for key, value in added.items()]
        if rebuilt:
            start, end = node.start_mark.index, node.end_mark.index
            inner = [splice for splice in self.splices if start <= splice[0] < end]
            self.splices = [splice for splice in self.splices if splice not in inner]
            old = [self._spliced(key.start_mark.index, value.end_mark.index, inner).strip() for key, value in kept]
            self._replace(node, f"{{{', '.join([*old, *pieces])}}}")
        elif kept:
            self._insert(kept[-1][1].end_mark.index, "".join(f", {piece}" for piece in pieces))
        else:
            self._check_bare(node)
            self._insert(node.start_mark.index + 1, ", ".join(pieces))

    def _append(self, kept: Sequence[tuple[yaml.Node, yaml.Node]], added: dict[str, Any]) -> None:
        """Put new entries behind the last one of a block mapping."""
        first, last = kept[0][0], last_of(kept[-1][1])
        self._check_line(first)
        block = self._block(added, first.start_mark.column)
        if is_block_scalar(last):
            self._insert_line(last.end_mark.index, block)
        else:
            self._insert(self._line_end(last.end_mark.index), self.newline + block)

    def _drop_lines(self, key: yaml.Node, value: yaml.Node) -> None:
        self._check_line(key)
        self._check_inner(value)
        last = last_of(value)
        end = last.end_mark.index
        if not is_block_scalar(last):
            found = BREAK.search(self.text, end)
            end = found.end() if found else len(self.text)
        self.splices.append((key.start_mark.index - key.start_mark.column, end, ""))

    def _set(self, node: yaml.Node, content: Any) -> None:
        import yaml

        if says(node, content):
            return
        self._check_inner(node)
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            self._replace(node, self._block(content, node.start_mark.column).lstrip())
        else:
            self._fill(node, content)

    def _fill(self, node: yaml.Node, content: Any) -> None:
        """Write ``content`` in flow style in place of a value, or behind the colon where there is none."""
        if node.value:
            self._replace(node, json.dumps(content))
        else:
            self._check_bare(node)
            self._insert(node.start_mark.index, f" {json.dumps(content)}")

    def _replace(self, node: yaml.Node, piece: str) -> None:
        """Put ``piece`` in the place of a node, up to its last character that is not white space."""
        self._check_unshared(node)
        self._check_bare(node)
        start = node.start_mark.index
        self.splices.append((start, start + len(self.text[start : last_of(node).end_mark.index].rstrip()), piece))

    def _insert(self, index: int, piece: str) -> None:
        self.splices.append((index, index, piece))

    def _insert_line(self, index: int, block: str) -> None:
        """Put lines at the start of a line, or behind a last line that does not end."""
        starts_line = not index or BREAK.match(self.text[index - 1])
        self._insert(index, block + self.newline if starts_line else self.newline + block)

    def _block(self, document: Any, column: int) -> str:
        """Lines of block style from ``column`` on, without the last line's end."""
        return self.newline.join(" " * column + line for line in dumped(document).splitlines())

    def _line_end(self, index: int) -> int:
        found = BREAK.search(self.text, index)
        return found.start() if found else len(self.text)

    def _check_duplicates(self, root: yaml.Node) -> None:
        import yaml

        for node in walk(root):
            seen = set()
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                name = name_of(key)
                if name in seen:
                    self.parsed.refuse(key, f"the key {name} is there twice in one mapping")
                if name is not None:
                    seen.add(name)

    def _check_unshared(self, node: yaml.Node) -> None:
        anchor = self.parsed.anchors.get(id(node))
        if anchor in self.parsed.aliased:
            self.parsed.refuse(node, f"airgap cannot change what aliases *{anchor} stand for too")

    def _check_inner(self, node: yaml.Node) -> None:
        for inner in walk(node):
            self._check_unshared(inner)

    def _check_bare(self, node: yaml.Node) -> None:
        if self.text[node.start_mark.index : node.start_mark.index + 1] in ("&", "!"):
            self.parsed.refuse(node, "airgap cannot change a value that has a tag or an anchor")

    def _check_line(self, key: yaml.Node) -> None:
        start = key.start_mark
        if self.text[start.index - start.column : start.index].strip(" "):
            self.parsed.refuse(key, "airgap cannot change a mapping whose key does not begin its line")
