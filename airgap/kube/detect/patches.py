# SPDX-License-Identifier: Apache-2.0
"""Operations of JSON patches, as kustomizations have them: ``{op: replace, path: /spec/…/image, value: REF}``.

The path is a JSON pointer (RFC 6901); its last key says what the value is.
"""

from __future__ import annotations

from airgap.kube.detect import keys
from airgap.kube.detect.nodes import Node
from airgap.kube.detect.shapes import is_complete_reference
from airgap.kube.detect.walker import ARGUMENT_LISTS

#: Below these keys nothing is pulled.
_NAMES = frozenset({"labels", "annotations", "status", "matchLabels", "nodeSelector"})
# What the value of an operation is: an image, an argument, or something else.
IMAGE, ARGUMENT, OTHER = range(3)


def patched_value(node: Node, value: str) -> int | None:
    """Return what the value of the operation ``node`` is; ``None`` if the mapping is no operation."""
    tokens = node.tokens or {}
    pointer, operation = tokens.get("path"), tokens.get("op")
    if pointer is None or operation is None or not pointer.value.startswith("/"):
        return None
    places = [place.replace("~1", "/").replace("~0", "~") for place in pointer.value[1:].split("/")]
    names = [place for place in places if place != "-" and not place.isdigit()]
    if not names or not _NAMES.isdisjoint(names):
        return OTHER
    last, above = names[-1], names[-2] if len(names) > 1 else ""
    if keys.names_image(last):
        in_container = last == "image" and above.lower().endswith("containers")
        return IMAGE if in_container or any(sign in value for sign in ":@/") else OTHER
    if last.lower().endswith(ARGUMENT_LISTS):
        return ARGUMENT
    return IMAGE if last == "value" and above == "env" and is_complete_reference(value) else OTHER
