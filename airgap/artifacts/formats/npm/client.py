# SPDX-License-Identifier: Apache-2.0
"""npm's settings: ``npm config`` writes them, since the place of everybody's ``npmrc`` depends on npm's own place."""

from __future__ import annotations

from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.nodes.model import NodeSetup


class NpmSettingsCommand:
    """``registry`` is where packages come from. ``replace-registry-host`` makes npm take those of a lock file from
    there too, though the lock file has the addresses of another registry."""

    client = "npm"

    def setup(self, repository_url: str) -> NodeSetup:
        """One command for the whole machine."""
        values = [f"registry={repository_url}/", "replace-registry-host=always"]
        words = ["npm", "config", "set", "--location=global", *map(quoted, values)]
        note = tr("a project's and a user's own .npmrc go before it")
        return NodeSetup((), "", {"npm": f"{' '.join(words)}\n".encode()}, notes=(note,))
