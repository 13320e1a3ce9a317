# SPDX-License-Identifier: Apache-2.0
"""References that are split over entries ``{name: X, value: Y}`` of a list, as variables and parameters are.

They are joined like the keys of a mapping (:mod:`airgap.kube.detect.split_references`).
"""

from __future__ import annotations

from airgap.kube import model
from airgap.kube.detect import keys
from airgap.kube.detect.inherited import tokens_of_stem
from airgap.kube.detect.nodes import Node, ScalarToken
from airgap.kube.detect.shapes import has_registry, has_tag
from airgap.kube.detect.split_references import NO_TAG, SplitReference, join


def join_named(entry: Node, name: str, token: ScalarToken) -> SplitReference | str | None:
    """Return the reference whose name is the value of the variable ``name``, or the reason why there is none.

    Returns ``None`` if the value stands alone, or is only a part of another one.
    """
    listed = entry.parent
    named = listed.named_values if listed is not None else None
    meaning = keys.classify(name)
    if not named or len(named) < 2 or meaning.role not in (keys.IMAGE, keys.REPOSITORY):
        return None
    value = token.value.strip()
    if meaning.role == keys.IMAGE and has_registry(value) and has_tag(value):
        return None
    node = listed.named_node if listed is not None else None
    if node is None:
        node = Node(None, "image", True, False, 0)
        node.tokens = {key: named[key] for key in named if not keys.classify(key).weak}
        if listed is not None:
            listed.named_node = node
    joined = join(node, name, token, None)
    if isinstance(joined, SplitReference):
        if len(joined.parts) == 1:  # a word with a tag may still get the registry that stands beside it
            is_open = "/" not in value and _has_prefix(node, meaning.stem)
            return joined._replace(sure=False) if is_open else None
        has_version = has_tag(value) or any(part.role in (model.TAG, model.DIGEST) for part in joined.parts)
        return joined if has_version else NO_TAG
    return joined if joined != NO_TAG or _has_prefix(node, meaning.stem) else None


def _has_prefix(node: Node, stem: str) -> bool:
    """Whether a registry or a repository stands under a name of the same stem."""
    for part_stem, roles in ((stem, (keys.REGISTRY, keys.REPOSITORY)), ("", (keys.REGISTRY,))):
        if any(role in tokens_of_stem(node, part_stem) for role in roles):
            return True
    return False
