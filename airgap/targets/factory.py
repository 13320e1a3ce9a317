# SPDX-License-Identifier: Apache-2.0
"""The target behind an address: the product is recognised by its answer to one request, and so is the way to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airgap.errors import AirgapError, NotReady
from airgap.oci import Reference
from airgap.store.protocols import Store
from airgap.targets.mapping import Mapping
from airgap.targets.plain import PlainTarget
from airgap.targets.probe import Probe
from airgap.targets.products import is_registry
from airgap.targets.protocols import Bounded, Finding, Target, Tried

if TYPE_CHECKING:
    from airgap.registry import Registries
    from airgap.targets.nexus.rest import Rest


def probe_of(registries: Registries, mapping: Mapping, *, nexus: str = "") -> Probe:
    """The probe of an address that nobody has asked yet."""
    return Probe(registries.client(mapping.address.registry), mapping, rest_of(registries, mapping, nexus))


def rest_of(registries: Registries, mapping: Mapping, nexus: str) -> Rest | None:
    """``nexus`` is Nexus's own address (``--nexus``), asked with the target's credentials; empty: none."""
    if not nexus:
        return None
    from airgap.targets.nexus.rest import Rest

    return Rest(registries.client_at(mapping.address.registry, nexus.rstrip("/")))


class AskedTarget:
    """The target behind an address that is not asked before :meth:`preflight`, so that what can be refused without it
    is. From then on ``mapping`` is the one that nodes pull by, which may be another."""

    def __init__(self, mapping: Mapping, find: Callable[[], Target]) -> None:
        self.mapping = mapping
        self._find = find
        self._found: Target | None = None

    def preflight(self) -> list[Finding]:
        """As the product's; raises what :func:`target_for` raises too."""
        found = self._target()
        self.mapping = found.mapping
        return found.preflight()

    def room(self, tags: int) -> list[Finding]:
        found = self._target()
        return found.room(tags) if isinstance(found, Bounded) else []

    def begin(self) -> list[Finding]:
        found = self._target()
        return found.begin() if isinstance(found, Tried) else []

    def locate(self, reference: Reference) -> Reference:
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        return self._target().repositories()

    def open(self, repository: str) -> Store:
        return self._target().open(repository)

    def _target(self) -> Target:
        if self._found is None:
            self._found = self._find()
        return self._found


def target_for(
    registries: Registries,
    mapping: Mapping,
    *,
    nexus: str = "",
    create_projects: bool = False,
    dry_run: bool = False,
    reads: bool = False,
) -> Target:
    """Ask the address once and give the target that fits; one that is only to be read from (``reads``) is not asked
    whether it would take anything. Raises what a broken connection raises, and :class:`NotReady` for a Nexus that can
    be pushed to and not pulled from."""
    probe = probe_of(registries, mapping, nexus=nexus)
    first = probe.look()
    if isinstance(first, AirgapError):
        raise first
    names_repository = "repository" in mapping.address.prefix.split("/")[:-1]
    if (
        not is_registry(first) or (names_repository and probe.product == "nexus")
    ) and not probe.client.settings.endpoint:
        probe = _by_repository(registries, probe) or probe
    if probe.product == "nexus" and probe.first is not None and (is_registry(probe.first) or probe.first.status >= 500):
        from airgap.targets.nexus.target import NexusTarget

        return NexusTarget(probe, lambda base: registries.client_at(probe.registry, base), reads=reads)
    if probe.product == "nexus" and probe.first is not None:
        _not_here(probe)
    if probe.product == "harbor":
        from airgap.targets.harbor.target import HarborTarget

        return HarborTarget(probe, create_projects=create_projects, suppose=dry_run, reads=reads)
    return PlainTarget(registries, mapping, greeted=is_registry(first) and first.status == 200)


def _by_repository(registries: Registries, probe: Probe) -> Probe | None:
    """The way in below ``/repository/NAME``, with the names that nodes can pull; ``None`` where there is none."""
    from airgap.targets.nexus import routes

    for name, base, inner in routes.candidates(probe):
        answer = routes.ask(probe, f"{base}/v2/")
        if answer is None or not is_registry(answer):
            continue
        mapping = routes.pulled_as(probe, probe.rest, registries, name, inner)
        if mapping is None:
            raise NotReady(
                f"{base} can be pushed to, but no node can pull from there: they only ever ask HOST/v2/",
                where=str(probe.mapping.address),
                hint="give the address that nodes pull from as target (the connector of "
                f"{name}, or {probe.address}/{name} with path-based routing), and this way by --via {base}; --nexus "
                "URL lets airgap find it",
            )
        if mapping.address.registry == probe.registry:
            return Probe(probe.client, mapping, probe.rest, seen=probe.first)
        return Probe(registries.client_at(probe.registry, base), mapping, probe.rest)
    return None


def _not_here(probe: Probe) -> None:
    from airgap.targets.doctor import reach

    problem = next((one for one in reach.registry(probe) if one.level == "problem"), None)
    if problem is not None:
        raise NotReady(problem.what, where=str(probe.mapping.address), hint=problem.hint)
