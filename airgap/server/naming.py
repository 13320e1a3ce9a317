# SPDX-License-Identifier: Apache-2.0
"""Mapping between the repositories in URLs and those in a store's names.

A registry that accepts pushes uses plain repository names. The names in a bundle include the registry that each image
came from, and a served bundle is a mirror of all these registries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from airgap.oci import digest as digests


class Naming(Protocol):
    """Maps repositories of URLs to repositories of a store, and back."""

    def candidates(self, repository: str, registry: str | None) -> Sequence[str]:
        """Return the repositories of the store that ``repository`` may mean. The first with the content is used.

        ``registry`` is the ``?ns=`` parameter of a client that uses this server as a mirror (containerd).
        """

    def public_name(self, stored: str) -> str:
        """Return the repository under which ``_catalog`` lists ``stored``, a repository of the store."""


class PlainNaming:
    """The repositories of URLs and of the store are the same."""

    def candidates(self, repository: str, registry: str | None) -> Sequence[str]:
        """Return ``repository`` itself."""
        return (repository,)

    def public_name(self, stored: str) -> str:
        """Return ``stored`` itself."""
        return stored


class MirrorNaming:
    """The names of the store begin with a registry: ``quay.io/jetstack/x:v1``.

    Such an image is served under its full name (with ``_`` for the ``:`` of a registry), and under the name without
    the registry, which clients request from a mirror. If two registries have the same path, ``?ns=`` decides, and
    without it the order of ``names``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_full_name: dict[str, list[str]] = {}
        self._by_path: dict[str, list[str]] = {}
        for stored in dict.fromkeys(split_name(name)[0] for name in names):
            self._by_full_name.setdefault(self.public_name(stored), []).append(stored)
            self._by_path.setdefault(stored.partition("/")[2], []).append(stored)

    def candidates(self, repository: str, registry: str | None) -> Sequence[str]:
        """Return the repositories with this full name or this path; with ``registry`` those of it come first."""
        by_full_name = self._by_full_name.get(repository, [])
        by_path = self._by_path.get(repository, [])
        if registry:
            by_path = [stored for stored in by_path if stored.partition("/")[0] == registry]
            return tuple(dict.fromkeys([*by_path, *by_full_name]))
        return tuple(dict.fromkeys([*by_full_name, *by_path]))

    def public_name(self, stored: str) -> str:
        """Return the full name, with ``_`` for the ``:`` of a registry."""
        registry, _, path = stored.partition("/")
        return f"{registry.replace(':', '_').lower()}/{path}"


def split_name(name: str) -> tuple[str, str]:
    """Split a name of the store into repository and tag or digest; both are empty for another kind of name."""
    repository, at, digest = name.partition("@")
    if at:
        return (repository, digest) if repository and digests.problem(digest) is None else ("", "")
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else ("", "")


def join_name(repository: str, identifier: str) -> str:
    """Return the name in the store for a tag or digest of a repository."""
    return f"{repository}{'@' if ':' in identifier else ':'}{identifier}"
