# SPDX-License-Identifier: Apache-2.0
"""Any registry that implements the distribution specification and needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.i18n import tr
from airgap.oci import Reference
from airgap.targets.mapping import Mapping
from airgap.targets.protocols import Finding
from airgap.targets.removal import RegistryRemover

if TYPE_CHECKING:
    from airgap.registry import Registries, Repository


class PlainTarget:
    """A registry without a known product.

    ``registries`` has the settings of the mapping's registry, ``--via`` among them. ``needs_no_login`` says that the
    registry was asked already and needs no sign-in. With ``read_only`` no right to push is asked for.
    """

    def __init__(
        self, registries: Registries, mapping: Mapping, *, needs_no_login: bool = False, read_only: bool = False
    ) -> None:
        self._read_only = read_only
        self._is_open = needs_no_login
        self._registries = registries
        self.mapping = mapping
        self._repositories: dict[str, Repository] = {}

    def preflight(self) -> list[Finding]:
        """Sign in; a registry that accepts this is ready. Raises the error of the connection or of the sign-in."""
        client = self._registries.client(self.mapping.address.registry)
        if not self._is_open:
            client.ping()
        return [
            Finding(
                "ok",
                tr(
                    "{registry} answers at {base_url}", registry=self.mapping.address.registry, base_url=client.base_url
                ),
            )
        ]

    def locate(self, reference: Reference) -> Reference:
        """Return the reference that nodes will pull."""
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        """List the repositories below the prefix, from the registry's catalog."""
        from airgap.registry.pagination import list_repositories

        address = self.mapping.address
        return address.below(list_repositories(self._registries.client(address.registry)))

    def open(self, repository: str) -> Repository:
        """Return the repository, for pulling and pushing; with ``read_only`` for pulling."""
        if repository not in self._repositories:
            registry = self.mapping.address.registry
            self._repositories[repository] = self._registries.repository(registry, repository, push=not self._read_only)
        return self._repositories[repository]

    def remover(self) -> RegistryRemover:
        """Return what deletes images."""
        return RegistryRemover(self.open, self.mapping.address.registry)
