# SPDX-License-Identifier: Apache-2.0
"""Checks of one repository of Nexus: its type, state, deployment policy and enforcement of signatures."""

from __future__ import annotations

from airgap.i18n import tr
from airgap.targets.nexus.refusals import REFUSALS_BY_ID
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.protocols import Finding


def check_repository_settings(repository: RepositorySettings) -> list[Finding]:
    """Return what keeps the repository from taking pushes, or its settings; then a warning about signatures."""
    finding = _check(repository)
    if finding.level == "ok" and repository.signature_enforcement not in ("", "NONE"):
        return [finding, _signatures_needed(repository)]
    return [finding]


def _signatures_needed(repository: RepositorySettings) -> Finding:
    return Finding(
        "warning",
        tr(
            "{name} gives out only images with a cosign signature (enforcement "
            "{signature_enforcement}): what is pushed without one can be pulled by no node",
            name=repository.name,
            signature_enforcement=repository.signature_enforcement,
        ),
        tr(
            "carry the signatures too (airgap export --referrers) if they are keyless ones that this Nexus can verify; "
            "else in Nexus: Settings > Repositories > the repository > Cosign enforcement: None"
        ),
    )


def _check(repository: RepositorySettings) -> Finding:
    if repository.type in ("group", "proxy"):
        return refused(repository.type, repository)
    if repository.online is False:
        return refused("offline", repository)
    if repository.policy == "DENY":
        return refused("deny", repository)
    facts = [
        tr(
            "{name} is a {type} {format} repository",
            name=repository.name,
            type=repository.type,
            format=repository.format,
        )
    ]
    if repository.policy == "ALLOW_ONCE":
        exception = tr(", latest excepted") if repository.latest_exempt else ""
        facts.append(tr("tags may not be moved (ALLOW_ONCE){exception}", exception=exception))
    if repository.force_basic is not None:
        facts.append(tr("sign-in is by Basic") if repository.force_basic else tr("sign-in is by token"))
    return Finding("ok", "; ".join(facts))


def refused(refusal_id: str, repository: RepositorySettings | None = None, *, fix: str = "") -> Finding:
    """Return the problem that Nexus would refuse a push with. ``fix`` names the change of ``--fix`` that mends it."""
    refusal = REFUSALS_BY_ID[refusal_id]
    what = f"{repository.name}: {refusal.what}" if repository is not None else refusal.what
    return Finding("problem", what, refusal.hint, fix=fix)
