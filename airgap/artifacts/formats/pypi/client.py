# SPDX-License-Identifier: Apache-2.0
"""pip's settings: ``/etc/pip.conf`` names the index."""

from __future__ import annotations

from urllib.parse import urlsplit

from airgap.artifacts.ini import set_in_section
from airgap.i18n import tr
from airgap.nodes.model import NodeFile, NodeSetup


class PipSettings:
    """``index-url``, and ``trusted-host`` where the index is reached without TLS."""

    client = "pip"

    def setup(self, repository_url: str) -> NodeSetup:
        """Merge into the section ``global``."""
        parts = urlsplit(repository_url)
        base = repository_url.removesuffix("/simple")
        values = {"index-url": f"{base}/simple"}
        if parts.scheme == "http":
            values["trusted-host"] = parts.netloc.rpartition("@")[2]

        def merge(content: bytes) -> bytes:
            return set_in_section(content, "global", values)

        note = tr("a user's own ~/.config/pip/pip.conf and PIP_INDEX_URL go before it")
        return NodeSetup((NodeFile("/etc/pip.conf", merge(b""), merge),), "", notes=(note,))
