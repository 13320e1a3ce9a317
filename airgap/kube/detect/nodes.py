# SPDX-License-Identifier: Apache-2.0
"""What a walk over parser events builds: scalars with their places, and the open and ended mappings and lists."""

from __future__ import annotations

from typing import NamedTuple

from airgap.kube.detect import keys
from airgap.kube.parse.scalars import NULL


class ScalarToken(NamedTuple):
    """A scalar: its value, its offsets (characters in YAML, bytes in JSON) and its style.

    ``key_start`` is the offset of its key, or -1.
    """

    value: str
    start: int
    end: int
    style: str
    flow: bool
    tagged: bool
    key_start: int = -1

    @property
    def is_plain(self) -> bool:
        """Whether the scalar has neither quotes nor a tag, so that YAML derives its type from the text."""
        return not self.style and not self.tagged

    @property
    def is_null(self) -> bool:
        """Whether YAML reads the scalar as null."""
        return self.is_plain and self.value in NULL


class ClosedNode:
    """A mapping that has ended and whose neighbours may still need its values.

    It holds its key in the parent, its scalars and its own closed mappings. It has no reference to its parent: without
    reference cycles a finished object is freed at once.
    """

    __slots__ = ("children", "parent_key", "prefix_keys", "tokens", "tokens_by_stem", "weak_tokens")

    def __init__(self, parent_key: str | int | None) -> None:
        self.parent_key = parent_key
        self.children: dict[str, ClosedNode] | None = None
        self.tokens: dict[str, ScalarToken] | None = None
        #: ``tokens`` by stem and role (:class:`airgap.kube.detect.keys.Key`); ``None`` until it is first needed.
        self.tokens_by_stem: dict[str, dict[str, ScalarToken]] | None = None
        #: Set with ``tokens_by_stem``: the keys that may hold what stands before a name, and the offsets of the values
        #: under keys that alone may mean anything.
        self.prefix_keys: list[str] = []
        self.weak_tokens: set[int] = set()

    def closed_copy(self) -> ClosedNode:
        """Return a copy without the parent."""
        copy = ClosedNode(self.parent_key)
        copy.children, copy.tokens = self.children, self.tokens
        return copy


class Node(ClosedNode):
    """An open mapping or list.

    ``parent_key`` is its key or index in ``parent``, ``tokens`` its scalars under keys that matter, and
    ``first_candidate`` the number of pending candidates when it began, ``first_kept`` that of other kept values.
    ``items`` is set only for lists of arguments, ``named_values`` for lists of entries ``{name: X, value: Y}`` whose
    names are those of a reference's parts. ``is_container`` is set where a list or mapping that only containers have
    was met, and ``has_prefix`` where a key holds a registry.
    """

    __slots__ = (
        "api",
        "expects_key",
        "first_candidate",
        "first_kept",
        "flow",
        "has_prefix",
        "holds_images",
        "index",
        "is_container",
        "items",
        "key",
        "key_start",
        "kind",
        "mapping",
        "named_node",
        "named_values",
        "parent",
    )

    def __init__(
        self,
        parent: Node | None,
        parent_key: str | int | None,
        mapping: bool,
        flow: bool,
        first_candidate: int,
        first_kept: int = 0,
    ) -> None:
        self.parent_key = parent_key
        self.children = self.tokens = self.tokens_by_stem = None
        self.named_node: Node | None = None
        self.parent = parent
        self.mapping = mapping
        self.flow = flow
        #: 1 for a list or mapping that is called images, 2 for a mapping inside such a mapping, 3 for one called data.
        self.holds_images = 0
        if type(parent_key) is str:
            if parent_key[-1:] in "sS" and keys.classify(parent_key).role == keys.IMAGES:
                self.holds_images = 1
            elif parent_key == "data":
                self.holds_images = 3
            elif mapping and parent is not None and 0 < parent.holds_images < 3:
                self.holds_images = 2
        self.first_candidate = first_candidate
        self.first_kept = first_kept
        self.expects_key = mapping
        self.key = ""
        self.key_start = -1
        self.index = -1
        self.api = ""
        self.kind = ""
        self.items: list[ScalarToken | None] | None = None
        self.named_values: dict[str, ScalarToken] | None = None
        self.is_container = self.has_prefix = False

    def current_key(self) -> str | int:
        """Return the key or index of the value that is being read."""
        return self.key if self.mapping else self.index
