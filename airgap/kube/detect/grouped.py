# SPDX-License-Identifier: Apache-2.0
"""References that are split over lines of settings: ``registry=…``, ``image.repository=…``, ``image.tag=…``.

They occur in properties files, INI and TOML, and are joined like the keys of a mapping
(:mod:`airgap.kube.detect.split_references`). A key that occurs twice in a section is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from airgap.kube.detect import keys
from airgap.kube.detect.lines import Line
from airgap.kube.detect.nodes import Node, ScalarToken
from airgap.kube.detect.shapes import is_complete_reference
from airgap.kube.detect.split_references import SplitReference, join

_SECTION = re.compile(
    r"[ \t]*\[{1,2}[ \t]*([\w.\"'/:-](?:[\w.\"'/: -]{0,198}[\w.\"'/:-])?)[ \t]*\]{1,2}[ \t]*(?:[#;].*)?"
)
_NAME_ROLES = (keys.IMAGE, keys.REPOSITORY)
#: Git has repositories and tags too, so a key, a section or a registry's address must say that it is an image.
_SAYS_IMAGE = re.compile(r"image|img|docker|container", re.IGNORECASE)


def split_references(content: Sequence[Line]) -> Iterator[SplitReference]:
    """Yield the references whose name and other parts are on different lines of a text.

    ``start`` and ``end`` of the tokens are characters of the text.
    """
    if not _has_name(content):
        return
    for node in _section_nodes(content):
        for key, token in (node.tokens or {}).items():
            if not _may_be_name(key, token.value):
                continue
            split_reference = join(node, key, token, None)
            if not isinstance(split_reference, SplitReference) or len(split_reference.parts) == 1:
                continue
            if _SAYS_IMAGE.search(f"{node.parent_key or ''}.{key}") or is_complete_reference(split_reference.text):
                yield split_reference


def _has_name(content: Sequence[Line]) -> bool:
    """Whether a line of a text may have the name of an image that other lines complete."""
    # A text may have thousands of lines, most with the same few keys.
    known: dict[str, bool] = {}
    for line in content:
        if line.setting is None:
            continue
        key, value = line.setting.group("key", "value")
        is_name = known.get(key)
        if is_name is None:
            is_name = known[key] = keys.classify(key).role in _NAME_ROLES
        if is_name and not is_complete_reference(value):
            return True
    return False


def _may_be_name(key: str, value: str) -> bool:
    return keys.classify(key).role in _NAME_ROLES and not is_complete_reference(value)


def _section_nodes(content: Sequence[Line]) -> list[Node]:
    """Return a mapping for each section. All have one parent, which holds a registry set before the first section."""
    shared_node = Node(None, None, True, False, 0)
    nodes = [Node(shared_node, None, True, False, 0)]
    seen: set[tuple[int, str]] = set()
    for line_start, line, setting in content:
        if "[" in line and (section := _SECTION.fullmatch(line)):
            nodes.append(Node(shared_node, section[1].rpartition(".")[2].strip("\"' "), True, False, 0))
            continue
        if setting is None:
            continue
        node, key = nodes[-1], setting["key"]
        node.tokens = node.tokens if node.tokens is not None else {}
        if (len(nodes), key) in seen:
            node.tokens.pop(key, None)
            continue
        seen.add((len(nodes), key))
        begin, end = setting.span("value")
        node.tokens[key] = ScalarToken(setting["value"], line_start + begin, line_start + end, '"', False, False)
    first = nodes[0].tokens or {}
    shared_node.tokens = {key: token for key, token in first.items() if keys.classify(key)[:2] == (keys.REGISTRY, "")}
    return nodes
