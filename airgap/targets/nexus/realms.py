# SPDX-License-Identifier: Apache-2.0
"""Nexus's realms, by which it accepts the tokens that it issues: one for each repository format."""

from __future__ import annotations

from airgap.i18n import tr
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.protocols import Finding

DOCKER_REALM, OCI_REALM = "DockerToken", "OciBearerToken"
REALM_HINT = tr(
    "in Nexus: Settings > Security > Realms, add the format's Bearer Token Realm to the active ones (keep the others)"
)


class RealmMissing(Finding):
    """Nexus rejects its own tokens because the realm of the repository's format is not active."""


def realm_for(repository: RepositorySettings | None) -> str:
    """The realm that a repository's tokens need; Docker's if the repository is not known."""
    return OCI_REALM if repository is not None and repository.format == "oci" else DOCKER_REALM
