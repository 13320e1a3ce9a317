# SPDX-License-Identifier: Apache-2.0
"""Image references: ``[registry/]repository[:tag][@digest]`` with Docker's defaults.

The grammar is that of github.com/distribution/reference. The part before the first ``/`` is a registry if it contains
``.`` or ``:``, is ``localhost``, or has an upper-case letter. Otherwise the registry is ``docker.io``, where a
repository with one component is under ``library/``.
"""

from __future__ import annotations

import re

from airgap.errors import InvalidReference
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.records import Record, replace

DOCKER_HUB = "docker.io"
#: Other names of Docker Hub. References are normalized to ``docker.io``.
_HUB_ALIASES = {"index.docker.io", "registry-1.docker.io"}
_HUB_NAMES = {DOCKER_HUB, *_HUB_ALIASES}

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST_PART = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_REGISTRY = re.compile(rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?")
#: The common form, with a registry address. A reference that matches needs no further check.
_COMMON_FORM = re.compile(
    rf"({_HOST_PART}(?:\.{_HOST_PART})+(?::[1-9][0-9]{{0,3}})?)/({_COMPONENT.pattern}(?:/{_COMPONENT.pattern})*)"
    rf"(?::({_TAG.pattern}))?(?:@(sha256:[0-9a-f]{{64}}))?"
)
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
#: Characters of registry and repository together (NameTotalLengthMax in distribution/reference).
MAX_NAME = 255


class Reference(Record, order=True):
    """A normalized reference. ``registry`` and ``repository`` are never empty; ``tag`` and ``digest`` may be."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse and normalize a reference; raise :class:`InvalidReference` with the reason.

        ``nginx`` becomes ``docker.io/library/nginx:latest``. The tag ``latest`` is added only if ``text`` has neither
        a tag nor a digest.
        """
        if (reference := cls.parse_common(text)) is not None:
            return reference
        if _IMAGE_ID.fullmatch(text):
            raise _invalid(text, tr("64 hexadecimal digits are an image's ID on one machine, which no registry knows"))
        if "://" in text:
            raise _invalid(text, tr("it is no address; leave out what stands before the registry, such as http://"))
        if _after_credentials(text):
            raise _invalid(text, tr("no user or password belongs in it; airgap login REGISTRY keeps them"))
        name, at, digest = text.partition("@")
        if at and (reason := digests.problem(digest)):
            raise _invalid(text, reason)
        name, tag = _split_tag(text, name)
        registry, repository = _split_registry(name)
        if not _REGISTRY.fullmatch(registry):
            raise _invalid(text, tr("{registry!r} is no registry address", registry=registry))
        port = registry.rpartition(":")[2] if not registry.endswith("]") and ":" in registry else ""
        if port and not 0 < int(port) < 65536:
            raise _invalid(text, tr("{port} is no port", port=port))
        _check_repository(text, repository)
        if registry in _HUB_ALIASES:
            registry = DOCKER_HUB
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        if len(registry) + 1 + len(repository) > MAX_NAME:
            raise _invalid(text, tr("the name is longer than {max_name} characters", max_name=MAX_NAME))
        return cls(registry, repository, tag or ("" if digest else "latest"), digest)

    @classmethod
    def parse_common(cls, text: str) -> Reference | None:
        """Parse the most common form quickly. ``None`` means another form, which may be valid or not."""
        try:
            return _common[text]
        except KeyError:
            return _parse_common(text)

    @property
    def name(self) -> str:
        """``registry/repository``."""
        return f"{self.registry}/{self.repository}"

    @property
    def identifier(self) -> str:
        """The digest if there is one, else the tag: the name in a request for the manifest."""
        return self.digest or self.tag

    @property
    def digest_tag(self) -> str:
        """The tag for a reference without a tag: ``digest-`` and the first 12 digits of its digest."""
        return f"digest-{digests.encoded(self.digest)[:12]}"

    def with_digest(self, digest: str) -> Reference:
        """Return the reference with this digest; the tag is kept."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


#: What :meth:`Reference.parse_common` made of the last texts: files name the same images again and again.
_common: dict[str, Reference | None] = {}
_MOST_KNOWN = 4096


def _parse_common(text: str) -> Reference | None:
    if len(text) > MAX_NAME:
        return None
    if len(_common) >= _MOST_KNOWN:
        _common.clear()
    match = _COMMON_FORM.fullmatch(text)
    if match is None or match[1] in _HUB_NAMES:
        _common[text] = None
        return None
    registry, repository, tag, digest = match.groups("")
    reference = object.__new__(Reference)  # much faster than the constructor, which Record's classes share
    reference.__dict__.update(
        registry=registry, repository=repository, tag=tag or ("" if digest else "latest"), digest=digest
    )
    _common[text] = reference
    return reference


_HINT = tr("write it as REGISTRY/REPOSITORY:TAG, such as quay.io/jetstack/cert-manager-webhook:v1.14.4")


def check_tag(tag: str) -> str:
    """Return ``tag`` if the distribution specification allows it; raise :class:`InvalidReference` otherwise."""
    if not _TAG.fullmatch(tag):
        raise InvalidReference(
            tr("invalid tag {tag!r}: {tag_problem}", tag=tag[:160], tag_problem=_tag_problem(tag)), hint=_HINT
        )
    return tag


def repository_problem(repository: str) -> str | None:
    """Return the reason why ``repository`` is not a valid repository name, or ``None`` if it is one."""
    if not repository:
        return tr("the repository is empty")
    for part in repository.split("/"):
        if not part:
            return tr("a part of the repository is empty")
        if part != part.lower():
            return tr("repository names are lower case")
        if not _COMPONENT.fullmatch(part):
            return tr("{part!r} may hold a-z and 0-9, separated by one '.', '_', '__' or by '-'", part=part)
    if len(repository) > MAX_NAME:
        return tr("the name is longer than {max_name} characters", max_name=MAX_NAME)
    return None


def registry_problem(registry: str) -> str | None:
    """Return the reason why ``registry`` is not ``host[:port]``, or ``None`` if it is."""
    return None if _REGISTRY.fullmatch(registry) else tr("{registry!r} is no registry address", registry=registry)


def _split_tag(text: str, name: str) -> tuple[str, str]:
    slash, colon = name.rfind("/"), name.rfind(":")
    if colon <= slash or name.endswith("]"):
        return name, ""
    tag = name[colon + 1 :]
    if not _TAG.fullmatch(tag):
        raise _invalid(text, _tag_problem(tag))
    return name[:colon], tag


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, rest
    return DOCKER_HUB, name


def _check_repository(text: str, repository: str) -> None:
    reason = repository_problem(repository)
    if reason:
        raise _invalid(text, reason)


def _tag_problem(tag: str) -> str:
    if not tag:
        return tr("the tag after ':' is empty")
    if len(tag) > 128:
        return tr("a tag has at most 128 characters")
    return tr("the tag {tag!r} may hold letters, digits, '_', '.' and '-', and not begin with '.' or '-'", tag=tag)


def _after_credentials(text: str) -> str:
    """Return the text after ``user:password@``, so that messages can omit the password; empty if there is none."""
    before, _, after = text.rpartition("@")
    return after if ":" in before and "/" in after else ""


def _invalid(text: str, reason: str) -> InvalidReference:
    if rest := _after_credentials(text):
        text = f"…@{rest}"
    shown = text if len(text) <= 160 else f"{text[:157]}..."
    return InvalidReference(tr("invalid image reference {shown!r}: {reason}", shown=shown, reason=reason), hint=_HINT)
