# SPDX-License-Identifier: Apache-2.0
"""References whose registry, name, tag and digest are the values of separate keys.

``join`` combines them into one reference. A rewrite splits the new reference over the same keys
(:mod:`airgap.kube.rewrite.replacements`).

The parts of a name are its neighbours with the same stem (``initImage`` and ``initImageTag``), then the defaults that
enclosing mappings, or a ``global`` in them, hold for all images. A non-empty ``global.imageRegistry`` overrides the
image's own registry. A name that contains a registry or a tag gets no other.

A name without any tag is refused if its tag's key is empty or its own key is ``repository`` or ``name``: the tag then
comes from elsewhere, as a chart's appVersion does, and ``latest`` would be a guess. Only under a key ``image`` does it
mean ``latest``, as in a pod.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect import keys
from airgap.kube.detect.walker import ClosedNode, Node, ScalarToken

_DIGITS = re.compile(r"[0-9a-f]{64}")


class SplitPart(NamedTuple):
    """One part of a reference. ``span`` is its place in the token's value, ``None`` if it is the whole value."""

    role: str
    token: ScalarToken
    span: tuple[int, int] | None = None


class SplitReference(NamedTuple):
    """A joined reference. Its name is the first part; ``sure`` is false if a part may belong to something else."""

    text: str
    parts: tuple[SplitPart, ...]
    sure: bool


def join(node: Node, key: str, token: ScalarToken, top: Node | None) -> SplitReference | str | None:
    """Return the reference whose name is under ``key`` in ``node``, or the reason why there is none.

    Returns ``None`` if another key holds the name. Only nodes up to ``top``, the object, are searched for defaults.
    """
    role = keys.classify(key).role
    name = token.value.strip()
    if role == keys.IMAGE and _has_registry(name) and _has_tag(name):
        return SplitReference(name, (SplitPart(model.WHOLE, token),), True)
    own = _tokens_of_stem(node, keys.classify(key).stem)
    image = _non_empty(own.get(keys.IMAGE))
    if role != keys.IMAGE and image is not None and not _has_registry(image.value):
        return None  # the name is under image, and this key holds its prefix
    if role == keys.NAME and keys.REPOSITORY in own:
        return None
    registry: ScalarToken | None = None
    default: ScalarToken | None = None
    sure = True
    has_tag = _has_tag(name)
    if not _has_registry(name):
        default = None if has_tag and role == keys.IMAGE else _default(node, top, keys.REGISTRY)
        is_override = default is not None and _global_registry(node, top) is default
        registry = _registry_of(own, role, default, is_override=is_override)
    tag = digest = None
    if not has_tag:
        tag, digest = _non_empty(own.get(keys.TAG)), _non_empty(own.get(keys.DIGEST))
        is_left_empty = (keys.TAG in own and tag is None) or (keys.DIGEST in own and digest is None)
        version = _non_empty(own.get(keys.VERSION))
        if tag is digest is None and version is not None:
            tag = version
            sure = registry is not None or _is_in_image(node)
        if tag is digest is None and "/" not in name.lstrip("/"):
            tag = _default(node, top, keys.TAG, only_global=default is None or registry is not default)
        if tag is digest is None and (is_left_empty or role != keys.IMAGE):
            return tr("no tag or digest stands in this file: it comes from elsewhere, as a chart's appVersion does")
    if registry is None and "." in name and "/" not in name and role == keys.REPOSITORY:
        return tr("it is a registry alone")
    return _joined(token, registry, tag, digest, sure)


def _registry_of(
    own: dict[str, ScalarToken], role: str, default: ScalarToken | None, *, is_override: bool
) -> ScalarToken | None:
    """The registry of a name: a repository beside it, then its own registry, unless the default is an override."""
    repository = _non_empty(own.get(keys.REPOSITORY)) if role != keys.REPOSITORY else None
    if repository is not None and "://" not in repository.value:
        return repository
    registry = _non_empty(own.get(keys.REGISTRY))
    return default if default is not None and (registry is None or is_override) else registry


def _joined(
    name: ScalarToken,
    registry: ScalarToken | None,
    tag: ScalarToken | None,
    digest: ScalarToken | None,
    sure: bool,
) -> SplitReference:
    parts = [SplitPart(model.NAME, name)]
    text = name.value.strip()
    if registry is not None:
        parts.append(SplitPart(model.REGISTRY, registry))
        text = registry.value.strip().rstrip("/") + "/" + text.lstrip("/")
    if tag is not None:
        parts.append(SplitPart(model.TAG, tag))
        text += ":" + tag.value.strip()
    if digest is not None:
        parts.append(SplitPart(model.DIGEST, digest))
        value = digest.value.strip()
        text += "@" + (f"sha256:{value}" if _DIGITS.fullmatch(value) else value)
    if len(parts) == 1:
        parts = [SplitPart(model.WHOLE, name)]
    return SplitReference(text, tuple(parts), sure)


def _tokens_of_stem(node: ClosedNode, stem: str) -> dict[str, ScalarToken]:
    """The tokens of the mapping with ``stem``, by role. Grouped once, because each key of the mapping may ask."""
    if node.tokens_by_stem is None:
        node.tokens_by_stem = {}
        for key, token in (node.tokens or {}).items():
            meaning = keys.classify(key)
            if meaning.role:
                node.tokens_by_stem.setdefault(meaning.stem, {}).setdefault(meaning.role, token)
    return node.tokens_by_stem.get(stem) or {}


def _enclosing_mappings(node: Node, top: Node | None) -> Iterator[ClosedNode]:
    """Yield the mappings around ``node`` up to ``top``, each followed by its ``global`` and ``global.image``."""
    ancestor: Node | None = node
    while ancestor is not None:
        if ancestor is not node:
            yield ancestor
        shared = (ancestor.children or {}).get("global")
        if shared is not None:
            yield shared
            if shared.children and "image" in shared.children:
                yield shared.children["image"]
        if ancestor is top:
            return
        ancestor = ancestor.parent


def _default(node: Node, top: Node | None, role: str, *, only_global: bool = False) -> ScalarToken | None:
    """The value for all images that an enclosing mapping holds.

    A tag is a default only if the registry comes from the same place, or if it is in a mapping ``global``.
    """
    override = _global_registry(node, top) if role == keys.REGISTRY else None
    if override is not None:
        return override
    for mapping in _enclosing_mappings(node, top):
        if only_global and mapping.parent_key != "global":
            continue
        token = _non_empty(_tokens_of_stem(mapping, "").get(role))
        if token is not None:
            return token
    return None


def _global_registry(node: Node, top: Node | None) -> ScalarToken | None:
    """``global.imageRegistry`` if it is not empty. It overrides all other registries."""
    for mapping in _enclosing_mappings(node, top):
        if mapping.parent_key == "global":
            token = _non_empty((mapping.tokens or {}).get("imageRegistry"))
            if token is not None:
                return token
    return None


def _is_in_image(node: Node) -> bool:
    return keys.names_image(node.parent_key) or (node.parent is not None and keys.names_image(node.parent.parent_key))


def _has_tag(name: str) -> bool:
    """Whether a tag or a digest follows the name; a colon before a slash belongs to a port."""
    return "@" in name or ":" in name.rpartition("/")[2]


def _has_registry(name: str) -> bool:
    """Whether the name begins with a registry's address."""
    first, slash, _ = name.partition("/")
    return bool(slash) and (first == "localhost" or "." in first or ":" in first)


def _non_empty(token: ScalarToken | None) -> ScalarToken | None:
    """The token, unless it is null or blank."""
    return None if token is None or token.is_null or not token.value.strip() else token
