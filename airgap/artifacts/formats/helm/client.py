# SPDX-License-Identifier: Apache-2.0
"""What helm is told: its list of repositories is each user's own, so that a command adds one."""

from __future__ import annotations

from airgap.formatting import quoted
from airgap.nodes.model import NodeSetup


class HelmSettings:
    """The command ``helm repo add``."""

    client = "helm"

    def setup(self, repository_url: str) -> NodeSetup:
        """One command for each user."""
        words = ["helm", "repo", "add", "airgap", quoted(repository_url)]
        return NodeSetup((), "", {"helm": f"{' '.join(words)}\n".encode()})
