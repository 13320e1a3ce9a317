# SPDX-License-Identifier: Apache-2.0
"""Resource files as trees, and every way to write one down: block and flow collections, JSON, all styles of scalars,
comments, anchors with aliases, and documents inside values. What is drawn knows its images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Union

from hypothesis import strategies as st

Node = Union[str, "list[Node]", "dict[str, Node]"]

#: Values that name nothing, among them what YAML treats specially and what would end a style too early.
WORDS = ["text", "é€😀", "it's", 'say "x"', "a: b", "- a", "#c", "yes", "1.10", "~", "{}", "back\\slash", "*x", "", " "]
KEYS = ["a", "b-c", "é", "spec", "list", "x.y/z", "it's", "a: b"]
NOTES = ["", "", " # note", "\t# tab é", "   "]
SUFFIXES = [":1", ":v1.14.4", "@sha256:" + "5d" * 32, ":2@sha256:" + "ab" * 32]
_PLAIN = re.compile(r"(?:q\.io/|--)[a-z0-9.:@/=-]+|[a-z]+|[A-Z]+_[A-Z]+")


class Maker:
    """Draws, and gives each image a name of its own; ``images`` are those that a scan must find."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.images: list[str] = []
        self.anchors = 0

    def image(self) -> str:
        self.images.append(f"q.io/p/n{len(self.images)}{self.pick(SUFFIXES)}")
        return self.images[-1]

    def pick(self, choices: Sequence[str]) -> str:
        return self.draw(st.sampled_from(choices))

    def chance(self, among: int) -> bool:
        return self.draw(st.integers(1, among)) == 1

    def tree(self, depth: int, inner: int) -> dict[str, Node]:
        """A mapping with images, arguments, variables, deeper mappings and documents inside values."""
        made: dict[str, Node] = {}
        for number in range(self.draw(st.integers(1, 3))):
            key = f"{self.pick(KEYS)}{number}"
            what = self.pick(["image", "args", "env", "map", "list", "word", "document", "document"])
            if what == "image":
                made[f"k{number}{self.pick(['Image', '_image', '.image', 'ImageRef'])}"] = self.image()
            elif what == "args" and "args" not in made:
                made["args"] = ["run", f"--x-image={self.image()}", "--y-image", self.image()]
            elif what == "env" and "env" not in made:
                made["env"] = [{"name": "A_IMAGE", "value": self.image()}]
            elif what == "map" and depth:
                made[key] = self.tree(depth - 1, inner)
            elif what == "list" and depth:
                made[key] = [self.tree(depth - 1, inner), self.pick(WORDS), {"image": self.image()}]
            elif what == "document" and inner:
                made[key] = self.document({"spec": self.tree(1, inner - 1), "image": self.image()})
            else:
                made[key] = self.pick(WORDS)
        return made

    def document(self, tree: dict[str, Node]) -> str:
        """A whole document: JSON, flow or block."""
        way = self.pick(["json", "pretty", "flow", "block", "block", "block"])
        if way in ("json", "pretty"):
            text = json.dumps(tree, indent=2 if way == "pretty" else None, ensure_ascii=self.chance(2))
            return text.replace("/", "\\/") if self.chance(3) else text
        text = self.flow(tree) + "\n" if way == "flow" else self.block(tree, "")
        return text.replace("\n", "\r\n") if self.chance(6) else text

    def block(self, node: dict[str, Node] | list[Node], indent: str) -> str:
        lines = []
        if isinstance(node, dict):
            for key, value in node.items():
                name = key if re.fullmatch(r"[\w.-]+", key) else self.quoted(key)
                lines.append(f"{indent}{name}:{self.value(value, indent)}")
        else:
            for value in node:
                if isinstance(value, dict) and value and self.chance(2):  # its first key beside the dash
                    lines.append(f"{indent}- {self.block(value, indent + '  ').lstrip(' ')}")
                else:
                    lines.append(f"{indent}-{self.value(value, indent)}")
            if self.chance(5):
                lines.insert(0, f"{indent}# image: q.io/p/comment:1\n\n")
        return "".join(lines)

    def value(self, node: Node, indent: str) -> str:
        """What stands behind a key's colon or an item's dash, up to the line's end."""
        deeper = indent + " " * self.draw(st.integers(1, 3))
        if isinstance(node, str):
            text = self.scalar(node, deeper)
            return f" {text}\n" if text.lstrip("&n0123456789 ")[:1] in "|>" else f" {text}{self.pick(NOTES)}\n"
        if self.chance(5):
            return " " + (self.flow(node) if self.chance(2) else json.dumps(node, ensure_ascii=False)) + "\n"
        return f"{self.pick(NOTES).expandtabs(1)}\n{self.block(node, deeper)}"  # libyaml takes no tab behind a dash

    def flow(self, node: Node) -> str:
        gap = self.pick(["", " "])
        if isinstance(node, str):
            return self.scalar(node, None)
        if isinstance(node, dict):
            entries = [f"{self.quoted(key)}: {self.flow(value)}" for key, value in node.items()]
            return "{" + gap + f"{gap}, ".join(entries) + gap + "}"
        return "[" + gap + ", ".join(self.flow(one) for one in node) + gap + "]"

    def quoted(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=False) if self.chance(2) else "'" + text.replace("'", "''") + "'"

    def scalar(self, text: str, indent: str | None) -> str:
        """``text`` in one of the styles that can hold it; ``indent`` is that of a block's lines, ``None`` in flow."""
        styles = ["double", "escaped"]
        if _PLAIN.fullmatch(text) and text != "yes":
            styles.append("plain")
        if "\n" not in text:
            styles += ["single", "tagged", "broken"]
        if indent is not None and "\r" not in text and text.strip() and not text.startswith((" ", "\n")):
            styles += ["literal", "literal"] if "\n" in text else ["literal", "folded"]
        style = self.pick(styles)
        prefix = ""
        if text in self.images and self.chance(4):
            self.anchors += 1
            prefix = f"&n{self.anchors} "
        if style in ("literal", "folded"):
            body = text.rstrip("\n")
            ends = len(text) - len(body)
            lines = "\n".join(f"{indent}{line}" if line else "" for line in body.split("\n"))
            return f"{prefix}{'|' if style == 'literal' else '>'}{'-' if not ends else '+' if ends > 1 else ''}" + (
                f"{self.pick(['', ' # c'])}\n{lines}" + "\n" * max(ends - 1, 0)
            )
        single = "'" + text.replace("'", "''") + "'"
        double = json.dumps(text, ensure_ascii=False)
        if style == "escaped":  # signs alone: words stay, by which a value is known to be worth a look
            double = re.sub(r"(?<!\\)[:/@.]", lambda one: f"\\x{ord(one[0]):02x}", double)
        if style == "broken" and text and indent is not None and "\\" not in double:
            double = f"{double[:2]}\\\n{indent}{double[2:]}" if double[2:3] not in (" ", '"') else double
        return prefix + {"plain": text, "single": single, "tagged": f"!!str {single}"}.get(style, double)


@st.composite
def generated(draw: st.DrawFn, *, inner: int = 3) -> tuple[bytes, list[str]]:
    """The bytes of a resource file, and the images in it in no order; documents in values to depth ``inner``."""
    make = Maker(draw)
    documents = []
    for _ in range(draw(st.integers(1, 2))):
        head: dict[str, Node] = {"apiVersion": "x.example/v1", "kind": "Thing"}
        documents.append({**head, "image": make.image(), "spec": make.tree(2, inner)})
    if make.chance(5):
        content = json.dumps({"kind": "List", "apiVersion": "v1", "items": documents}, ensure_ascii=make.chance(2))
        return content.encode(), make.images
    text = "---\n".join([make.block(one, "") for one in documents])
    text = make.pick(["", "---\n", "# é\n---\n", "%YAML 1.1\n---\n"]) + text
    if make.chance(4) and text.count("\n") and not re.search(r"[|>][-+]?( # c)?\n[^\n]*\n*\Z", text):
        text = text.rstrip("\n")
    if make.chance(4):
        text = re.sub(r"(?<!\r)\n", "\r\n", text)
    return ("\ufeff" * make.chance(4) + text).encode(), make.images
