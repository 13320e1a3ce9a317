# SPDX-License-Identifier: Apache-2.0
"""Turns the findings of a target's checks into errors and warnings, in the same way for every command."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import NotReady, raise_all
from airgap.events import Sink, Warned
from airgap.targets.protocols import Finding


def raise_or_warn(findings: Sequence[Finding], emit: Sink) -> None:
    """Raise :class:`NotReady` for each problem, with its remedy as hint. Without problems, emit the warnings."""
    problems = [finding for finding in findings if finding.level == "problem"]
    raise_all(
        [
            NotReady(problem.what, hint="; ".join((problem.hint, *problem.run)).strip("; ") or None)
            for problem in problems
        ]
    )
    for finding in findings:
        if finding.level == "warning":
            emit(Warned(f"{finding.what}; {finding.hint}".rstrip("; ")))
