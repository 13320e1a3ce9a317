# SPDX-License-Identifier: Apache-2.0
"""Makes a hosted repository in Nexus (``--create-repositories``)."""

from __future__ import annotations

from airgap.artifacts.format import Format
from airgap.errors import NotReady
from airgap.i18n import tr
from airgap.targets.nexus.rest import NexusRest
from airgap.targets.nexus.settings import RepositorySettings

#: The name of each format in the REST path where it is not Nexus's own name of the format.
_PATHS = {"maven2": "maven"}
_STORAGE = {"blobStoreName": "default", "strictContentTypeValidation": True, "writePolicy": "ALLOW_ONCE"}


def create_repository(
    rest: NexusRest, artifact_format: Format, name: str, *, dry_run: bool = False
) -> RepositorySettings:
    """Make the hosted repository ``name``, in which nothing can be written twice; with ``dry_run`` only say how
    it would look. Raises :class:`NotReady` for a format whose settings only the user knows, and
    :class:`airgap.errors.RegistryError`.
    """
    nexus_format = artifact_format.publisher.nexus_format
    if artifact_format.creation is None:
        raise NotReady(
            tr("airgap cannot make a {format} repository in Nexus", format=artifact_format.name),
            where=rest.url,
            hint=artifact_format.creation_hint,
        )
    document = {"name": name, "online": True, "storage": _STORAGE, **artifact_format.creation}
    if not dry_run:
        rest.change("POST", f"repositories/{_PATHS.get(nexus_format, nexus_format)}/hosted", document)
    return RepositorySettings(name, nexus_format, "hosted", True, "ALLOW_ONCE")
