# SPDX-License-Identifier: Apache-2.0
"""What a key says of its value, by the words it is made of: ``initImageTag``, ``init_image_tag`` and
``init.image.tag`` are the tag of the image "init". No product's vocabulary: words that people use for the parts of a
reference, and words before "image" that mean a disk or a picture instead.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: What a key's value is: a reference or the name in one, names of several, a repository, and the other parts.
IMAGE, IMAGES, REPOSITORY, NAME, REGISTRY, TAG, VERSION, DIGEST, OTHER = (
    "image", "images", "repository", "name", "registry", "tag", "version", "digest", ""
)  # fmt: skip

#: The annotation in which ``kubectl apply`` keeps what it was given ("Declarative Management of Kubernetes Objects").
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_WORD = re.compile(r"[A-Z]+(?![a-z])s?|[A-Z]?[a-z0-9]+")
_IMAGE_WORDS = frozenset({"image", "img"})
#: What may follow "image" in a key whose value is still a whole reference, or the name in one.
_WHOLE = frozenset({"ref", "reference", "name", "url", "uri", "fullname", "path", "pullspec"})
_REPOSITORY = frozenset({"repository", "repo"})
_REGISTRY = frozenset({"registry", "hub"})
_DIGEST = frozenset({"digest", "sha", "sha256"})
#: An image of these is started by no container runtime: disks of machines, and pictures.
_NOT_RUN = frozenset(
    {"os", "vm", "ami", "disk", "machine", "boot", "cloud", "iso", "qcow2", "guest", "root",
     "background", "cover", "avatar", "profile", "logo", "icon", "hero", "banner", "splash", "thumbnail", "favicon"}
)  # fmt: skip
#: A list of these says what may be run, not what is.
_POLICY = frozenset(
    {"allowed", "allow", "deny", "denied", "blocked", "block", "exempt", "excluded", "exclude", "ignored", "ignore",
     "trusted", "forbidden", "disallowed"}
)  # fmt: skip
#: Before a part's word, these say only that an image is meant.
_FILLERS = frozenset({"image", "img", "default", "docker", "container", "oci"})


class Key(NamedTuple):
    """``what`` the value is, ``stem`` whose it is (``init`` in ``initImageTag``), ``exact`` for the plain word."""

    role: str
    stem: str
    exact: bool
    #: Whether a value under this key is looked at in itself, or only kept for a neighbour that asks.
    is_candidate: bool
    #: Whether a mapping keeps the value while it is open.
    kept: bool = True


_NO = Key(OTHER, "", False, False, False)
#: Kept for neighbours that ask, without being a part of a reference.
_KEPT = {
    "name": Key(NAME, "", True, False),
    "value": Key(OTHER, "", True, False),
    "kind": Key(OTHER, "", True, False),
    "apiVersion": Key(OTHER, "", True, False),
    "newName": Key(OTHER, "", True, False),
    "newTag": Key(OTHER, "", True, False),
    "default": Key(OTHER, "", True, False),
    "package": Key(OTHER, "", True, True),
    "reference": Key(OTHER, "", True, True),
}
_cache: dict[str, Key] = {}
#: What has been read before, or ``None``; a key that is asked for a million times is looked up only.
cached = _cache.get


def classify(key: str) -> Key:
    """Remembered, since keys repeat; a file of a million different ones is not."""
    key_meaning = _cache.get(key)
    if key_meaning is None:
        key_meaning = _KEPT.get(key) or _classify(key)
        if len(_cache) > 1 << 14:
            _cache.clear()
        _cache[key] = key_meaning
    return key_meaning


def names_image(key: str | int | None) -> bool:
    """Whether what stands under ``key`` is an image or a collection of them: ``image``, ``initImage``, ``images``."""
    return isinstance(key, str) and classify(key).role in (IMAGE, IMAGES)


def _classify(key: str) -> Key:
    if len(key) > 120:
        return _NO
    words = [word.lower() for word in _WORD.findall(key)]
    if not words:
        return _NO
    last = words[-1]
    before = words[:-1]
    if last in _IMAGE_WORDS:
        role = OTHER if before and before[-1] in _NOT_RUN | _POLICY else IMAGE
        return Key(role, _stem(before), not before, role == IMAGE)
    if last == "images":
        role = OTHER if before and before[0] in _POLICY else IMAGES
        return Key(role, _stem(before), not before, role == IMAGES)
    if before and last in _WHOLE and before[-1] in _IMAGE_WORDS:
        role = OTHER if len(before) > 1 and before[-2] in _NOT_RUN else IMAGE
        return Key(role, _stem(before), False, role == IMAGE)
    if last in _REPOSITORY:
        if before == ["base"]:  # what all repositories are below
            return Key(REGISTRY, "", False, False)
        return Key(REPOSITORY, _stem(before), not before, True)
    if last in _REGISTRY:
        return Key(REGISTRY, _stem(before), not before, False)
    if last == "tag":
        return Key(TAG, _stem(before), not before, False)
    if last in _DIGEST:
        return Key(DIGEST, _stem(before), not before, False)
    if last == "version":
        return Key(VERSION, _stem(before), not before, False)
    return _NO


def _stem(words: list[str]) -> str:
    while words and words[-1] in _FILLERS:
        words = words[:-1]
    return " ".join(words)
