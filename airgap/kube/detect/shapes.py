# SPDX-License-Identifier: Apache-2.0
"""The shapes of values: complete references, references inside text, and values that may hold a document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from airgap.i18n import tr

# Repetitions of groups have a limit far above what a reference of 255 characters holds: each costs memory.
_HOST = (
    r"(?:(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+){1,127}|localhost|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?"
    r"|[A-Za-z0-9-]+:[0-9]{1,5})"
)
_COMPONENT = r"[a-z0-9]+(?:[._-]+[a-z0-9]+){0,127}"
_DIGEST = r"@[a-z0-9]+:[0-9a-f]{32,128}"
_TAG_OR_DIGEST = rf"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}(?:{_DIGEST})?|{_DIGEST})"
#: A complete reference: a registry's address, a path, and a tag or a digest.
_COMPLETE = re.compile(rf"{_HOST}(?:/{_COMPONENT}){{1,127}}{_TAG_OR_DIGEST}")
#: The same with or without an address: a path of two or more components.
_TAGGED_PATH = re.compile(rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT}){{0,127}}{_TAG_OR_DIGEST}")
#: A complete reference in text. The lookbehind lets each word be tried once, so that the time stays linear.
_MENTION = re.compile(
    rf"(?<![A-Za-z0-9_./@-])(?:(?:docker|oci)://)?(?P<reference>{_HOST}(?:/{_COMPONENT}){{1,127}}{_TAG_OR_DIGEST})"
    r"(?![A-Za-z0-9_/@-])"
)
#: The longest value that is looked at as a reference.
LONGEST = 512
SHORTEST = 7
#: Words in documents, scripts and settings that name images. Searched one by one, which is ten times as fast as one
#: pattern of them all, and most texts have the first.
_HINTS = ("mage", "IMAGE", "epository", "hub", "FROM ")
_EXACT_HINTS = re.compile(r"[iI]mage|IMAGE|[rR]epository|\bhub\b|(?m:^FROM )")
#: A path with a tag or a digest.
_PATH_HINT = re.compile(r"/(?:[a-z0-9._-]+/?|/)(?::[A-Za-z0-9]|@sha256)")
#: Names of labels, taints and fields under the domains of Kubernetes, which serve no images; ``registry.k8s.io`` does.
_LABEL = re.compile(
    r"(?:(?:[a-z0-9-]+\.)*kubernetes\.io|(?!registry\.)(?:[a-z0-9-]+\.)+k8s\.io|k8s\.io)/[^/]+", re.IGNORECASE
)
_EFFECT = re.compile(r".*:(?:NoSchedule|NoExecute|PreferNoSchedule)")
#: Hosts of source code. Their registries have other addresses (ghcr.io, registry.gitlab.com).
_SOURCE_HOSTS = (
    "git.",
    "github.com/",
    "gitlab.com/",
    "bitbucket.org/",
    "raw.githubusercontent.com/",
    "gist.github.com/",
)


def is_complete_reference(value: str) -> bool:
    """Return whether ``value`` is a reference with a registry's address, a path, and a tag or a digest."""
    return len(value) <= LONGEST and _is_complete(value)


@lru_cache(maxsize=4096)
def _is_complete(value: str) -> bool:
    """Cached, because files name the same images again and again."""
    return _COMPLETE.fullmatch(value) is not None


def is_tagged_path(value: str) -> bool:
    """Return whether ``value`` is a path of several components with a tag or a digest, with or without an address."""
    return "/" in value and len(value) <= LONGEST and _TAGGED_PATH.fullmatch(value) is not None


def has_registry(name: str) -> bool:
    """Return whether ``name`` begins with a registry's address."""
    first, slash, _ = name.partition("/")
    return bool(slash) and (first == "localhost" or "." in first or ":" in first)


def has_tag(name: str) -> bool:
    """Return whether a tag or a digest follows the name; a colon before a slash belongs to a port."""
    return "@" in name or ":" in name.rpartition("/")[2]


def may_mention(value: str) -> bool:
    """Return whether ``value`` holds a complete reference or an address of an image."""
    return (":" in value or "@" in value) and _MENTION.search(value) is not None


def mentions(value: str, first: int = 0, last: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the spans of the complete references in ``value``, or in ``value[first:last]``."""
    for match in _MENTION.finditer(value, first, len(value) if last is None else last):
        begin, end = match.span("reference")
        yield begin, end - (value[end - 1] == ".")


def may_name_images(value: str) -> bool:
    """Return whether ``value`` may be a document or settings that name images."""
    return len(value) >= SHORTEST and may_be_document(value) and hints_at_images(value)


def hints_at_images(value: str) -> bool:
    """Return whether a text has a word or a path that each embedded document, script or settings with images has."""
    if "image" in value or ("/" in value and _PATH_HINT.search(value) is not None):
        return True
    return any(word in value for word in _HINTS) and _EXACT_HINTS.search(value) is not None


def may_be_document(value: str) -> bool:
    """Return whether ``value`` is of several lines, or begins like JSON."""
    return "\n" in value or value[0] in "{[" or (value[0] in " \t" and value.lstrip()[:1] in ("{", "["))


def says_image(text: str) -> bool:
    """Return whether a text has a word for image in any case, without which no name in it means one."""
    lowered = text.lower()
    return "image" in lowered or "img" in lowered


def not_an_image_reason(value: str) -> str | None:
    """Return why ``value``, which has a reference's shape, names something else; ``None`` if it may be an image."""
    if ("k8s.io/" in value or "kubernetes.io/" in value) and _LABEL.fullmatch(value):
        return tr("it is the name of a label or a taint")
    if value.endswith(("NoSchedule", "NoExecute")) and _EFFECT.fullmatch(value):
        return tr("it is the name of a label or a taint")
    if value.startswith(_SOURCE_HOSTS):
        return tr("it names source code; images are at another address")
    return None
