# SPDX-License-Identifier: Apache-2.0
"""The path of a value in a document, for people (``spec.containers[0].image``) and for rules (``[]`` for indexes)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from airgap.kube.detect.nodes import Node
from airgap.kube.detect.walker import Candidate

#: A longer key is cut, because it is part of the path of every value below it.
_LONGEST_KEY = 512
_INDEX = re.compile(r"\[[0-9]+\]")
_SIMPLE_KEY = re.compile(r"[^.\[\]\s\"]+")


class _ParentPath(NamedTuple):
    """The path of ``node`` below the object, and the same as rules write it.

    ``in_document`` and ``item_rule`` are the paths of its items, without their indexes and as rules write them.
    """

    node: Node | None
    path: str
    rule_path: str
    in_document: str = ""
    item_rule: str = "[]"


class ObjectPaths:
    """Paths of the candidates of one object; ``top`` is ``None`` for candidates outside of objects.

    The paths of the last parent are kept, because neighbours share them.
    """

    def __init__(self, top: Node | None) -> None:
        self._top = top
        self._object_path = _path_between(top, None)
        self._last_parent = self._last_node = _ParentPath(None, "", "")

    def full_path(self, candidate: Candidate) -> str:
        """Return the path in the document, as in ``spec.containers[0].image``."""
        node, key = candidate.node, candidate.key
        paths = self._last_node if node is self._last_node.node else self._own_path(node)
        node_path = paths.in_document
        return f"{node_path}[{key}]" if type(key) is int else (node_path + _step(key)).lstrip(".")

    def rule_path(self, candidate: Candidate) -> str:
        """Return the path below the object, with ``[]`` for each index."""
        node, key = candidate.node, candidate.key
        paths = self._last_node if node is self._last_node.node else self._own_path(node)
        return paths.item_rule if type(key) is int else (paths.rule_path + _rule_step(key)).lstrip(".")

    def _own_path(self, node: Node) -> _ParentPath:
        """The paths of the candidate's node. They are kept, because the values of a node follow each other."""
        path = rule_path = ""
        if node is not self._top and node.parent is not None:
            above = self._parent_path(node.parent)
            path = above.path + _step(node.parent_key)
            rule_path = above.rule_path + _rule_step(node.parent_key)
        in_document, item_rule = (self._object_path + path).lstrip("."), f"{rule_path}[]".lstrip(".")
        self._last_node = _ParentPath(node, path, rule_path, in_document, item_rule)
        return self._last_node

    def _parent_path(self, parent: Node) -> _ParentPath:
        if parent is not self._last_parent.node:
            path = _path_between(parent, self._top)
            self._last_parent = _ParentPath(parent, path, _INDEX.sub("[]", path))
        return self._last_parent


def _path_between(node: Node | None, top: Node | None) -> str:
    """The steps from ``top``, exclusive, down to ``node``."""
    return "".join(reversed([_step(ancestor.parent_key) for ancestor in _ancestors(node, top)]))


def _ancestors(node: Node | None, top: Node | None) -> Iterator[Node]:
    while node is not None and node is not top:
        yield node
        node = node.parent


def _step(key: str | int | None) -> str:
    if key is None:
        return ""
    if isinstance(key, int):
        return f"[{key}]"
    return _key_step(key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + "…")


@lru_cache(maxsize=1024)
def _key_step(key: str) -> str:
    """The step of a key, which is cached because objects of one type repeat their keys."""
    return f".{key}" if _SIMPLE_KEY.fullmatch(key) and key.isprintable() else f"[{key!r}]"


def _rule_step(key: str | int | None) -> str:
    if isinstance(key, int):
        return "[]"
    step = _step(key)
    return step if "[" not in step else _INDEX.sub("[]", step)
