# SPDX-License-Identifier: Apache-2.0
"""Harbor as a target: an image's first path element is a project, which must exist before anything is pushed.

Projects are looked for, and made where the user says so, by Harbor's own API on the same host, with the password that
the registry has just taken. Robot accounts (``robot$NAME``) sign in as anybody does; they can rarely make projects.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

from airgap.errors import AirgapError, NotReady, RegistryError
from airgap.oci import Reference
from airgap.registry import Repository
from airgap.targets.doctor import run
from airgap.targets.mapping import Mapping
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding


class HarborTarget:
    """``create_projects`` makes what is missing; ``suppose`` takes it for made, for a dry run. Where it is only read
    from (``reads``), projects are not asked for: one that is missing has nothing to read."""

    def __init__(
        self, probe: Probe, *, create_projects: bool = False, suppose: bool = False, reads: bool = False
    ) -> None:
        self.mapping: Mapping = probe.mapping
        self._probe = probe
        self._create = create_projects
        self._suppose = suppose
        self._reads = reads
        self._there: set[str] = set()
        self._repositories: dict[str, Repository] = {}
        probe.client.refine_error = self._judged

    def preflight(self) -> list[Finding]:
        """Signs in once, and sees to the project that the prefix names. Raises what signing in raises, and
        :class:`NotReady` where the project is missing and not to be made."""
        seen = self._probe.look()
        if isinstance(seen, AirgapError):
            raise seen
        found = run(self._probe, ("challenge",))
        if any(finding.level == "problem" for finding in found):
            return found
        if seen.status == 401:
            self._probe.client.ping()
        project = self.mapping.address.prefix.partition("/")[0]
        if project and not self._reads:
            found.append(Finding("ok", f"the project {project} {self._see_to(project)}", check="project"))
        return found

    def locate(self, reference: Reference) -> Reference:
        return self.mapping.locate(reference)

    def repositories(self) -> list[str]:
        """Harbor lists them to its administrators alone."""
        from airgap.registry.pagination import list_repositories

        return self.mapping.address.below(list_repositories(self._probe.client))

    def open(self, repository: str) -> Repository:
        """Raises :class:`NotReady` where the repository's project is missing and not to be made."""
        if repository not in self._repositories:
            project, inner, _ = repository.partition("/")
            if self._reads:
                return Repository(self._probe.client, repository)
            if not inner:
                raise NotReady(
                    f"in Harbor every image lies in a project, and {repository} has none",
                    where=self.mapping.address.registry,
                    hint=f"give one: --to {self.mapping.address.registry}/PROJECT, or --mapping path",
                )
            self._see_to(project)
            self._repositories[repository] = Repository(self._probe.client, repository, push=True)
        return self._repositories[repository]

    def _see_to(self, project: str) -> str:
        if project in self._there:
            return "is there"
        status = self.exists(project)
        said = "is there"
        if status == 404 and self._create and self._suppose:
            said = "would be made"
        elif status == 404 and self._create:
            self.create(project)
            said = "was made"
        elif status == 404:
            raise NotReady(
                f"Harbor has no project {project} that this user may see",
                where=self.mapping.address.registry,
                hint=f"--create-projects makes it (private); or an administrator: Projects > New project > {project}",
            )
        self._there.add(project)
        return said

    def exists(self, project: str) -> int:
        """The status of ``HEAD projects?project_name=``: 200, or 404 where there is none to see."""
        return self._api("HEAD", f"projects?{urlencode({'project_name': project})}")[0]

    def create(self, project: str) -> None:
        """Make a private project. Raises :class:`NotReady` where this user may not."""
        status, body = self._api("POST", "projects", {"project_name": project, "metadata": {"public": "false"}})
        if status in (201, 409):  # somebody else was faster
            return
        hint = "ask an administrator of Harbor for the project"
        if self._user().startswith("robot$"):
            hint += "; a robot account makes projects only if it is one of the system's with that permission"
        raise NotReady(
            f"Harbor did not make the project {project} ({status} {_said(body)})".rstrip(),
            where=self.mapping.address.registry,
            hint=hint,
        )

    def _user(self) -> str:
        client = self._probe.client
        credential = client.credentials.find(client.registry)
        return credential.username if credential else ""

    def _api(self, method: str, path: str, document: object = None) -> tuple[int, bytes]:
        """One call with the password at once: Harbor's API answers strangers without a challenge."""
        client = self._probe.client
        credential = None if client.password_refused else client.credentials.find(client.registry)
        headers = {"Accept": "application/json"}
        if credential is not None and credential.username:
            headers["Authorization"] = credential.basic
        body = None
        if document is not None:
            headers["Content-Type"], body = "application/json", json.dumps(document).encode()
        scheme, address = self._probe.place[0], self._probe.address
        url = f"{scheme}://{address}/api/v2.0/{path}"
        answer = client.transport.request(method, url, client.trust, headers, body, client.timeout).read()
        if answer.status == 401:
            raise answer.error()
        return answer.status, answer.body

    def _judged(self, error: AirgapError) -> AirgapError:
        if not isinstance(error, RegistryError):
            return error
        if "project" in error.said and "not found" in error.said:
            return NotReady("Harbor has no such project", where=error.where, hint="--create-projects makes it")
        if error.status == 412 or "quota" in error.said:
            return NotReady(
                f"the project's quota is used up ({error.said[:200]})",
                where=error.where,
                hint="an administrator raises it: Administration > Project Quotas",
            )
        if error.status == 401 and self._user() == "robot":
            error.hint = (
                "a robot's whole name holds a $: write it in single quotes, 'robot$NAME', or the shell takes it"
            )
        return error


def _said(body: bytes) -> str:
    try:
        return str(json.loads(body)["errors"][0]["message"])[:200]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
