# SPDX-License-Identifier: Apache-2.0
"""What Nexus's refusals of an upload mean, with the remedy."""

from __future__ import annotations

from airgap import bounded_json
from airgap.artifacts.artifact import Artifact
from airgap.errors import AirgapError, ContentError, NotReady, RegistryError, TargetError, Unauthorized
from airgap.i18n import tr
from airgap.targets.nexus.refusals import RedeployForbidden, explain, find_refusal
from airgap.targets.nexus.settings import RepositorySettings


def explained(error: AirgapError, repository: RepositorySettings, artifact: Artifact) -> AirgapError:
    """Return the error of an upload in Nexus's terms, or ``error`` itself."""
    if not isinstance(error, RegistryError):
        return error
    said = message_of(error.said)
    refusal = find_refusal(error.status, error.said)
    if refusal is not None and refusal.id == "redeploy":
        return RedeployForbidden(
            tr(
                "{name} lets nothing be written twice (Disable redeploy), and has this path already",
                name=repository.name,
            ),
            where=error.where,
            hint=tr(
                "compare the two files; a new version needs a new number, or the old one is deleted in Nexus first"
            ),
        )
    if refusal is not None:
        return explain(error)
    if isinstance(error, Unauthorized) and error.status == 403:
        error.hint = tr(
            "the user's role needs nx-repository-view-{format}-{name}-add, -edit, -read and -browse "
            "(Settings > Security > Roles)",
            format=repository.format,
            name=repository.name,
        )
        return error
    if error.status == 400 and said:
        return TargetError(
            tr("Nexus does not take this file: {said}", said=said),
            where=error.where,
            hint=tr(
                "check that it is a {format} file; everything before it is there, nothing of it is",
                format=artifact.format,
            ),
        )
    if error.status == 422:
        return NotReady(
            tr("Nexus has no repository {name}", name=repository.name),
            where=error.where,
            hint=tr("check its name; --create-repositories makes one"),
        )
    return explain(error)


def message_of(said: str) -> str:
    """Return the text of Nexus's validation errors, ``[{"id": …, "message": …}]``, or an empty string."""
    start = said.find("[")
    try:
        document = bounded_json.parse(said[start:].encode(), "error") if start >= 0 else None
    except ContentError:
        return ""
    items = document if isinstance(document, list) else ()
    return "; ".join(str(item["message"]) for item in items if isinstance(item, dict) and "message" in item)[:500]
