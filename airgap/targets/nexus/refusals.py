# SPDX-License-Identifier: Apache-2.0
"""Explains the errors of Nexus, and of a proxy in front of it, in one sentence with a remedy.

Nexus reports errors as Docker's JSON, as an HTML page, as text or only as the reason phrase of the status, so that its
errors are recognized by Nexus's wording.
"""

from __future__ import annotations

import re

from airgap.errors import AirgapError, NotReady, RegistryError, TargetError
from airgap.i18n import tr
from airgap.records import Record
from airgap.registry.http.errors import ConnectionBroken

ANNOTATE = "kubectl -n NAMESPACE annotate ingress NAME --overwrite nginx.ingress.kubernetes.io/"
#: Annotations of an Ingress in front of a registry: no limit of the body's size, long timeouts, no buffering.
BODY_SIZE = f'{ANNOTATE}proxy-body-size="0"'
TIMEOUTS = f'{ANNOTATE}proxy-read-timeout="3600" nginx.ingress.kubernetes.io/proxy-send-timeout="3600"'
BUFFERING = f'{ANNOTATE}proxy-request-buffering="off"'


class RedeployForbidden(TargetError):
    """A tag or blob exists already, and the repository's deployment policy does not allow to write it again."""


class Refusal(Record):
    """One reason for which Nexus refuses a request.

    ``pattern`` is searched in the text of the answer; ``statuses`` are those that it occurs with, empty for any.
    ``what`` and ``hint`` are the explanation and the remedy.
    """

    id: str
    pattern: str
    what: str
    hint: str
    statuses: tuple[int, ...] = ()


REFUSALS = (
    Refusal(
        "redeploy",
        r"cannot be updated|does not allow updating",
        tr("the repository's deployment policy lets nothing be written twice (ALLOW_ONCE, Disable redeploy)"),
        tr("in Nexus: Settings > Repositories > the repository > Deployment policy: Allow redeploy; or use a new tag"),
    ),
    Refusal(
        "frozen",
        r"read-only mode",
        tr("Nexus is in read-only mode and takes nothing"),
        tr("an administrator ends it: Settings > System > Nodes (or API), Release read-only; it may be a "
           "backup that runs"),
        (403, 405, 500, 503),
    ),
    Refusal(
        "offline",
        r"Repository offline",
        tr("this repository is switched offline in Nexus"),
        tr("in Nexus: Settings > Repositories > the repository > Online"),
    ),
    Refusal(
        "limit",
        r"PAYMENT REQUIRED",
        tr("Nexus takes no uploads: it has more components, or had more requests in a day, than its edition allows "
"(Community: 40,000 and 100,000 since 3.87, 100,000 and 200,000 before), and falling below may not lift this"),
        tr("Nexus's pages show both counts (Usage Center); raise the limit by a licence, or use another "
           "instance; pulling "
"goes on working"),
    ),
    Refusal(
        "eula",
        r"End User License Agreement",
        tr("Nexus waits for its licence to be accepted"),
        tr("sign in to its pages as admin and accept it, or airgap doctor TARGET --nexus URL --fix"),
    ),
    Refusal(
        "group",
        r"PRO-licensed|[Dd]eploying to groups",
        tr("this address belongs to a group repository, and pushing to a group is a Pro feature"),
        tr("push to the hosted repository itself: give its connector as --via, and keep the group's address as target"),
    ),
    Refusal(
        "proxy",
        r"proxy repository takes no",
        tr("this address belongs to a proxy repository, which takes no uploads"),
        tr("push to a hosted repository"),
    ),
    Refusal(
        "deny",
        r"is read-only",
        tr("the repository's deployment policy is Read-only (DENY): it takes nothing"),
        tr("in Nexus: Settings > Repositories > the repository > Deployment policy: Allow redeploy"),
    ),
    Refusal(
        "missing",
        r"Repository not found",
        tr("Nexus has no repository of this name"),
        tr("check the spelling of the repository in the address; airgap doctor TARGET --nexus URL lists what there is"),
    ),
)  # fmt: skip
#: The same, by ``id``.
REFUSALS_BY_ID = {refusal.id: refusal for refusal in REFUSALS}


def find_refusal(status: int, said: str) -> Refusal | None:
    """Return the reason of an answer by its status and its text; ``None`` for a success or an unknown reason."""
    if status < 400:
        return None
    for refusal in REFUSALS:
        if re.search(refusal.pattern, said) and (not refusal.statuses or status in refusal.statuses):
            return refusal
    return None


def explain(error: AirgapError) -> AirgapError:
    """Return an error that says more, or ``error`` itself, perhaps with a better hint.

    The result is a :class:`RedeployForbidden` for ALLOW_ONCE, and a :class:`NotReady` for what must be corrected before
    anything can be pushed.
    """
    if not isinstance(error, RegistryError):
        return error
    refusal = find_refusal(error.status, error.said)
    if refusal is not None:
        kind = RedeployForbidden if refusal.id == "redeploy" else NotReady
        return kind(refusal.what, where=error.where, hint=refusal.hint)
    if error.status == 403:
        error.hint = tr(
            "the user's role needs nx-repository-view-docker-REPOSITORY-add, -edit, -read and -browse "
            "(Settings > Security > Roles)"
        )
    elif error.status == 413:
        error.hint = tr("a proxy limits the size of a body; for ingress-nginx: {body_size}", body_size=BODY_SIZE)
    elif error.status in (502, 504):
        error.hint = tr(
            "a proxy has lost patience while Nexus worked; for ingress-nginx: {timeouts}", timeouts=TIMEOUTS
        )
    elif isinstance(error, ConnectionBroken) and not error.hint:
        error.hint = tr(
            "if a proxy stands before Nexus, it may cut long bodies; for ingress-nginx: {buffering}",
            buffering=BUFFERING,
        )
    return error
