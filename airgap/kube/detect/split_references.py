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
from airgap.kube.detect.walker import Frame, Held, Leaf

_DIGITS = re.compile(r"[0-9a-f]{64}")


class Piece(NamedTuple):
    """``span`` is its place in the leaf's value where it is not all of it."""

    role: str
    leaf: Leaf
    span: tuple[int, int] | None = None


class Joined(NamedTuple):
    """``pieces`` with the name first; ``sure`` is false where a neighbour may mean something else."""

    text: str
    pieces: tuple[Piece, ...]
    sure: bool


def join(frame: Frame, key: str, leaf: Leaf, top: Frame | None) -> Joined | str | None:
    """The whole reference of which ``key`` in ``frame`` holds the name; a reason in words why there is none, or
    ``None`` where another key holds the name. ``top`` is the object beyond which nothing is looked for."""
    role = keys.read(key)
    name = leaf.value.strip()
    if role.what == keys.IMAGE and _is_hosted(name) and _is_tagged(name):  # it says everything itself
        return Joined(name, (Piece(model.WHOLE, leaf),), True)
    own = _named(frame, role.stem)
    image = own.get(keys.IMAGE)
    if role.what != keys.IMAGE and image is not None and not _empty(image) and not _is_hosted(image.value):
        return None  # the name stands under image, and this is where that lies
    if role.what == keys.NAME and keys.REPOSITORY in own:
        return None
    registry: Leaf | None = None
    around: Leaf | None = None
    sure = True
    tagged = _is_tagged(name)
    if not _is_hosted(name):
        around = None if tagged and role.what == keys.IMAGE else _around(frame, top, keys.REGISTRY)
        registry = own.get(keys.REGISTRY)
        above = own.get(keys.REPOSITORY) if role.what != keys.REPOSITORY else None
        if above is not None and not _empty(above) and "://" not in above.value:
            registry = above
        elif around is not None and (registry is None or _empty(registry) or _for_all(frame, top) is around):
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
            sure = registry is not None or _in_image(frame)
        if tag is digest is None and "/" not in name.lstrip("/"):
            tag = _around(frame, top, keys.TAG, only_global=around is None or registry is not around)
        if tag is digest is None and (emptied or role.what != keys.IMAGE):
            return "no tag or digest stands in this file: it comes from elsewhere, as a chart's appVersion does"
    if registry is None and "." in name and "/" not in name and role.what == keys.REPOSITORY:
        return "it is a registry alone"
    pieces = [Piece(model.NAME, leaf)]
    text = name
    if registry is not None:
        pieces.append(Piece(model.REGISTRY, registry))
        text = registry.value.strip().rstrip("/") + "/" + name.lstrip("/")
    if tag is not None:
        pieces.append(Piece(model.TAG, tag))
        text += ":" + tag.value.strip()
    if digest is not None:
        pieces.append(Piece(model.DIGEST, digest))
        value = digest.value.strip()
        text += "@" + (f"sha256:{value}" if _DIGITS.fullmatch(value) else value)
    if len(pieces) == 1:
        pieces = [Piece(model.WHOLE, leaf)]
    return Joined(text, tuple(pieces), sure)


def _named(frame: Held, stem: str) -> dict[str, Leaf]:
    """What the mapping holds for ``stem`` by what it is; sorted once, since each of its keys may ask."""
    if frame.named is None:
        frame.named = {}
        for key, leaf in (frame.leaves or {}).items():
            one = keys.read(key)
            if one.what:
                frame.named.setdefault(one.stem, {}).setdefault(one.what, leaf)
    return frame.named.get(stem) or {}


def _mappings_around(frame: Frame, top: Frame | None) -> Iterator[Held]:
    one: Frame | None = frame
    while one is not None:
        if one is not frame:
            yield one
        shared = (one.children or {}).get("global")
        if shared is not None:
            yield shared
            if shared.children and "image" in shared.children:
                yield shared.children["image"]
        if one is top:
            return
        one = one.parent


def _around(frame: Frame, top: Frame | None, what: str, *, only_global: bool = False) -> Leaf | None:
    """What the mappings around hold for all; a tag of theirs is meant only where the registry is theirs too, or where
    it is called global."""
    override = _for_all(frame, top) if what == keys.REGISTRY else None
    if override is not None:
        return override
    for one in _mappings_around(frame, top):
        if only_global and one.at != "global":
            continue
        leaf = _named(one, "").get(what)
        if leaf is not None and not _empty(leaf):
            return leaf
    return None


def _for_all(frame: Frame, top: Frame | None) -> Leaf | None:
    """``global.imageRegistry``, if it is set: it is there to go before every other registry."""
    for one in _mappings_around(frame, top):
        if one.at == "global":
            leaf = (one.leaves or {}).get("imageRegistry")
            if leaf is not None and not _empty(leaf):
                return leaf
    return None


def _in_image(frame: Frame) -> bool:
    return keys.says_image(frame.at) or (frame.parent is not None and keys.says_image(frame.parent.at))


def _is_tagged(name: str) -> bool:
    """Whether a tag or a digest stands behind the name; a colon before a slash belongs to a port."""
    return "@" in name or ":" in name.rpartition("/")[2]


def _is_hosted(name: str) -> bool:
    """Whether the name begins with a registry's address."""
    first, slash, _ = name.partition("/")
    return bool(slash) and (first == "localhost" or "." in first or ":" in first)


def _empty(leaf: Leaf) -> bool:
    return leaf.is_null or not leaf.value.strip()
