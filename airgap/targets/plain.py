# SPDX-License-Identifier: Apache-2.0
"""Any registry that speaks the distribution specification and takes what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.oci import Reference
from airgap.targets.mapping import Mapping
from airgap.targets.protocols import Finding

if TYPE_CHECKING:
    from airgap.registry import Registries, Repository


class PlainTarget:
    """``registries`` must hold the settings for the mapping's registry, ``--via`` among them. ``greeted`` says that
    it was asked already, and let everybody in."""

    def __init__(self, registries: Registries, mapping: Mapping, *, greeted: bool = False) -> None:
        self._greeted = greeted
        self._registries = registries
        self.mapping = mapping
        self._repositories: dict[str, Repository] = {}

    def preflight(self) -> list[Finding]:
        """Raises what :meth:`airgap.registry.client.RegistryClient.ping` raises; a registry that answers is fit."""
        client = self._registries.client(self.mapping.address.registry)
        if not self._greeted:
            client.ping()
        return [Finding("ok", f"{self.mapping.address.registry} answers at {client.base_url}")]

    def locate(self, reference: Reference) -> Reference:
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        from airgap.registry.pagination import list_repositories

        address = self.mapping.address
        return address.below(list_repositories(self._registries.client(address.registry)))

    def open(self, repository: str) -> Repository:
        if repository not in self._repositories:
            registry = self.mapping.address.registry
            self._repositories[repository] = self._registries.repository(registry, repository, push=True)
        return self._repositories[repository]
