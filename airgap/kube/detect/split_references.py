# SPDX-License-Identifier: Apache-2.0
"""References whose registry, organisation, name, tag and digest are the values of separate keys.

``join`` combines them into one reference. A rewrite splits the new reference over the same keys
(:mod:`airgap.kube.rewrite.replacements`).

The parts of a name are its neighbours with the same stem (``initImage`` and ``initImageTag``), then what enclosing
mappings hold for all images (:mod:`airgap.kube.detect.inherited`). A name that contains a registry or a tag gets no
other. Keys that alone may mean anything (``host``, ``address``, ``project``) count only inside an image's mapping.

What is not understood is never guessed. A name whose prefix is empty, or whose registry two places tell differently,
is refused; so is one without any tag whose tag is empty or whose own key is ``repository`` or ``name``: the tag then
comes from elsewhere, as a chart's appVersion does. A name of one word without a registry is unsure if anything
beside it may be its registry.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect import keys
from airgap.kube.detect.inherited import (
    Inherited,
    global_registry,
    inherited,
    is_in_image,
    keys_weak,
    non_empty,
    tokens_of_stem,
)
from airgap.kube.detect.nodes import Node, ScalarToken
from airgap.kube.detect.shapes import has_registry, has_tag

_DIGITS = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PREFIX_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]*(?::.+)?")
NO_TAG = tr("no tag or digest stands in this file: it comes from elsewhere, as a chart's appVersion does")


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


class _Prefix(NamedTuple):
    """What stands before a name, from the registry on. ``same`` is a second key with the same registry."""

    tokens: tuple[ScalarToken, ...] = ()
    same: ScalarToken | None = None
    shared: Inherited | None = None


def join(node: Node, key: str, token: ScalarToken, top: Node | None) -> SplitReference | str | None:
    """Return the reference whose name is under ``key`` in ``node``, or the reason why there is none.

    Returns ``None`` if another key holds the name. Only nodes up to ``top``, the object, are searched for defaults.
    """
    role, stem = keys.classify(key)[:2]
    name = token.value.strip()
    if role == keys.IMAGE and has_registry(name) and has_tag(name):
        return SplitReference(name, (SplitPart(model.WHOLE, token),), True)
    own = tokens_of_stem(node, stem)
    if _is_part_of_another(node, own, role, token):
        return None
    prefix = _prefix(node, own, role, stem, token, top)
    if isinstance(prefix, str):
        return prefix
    tag, digest, is_own = _tag_parts(node, own, name, prefix, top)
    if tag is digest is None and not has_tag(name) and (role != keys.IMAGE or _is_left_empty(own)):
        return NO_TAG
    if not prefix.tokens and "." in name and "/" not in name and role == keys.REPOSITORY:
        return tr("it is a registry alone")
    used = {id(part) for part in (token, tag, digest, prefix.same, *prefix.tokens)}
    if tag is digest is None and not (has_tag(name) or has_registry(name) or _begins_with_registry(*prefix.tokens[:1])):
        sure = node.is_container  # a name alone may be that of anything
    else:
        sure = is_own and _is_sure(node, own, role, name, prefix, tag, used)
    return _joined(token, prefix, tag, digest, sure)


def _is_part_of_another(node: Node, own: dict[str, ScalarToken], role: str, token: ScalarToken) -> bool:
    """Whether the value is only a part beside the name, or no part at all."""
    image = non_empty(own.get(keys.IMAGE))
    if role != keys.IMAGE and image is not None and not has_registry(image.value):
        return True
    if role == keys.NAME:
        if keys.REPOSITORY not in own:
            return image is not None
        return not _is_organisation(node, own, own[keys.REPOSITORY], token)
    if role == keys.REPOSITORY:
        name = non_empty(own.get(keys.NAME))
        return name is not None and _is_organisation(node, own, token, name)
    return False


def _is_organisation(node: Node, own: dict[str, ScalarToken], repository: ScalarToken, name: ScalarToken) -> bool:
    """Whether the repository is only what stands before ``name``: ``{repository: quay.io/org, name: app, tag: 1}``."""
    path = repository.value.strip().strip("/")
    if not path or has_tag(path) or not _WORD.fullmatch(name.value.strip()) or path.endswith(name.value.strip()):
        return False
    if non_empty(own.get(keys.REGISTRY)) is not None:
        return is_in_image(node) or "/" not in path
    components = path.split("/")
    return is_in_image(node) and len(components) <= (2 if has_registry(path) else 1)


def _prefix(
    node: Node, own: dict[str, ScalarToken], role: str, stem: str, token: ScalarToken, top: Node | None
) -> _Prefix | str:
    """What stands before the name, or the reason why that cannot be told."""
    name = token.value.strip()
    if has_registry(name):
        return _Prefix()
    repository = own.get(keys.REPOSITORY) if role != keys.REPOSITORY else None
    middle = non_empty(repository)
    stated = non_empty(own.get(keys.REGISTRY))
    if stated is not None and "://" in stated.value and not keys_weak(node, stated):
        return tr("its registry is written with a scheme, which no reference has")
    if middle is not None and "://" in middle.value:
        repository = middle = None
    registry = _usable(node, own, keys.REGISTRY)
    organisation = _usable(node, own, keys.ORGANISATION)
    shared = None
    if not (has_tag(name) and role == keys.IMAGE) and not _begins_with_registry(organisation, middle):
        override = global_registry(node, top)
        if override is not None and registry is not None:
            if override.value.strip() != registry.value.strip():
                return tr(
                    "global.imageRegistry and its own registry differ, and only the chart says which of them counts"
                )
            return _Prefix(_tokens(registry, organisation, middle), override)
        if registry is None:
            shared = inherited(node, top, keys.REGISTRY, stem)
            registry = override or (shared.token if shared is not None else None)
        if organisation is None and middle is None:
            found = inherited(node, top, keys.ORGANISATION, stem)
            organisation = found.token if found is not None and found.in_block else None
    if repository is not None and middle is None and registry is None:
        return tr("its repository is empty here and comes from elsewhere")
    if _begins_with_registry(middle):
        return _Prefix(_tokens(middle))
    if _begins_with_registry(organisation):
        return _Prefix(_tokens(organisation, middle))
    return _Prefix(_tokens(registry, organisation, middle), None, shared)


def _usable(node: Node, own: dict[str, ScalarToken], role: str) -> ScalarToken | None:
    """The mapping's own part of this role. One under a key that may mean anything counts only for an image."""
    token = non_empty(own.get(role))
    if token is None or "://" in token.value:
        return None
    if keys_weak(node, token) and not is_in_image(node):
        return token if role == keys.ORGANISATION and non_empty(own.get(keys.REGISTRY)) is not None else None
    return token


