# SPDX-License-Identifier: Apache-2.0
"""Maven's settings: a mirror of all repositories in ``settings.xml``."""

from __future__ import annotations

from xml.sax.saxutils import escape

from airgap.artifacts.xml_text import set_in_section
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
    known = rf"<mirror>\s*<id>\s*{_ID}\s*</id>(?:(?!</?mirror>).)*</mirror>"
    merged = set_in_section(text, "settings", "mirrors", mirror, known)
    if merged is None:
        raise _no_settings()
    return merged.encode()


def _no_settings() -> ContentError:
    return ContentError(tr("this is no settings.xml of Maven"), where=_PATH, hint=tr("mend or remove it"))
