# SPDX-License-Identifier: Apache-2.0
"""``airgap import RELEASE``: what the command line says of a release, and what it shows without a target."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airgap.cli.progress.display import open_display
from airgap.config.state import state_folder
from airgap.dossier.approval import ApprovalDemand
from airgap.dossier.history import FILE
from airgap.errors import OutputError, UsageError
from airgap.flows.admission import Demand
from airgap.flows.steps.release_import import ReleaseRequest, choose_release
from airgap.i18n import tr
from airgap.release.at_hand import open_release, release_folder
from airgap.transfer import Context, Jobs

if TYPE_CHECKING:
    from airgap.bundle.media.sealed import Unseal


def release_in(
    bundles: Sequence[str], demand: Demand, approval: ApprovalDemand,
    holds: Sequence[str], *, dry_run: bool,
) -> ReleaseRequest | None:  # fmt: skip
    """Return the release that the first argument is the folder of; ``None`` if it is a bundle.

    Raises :class:`UsageError` for ``--holds`` without a release.
    """
    folder = release_folder(bundles[0]) if bundles[0] != "-" else None
    if folder is None:
        if holds:
            raise UsageError(
                tr("--holds goes with the folder of a release"),
                hint=tr("leave --holds out: a bundle is imported as it is"),
            )
        return None
    try:
        history = state_folder(os.environ) / FILE
    except OutputError:
        history = None
    whole = bool(demand.policy.demands or approval.policy.demands)
    return ReleaseRequest(open_release(folder, bundles[1:]), holds, history, whole, dry_run)


def show_choice(request: ReleaseRequest, unseal: Unseal | None, progress: str) -> None:
    """Say which files a site needs that holds what ``--holds`` says; no target is asked."""
    with open_display(progress) as emit:
        choose_release(request, None, unseal, Context(Jobs.of(None), emit), can_ask=False)
