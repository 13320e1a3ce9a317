# SPDX-License-Identifier: Apache-2.0
"""NuGet's settings: a source in everybody's ``NuGet.Config``, and nuget.org switched off, which cannot be reached."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from airgap.artifacts.xml_text import set_in_section
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.nodes.model import NodeFile, NodeSetup

#: NuGet on Linux reads every file here, before the user's own.
_PATH = "/etc/opt/NuGet/Config/NuGet.Config"
_NAME, _PUBLIC = "airgap", "nuget.org"


class NugetSettingsFile:
    """``packageSources`` and ``disabledPackageSources``; the user's own file may name other sources beside it."""

    client = "nuget"

    def setup(self, repository_url: str) -> NodeSetup:
        """Merge into the file of the machine. A repository of Nexus has its service index at its root."""
        url = repository_url
        if not url.endswith(".json"):
            url += "/index.json" if "/repository/" in url else "/v3/index.json"
        insecure = ' allowInsecureConnections="true"' if url.startswith("http:") else ""
        source = f'<add key={quoteattr(_NAME)} value={quoteattr(url)} protocolVersion="3"{insecure} />'
        disabled = f'<add key={quoteattr(_PUBLIC)} value="true" />'

        def merge(content: bytes) -> bytes:
            merged: str | None = _text(content)
            for section, element, known in (
                ("packageSources", source, rf'<add\s+key="{_NAME}"[^<>]*/>'),
                ("disabledPackageSources", disabled, r'<add\s+key="nuget\.org"\s+value="(?:true|false)"\s*/>'),
            ):
                merged = (
                    set_in_section(merged, "configuration", section, element, known) if merged is not None else None
                )
            if merged is None:
                raise ContentError(tr("this is no NuGet.Config"), where=_PATH, hint=tr("mend or remove it"))
            return merged.encode()

        note = tr("a project's and a user's own NuGet.Config may name further sources, which NuGet then asks too")
        return NodeSetup((NodeFile(_PATH, merge(b""), merge),), "", notes=(note,))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ContentError(tr("this is no NuGet.Config"), where=_PATH, hint=tr("mend or remove it")) from error
