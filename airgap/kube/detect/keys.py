# SPDX-License-Identifier: Apache-2.0
"""Classify keys by their words: ``initImageTag``, ``init_image_tag`` and ``init.image.tag`` are a tag of image "init".

The words are general ones for the parts of a reference, and those before "image" that mean a disk or a picture. No
product has rules of its own here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: The role of a key's value: a reference or its name, several references, a repository, and the other parts. An
#: organisation stands between the registry and the name.
IMAGE, IMAGES, REPOSITORY, NAME, REGISTRY, ORGANISATION, TAG, VERSION, DIGEST, OTHER = (
    "image", "images", "repository", "name", "registry", "organisation", "tag", "version", "digest", ""
)  # fmt: skip

#: The annotation in which ``kubectl apply`` stores the object as it was applied.
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_WORD = re.compile(r"[A-Z]+(?![a-z])s?|[A-Z]?[a-z0-9]+")
_IMAGE_WORDS = frozenset({"image", "img"})
#: Words after "image" in keys whose value is still a whole reference, or the name in one.
_WHOLE = frozenset({"ref", "reference", "name", "url", "uri", "fullname", "path", "pullspec"})
_REPOSITORY = frozenset({"repository", "repo"})
_REGISTRY = frozenset({"registry", "hub"})
#: Words for what stands before a name. Alone they may mean anything, so they count only inside an image's mapping.
_PREFIX = frozenset({"host", "address", "prefix", "server", "domain", "url", "hostname", "endpoint"})
_ORGANISATION = frozenset({"org", "organisation", "organization", "project", "namespace", "owner", "group", "team"})
_DIGEST = frozenset({"digest", "sha", "sha256"})
#: Two words that are one: ``imagePullSpec``, ``image_full_name``.
_COMPOUNDS = {("pull", "spec"): "pullspec", ("full", "name"): "fullname"}
#: Words before "repository" that make it the prefix of all repositories.
_FOR_ALL = frozenset({"base", "default", "global", "common", "shared"})
#: Keys that only a container has beside its image, and keys that only a machine or a disk has beside it.
CONTAINER_KEYS = frozenset(
    {"command", "args", "env", "envFrom", "imagePullPolicy", "pullPolicy", "imagePullSecrets", "volumeMounts", "script",
     "workingDir", "livenessProbe", "readinessProbe", "containerPort", "entrypoint"}
)  # fmt: skip
MACHINE_KEYS = frozenset(
    {"machineType", "instanceType", "flavor", "vmSize", "serverType", "sizeGb", "diskSizeGb", "diskSize", "diskType",
     "providerID", "failureDomain", "sshKeyName", "bootDisk", "numCPUs", "memoryMiB", "monitors", "imageFeatures"}
)  # fmt: skip
#: Words before "image" that mean a machine's disk or a picture.
_NOT_RUN = frozenset(
    {"os", "vm", "ami", "disk", "machine", "boot", "cloud", "iso", "qcow2", "guest", "root", "backing",
     "background", "cover", "avatar", "profile", "logo", "icon", "hero", "banner", "splash", "thumbnail", "favicon"}
)  # fmt: skip
#: Words before "images" that mean a policy: which images may run, not which do.
_POLICY = frozenset(
    {"allowed", "allow", "deny", "denied", "blocked", "block", "exempt", "excluded", "exclude", "ignored", "ignore",
     "trusted", "forbidden", "disallowed"}
)  # fmt: skip
#: Words without a meaning of their own before the word for a part.
_FILLERS = frozenset({"image", "img", "default", "docker", "container", "oci"})
#: Words before a word for a prefix or an organisation with which it says that it is an image's.
_PREFIXED = _REGISTRY | _REPOSITORY | _IMAGE_WORDS | {"docker", "container", "oci"}


class Key(NamedTuple):
    """The meaning of a key.

    ``role`` is that of its value, ``stem`` the image it belongs to (``init`` in ``initImageTag``), and ``exact`` is
    true for a key that is the role's word alone.
    """

    role: str
    stem: str
    exact: bool
    #: Whether a value under this key is a candidate itself, or only a part of a neighbour's reference.
    is_candidate: bool
    #: Whether the walker keeps the value while its mapping is open.
    kept: bool = True
    #: Whether the key alone says so little that it counts only inside an image's mapping.
    weak: bool = False


_NO = Key(OTHER, "", False, False, False)
#: The meaning of a key that only a container has beside its image.
CONTAINER_SIGN = Key(OTHER, "container", True, False, False)
#: Keys whose values are needed by their neighbours, though they are not parts of a reference.
_NEIGHBOURS = {
    "name": Key(NAME, "", True, False),
    "value": Key(OTHER, "", True, False),
    "kind": Key(OTHER, "", True, False),
    "apiVersion": Key(OTHER, "", True, False),
    "newName": Key(OTHER, "", True, False),
    "newTag": Key(OTHER, "", True, False),
    "default": Key(OTHER, "", True, False),
    "package": Key(OTHER, "", True, True),
    "reference": Key(OTHER, "", True, True),
    "ref": Key(OTHER, "", True, True),
    "full": Key(OTHER, "", True, True),
    "fullName": Key(OTHER, "", True, True),
    "url": Key(REGISTRY, "", True, True, weak=True),
    "uri": Key(REGISTRY, "", True, True, weak=True),
    "op": Key(OTHER, "", True, False),
    "path": Key(OTHER, "", True, False),
    "semver": Key(OTHER, "", True, False),
    "chart": Key(OTHER, "", True, True),
    "targetRevision": Key(OTHER, "", True, False),
    "repoURL": Key(OTHER, "", True, True),
    **{key: Key(OTHER, "", True, False) for key in MACHINE_KEYS},
    **dict.fromkeys(CONTAINER_KEYS, CONTAINER_SIGN),
}
_cache: dict[str, Key] = {}
#: Return the cached answer of ``classify`` for a key, or ``None``. The walker calls it for every key.
cached = _cache.get


def classify(key: str) -> Key:
    """Return the meaning of ``key``. Answers are cached; the cache is emptied when it has 16,384 entries."""
    key_meaning = _cache.get(key)
    if key_meaning is None:
        key_meaning = _NEIGHBOURS.get(key) or _classify(key)
        if len(_cache) > 1 << 14:
            _cache.clear()
        _cache[key] = key_meaning
    return key_meaning


def names_image(key: str | int | None) -> bool:
    """Return whether the value of ``key`` is an image or several: ``image``, ``initImage``, ``images``."""
    return isinstance(key, str) and classify(key).role in (IMAGE, IMAGES)


def _classify(key: str) -> Key:
    if len(key) > 120:
        return _NO
    words = [word.lower() for word in _WORD.findall(key)]
    if not words:
        return _NO
    if (compound := _COMPOUNDS.get(tuple(words[-2:]))) is not None:
        words[-2:] = [compound]
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
        if before and before[0] in _FOR_ALL and not _stem(before[1:]):  # the prefix of all repositories
            return Key(REGISTRY, "", False, False)
        return Key(REPOSITORY, _stem(before), not before, True)
    if last in _REGISTRY:
        return Key(REGISTRY, _stem(before), not before, False)
    if last in _PREFIX and (not before or before[-1] in _PREFIXED):
        return Key(REGISTRY, _stem(_without(before, _REGISTRY | _REPOSITORY)), False, False, weak=not before)
    if last in _ORGANISATION and (not before or before[-1] in _PREFIXED):
        stem = _stem(_without(before, _REGISTRY | _REPOSITORY))
        return Key(ORGANISATION, stem, False, False, weak=not before and not last.startswith("org"))
    if last == "tag":
        return Key(TAG, _stem(before), not before, False)
    if last in _DIGEST:
        return Key(DIGEST, _stem(before), not before, False)
    if last == "version":
        return Key(VERSION, _stem(before), not before, False)
    return _NO


def mentions_image(name: str) -> bool:
    """Return whether a word of ``name`` is image: ``IMAGE_PRUNER``, ``REGISTRY_IMAGE_SQL``, ``DRIVER_IMAGE-580``."""
    if len(name) > 120:
        return False
    words = [word.lower() for word in _WORD.findall(name)]
    places = [index for index, word in enumerate(words) if word in _IMAGE_WORDS or word == "images"]
    return any(index == 0 or words[index - 1] not in _NOT_RUN | _POLICY for index in places)


def _without(words: list[str], last: frozenset[str]) -> list[str]:
    return words[:-1] if words and words[-1] in last else words


def _stem(words: list[str]) -> str:
    while words and words[-1] in _FILLERS:
        words = words[:-1]
    return " ".join(words)
