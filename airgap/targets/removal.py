# SPDX-License-Identifier: Apache-2.0
"""Deletes images by the registry's API (OCI distribution-spec 1.1, "Content Management")."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airgap.errors import DigestMismatch, NotReady, Rejected
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.registry import Repository

#: A digest that no content has. Deleting it shows whether a registry deletes at all.
_NOTHING = f"sha256:{'0' * 64}"
_NOT_ALLOWED = 405


class RegistryRemover:
    """Deletes at a registry that implements the specification. ``open_repository`` returns a repository by its name."""

    cleans_up = False

    def __init__(self, open_repository: Callable[[str], Repository], place: str) -> None:
        self._open = open_repository
        self._place = place

    def check(self, repository: str) -> None:
        """Ask the registry to delete a manifest that does not exist."""
        try:
            self._open(repository).delete(_NOTHING)
        except Rejected as error:
            if error.status != _NOT_ALLOWED:
                raise
            raise NotReady(
                tr("the registry does not delete anything"),
                where=self._place,
                hint=tr(
                    "docker-registry deletes with REGISTRY_STORAGE_DELETE_ENABLED=true in its environment "
                    "(storage: delete: enabled: true), airgap serve with --writable"
                ),
            ) from error

    def remove_tag(self, repository: str, tag: str, digest: str) -> None:
        """Delete a tag alone. Raises :class:`Rejected` where the registry does not do that."""
        try:
            self._open(repository).delete(tag)
        except (DigestMismatch, Rejected) as error:  # docker-registry calls the tag an invalid digest
            raise Rejected(
                tr("another tag has the same manifest, and this registry does not delete a tag alone"),
                where=error.where,
            ) from error

    def remove_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest with its tags."""
        self._open(repository).delete(digest)

    def next_steps(self) -> list[str]:
        """Name the garbage collections of the registries that airgap knows."""
        return [
            tr("docker-registry: stop it, or make it read-only, then docker-registry garbage-collect CONFIG.yml"),
            tr("airgap serve: run airgap serve LAYOUT --gc, also while it serves"),
        ]