def _begins_with_registry(*tokens: ScalarToken | None) -> bool:
    return any(token is not None and has_registry(token.value.strip().rstrip("/") + "/") for token in tokens)


def _tokens(*tokens: ScalarToken | None) -> tuple[ScalarToken, ...]:
    return tuple(token for token in tokens if token is not None)


def _tag_parts(
    node: Node, own: dict[str, ScalarToken], name: str, prefix: _Prefix, top: Node | None
) -> tuple[ScalarToken | None, ScalarToken | None, bool]:
    """Tag and digest of the name, and whether they are certainly its own."""
    if has_tag(name):
        return None, None, True
    tag, digest = non_empty(own.get(keys.TAG)), non_empty(own.get(keys.DIGEST))
    if tag is digest is None:
        tag = non_empty(own.get(keys.VERSION))
    if tag is not None and digest is None and _DIGEST.fullmatch(tag.value.strip()):  # no tag has a colon
        return None, tag, True
    if tag is not None or digest is not None:
        return tag, digest, True
    shared = prefix.shared
    found = inherited(node, top, keys.TAG)
    if found is not None and (found.in_block or (shared is not None and found.holder is shared.holder)):
        return (found.token, None, True) if "/" not in name.lstrip("/") or found.in_block else (None, None, True)
    for role in (keys.DIGEST, keys.VERSION):
        found = inherited(node, top, role)
        if found is not None and found.in_block:
            is_own = role == keys.DIGEST or found.holder.parent_key != "global"
            return (None, found.token, is_own) if role == keys.DIGEST else (found.token, None, is_own)
    return None, None, True


def _is_left_empty(own: dict[str, ScalarToken]) -> bool:
    """Whether a key for a tag or a digest is there and holds none."""
    return any(part in own and non_empty(own[part]) is None for part in (keys.TAG, keys.DIGEST, keys.VERSION))


def _is_sure(
    node: Node, own: dict[str, ScalarToken], role: str, name: str, prefix: _Prefix, tag: ScalarToken | None,
    used: set[int],
) -> bool:  # fmt: skip
    """Whether every part is understood."""
    is_version = tag is not None and tag is own.get(keys.VERSION)
    has_address = has_registry(name) or _begins_with_registry(*prefix.tokens[:1])
    is_whole = role == keys.IMAGE and has_tag(name)
    if is_version and not has_registry(name) and not prefix.tokens and not is_in_image(node):
        return False
    tokens = node.tokens or {}
    for key in node.prefix_keys:
        part = tokens[key]
        is_weak = keys.classify(key).weak
        is_open = not has_address and "/" not in name and (is_in_image(node) or not is_weak)
        if has_registry(name) and is_weak:  # with an address in it, only a key that says registry speaks against it
            continue
        if id(part) in used or (has_address and not is_in_image(node)) or name.startswith(part.value.strip() + "/"):
            continue
        if _may_be_prefix(key, part, role, is_whole=is_whole, is_open=is_open):
            return False
    if has_registry(name):
        return not is_version or is_in_image(node) or "/" in name.partition("/")[2]
    return has_address or "/" in name or bool(prefix.tokens) or (role != keys.NAME and not is_version)


def _may_be_prefix(key: str, token: ScalarToken, role: str, *, is_whole: bool, is_open: bool) -> bool:
    """Whether the value of ``key`` may be a registry or an organisation of an image beside it.

    Beside a whole image only a key that says so counts. An empty one counts if what stands before the name is open.
    """
    meaning = keys.classify(key)
    if meaning.role == keys.REPOSITORY:
        return role != keys.REPOSITORY and not is_whole and non_empty(token) is not None
    if meaning.role not in (keys.REGISTRY, keys.ORGANISATION) or (meaning.weak and is_whole):
        return False
    if non_empty(token) is None:
        return is_open and not is_whole
    return _PREFIX_TEXT.fullmatch(token.value.strip()) is not None


def _joined(
    name: ScalarToken, prefix: _Prefix, tag: ScalarToken | None, digest: ScalarToken | None, sure: bool
) -> SplitReference:
    parts = [SplitPart(model.NAME, name)]
    text = name.value.strip()
    if prefix.tokens:
        before = "/".join(token.value.strip().strip("/") for token in prefix.tokens)
        text = before + "/" + text.lstrip("/")
        parts.append(SplitPart(model.REGISTRY, prefix.tokens[0]))
        parts += [SplitPart(model.ORGANISATION, token) for token in prefix.tokens[1:]]
        if prefix.same is not None:
            parts.append(SplitPart(model.REGISTRY, prefix.same))
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
