# SPDX-License-Identifier: Apache-2.0
"""What keeps a repository of Nexus from taking the uploads of a format, found out before anything is sent."""

from __future__ import annotations

from airgap.i18n import tr
from airgap.targets.doctor.repository_settings import refused
from airgap.targets.nexus.rest import NexusRest
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.protocols import Finding


def check_repository(
    rest: NexusRest, repository: RepositorySettings, nexus_format: str, realm: str = ""
) -> list[Finding]:
    """Return the first problem, or else warnings: the blob store's quota, and a ``realm`` that is not active, without
    which the format's own clients cannot sign in."""
    name = repository.name
    if repository.format != nexus_format:
        what = tr(
            "{name} is a repository of the format {format}, not {wanted}",
            name=name, format=repository.format, wanted=nexus_format,
        )  # fmt: skip
        return [Finding("problem", what, _others(rest, nexus_format))]
    if repository.type != "hosted":
        what = (
            tr("{name} is a group repository, which takes no uploads", name=name)
            if repository.type == "group"
            else tr("{name} is a proxy repository, which takes no uploads", name=name)
        )
        return [Finding("problem", what, _others(rest, nexus_format))]
    if repository.online is False:
        return [refused("offline", repository)]
    if repository.policy == "DENY":
        return [refused("deny", repository)]
    if rest.status("status/writable") == 503:
        return [refused("frozen")]
    warnings = []
    if not rest.has_user:
        what = tr(
            "no user is known for {url}, and Nexus takes uploads only from users who have the right", url=rest.url
        )
        right = f"nx-repository-view-{repository.format}-{name}-edit"
        warnings.append(
            Finding(
                "warning", what, tr("--username and --password-stdin give one; the privilege is {right}", right=right)
            )
        )
    if realm and rest.realms is not None and realm not in rest.realms:
        what = tr("the realm {realm} is not active: {format} clients cannot sign in", realm=realm, format=nexus_format)
        warnings.append(
            Finding("warning", what, tr("in Nexus: Settings > Security > Realms, add it to the active ones"))
        )
    if repository.blob_store and (violation := rest.quota_violation(repository.blob_store)):
        what = tr(
            "the blob store {blob_store} is over its quota: {violation}",
            blob_store=repository.blob_store,
            violation=violation,
        )
        hint = tr("Nexus takes uploads until the disk is full: raise the quota, or compact the store")
        warnings.append(Finding("warning", what, hint))
    return warnings


def _others(rest: NexusRest, nexus_format: str) -> str:
    """A hint with the hosted repositories that would do."""
    names = [r.name for r in rest.repositories if r.format == nexus_format and r.type == "hosted"]
    if names:
        return tr("hosted repositories of the format {format}: {names}", format=nexus_format, names=", ".join(names))
    return tr(
        "there is no hosted repository of the format {format}; --create-repositories makes one", format=nexus_format
    )
