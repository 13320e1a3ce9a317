# SPDX-License-Identifier: Apache-2.0
"""Finds out which product is behind an address, and makes the target for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airgap.errors import AirgapError, Unavailable
from airgap.events import Sink
from airgap.oci import Reference
from airgap.store.protocols import Store
from airgap.targets.address import TargetAddress
from airgap.targets.findings import raise_or_warn
from airgap.targets.mapping import Mapping
from airgap.targets.plain import PlainTarget
from airgap.targets.probe import Probe, is_registry
from airgap.targets.product import OpenTarget, TargetRequest
from airgap.targets.protocols import (
    Finding,
    SupportsCapacity,
    SupportsSparseCheck,
    SupportsTagPolicy,
    SupportsUploadProbe,
    Target,
)

if TYPE_CHECKING:
    from airgap.registry import Registries


def target_openers() -> tuple[OpenTarget, ...]:
    """Return the products that airgap recognizes, in the order in which they are tried. Add a new product here."""
    from airgap.targets.harbor import target as harbor
    from airgap.targets.nexus import target as nexus

    return nexus.open_target, harbor.open_target


def target_for(
    registries: Registries,
    mapping: Mapping,
    *,
    nexus: str = "",
    create_projects: bool = False,
    dry_run: bool = False,
    read_only: bool = False,
    any_route: bool = False,
    every_repository: bool = False,
) -> Target:
    """Send one request to the address and return the target of the product that answers.

    ``nexus`` is the address of Nexus's REST API, if it is known. See :class:`TargetRequest` for the other options.
    Raises the error of the connection, and :class:`airgap.errors.NotReady` for a Nexus that can be pushed to and not
    pulled from.
    """
    probe = probe_for(registries, mapping, nexus=nexus)
    response = probe.ask()
    if isinstance(response, AirgapError):
        raise response
    request = TargetRequest(
        probe, registries, _run_checks, create_projects, dry_run, read_only, any_route, every_repository
    )
    for open_target in target_openers():
        if (target := open_target(request)) is not None:
            return target
    return PlainTarget(
        registries, mapping, needs_no_login=is_registry(response) and response.status == 200, read_only=read_only
    )


def open_source(registries: Registries, address: TargetAddress, emit: Sink) -> Target:
    """Return a registry to copy from, signed in to. The address may be any that can be read, Nexus's pages among them.

    Raises what :func:`target_for` raises, and the errors of the sign-in, with the options that are the source's.
    """
    try:
        source = target_for(registries, Mapping(address), read_only=True, any_route=True, every_repository=True)
        raise_or_warn(source.preflight(), emit)
    except Unavailable as error:
        if error.hint:
            error.hint = error.hint.replace("--insecure", "--source-insecure")
        raise
    return source


def _run_checks(probe: Probe, names: Sequence[str]) -> list[Finding]:
    from airgap.targets.doctor import run

    return run(probe, names)


def probe_for(
    registries: Registries,
    mapping: Mapping,
    *,
    nexus: str = "",
    repository: str = "docker-hosted",
    connector: int = 0,
) -> Probe:
    """Return a probe of the address. Sends no request.

    ``nexus`` is the address of Nexus's REST API; it is asked with the credentials of the target. ``repository`` and
    ``connector`` are those of :class:`airgap.targets.nexus.probe.NexusProbe`.
    """
    client = registries.client(mapping.address.registry)
    if not nexus:
        return Probe(client, mapping)
    from airgap.targets.nexus.probe import NexusProbe
    from airgap.targets.nexus.rest import NexusRest

    rest = NexusRest(registries.client_at(mapping.address.registry, nexus.rstrip("/")))
    return NexusProbe(client, mapping, rest=rest, fix_repository=repository, fix_connector=connector)


class LazyTarget:
    """A target that is made when it is first needed, so that other problems are reported before a request is sent.

    :meth:`preflight` replaces ``mapping`` by the target's own, which may differ.
    """

    def __init__(self, mapping: Mapping, make: Callable[[], Target]) -> None:
        self.mapping = mapping
        self._make = make
        self._made: Target | None = None

    def preflight(self) -> list[Finding]:
        """Make the target and run its preflight. Raises what :func:`target_for` raises, too."""
        target = self._target()
        self.mapping = target.mapping
        return target.preflight()

    def check_capacity(self, new_tags: int) -> list[Finding]:
        """Check the capacity if the target has a limit."""
        target = self._target()
        return target.check_capacity(new_tags) if isinstance(target, SupportsCapacity) else []

    def fixed_tag(self, tag: str) -> Finding | None:
        """Ask the target whether it forbids to move the tag, if it has such a policy."""
        target = self._target()
        return target.fixed_tag(tag) if isinstance(target, SupportsTagPolicy) else None

    def sparse_refusal(self) -> Finding | None:
        """Ask the target whether it refuses an index without all of its images, if that is known."""
        target = self._target()
        return target.sparse_refusal() if isinstance(target, SupportsSparseCheck) else None

    def probe_upload(self) -> list[Finding]:
        """Probe an upload if the target supports that."""
        target = self._target()
        return target.probe_upload() if isinstance(target, SupportsUploadProbe) else []

    def locate(self, reference: Reference) -> Reference:
        """Return the reference that nodes will pull."""
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        """List the repositories below the prefix."""
        return self._target().repositories()

    def open(self, repository: str) -> Store:
        """Return the repository."""
        return self._target().open(repository)

    def _target(self) -> Target:
        if self._made is None:
            self._made = self._make()
        return self._made
