# SPDX-License-Identifier: Apache-2.0
"""Deletes tags of a hosted repository of Nexus: each is a component, and a task of Nexus removes the rest.

With the REST API the list of components gives the ID of each tag, and unlike the search it does not lag behind. Without
it the registry's API deletes a tag alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from urllib.parse import quote

from airgap.errors import Rejected, TargetError, Unauthorized
from airgap.i18n import tr
from airgap.records import Record
from airgap.registry import Repository
from airgap.targets.nexus.components import read_component
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.rest import NexusRest
from airgap.targets.probe import Probe


class _TagComponent(Record):
    """``id`` is the component's, ``digest`` that of the tag's manifest, empty if Nexus does not return it."""

    id: str
    digest: str


class NexusRemover:
    """Deletes tags. ``open_repository`` returns a repository by the name that :class:`Target.locate` gives it."""

    cleans_up = True

    def __init__(self, probe: Probe, open_repository: Callable[[str], Repository]) -> None:
        self._open = open_repository
        self._place = str(probe.mapping.address)
        self._rest: NexusRest | None = None
        #: The name of the repository in Nexus, empty if the REST API does not say it.
        self._hosted = ""
        if isinstance(probe, NexusProbe) and probe.rest.answers and probe.rest.refusal is None:
            repository = probe.repository
            if repository is not None and repository.type == "hosted":
                self._rest, self._hosted = probe.rest, repository.name
        self._components: Mapping[tuple[str, str], _TagComponent] | None = None
        self._lock = threading.Lock()

    def check(self, repository: str) -> None:
        """Find nothing out: Nexus tells only with the first tag whether the user may delete it."""

    def remove_tag(self, repository: str, tag: str, digest: str) -> None:
        """Delete the tag's component, or the tag by the registry's API."""
        if self._rest is None:
            self._open(repository).delete(tag)
            return
        component = self._component(self._rest, repository, tag)
        if component is None:
            self._open(repository).delete(tag)
            return
        if component.digest not in ("", digest):
            raise TargetError(
                tr("its component has {digest} now, not {expected}", digest=component.digest, expected=digest),
                where=f"{self._place}: {repository}:{tag}",
            )
        delete_component(self._rest, component.id)

    def remove_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest with its tags."""
        self._open(repository).delete(digest)

    def next_steps(self) -> list[str]:
        """Name the tasks."""
        return space_steps(images=True)

    def _component(self, rest: NexusRest, repository: str, tag: str) -> _TagComponent | None:
        with self._lock:
            if self._components is None:
                self._components = self._read(rest)
        # By path, names at the target begin with the name of the repository in Nexus.
        inner = repository.removeprefix(f"{self._hosted}/")
        return self._components.get((repository, tag)) or self._components.get((inner, tag))

    def _read(self, rest: NexusRest) -> Mapping[tuple[str, str], _TagComponent]:
        found = {}
        for items in rest.pages("components", self._hosted):
            for item in items:
                component = read_component(item) if isinstance(item, dict) else None
                if component is not None and isinstance(item.get("id"), str):
                    found[component.image, component.tag] = _TagComponent(item["id"], component.digest)
        return found


def delete_component(rest: NexusRest, component_id: str) -> None:
    """Delete a component with its assets; what is gone already is no error.

    Raises :class:`Unauthorized` for a user without the right, and :class:`Rejected` with Nexus's answer.
    """
    _delete(rest, "components", component_id)


def delete_asset(rest: NexusRest, asset_id: str) -> None:
    """Delete one asset of a component. Raises what :func:`delete_component` raises."""
    _delete(rest, "assets", asset_id)


def _delete(rest: NexusRest, kind: str, item_id: str) -> None:
    rest.sign_in()
    path = f"{kind}/{quote(item_id, safe='')}"
    response = rest.call("DELETE", path, ok=(200, 202, 204, 403, 404, 405))
    if response.status == 403:
        raise Unauthorized(
            tr("this user may not delete in Nexus"),
            where=rest.url,
            hint=tr("give the user nx-repository-view-FORMAT-NAME-delete for the repository"),
        )
    if response.status == 405:
        raise Rejected(tr("Nexus does not delete this (405)"), where=rest.url_of(kind))


def space_steps(*, images: bool) -> list[str]:
    """Return the tasks of Nexus that give the space of deleted images or files back, in their order."""
    steps = [
        tr(
            "Nexus, Administration > Tasks: Docker - Delete unused manifests and images (repository.docker.gc), for "
            "this repository"
        )
    ]
    return [
        *(steps if images else ()),
        tr("Nexus, Administration > Tasks: Admin - Compact blob store (blobstore.compact), afterwards"),
    ]
