# SPDX-License-Identifier: Apache-2.0
"""How the repositories of a URL and those of a store's names stand for each other.

A registry that takes pushes uses plain repository names. A bundle's names carry the registry that each
image came from, and the bundle is served so that it can stand in for all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from airgap.oci import digest as digests


class Naming(Protocol):
    """A strategy: which of a store's repositories a URL's repository means, and how one is shown."""

    def candidates(self, repository: str, registry: str | None) -> Sequence[str]:
        """The store's repositories that ``repository`` may mean, the first that has the content wins.

        ``registry`` is what a client that uses this one as a mirror says in ``?ns=`` (containerd's hosts.toml).
        """

    def shown(self, stored: str) -> str:
        """The repository under which ``_catalog`` lists the store's ``stored``."""


class PlainNaming:
    """The store's names are repository names."""

    def candidates(self, repository: str, registry: str | None) -> Sequence[str]:
        return (repository,)

    def shown(self, stored: str) -> str:
        return stored


class MirrorNaming:
    """The store's names begin with a registry: ``quay.io/jetstack/x:v1``.

    Such an image answers under its whole name (a ``:`` of the registry written ``_``) and under the name
    without registry, as mirrors are asked. Where two registries have the same path, ``?ns=`` decides, and
    without it the order of ``names``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._whole: dict[str, list[str]] = {}
        self._path: dict[str, list[str]] = {}
        for stored in dict.fromkeys(split(name)[0] for name in names):
            self._whole.setdefault(self.shown(stored), []).append(stored)
            self._path.setdefault(stored.partition("/")[2], []).append(stored)

    def candidates(self, repository: str, registry: str | None) -> Sequence[str]:
        whole = self._whole.get(repository, [])
        by_path = self._path.get(repository, [])
        if registry:
            by_path = [stored for stored in by_path if stored.partition("/")[0] == registry]
            return tuple(dict.fromkeys([*by_path, *whole]))
        return tuple(dict.fromkeys([*whole, *by_path]))

    def shown(self, stored: str) -> str:
        registry, _, path = stored.partition("/")
        return f"{registry.replace(':', '_').lower()}/{path}"


def split(name: str) -> tuple[str, str]:
    """A store's name as repository and what follows: a tag or a digest; both empty if it is no such name."""
    repository, at, digest = name.partition("@")
    if at:
        return (repository, digest) if repository and digests.problem(digest) is None else ("", "")
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else ("", "")


def join(repository: str, identifier: str) -> str:
    """The store's name for a tag or digest of a repository."""
    return f"{repository}{'@' if ':' in identifier else ':'}{identifier}"
