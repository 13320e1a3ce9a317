# SPDX-License-Identifier: Apache-2.0
"""Maven's settings: a mirror of all repositories in ``settings.xml``."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.nodes.model import NodeFile, NodeSetup

_ID = "airgap"
#: Debian's place of everybody's settings; elsewhere it is conf/settings.xml of Maven's own folder.
_PATH = "/etc/maven/settings.xml"


class MavenSettingsFile:
    """A mirror of ``*`` is asked instead of every repository, those of poms too."""

    client = "maven"

    def setup(self, repository_url: str) -> NodeSetup:
        """Merge into ``mirrors``."""
        mirror = f"<mirror><id>{_ID}</id><mirrorOf>*</mirrorOf><url>{escape(repository_url)}</url></mirror>"

        def merge(content: bytes) -> bytes:
            return _merged(content, mirror)

        note = tr("a Maven that is not Debian's has it as conf/settings.xml; ~/.m2/settings.xml goes before it")
        return NodeSetup((NodeFile(_PATH, merge(b""), merge),), "", notes=(note,))


def _merged(old: bytes, mirror: str) -> bytes:
    """Put the mirror first, since the first one that matches wins. Raises :class:`ContentError` for another file."""
    try:
        text = old.decode()
    except UnicodeDecodeError as error:
        raise _no_settings() from error
    if not text.strip():
        return f"<settings>\n  <mirrors>\n    {mirror}\n  </mirrors>\n</settings>\n".encode()
    # What is commented out does not count; its bytes keep their places.
    visible = _with_blank_comments(text)
    known = re.search(rf"<mirror>\s*<id>\s*{_ID}\s*</id>", visible)
    known_end = visible.find("</mirror>", known.end()) if known is not None else -1
    if known is not None and known_end >= 0:
        return f"{text[: known.start()]}{mirror}{text[known_end + len('</mirror>') :]}".encode()
    if (place := re.search(r"<mirrors\s*>", visible)) is not None:
        return f"{text[: place.end()]}\n    {mirror}{text[place.end() :]}".encode()
    if (place := re.search(r"<mirrors\s*/>", visible)) is not None:
        return f"{text[: place.start()]}<mirrors>\n    {mirror}\n  </mirrors>{text[place.end() :]}".encode()
    end = visible.rfind("</settings>")
    if end < 0:
        raise _no_settings()
    return f"{text[:end]}  <mirrors>\n    {mirror}\n  </mirrors>\n{text[end:]}".encode()


def _with_blank_comments(text: str) -> str:
    parts = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts += [text[position:start], " " * (end + 3 - start)]
        position = end + 3
    return "".join((*parts, text[position:]))


def _no_settings() -> ContentError:
    return ContentError(tr("this is no settings.xml of Maven"), where=_PATH, hint=tr("mend or remove it"))
