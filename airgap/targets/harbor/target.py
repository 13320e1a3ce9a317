# SPDX-License-Identifier: Apache-2.0
"""Harbor as a target: the first path element of an image is a project, which must exist before anything is pushed.

Missing projects are created if the user asked for that. Robot accounts (``robot$NAME``) sign in like users; few of them
may create projects.
"""

from __future__ import annotations

from airgap.errors import AirgapError, NotReady, RegistryError
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.registry import Repository
from airgap.targets.harbor.detection import is_harbor
from airgap.targets.harbor.projects import HarborProjects
from airgap.targets.harbor.removal import HarborRemover
from airgap.targets.mapping import Mapping
from airgap.targets.probe import Probe
from airgap.targets.product import RunChecks, TargetRequest
from airgap.targets.protocols import Finding


def open_target(request: TargetRequest) -> HarborTarget | None:
    """Return the target if Harbor answers at the address. See :data:`OpenTarget`."""
    if not is_harbor(request.probe):
        return None
    return HarborTarget(
        request.probe,
        request.run_checks,
        create_projects=request.create_projects,
        dry_run=request.dry_run,
        read_only=request.read_only,
    )


class HarborTarget:
    """A Harbor that images are pushed to.

    ``create_projects`` creates missing projects; with ``dry_run`` they only count as created. With ``read_only``,
    projects are not checked: a missing one has nothing to read.
    """

    def __init__(
        self,
        probe: Probe,
        run_checks: RunChecks,
        *,
        create_projects: bool = False,
        dry_run: bool = False,
        read_only: bool = False,
    ) -> None:
        self.mapping: Mapping = probe.mapping
        self._probe = probe
        self._run_checks = run_checks
        self._projects = HarborProjects(probe)
        self._create_projects = create_projects
        self._dry_run = dry_run
        self._read_only = read_only
        self._known_projects: set[str] = set()
        self._repositories: dict[str, Repository] = {}
        probe.client.refine_error = self._explain

    def preflight(self) -> list[Finding]:
        """Sign in once, and check the project that the prefix names.

        Raises the error of the connection or of the sign-in, and :class:`NotReady` if the project is missing and is not
        to be created.
        """
        answer = self._probe.ask()
        if isinstance(answer, AirgapError):
            raise answer
        findings = self._run_checks(self._probe, ("challenge",))
        if any(finding.level == "problem" for finding in findings):
            return findings
        if answer.status == 401:
            self._probe.client.ping()
        project = self.mapping.address.prefix.partition("/")[0]
        if project and not self._read_only:
            findings.append(
                Finding(
                    "ok",
                    tr(
                        "the project {project} {ensure_project}",
                        project=project,
                        ensure_project=self._ensure_project(project),
                    ),
                    check="project",
                )
            )
        return findings

    def locate(self, reference: Reference) -> Reference:
        """Return the reference that nodes will pull."""
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        """List the repositories below the prefix. Harbor's catalog is only for its administrators."""
        from airgap.registry.pagination import list_repositories

        return self.mapping.address.below(list_repositories(self._probe.client))

    def open(self, repository: str) -> Repository:
        """Return the repository. Raises :class:`NotReady` if its project is missing and is not to be created."""
        if repository not in self._repositories:
            project, inner, _ = repository.partition("/")
            if self._read_only:
                return Repository(self._probe.client, repository)
            if not inner:
                raise NotReady(
                    tr("in Harbor every image lies in a project, and {repository} has none", repository=repository),
                    where=self.mapping.address.registry,
                    hint=tr(
                        "give one: --to {registry}/PROJECT, or --mapping path", registry=self.mapping.address.registry
                    ),
                )
            self._ensure_project(project)
            self._repositories[repository] = Repository(self._probe.client, repository, push=True)
        return self._repositories[repository]

    def remover(self) -> HarborRemover:
        """Return what deletes images."""
        return HarborRemover(self._projects, self.open, self.mapping.address.registry)

    def _ensure_project(self, project: str) -> str:
        """Check that a project exists, or create it; returns what happened, in words."""
        if project in self._known_projects:
            return tr("is there")
        outcome = tr("is there")
        if self._projects.status(project) == 404:
            if not self._create_projects:
                raise NotReady(
                    tr("Harbor has no project {project} that this user may see", project=project),
                    where=self.mapping.address.registry,
                    hint=tr(
                        "--create-projects makes it (private); or an administrator: Projects > New project > {project}",
                        project=project,
                    ),
                )
            if self._dry_run:
                outcome = tr("would be made")
            else:
                self._projects.create(project)
                outcome = tr("was made")
        self._known_projects.add(project)
        return outcome

    def _explain(self, error: AirgapError) -> AirgapError:
        """Return an error that says more, or ``error`` itself, perhaps with a better hint."""
        if not isinstance(error, RegistryError):
            return error
        if "project" in error.said and "not found" in error.said:
            return NotReady(tr("Harbor has no such project"), where=error.where, hint=tr("--create-projects makes it"))
        if error.status == 412 or "quota" in error.said:
            return NotReady(
                tr("the project's quota is used up ({said})", said=error.said[:200]),
                where=error.where,
                hint=tr("an administrator raises it: Administration > Project Quotas"),
            )
        if error.status == 401 and self._projects.user == "robot":
            error.hint = tr(
                "a robot's whole name holds a $: write it in single quotes, 'robot$NAME', or the shell takes it"
            )
        return error
