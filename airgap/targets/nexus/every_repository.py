# SPDX-License-Identifier: Apache-2.0
"""All hosted Docker repositories of one Nexus as one registry to read from, for the address of Nexus's own pages.

Each image is called ``REPOSITORY/IMAGE``, as with Nexus's path-based routing, so that two repositories may hold images
of one name.
"""

from __future__ import annotations

from collections.abc import Mapping as ByRoute

from airgap.errors import NotFound
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.records import replace
from airgap.store.protocols import Store
from airgap.targets.mapping import Mapping
from airgap.targets.nexus.routes import RepositoryRoute
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding, Target


class EveryRepository:
    """``targets`` are the repositories to read. ``pages`` is the address that was given."""

    def __init__(self, pages: Probe, targets: ByRoute[RepositoryRoute, Target]) -> None:
        first = next(iter(targets))
        self._first_address = first.base
        self._labels = ", ".join(route.label for route in targets)
        self._targets = {route.repository: target for route, target in targets.items()}
        route = first.base.partition("://")[2].partition("/")[2].rpartition("/")[0]
        self.mapping: Mapping = replace(pages.mapping, address=replace(pages.mapping.address, prefix="", route=route))

    @property
    def hosted(self) -> tuple[str, ...]:
        """The names of the repositories in Nexus."""
        return tuple(self._targets)

    def preflight(self) -> list[Finding]:
        """Sign in at each repository. What prevents reading one is a problem."""
        findings = [
            Finding(
                "warning",
                tr(
                    "behind Nexus's pages are {count} Docker repositories: {names}. All are read, and the name of an "
                    "image begins with that of its repository",
                    count=len(self._targets),
                    names=self._labels,
                ),
                tr("for one of them alone: {address}", address=self._first_address),
            )
        ]
        for name, target in self._targets.items():
            findings += [replace(finding, what=f"{name}: {finding.what}") for finding in target.preflight()]
        return findings

    def locate(self, reference: Reference) -> Reference:
        """Return the reference below the address."""
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        """List the images of all repositories."""
        return [f"{name}/{image}" for name, target in self._targets.items() for image in target.repositories()]

    def open(self, repository: str) -> Store:
        """Return ``REPOSITORY/IMAGE``. Raises :class:`NotFound` if Nexus has no such ``REPOSITORY``."""
        name, _, image = repository.partition("/")
        if name not in self._targets or not image:
            raise NotFound(
                tr("Nexus has no repository {repository}", repository=name),
                where=self.mapping.address.place_of(repository),
                hint=tr("there is {names}", names=", ".join(self._targets)),
            )
        return self._targets[name].open(image)
