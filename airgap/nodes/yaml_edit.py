# SPDX-License-Identifier: Apache-2.0
"""Sets keys in a user's YAML file by inserting text, so that comments, line ends and all other bytes are kept.

Positions come from PyYAML's nodes. A value that differs is replaced in place, a removed entry is deleted with its
lines, and new entries are added after the last one of their mapping. A change that is not possible in this way is
refused. Afterwards the result is parsed and compared: it must be the old document with exactly these changes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airgap.errors import OutputError
from airgap.i18n import tr
from airgap.nodes.yaml_changes import Value, YamlChanges, has_content, new_document, verify_edit
from airgap.nodes.yaml_nodes import ALIAS, LINE_BREAK, NULL, ParsedYaml, is_block_scalar, key_text, last_node, walk

if TYPE_CHECKING:
    import yaml


def dump(document: Any) -> str:
    """Return ``document`` as YAML in block style, its keys in order, long lines not folded."""
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=sys.maxsize)
    return text


def edit(content: bytes, changes: YamlChanges, where: str) -> bytes:
    """Return ``content`` with ``changes``; the same bytes if it has them already. ``where`` is the path for messages.

    Raises :class:`OutputError` with the line if ``content`` is not UTF-8 or YAML, or cannot be edited.
    """
    byte_order_mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    try:
        text = content[len(byte_order_mark) :].decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise OutputError(
            tr("this is not UTF-8"), where=f"{where}:{line}", hint=tr("mend it, or move it away")
        ) from error
    before = ParsedYaml.parse(text, where)
    editor = _Editor(before)
    editor.change_document(changes)
    if not editor.splices:
        return content
    after = editor.result()
    verify_edit(before, changes, after)
    return byte_order_mark + after.encode()


class _Editor:
    """Collects splices: ``(start, end, new text)``. They do not overlap and refer to the original text."""

    def __init__(self, parsed: ParsedYaml) -> None:
        self.parsed, self.text = parsed, parsed.text
        self.splices: list[tuple[int, int, str]] = []
        line_break = re.search("\r\n|[\r\n]", self.text)
        self.newline = line_break[0] if line_break else "\n"

    def result(self) -> str:
        """The text with all splices."""
        return self._spliced(0, len(self.text), self.splices)

    def _spliced(self, begin: int, end: int, splices: Sequence[tuple[int, int, str]]) -> str:
        """The text from ``begin`` to ``end``, with the splices inside that range."""
        pieces = []
        # The sort is stable: of several insertions at one index, the one for the deepest mapping was added first.
        for start, stop, piece in sorted(splices, key=lambda splice: splice[:2]):
            if begin <= start and stop <= end:
                pieces += [self.text[begin:start], piece]
                begin = stop
        return "".join(pieces) + self.text[begin:end]

    def change_document(self, changes: YamlChanges) -> None:
        """Add the splices for ``changes`` to the whole document."""
        root = self.parsed.root
        if root is None:
            self._insert_line(len(self.text), self._block(new_document(changes), 0))
        elif root.tag == NULL and not root.value:
            self._check_plain(root)
            self._insert_line(root.start_mark.index, self._block(new_document(changes), 0))
        else:
            self._check_duplicates(root)
            self._change(root, changes, 0, flow=False)

    def _change(self, node: yaml.Node, changes: YamlChanges, column: int, *, flow: bool) -> None:
        """Apply ``changes`` to a mapping, or to an empty value that becomes one.

        The keys of a new mapping start at ``column``, unless it is inside a mapping in ``flow`` style.
        """
        import yaml

        if isinstance(node, yaml.MappingNode):
            self._change_mapping(node, changes)
        elif node.tag == ALIAS:
            self.parsed.refuse(node, tr("airgap cannot add to what the alias *{value} stands for", value=node.value))
        elif node.tag != NULL:
            self.parsed.refuse(node, tr("where a mapping belongs there is something else"))
        elif added := new_document(changes):
            if node.value or flow:
                self._fill(node, added)
            else:
                self._check_plain(node)
                self._insert(self._line_end(node.start_mark.index), self.newline + self._block(added, column))

    def _change_mapping(self, node: yaml.MappingNode, changes: YamlChanges) -> None:
        entries = {name: (key, value) for key, value in node.value if (name := key_text(key)) is not None}
        splice_count = len(self.splices)
        added: dict[str, Any] = {}
        removed: set[str] = set()
        for key, change in changes.items():
            if key not in entries:
                if isinstance(change, Value):
                    added[key] = change.content
                elif change is not None and (below := new_document(change)):
                    added[key] = below
            elif change is None:
                removed.add(key)
            elif isinstance(change, Value):
                self._set(entries[key][1], change.content)
            else:
                key_node, value = entries[key]
                self._change(value, change, key_node.start_mark.column + 2, flow=node.flow_style)
        if added or removed:
            self._change_entries(node, entries, added, removed)
        if len(self.splices) > splice_count:
            self._check_unshared(node)

    def _change_entries(
        self,
        node: yaml.MappingNode,
        entries: Mapping[str, tuple[yaml.Node, yaml.Node]],
        added: dict[str, Any],
        removed: set[str],
    ) -> None:
        """Add and remove entries of ``node``. ``entries`` maps key texts to key and value nodes."""
        if "<<" in entries:
            self.parsed.refuse(node, tr("airgap cannot change a mapping that takes in others by <<"))
        kept = [entry for entry in node.value if key_text(entry[0]) not in removed]
        if node.flow_style:
            self._change_flow(node, kept, added, bool(removed))
        elif kept:
            for name in removed:
                self._remove_lines(*entries[name])
            if added:
                self._append(kept, added)
        else:
            self._replace(node, self._block(added, node.start_mark.column).lstrip() if added else "{}")

    def _change_flow(
        self, node: yaml.Node, kept: Sequence[tuple[yaml.Node, yaml.Node]], added: dict[str, Any], rebuild: bool
    ) -> None:
        """Add entries to a mapping in flow style; with ``rebuild``, write it again from the ``kept`` entries."""
        pieces = [json.dumps({key: value})[1:-1] for key, value in added.items()]
        if rebuild:
            start, end = node.start_mark.index, node.end_mark.index
            inner = [splice for splice in self.splices if start <= splice[0] < end]
            self.splices = [splice for splice in self.splices if splice not in inner]
            old = [self._spliced(key.start_mark.index, value.end_mark.index, inner).strip() for key, value in kept]
            self._replace(node, f"{{{', '.join([*old, *pieces])}}}")
        elif kept:
            self._insert(kept[-1][1].end_mark.index, "".join(f", {piece}" for piece in pieces))
        else:
            self._check_plain(node)
            self._insert(node.start_mark.index + 1, ", ".join(pieces))

    def _append(self, kept: Sequence[tuple[yaml.Node, yaml.Node]], added: dict[str, Any]) -> None:
        """Add entries after the last one of a block mapping."""
        first, last = kept[0][0], last_node(kept[-1][1])
        self._check_line(first)
        block = self._block(added, first.start_mark.column)
        if is_block_scalar(last):
            self._insert_line(last.end_mark.index, block)
        else:
            self._insert(self._line_end(last.end_mark.index), self.newline + block)

    def _remove_lines(self, key: yaml.Node, value: yaml.Node) -> None:
        self._check_line(key)
        self._check_all_unshared(value)
        last = last_node(value)
        end = last.end_mark.index
        if not is_block_scalar(last):
            line_break = LINE_BREAK.search(self.text, end)
            end = line_break.end() if line_break else len(self.text)
        self.splices.append((key.start_mark.index - key.start_mark.column, end, ""))

    def _set(self, node: yaml.Node, content: Any) -> None:
        import yaml

        if has_content(node, content):
            return
        self._check_all_unshared(node)
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            self._replace(node, self._block(content, node.start_mark.column).lstrip())
        else:
            self._fill(node, content)

    def _fill(self, node: yaml.Node, content: Any) -> None:
        """Replace a value by ``content`` in flow style, or write it after the colon if there is no value."""
        if node.value:
            self._replace(node, json.dumps(content))
        else:
            self._check_plain(node)
            self._insert(node.start_mark.index, f" {json.dumps(content)}")

    def _replace(self, node: yaml.Node, piece: str) -> None:
        """Replace a node up to its last character that is not white space."""
        self._check_unshared(node)
        self._check_plain(node)
        start = node.start_mark.index
        self.splices.append((start, start + len(self.text[start : last_node(node).end_mark.index].rstrip()), piece))

    def _insert(self, index: int, piece: str) -> None:
        self.splices.append((index, index, piece))

    def _insert_line(self, index: int, block: str) -> None:
        """Insert lines before the line at ``index``, or after a last line that has no line end."""
        starts_line = not index or LINE_BREAK.match(self.text[index - 1])
        self._insert(index, block + self.newline if starts_line else self.newline + block)

    def _block(self, document: Any, column: int) -> str:
        """``document`` in block style, indented to ``column``, without the last line end."""
        return self.newline.join(" " * column + line for line in dump(document).splitlines())

    def _line_end(self, index: int) -> int:
        line_break = LINE_BREAK.search(self.text, index)
        return line_break.start() if line_break else len(self.text)

    def _check_duplicates(self, root: yaml.Node) -> None:
        """Refuse a document with two equal keys in one mapping."""
        import yaml

        for node in walk(root):
            seen = set()
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                name = key_text(key)
                if name in seen:
                    self.parsed.refuse(key, tr("the key {name} is there twice in one mapping", name=name))
                if name is not None:
                    seen.add(name)

    def _check_unshared(self, node: yaml.Node) -> None:
        """Refuse a node that aliases refer to: they would change with it."""
        anchor = self.parsed.anchors.get(id(node))
        if anchor in self.parsed.aliased:
            self.parsed.refuse(node, tr("airgap cannot change what aliases *{anchor} stand for too", anchor=anchor))

    def _check_all_unshared(self, node: yaml.Node) -> None:
        for inner in walk(node):
            self._check_unshared(inner)

    def _check_plain(self, node: yaml.Node) -> None:
        """Refuse a node with a tag or an anchor in front of it."""
        if self.text[node.start_mark.index : node.start_mark.index + 1] in ("&", "!"):
            self.parsed.refuse(node, tr("airgap cannot change a value that has a tag or an anchor"))

    def _check_line(self, key: yaml.Node) -> None:
        """Refuse a key that is not the first thing on its line."""
        start = key.start_mark
        if self.text[start.index - start.column : start.index].strip(" "):
            self.parsed.refuse(key, tr("airgap cannot change a mapping whose key does not begin its line"))
