# SPDX-License-Identifier: Apache-2.0
"""One file of a format, such as a wheel, and the checks of the names that it came under."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from airgap.bundle.artifacts import NamedArtifact
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import field

#: Characters of a name, version, file name or property at most.
_MAX_NAME = 512
_MAX_PROPERTY = 1 << 20


class Artifact(NamedArtifact):
    """A file of a format.

    ``name`` and ``version`` are those that the format's clients use; ``version`` is empty without versions.
    ``file`` is the file's name. ``digest`` is its sha256, ``size`` its bytes. ``source`` is the address that it came
    from without anything secret, empty for a file of this machine. ``properties`` are facts that the format's indexes
    and paths need, by names that the format chooses.
    """

    digest: str
    size: int
    source: str = field(default="", compare=False)
    properties: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


class Download(NamedArtifact):
    """A file that a resolver has chosen, before it was fetched. Fields are those of :class:`Artifact`.

    It is either at ``path`` on this machine, or is fetched from ``url``; with both, ``url`` is ``file://PATH`` in a
    repository on this machine. ``expected`` are digests
    that it must have, ``ALGORITHM:HEX`` with any algorithm of hashlib. ``size`` is ``None`` if it is not known.
    """

    url: str = field(default="", repr=False)
    path: Path | None = None
    expected: tuple[str, ...] = ()
    size: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def check_names(artifact: Artifact | Download) -> None:
    """Raise :class:`ContentError` for names that could lead out of a folder, or that a URL or a terminal cannot hold.

    ``name`` may have several parts; ``file`` is one.
    """
    named = ((tr("name"), artifact.name), (tr("version"), artifact.version), (tr("file name"), artifact.file))
    for what, text in named:
        if reason := path_problem(text, parts=what == tr("name")) if text or what != tr("version") else None:
            raise ContentError(
                tr("the {what} {text!r} {reason}", what=what, text=text[:200], reason=reason),
                where=f"{artifact.format} {artifact.name[:200]!r}",
                hint=tr("leave it out, or give it another name"),
            )
    for key, value in artifact.properties.items():
        if len(key) > _MAX_NAME or len(value) > _MAX_PROPERTY:
            raise ContentError(tr("its property {key!r} is too long", key=key[:60]), where=artifact.label)


def path_problem(text: str, *, parts: bool = False) -> str | None:
    """Return why ``text`` can be no single file name (with ``parts``: no path below a folder), or ``None``."""
    if len(text) > _MAX_NAME:
        return tr("is longer than {limit} characters", limit=_MAX_NAME)
    if any(part in ("", ".", "..") for part in text.split("/")) or "\\" in text or (not parts and "/" in text):
        return tr("leads out of its folder, or would on another system")
    if not text.isprintable():
        return tr("has characters that cannot be printed")
    return None
