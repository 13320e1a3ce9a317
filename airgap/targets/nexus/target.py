# SPDX-License-Identifier: Apache-2.0
"""Nexus as a target: signs in once and checks the settings first, and probes an upload before images are pushed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airgap.errors import AirgapError, NotFound, NotReady, RegistryError, Rejected, Unauthorized
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.targets.mapping import Mapping
from airgap.targets.nexus.detection import is_nexus
from airgap.targets.nexus.every_repository import EveryRepository
from airgap.targets.nexus.pages import routes_behind
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.realms import RealmMissing
from airgap.targets.nexus.refusals import REFUSALS_BY_ID, explain
from airgap.targets.nexus.removal import NexusRemover
from airgap.targets.nexus.repository import NexusRepository, ServerBehavior
from airgap.targets.nexus.routes import (
    probe_of_route,
    probe_repository_route,
    pushes_by_repository_route,
    serves_nexus_pages,
)
from airgap.targets.probe import Probe, is_registry
from airgap.targets.product import RunChecks, TargetRequest
from airgap.targets.protocols import Finding

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient

#: Checks before a Nexus is read from, and before it is pushed to.
_READ_CHECKS = ("registry", "challenge", "sign-in", "rest")
_PUSH_CHECKS = (*_READ_CHECKS, "licence", "writable", "repository", "realms")


def open_target(request: TargetRequest) -> NexusTarget | EveryRepository | None:
    """Return the target if Nexus answers at the address, by whichever route. See :data:`OpenTarget`."""
    probe = request.probe
    if pushes_by_repository_route(probe):
        probe = probe_repository_route(request.registries, probe, any_route=request.any_route) or probe
    if request.any_route and _may_be_pages(probe):
        pages, routes = probe, routes_behind(request.registries, probe, every_repository=request.every_repository)
        probes = [probe_of_route(request.registries, pages, route) for route in routes]
        if len(routes) > 1:
            targets = [_target(request, one) for one in probes]
            return EveryRepository(pages, dict(zip(routes, targets, strict=True)))
        probe = probes[0] if probes else probe
    if probe.response is None or not is_nexus(probe):
        return None
    if is_registry(probe.response) or probe.response.status >= 500:
        return _target(request, probe)
    for finding in request.run_checks(probe, ("registry",)):
        if finding.level == "problem":
            raise NotReady(finding.what, where=str(probe.mapping.address), hint=finding.hint)
    return None


def _target(request: TargetRequest, probe: Probe) -> NexusTarget:
    registries = request.registries
    return NexusTarget(
        probe,
        request.run_checks,
        lambda base_url: registries.client_at(probe.registry, base_url),
        read_only=request.read_only,
    )


def _may_be_pages(probe: Probe) -> bool:
    response = probe.response
    if response is None or response.status >= 500 or is_registry(response):
        return False
    return serves_nexus_pages(probe)


class NexusTarget:
    """A Nexus that images are pushed to.

    The mapping of ``probe`` makes the names that nodes pull. ``client_at`` returns a client of the same registry with
    another base URL. With ``read_only``, what prevents a push is not a problem.
    """

    def __init__(
        self,
        probe: Probe,
        run_checks: RunChecks,
        client_at: Callable[[str], RegistryClient],
        *,
        read_only: bool = False,
    ) -> None:
        self.mapping: Mapping = probe.mapping
        self._probe = probe
        self._run_checks = run_checks
        self._client_at = client_at
        self._checks = _READ_CHECKS if read_only else _PUSH_CHECKS
        self._behavior = ServerBehavior()
        self._repositories: dict[str, NexusRepository] = {}
        probe.client.refine_error = explain
        probe.client.use_one_token()

    def preflight(self) -> list[Finding]:
        """Sign in once and run the checks; the first problem is the cause.

        Raises the error of the connection, and :class:`airgap.errors.Unauthorized` for a credential that is rejected.
        """
        answer = self._probe.ask()
        if isinstance(answer, AirgapError):
            raise answer
        challenge = self._run_checks(self._probe, ("challenge",))
        if any(finding.level == "problem" for finding in challenge):
            return challenge
        if answer.status == 401:
            try:
                self._probe.sign_in()  # before the checks, for its own errors and exit codes
            except Unauthorized:
                if self._probe.client.password_refused:
                    raise
                findings = self._run_checks(self._probe, ("challenge", "sign-in"))
                if any(isinstance(finding, RealmMissing) for finding in findings):
                    return findings  # the password is right
                raise
        checks = [name for name in self._checks if name != "sign-in" or not self._probe.signed_in]
        return self._run_checks(self._probe, checks)

    def check_capacity(self, new_tags: int) -> list[Finding]:
        """Compare the edition's limit of components with ``new_tags`` more; returns nothing without ``--nexus``."""
        if not new_tags or not isinstance(self._probe, NexusProbe):
            return []
        self._probe.new_tags = new_tags
        findings = self._run_checks(self._probe, ("components",))
        return [finding for finding in findings if finding.level != "ok"]

    def fixed_tag(self, tag: str) -> Finding | None:
        """The problem of a repository with ALLOW_ONCE, if its settings are known by ``--nexus``."""
        nexus = self._probe
        if not isinstance(nexus, NexusProbe) or not nexus.rest.answers or nexus.rest.refusal is not None:
            return None
        repository = nexus.repository if nexus.repository_is_certain else None
        if repository is None or repository.policy != "ALLOW_ONCE" or (tag == "latest" and repository.latest_exempt):
            return None
        refusal = REFUSALS_BY_ID["redeploy"]
        return Finding("problem", refusal.what, refusal.hint)

    def sparse_refusal(self) -> Finding:
        """The problem that Nexus looks for every image of an index, under the same name."""
        return Finding(
            "problem",
            tr("Nexus refuses an index without all of its images"),
            tr("nothing was pushed; export without --sparse, which makes an index of what is carried"),
        )

    def probe_upload(self) -> list[Finding]:
        """Begin an upload and cancel it. If this user may not cancel, Nexus removes the empty upload later."""
        return self._run_checks(self._probe, ("begin",))

    def locate(self, reference: Reference) -> Reference:
        """Return the reference that nodes will pull."""
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        """List the repositories below the prefix, from the catalog.

        With path-based routing there is no catalog at the address; then it is that of the repository that the prefix
        names.
        """
        from airgap.registry.pagination import list_repositories

        address = self.mapping.address
        try:
            return address.below(list_repositories(self._probe.client))
        except (NotFound, Rejected):
            names = self._repositories_by_route(address.prefix.partition("/")[0])
            if names is None:
                raise
            return address.below(names)

    def _repositories_by_route(self, repository: str) -> list[str] | None:
        """The catalog of ``/repository/NAME`` at this address or at Nexus's own, named as with path-based routing."""
        from airgap.registry.pagination import list_repositories

        bases = [self._probe.url]
        if isinstance(self._probe, NexusProbe):
            bases.append(self._probe.rest.client.base_url)
        for base in dict.fromkeys(bases):
            try:
                images = list_repositories(self._client_at(f"{base}/repository/{repository}"))
            except RegistryError:
                continue
            return [f"{repository}/{image}" for image in images]
        return None

    def open(self, repository: str) -> NexusRepository:
        """Return the repository, for pulling and pushing."""
        if repository not in self._repositories:
            self._repositories[repository] = NexusRepository(self._probe.client, repository, self._behavior)
        return self._repositories[repository]

    def remover(self) -> NexusRemover:
        """Return what deletes tags."""
        return NexusRemover(self._probe, self.open)
