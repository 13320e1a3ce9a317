# SPDX-License-Identifier: Apache-2.0
"""What a look at a target showed is acted upon in one way by every command."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import NotReady, raise_all
from airgap.events import Sink, Warned
from airgap.targets import Finding


def heed(findings: Sequence[Finding], emit: Sink) -> None:
    """Raise :class:`NotReady` for each problem, with its remedy as hint; where there is none, tell the warnings."""
    problems = [finding for finding in findings if finding.level == "problem"]
    raise_all([NotReady(one.what, hint="; ".join((one.hint, *one.run)).strip("; ") or None) for one in problems])
    for finding in findings:
        if finding.level == "warning":
            emit(Warned(f"{finding.what}; {finding.hint}".rstrip("; ")))
