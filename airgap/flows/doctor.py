# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor``: examine a target, report the first problem, and fix what an API can fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airgap.records import Record
from airgap.targets.doctor import run
from airgap.targets.doctor.fixes import SettingChange, change_for
from airgap.targets.doctor.signin import UserNeeded
from airgap.targets.factory import probe_for
from airgap.targets.mapping import Mapping
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

if TYPE_CHECKING:
    from airgap.registry import Registries
    from airgap.registry.auth.missing import CredentialMissing


class DoctorRequest(Record):
    """What to examine.

    ``nexus`` is the address of Nexus's REST API, or empty. ``repository`` is the repository that ``--fix`` creates or
    gives a connector to, and ``connector`` the connector's port; 0 is the port of the address.
    """

    mapping: Mapping
    nexus: str = ""
    repository: str = "docker-hosted"
    connector: int = 0


class Diagnosis(Record):
    """The findings, and the ``changes`` by which an API could fix them. ``missing`` is set if the registry asks for a
    user and none is known."""

    findings: tuple[Finding, ...]
    changes: tuple[SettingChange, ...]
    missing: CredentialMissing | None = None

    @property
    def problems(self) -> list[Finding]:
        """The findings that prevent a push."""
        return [finding for finding in self.findings if finding.level == "problem"]


def examine(request: DoctorRequest, registries: Registries) -> Diagnosis:
    """Run the checks in order, up to the first problem that makes the rest meaningless."""
    probe = probe_for(
        registries, request.mapping, nexus=request.nexus, repository=request.repository, connector=request.connector
    )
    findings = run(probe)
    if probe.client.password_refused:
        return Diagnosis(tuple(findings), ())  # nothing more is requested with a wrong password
    fixes = dict.fromkeys(finding.fix for finding in findings if finding.fix)
    if "eula" in fixes:  # before the licence is accepted, Nexus may refuse or hide anything else
        fixes = {"eula": None}
    changes = [change for fix in fixes if (change := change_for(fix, probe)) is not None]
    return Diagnosis(tuple(findings), tuple(changes), _missing(probe, findings))


def _missing(probe: Probe, findings: Sequence[Finding]) -> CredentialMissing | None:
    needed = next((finding for finding in findings if isinstance(finding, UserNeeded)), None)
    if needed is None:
        return None
    from airgap.registry.auth.missing import CredentialMissing

    settings, registry = probe.client.settings, probe.registry
    return CredentialMissing.of(
        needed.what,
        where=probe.url,
        registry=settings.credential_name(registry),
        login_arguments=settings.login_arguments(registry),
    )


def examine_and_fix(
    request: DoctorRequest,
    connect: Callable[[], Registries],
    confirm: Callable[[SettingChange], bool],
    *,
    limit: int = 5,
) -> tuple[Diagnosis, list[SettingChange]]:
    """Examine, make the changes that ``confirm`` accepts, and repeat until no change is made.

    One problem may hide another. After ``limit`` changes no more are made. Returns the last diagnosis and all changes.
    """
    made: list[SettingChange] = []
    while True:
        with connect() as registries:
            diagnosis = examine(request, registries)
            made_requests = {change.request for change in made}
            new = [change for change in diagnosis.changes if change.request not in made_requests]
            confirmed = [change for change in new if confirm(change)] if len(made) < limit else []
            for change in confirmed:
                change.apply()
        if not confirmed:
            return diagnosis, made
        made += confirmed
