# SPDX-License-Identifier: Apache-2.0
"""References split over lines of settings, ``registry=…``, ``image.repository=…``, ``image.tag=…`` in properties, INI
and TOML: joined as keys of a mapping are (:mod:`airgap.kube.detect.split_references`). A key that
stands twice is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap.kube.detect import keys
from airgap.kube.detect.lines import SETTING, bodies
from airgap.kube.detect.split_references import SplitReference, join
from airgap.kube.detect.walker import Node, ScalarToken, is_complete_reference

_SECTION = re.compile(
    r"[ \t]*\[{1,2}[ \t]*([\w.\"'/:-](?:[\w.\"'/: -]{0,198}[\w.\"'/:-])?)[ \t]*\]{1,2}[ \t]*(?:[#;].*)?"
)
#: Repositories and tags are git's too: that an image is meant must be said, by a key, a section, or a registry.
_SAYS_IMAGE = re.compile(r"image|img|docker|container", re.IGNORECASE)


def joined(value: str) -> Iterator[SplitReference]:
    """References of which a line of ``value`` holds the name and others the rest; the leaves' ``start`` and ``end``
    are places in ``value``."""
    for node in _sections(value):
        for key, token in (node.tokens or {}).items():
            what = keys.classify(key).role
            if what not in (keys.IMAGE, keys.REPOSITORY) or is_complete_reference(token.value):
                continue
            found = join(node, key, token, None)
            if not isinstance(found, SplitReference) or len(found.parts) == 1:
                continue
            if _SAYS_IMAGE.search(f"{node.parent_key or ''}.{key}") or is_complete_reference(found.text):
                yield found


def _sections(value: str) -> list[Node]:
    """A mapping for each section; what stands before the first is around the others, and a registry there is for
    all."""
    top = Node(None, None, True, False, 0)
    nodes = [Node(top, None, True, False, 0)]
    seen: set[tuple[int, str]] = set()
    for at, body in bodies(value):
        if section := _SECTION.fullmatch(body):
            nodes.append(Node(top, section[1].rpartition(".")[2].strip("\"' "), True, False, 0))
            continue
        found = SETTING.fullmatch(body)
        if found is None:
            continue
        node, key = nodes[-1], found["key"]
        node.tokens = node.tokens if node.tokens is not None else {}
        if (len(nodes), key) in seen:
            node.tokens.pop(key, None)
            continue
        seen.add((len(nodes), key))
        begin, end = found.span("value")
        node.tokens[key] = ScalarToken(found["value"], at + begin, at + end, '"', False, False)
    first = nodes[0].tokens or {}
    top.tokens = {key: token for key, token in first.items() if keys.classify(key)[:2] == (keys.REGISTRY, "")}
    return nodes
