# SPDX-License-Identifier: Apache-2.0
"""References whose registry, name, tag and digest stand under keys of their own: joined when found, and split again
over the same keys when rewritten.

Joined are the parts beside a name that are called alike (``initImage`` with ``initImageTag``), then what mappings
around it, or a ``global`` beside them, hold for all. A registry for all, called ``imageRegistry`` and not empty, goes
before one's own. A name that has a registry or a tag of its own takes no other. What has no tag anywhere is refused
where a tag's key stands empty or the name's key is ``repository`` or ``name``: there the tag comes from elsewhere (a
chart's appVersion) and ``latest`` would be a guess; only a key called image means ``latest``, as in a pod.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from airgap.kube import model
from airgap.kube.detect import keys
from airgap.kube.detect.walker import ClosedNode, Node, ScalarToken

_DIGITS = re.compile(r"[0-9a-f]{64}")


class SplitPart(NamedTuple):
    """``span`` is its place in the leaf's value where it is not all of it."""

    role: str
    token: ScalarToken
    span: tuple[int, int] | None = None


class SplitReference(NamedTuple):
    """``pieces`` with the name first; ``sure`` is false where a neighbour may mean something else."""

    text: str
    parts: tuple[SplitPart, ...]
    sure: bool


def join(node: Node, key: str, token: ScalarToken, top: Node | None) -> SplitReference | str | None:
    """The whole reference of which ``key`` in ``frame`` holds the name; a reason in words why there is none, or
    ``None`` where another key holds the name. ``top`` is the object beyond which nothing is looked for."""
    role = keys.classify(key)
    name = token.value.strip()
    if role.role == keys.IMAGE and _is_hosted(name) and _is_tagged(name):  # it says everything itself
        return SplitReference(name, (SplitPart(model.WHOLE, token),), True)
    own = _named(node, role.stem)
    image = own.get(keys.IMAGE)
    if role.role != keys.IMAGE and image is not None and not _empty(image) and not _is_hosted(image.value):
        return None  # the name stands under image, and this is where that lies
    if role.role == keys.NAME and keys.REPOSITORY in own:
        return None
    registry: ScalarToken | None = None
    around: ScalarToken | None = None
    sure = True
    tagged = _is_tagged(name)
    if not _is_hosted(name):
        around = None if tagged and role.role == keys.IMAGE else _around(node, top, keys.REGISTRY)
        registry = own.get(keys.REGISTRY)
        above = own.get(keys.REPOSITORY) if role.role != keys.REPOSITORY else None
        if above is not None and not _empty(above) and "://" not in above.value:
            registry = above
        elif around is not None and (registry is None or _empty(registry) or _for_all(node, top) is around):
            registry = around
        if registry is not None and _empty(registry):
            registry = None
    tag = digest = None
    if not tagged:
        tag, digest = own.get(keys.TAG), own.get(keys.DIGEST)
        emptied = (tag is not None and _empty(tag)) or (digest is not None and _empty(digest))
        tag = None if tag is None or _empty(tag) else tag
        digest = None if digest is None or _empty(digest) else digest
        version = own.get(keys.VERSION)
        if tag is digest is None and version is not None and not _empty(version):
            tag = version
            sure = registry is not None or _in_image(node)
        if tag is digest is None and "/" not in name.lstrip("/"):
            tag = _around(node, top, keys.TAG, only_global=around is None or registry is not around)
        if tag is digest is None and (emptied or role.role != keys.IMAGE):
            return "no tag or digest stands in this file: it comes from elsewhere, as a chart's appVersion does"
    if registry is None and "." in name and "/" not in name and role.role == keys.REPOSITORY:
        return "it is a registry alone"
    parts = [SplitPart(model.NAME, token)]
    text = name
    if registry is not None:
        parts.append(SplitPart(model.REGISTRY, registry))
        text = registry.value.strip().rstrip("/") + "/" + name.lstrip("/")
    if tag is not None:
        parts.append(SplitPart(model.TAG, tag))
        text += ":" + tag.value.strip()
    if digest is not None:
        parts.append(SplitPart(model.DIGEST, digest))
        value = digest.value.strip()
        text += "@" + (f"sha256:{value}" if _DIGITS.fullmatch(value) else value)
    if len(parts) == 1:
        parts = [SplitPart(model.WHOLE, token)]
    return SplitReference(text, tuple(parts), sure)


def _named(node: ClosedNode, stem: str) -> dict[str, ScalarToken]:
    """What the mapping holds for ``stem`` by what it is; sorted once, since each of its keys may ask."""
    if node.tokens_by_stem is None:
        node.tokens_by_stem = {}
        for key, token in (node.tokens or {}).items():
            one = keys.classify(key)
            if one.role:
                node.tokens_by_stem.setdefault(one.stem, {}).setdefault(one.role, token)
    return node.tokens_by_stem.get(stem) or {}


def _mappings_around(node: Node, top: Node | None) -> Iterator[ClosedNode]:
    one: Node | None = node
    while one is not None:
        if one is not node:
            yield one
        shared = (one.children or {}).get("global")
        if shared is not None:
            yield shared
            if shared.children and "image" in shared.children:
                yield shared.children["image"]
        if one is top:
            return
        one = one.parent


def _around(node: Node, top: Node | None, what: str, *, only_global: bool = False) -> ScalarToken | None:
    """What the mappings around hold for all; a tag of theirs is meant only where the registry is theirs too, or where
    it is called global."""
    override = _for_all(node, top) if what == keys.REGISTRY else None
    if override is not None:
        return override
    for one in _mappings_around(node, top):
        if only_global and one.parent_key != "global":
            continue
        token = _named(one, "").get(what)
        if token is not None and not _empty(token):
            return token
    return None


def _for_all(node: Node, top: Node | None) -> ScalarToken | None:
    """``global.imageRegistry``, if it is set: it is there to go before every other registry."""
    for one in _mappings_around(node, top):
        if one.parent_key == "global":
            token = (one.tokens or {}).get("imageRegistry")
            if token is not None and not _empty(token):
                return token
    return None


def _in_image(node: Node) -> bool:
    return keys.names_image(node.parent_key) or (node.parent is not None and keys.names_image(node.parent.parent_key))


def _is_tagged(name: str) -> bool:
    """Whether a tag or a digest stands behind the name; a colon before a slash belongs to a port."""
    return "@" in name or ":" in name.rpartition("/")[2]


def _is_hosted(name: str) -> bool:
    """Whether the name begins with a registry's address."""
    first, slash, _ = name.partition("/")
    return bool(slash) and (first == "localhost" or "." in first or ":" in first)


def _empty(token: ScalarToken) -> bool:
    return token.is_null or not token.value.strip()
