# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor``: look at a target from the outside in, say what is wrong first, and mend what an API can."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airgap.records import Record
from airgap.targets import Finding, Mapping
from airgap.targets.doctor import run
from airgap.targets.doctor.fixes import Change, change_for
from airgap.targets.factory import probe_of

if TYPE_CHECKING:
    from airgap.registry import Registries


class DoctorRequest(Record):
    """``nexus`` is Nexus's own address or empty; ``repository`` the name that ``--fix`` gives to what it makes,
    ``connector`` its port (0: the address's own)."""

    mapping: Mapping
    nexus: str = ""
    repository: str = "docker-hosted"
    connector: int = 0


class Diagnosis(Record):
    """``changes`` are what an API could mend of it."""

    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "problem"]


def examine(request: DoctorRequest, registries: Registries) -> Diagnosis:
    """Run every check, in order, up to the first problem behind which nothing can be seen."""
    probe = probe_of(registries, request.mapping, nexus=request.nexus)
    probe.expect, probe.connector = request.repository, request.connector
    findings = run(probe)
    if probe.client.password_refused:
        return Diagnosis(tuple(findings), ())  # nothing more is asked with a password that is wrong
    wanted = dict.fromkeys(finding.fix for finding in findings if finding.fix)
    if "eula" in wanted:  # first and alone: before it is accepted, Nexus may refuse or hide anything else
        wanted = {"eula": None}
    changes = [change for fix in wanted if (change := change_for(fix, probe)) is not None]
    return Diagnosis(tuple(findings), tuple(changes))


def mend(
    request: DoctorRequest, connect: Callable[[], Registries], agree: Callable[[Change], bool], *, most: int = 5
) -> tuple[Diagnosis, list[Change]]:
    """Examine, show each change to ``agree``, make those that it wants, and examine anew while something changes:
    behind one trouble there may be another. Gives the last diagnosis and what was done."""
    done: list[Change] = []
    while True:
        with connect() as registries:
            diagnosis = examine(request, registries)
            new = [change for change in diagnosis.changes if change.request not in {one.request for one in done}]
            agreed = [change for change in new if agree(change)] if len(done) < most else []
            for change in agreed:
                change.apply()
        if not agreed:
            return diagnosis, done
        done += agreed
