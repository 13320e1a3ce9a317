# SPDX-License-Identifier: Apache-2.0
"""Deletes images of a Harbor: manifests by the registry's API, tags alone by Harbor's own, since the other refuses
them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from airgap.errors import Unauthorized
from airgap.i18n import tr
from airgap.registry import Repository
from airgap.targets.harbor.projects import HarborProjects
from airgap.targets.removal import RegistryRemover

_IMMUTABLE = 412


class HarborRemover(RegistryRemover):
    """``projects`` is Harbor's API."""

    def __init__(self, projects: HarborProjects, open_repository: Callable[[str], Repository], place: str) -> None:
        super().__init__(open_repository, place)
        self._projects = projects

    def remove_tag(self, repository: str, tag: str, digest: str) -> None:
        """Delete a tag alone (API 2.0, "deleteTag")."""
        project, _, inner = repository.partition("/")
        # Harbor decodes the name of a repository twice.
        name = quote(quote(inner, safe=""), safe="")
        url = f"{self._projects.url}/{quote(project, safe='')}/repositories/{name}/artifacts/{digest}/tags/{tag}"
        response = self._projects.call("DELETE", url)
        if response.status == 403:
            raise Unauthorized(
                tr("this user may not delete tags in Harbor"),
                where=f"{self._place}/{repository}:{tag}",
                hint=tr("a maintainer of the project may, and a robot account with the permission Delete Tag"),
            )
        if response.status not in (200, 202, 204, 404):
            error = response.error()
            if response.status == _IMMUTABLE:
                error.hint = tr("a rule of the project makes this tag immutable: Projects > Policy > Tag Immutability")
            raise error

    def next_steps(self) -> list[str]:
        """Name Harbor's garbage collection."""
        return [tr("Harbor, Administration > Clean Up > Garbage Collection: GC Now")]
