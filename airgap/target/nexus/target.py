# SPDX-License-Identifier: Apache-2.0
"""Nexus as a target: one sign-in, its settings and a probing upload before anything is pushed."""

from __future__ import annotations

from airgap.errors import AirgapError, Unauthorized
from airgap.oci import Reference
from airgap.target.base import Finding
from airgap.target.checks import PREFLIGHT, run
from airgap.target.checks import settings as checks
from airgap.target.mapping import Mapping
from airgap.target.nexus.refusals import explained
from airgap.target.nexus.repository import NexusRepository, Quirks
from airgap.target.probe import Probe


class NexusTarget:
    """``probe`` holds the way in; its mapping is that of the names which nodes pull."""

    def __init__(self, probe: Probe) -> None:
        self.mapping: Mapping = probe.mapping
        self._probe = probe
        self._quirks = Quirks()
        self._repositories: dict[str, NexusRepository] = {}
        probe.endpoint.judge = explained

    def preflight(self) -> list[Finding]:
        """Signs in once; the first problem is the true cause. Raises what a connection that breaks raises, and
        :class:`airgap.errors.Unauthorized` for a credential that is not taken."""
        seen = self._probe.look()
        if isinstance(seen, AirgapError):
            raise seen
        if seen.status == 401:
            try:
                self._probe.endpoint.ping()  # with its own errors and exit codes
            except Unauthorized:
                if self._probe.endpoint.refused:
                    raise
                found = run(self._probe, ("challenge", "sign-in"))
                if any("realm" in one.what for one in found):
                    return found  # it is not the password
                raise
            self._probe.signed_in = True
        return run(self._probe, [name for name in PREFLIGHT if name != "sign-in" or not self._probe.signed_in])

    def room(self, tags: int) -> list[Finding]:
        """The edition's limit of components against ``tags`` more; nothing where ``--nexus`` was not given."""
        self._probe.tags = tags
        return [one for one in checks.components(self._probe) if one.level != "ok"] if tags else []

    def locate(self, reference: Reference) -> Reference:
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        """None on the path route, which has no catalog: then it raises."""
        from airgap.registry.paging import catalog

        prefix = self.mapping.address.prefix
        found = catalog(self._probe.endpoint)
        return [name for name in found if not prefix or name.startswith(f"{prefix}/")]

    def open(self, repository: str) -> NexusRepository:
        if repository not in self._repositories:
            self._repositories[repository] = NexusRepository(self._probe.endpoint, repository, self._quirks)
        return self._repositories[repository]
