# SPDX-License-Identifier: Apache-2.0
"""What Nexus, or the proxy in front of it, means by a refusal, in one sentence with the way out.

Its errors come as docker JSON, as a page, as text or as a reason phrase alone, so they are known by their words.
"""

from __future__ import annotations

import re

from airgap.errors import AirgapError, NotReady, RegistryError, TargetError
from airgap.records import Record

ANNOTATE = "kubectl -n NAMESPACE annotate ingress NAME --overwrite nginx.ingress.kubernetes.io/"
#: What an Ingress before a registry needs, by the trouble that it mends.
BODY_SIZE = f'{ANNOTATE}proxy-body-size="0"'
PATIENCE = f'{ANNOTATE}proxy-read-timeout="3600" nginx.ingress.kubernetes.io/proxy-send-timeout="3600"'
BUFFERING = f'{ANNOTATE}proxy-request-buffering="off"'


class Fixed(TargetError):
    """A tag or blob that is there already and, by the deployment policy, may not be written again."""


class Refusal(Record):
    """``words`` are looked for in what the answer said; ``statuses`` empty is any."""

    id: str
    words: str
    what: str
    hint: str
    statuses: tuple[int, ...] = ()


REFUSALS = (
    Refusal(
        "fixed",
        r"cannot be updated|does not allow updating",
        "the repository's deployment policy lets nothing be written twice (ALLOW_ONCE, Disable redeploy)",
        "in Nexus: Settings > Repositories > the repository > Deployment policy: Allow redeploy; or use a new tag",
    ),
    Refusal(
        "frozen",
        r"read-only mode",
        "Nexus is in read-only mode and takes nothing",
        "an administrator ends it: Settings > System > Nodes (or API), Release read-only; it may be a backup that runs",
        (403, 405, 500, 503),
    ),
    Refusal(
        "offline",
        r"Repository offline",
        "this repository is switched offline in Nexus",
        "in Nexus: Settings > Repositories > the repository > Online",
    ),
    Refusal(
        "limit",
        r"PAYMENT REQUIRED",
        "Nexus takes no uploads: it has more components, or had more requests in a day, than its edition allows "
        "(Community: 40,000 and 100,000 since 3.87, 100,000 and 200,000 before), and falling below may not lift this",
        "Nexus's pages show both counts (Usage Center); raise the limit by a licence, or use another instance; pulling "
        "goes on working",
    ),
    Refusal(
        "eula",
        r"End User License Agreement",
        "Nexus waits for its licence to be accepted",
        "sign in to its pages as admin and accept it, or airgap doctor TARGET --nexus URL --fix",
    ),
    Refusal(
        "group",
        r"PRO-licensed|[Dd]eploying to groups",
        "this address belongs to a group repository, and pushing to a group is a Pro feature",
        "push to the hosted repository itself: give its connector as --via, and keep the group's address as target",
    ),
    Refusal(
        "proxy",
        r"proxy repository takes no",
        "this address belongs to a proxy repository, which takes no uploads",
        "push to a hosted repository",
    ),
    Refusal(
        "deny",
        r"is read-only",
        "the repository's deployment policy is Read-only (DENY): it takes nothing",
        "in Nexus: Settings > Repositories > the repository > Deployment policy: Allow redeploy",
    ),
    Refusal(
        "missing",
        r"Repository not found",
        "Nexus has no repository of this name",
        "check the spelling of the repository in the address; airgap doctor TARGET --nexus URL lists what there is",
    ),
)  # fmt: skip


def refusal_of(status: int, said: str) -> Refusal | None:
    """What an answer means, if it is one of Nexus's own."""
    if status < 400:
        return None
    for one in REFUSALS:
        if re.search(one.words, said) and (not one.statuses or status in one.statuses):
            return one
    return None


def explained(error: AirgapError) -> AirgapError:
    """``error``, or what says more: :class:`Fixed` for ALLOW_ONCE, :class:`NotReady` for what must be mended first."""
    if not isinstance(error, RegistryError):
        return error
    known = refusal_of(error.status, error.said)
    if known is not None:
        kind = Fixed if known.id == "fixed" else NotReady
        return kind(known.what, where=error.where, hint=known.hint)
    if error.status == 403:
        error.hint = (
            "the user's role needs nx-repository-view-docker-REPOSITORY-add, -edit, -read and -browse "
            "(Settings > Security > Roles)"
        )
    elif error.status == 413:
        error.hint = f"a proxy limits the size of a body; for ingress-nginx: {BODY_SIZE}"
    elif error.status in (502, 504):
        error.hint = f"a proxy has lost patience while Nexus worked; for ingress-nginx: {PATIENCE}"
    elif error.status == 0 and "connection broke" in error.what and not error.hint:
        error.hint = f"if a proxy stands before Nexus, it may cut long bodies; for ingress-nginx: {BUFFERING}"
    return error
