# SPDX-License-Identifier: Apache-2.0
"""Nexus as a target: one sign-in and its settings before anything else, a probing upload before anything is pushed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airgap.errors import AirgapError, NotFound, RegistryError, Rejected, Unauthorized
from airgap.oci import Reference
from airgap.targets.doctor import PREFLIGHT, READING, run
from airgap.targets.doctor import settings as checks
from airgap.targets.mapping import Mapping
from airgap.targets.nexus.refusals import explained
from airgap.targets.nexus.repository import NexusRepository, Quirks
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient


class NexusTarget:
    """``probe`` holds the way in; its mapping is that of the names which nodes pull. ``at`` gives the same registry
    under another root. Where it is only read from (``reads``), what hinders pushing is no problem."""

    def __init__(self, probe: Probe, at: Callable[[str], RegistryClient], *, reads: bool = False) -> None:
        self.mapping: Mapping = probe.mapping
        self._probe = probe
        self._at = at
        self._checks = READING if reads else PREFLIGHT
        self._quirks = Quirks()
        self._repositories: dict[str, NexusRepository] = {}
        probe.client.refine_error = explained

    def preflight(self) -> list[Finding]:
        """Signs in once; the first problem is the true cause. Raises what a connection that breaks raises, and
        :class:`airgap.errors.Unauthorized` for a credential that is not taken."""
        seen = self._probe.look()
        if isinstance(seen, AirgapError):
            raise seen
        if seen.status == 401:
            try:
                self._probe.client.ping()  # with its own errors and exit codes
            except Unauthorized:
                if self._probe.client.password_refused:
                    raise
                found = run(self._probe, ("challenge", "sign-in"))
                if any("realm" in one.what for one in found):
                    return found  # it is not the password
                raise
            self._probe.signed_in = True
        return run(self._probe, [name for name in self._checks if name != "sign-in" or not self._probe.signed_in])

    def room(self, tags: int) -> list[Finding]:
        """The edition's limit of components against ``tags`` more; nothing where ``--nexus`` was not given."""
        self._probe.tags = tags
        return [one for one in checks.components(self._probe) if one.level != "ok"] if tags else []

    def begin(self) -> list[Finding]:
        """Where deletion is refused, as to users who may only push, an empty session stays until Nexus cleans up."""
        return run(self._probe, ("begin",))

    def locate(self, reference: Reference) -> Reference:
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        """By the catalog; the path route has none, and then by that of the repository which the prefix names."""
        from airgap.registry.pagination import list_repositories

        address = self.mapping.address
        try:
            return address.below(list_repositories(self._probe.client))
        except (NotFound, Rejected):
            found = self._by_repository(address.prefix.partition("/")[0])
            if found is None:
                raise
            return address.below(found)

    def _by_repository(self, name: str) -> list[str] | None:
        """The names on the path route, out of ``/repository/NAME`` beside it or at Nexus's own address."""
        from airgap.registry.pagination import list_repositories

        rest = self._probe.rest
        for base in dict.fromkeys((self._probe.url, *((rest.client.base_url,) if rest is not None else ()))):
            try:
                return [f"{name}/{image}" for image in list_repositories(self._at(f"{base}/repository/{name}"))]
            except RegistryError:
                continue
        return None

    def open(self, repository: str) -> NexusRepository:
        if repository not in self._repositories:
            self._repositories[repository] = NexusRepository(self._probe.client, repository, self._quirks)
        return self._repositories[repository]
