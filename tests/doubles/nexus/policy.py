# SPDX-License-Identifier: Apache-2.0
"""What may be written, and what is answered where it may not: frozen, group, proxy, edition, write policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.doubles.nexus import answers
from tests.doubles.nexus.content import Content
from tests.doubles.registry import Answer

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus

READ_ONLY = "Nexus Repository Manager is in read-only mode"
EULA = "The End User License Agreement must be accepted first"


def refuse_upload(nexus: Nexus, content: Content) -> Answer | None:
    """Why no upload may start here (POST): what holds for every writing, and the edition's limits (42)."""
    return refuse_write(nexus, content) or _over_limit(nexus)


def refuse_write(nexus: Nexus, content: Content) -> Answer | None:
    """Why nothing may be written here: frozen (9), the licence not accepted (section 3, inferred), a group (43), a
    proxy (inferred), DENY (41)."""
    settings = nexus.settings
    if nexus.frozen:
        return answers.text(503, READ_ONLY)
    if not nexus.eula_accepted:
        return answers.text(403, EULA)
    kind = content.settings.kind
    if kind == "group" and settings.edition_name != "PRO":
        said = "Deploying to groups is a PRO-licensed feature. See https://links.sonatype.com/product-nexus-repository"
        return answers.problem(settings.group_push_status, "DENIED", said)
    if kind == "proxy":
        return answers.problem(settings.proxy_push_status, "UNSUPPORTED", "a proxy repository takes no uploads")
    if content.settings.write_policy == "DENY":
        return denied(nexus, content)
    return None


def refuse_delete(nexus: Nexus, content: Content) -> Answer | None:
    """ALLOW and ALLOW_ONCE permit deletion, DENY does not (41)."""
    if nexus.frozen:
        return answers.text(503, READ_ONLY)
    if content.settings.kind != "hosted":
        return answers.problem(405, "UNSUPPORTED", "only hosted repositories delete")
    return denied(nexus, content) if content.settings.write_policy == "DENY" else None


def denied(nexus: Nexus, content: Content) -> Answer:
    """DENY: some 4xx whose reason says ``is read-only`` (41)."""
    said = f"Repository is read-only: {content.name}"
    return answers.problem(nexus.settings.deny_status, "DENIED", said, said, style=nexus.settings.errors)


def cannot_be_updated(nexus: Nexus, content: Content, path: str) -> Answer:
    """ALLOW_ONCE: OrientDB (legacy) names the repository (37), newer ones the path too (38)."""
    detail = f"{content.name}{path} cannot be updated"
    if nexus.settings.profile == "legacy":
        detail = f"Repository does not allow updating assets: {content.name}"
    code, message = "BLOB_UPLOAD_INVALID", "blob upload invalid"
    return answers.problem(nexus.settings.once_status, code, message, detail, style=nexus.settings.errors)


def once(content: Content) -> bool:
    return content.settings.write_policy == "ALLOW_ONCE"


def tag_is_fixed(content: Content, image: str, tag: str) -> bool:
    """Under ALLOW_ONCE an existing tag is, be the digest the same; latestPolicy exempts ``latest`` (37, 40)."""
    if content.settings.latest_policy and tag == "latest":
        return False
    return once(content) and (image, tag) in content.tagged


def _over_limit(nexus: Nexus) -> Answer | None:
    """Once over the edition's limit of components it stays so when the number falls again (42); that a limit of
    requests is answered and stays in the same way is inferred."""
    settings = nexus.settings
    held = settings.components_elsewhere + sum(content.components for content in nexus.contents.values())
    if 0 <= settings.limit < held or 0 <= settings.requests_a_day < nexus.requests_today:
        nexus.was_over_limit = True
    if nexus.was_over_limit and not settings.in_grace:
        return answers.text(403, "PAYMENT REQUIRED: this instance exceeds the usage limits of its edition")
    return None
