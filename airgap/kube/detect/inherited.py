# SPDX-License-Identifier: Apache-2.0
"""Parts of references that enclosing mappings hold for all images in them.

Such a part is a scalar of an enclosing mapping itself, or of a block beside the image's mapping that is called
``global``, ``base``, ``default``, ``defaults``, ``common`` or ``shared``, or of ``image`` in such a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from airgap.kube.detect import keys
from airgap.kube.detect.nodes import ClosedNode, Node, ScalarToken

#: The blocks whose values others inherit, in the order in which they are asked.
BLOCKS = ("global", "base", "defaults", "default", "common", "shared")


_PREFIXES = frozenset({keys.REGISTRY, keys.ORGANISATION, keys.REPOSITORY})


class Inherited(NamedTuple):
    """A part, the mapping that holds it, and whether that mapping is a block for others."""

    token: ScalarToken
    holder: ClosedNode
    in_block: bool


def inherited(node: Node, top: Node | None, role: str, stem: str = "") -> Inherited | None:
    """Return the nearest value of ``role`` that is not empty and that stands outside of ``node``, up to ``top``."""
    for mapping in _enclosing_mappings(node, top, stem):
        token = non_empty(tokens_of_stem(mapping, "").get(role))
        if token is not None and (not keys_weak(mapping, token) or _is_block(mapping)):
            return Inherited(token, mapping, _is_block(mapping))
    return None


def global_registry(node: Node, top: Node | None) -> ScalarToken | None:
    """Return ``global.imageRegistry`` if it is not empty. Many charts prefer it to the registry of an image."""
    for mapping in _enclosing_mappings(node, top, ""):
        if mapping.parent_key == "global":
            token = non_empty((mapping.tokens or {}).get("imageRegistry"))
            if token is not None:
                return token
    return None


def tokens_of_stem(node: ClosedNode, stem: str) -> dict[str, ScalarToken]:
    """Return the tokens of the mapping with ``stem``, by role. Grouped once, because each key of it may ask.

    Of two keys with one role, one that says image goes before one that does not.
    """
    if node.tokens_by_stem is None:
        node.tokens_by_stem = {}
        node.prefix_keys, node.weak_tokens = [], set()
        for weak in (False, True):
            for key, token in (node.tokens or {}).items():
                meaning = keys.classify(key)
                if meaning.role and meaning.weak is weak:
                    if meaning.role in _PREFIXES:
                        node.prefix_keys.append(key)
                    if weak:
                        node.weak_tokens.add(token.start)
                    group = node.tokens_by_stem.setdefault(meaning.stem, {})
                    if meaning.role not in group or non_empty(group[meaning.role]) is None:
                        group[meaning.role] = token
    return node.tokens_by_stem.get(stem) or {}


def keys_weak(node: ClosedNode, token: ScalarToken) -> bool:
    """Return whether the key of ``token`` counts only inside an image's mapping."""
    return token.start in node.weak_tokens


def is_in_image(node: Node) -> bool:
    """Return whether the mapping or the one around it is called image or images."""
    return keys.names_image(node.parent_key) or (node.parent is not None and keys.names_image(node.parent.parent_key))


def is_machine(node: Node) -> bool:
    """Return whether the mapping has a key that only machines and disks have beside their image."""
    tokens = node.tokens or {}
    return any(key in tokens for key in keys.MACHINE_KEYS)


def non_empty(token: ScalarToken | None) -> ScalarToken | None:
    """Return the token, unless it is null or blank."""
    return None if token is None or token.is_null or not token.value.strip() else token


def _is_block(mapping: ClosedNode) -> bool:
    return mapping.parent_key in BLOCKS or mapping.parent_key == "image"


def _enclosing_mappings(node: Node, top: Node | None, stem: str) -> Iterator[ClosedNode]:
    """Yield the mappings around ``node`` up to ``top``, each followed by its blocks and the ``image`` in them.

    The parts of an image with a stem may stand beside it without one, so then ``node`` itself comes first.
    """
    ancestor: Node | None = node
    while ancestor is not None:
        if ancestor is not node or stem:
            yield ancestor
        for name in BLOCKS if ancestor.children else ():
            block = (ancestor.children or {}).get(name)
            if block is not None:
                yield block
                if block.children and "image" in block.children:
                    yield block.children["image"]
        if ancestor is top:
            return
        ancestor = ancestor.parent
