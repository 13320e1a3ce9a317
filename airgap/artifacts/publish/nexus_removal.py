# SPDX-License-Identifier: Apache-2.0
"""Deletes files of a hosted repository of Nexus by the REST API.

Nexus groups files into components: a version of a package with its wheels, a jar with its pom. A component of which
nothing would be left is deleted whole, with the checksums that Nexus has made; of others only the files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import Format
from airgap.errors import AirgapError, Interrupted, Unauthorized, Unavailable
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.targets.nexus.removal import delete_asset, delete_component, space_steps
from airgap.targets.nexus.rest import NexusRest
from airgap.targets.nexus.settings import RepositorySettings
from airgap.transfer import Context

#: Endings of files that Nexus or a client has made from another one.
_DERIVED = (".md5", ".sha1", ".sha256", ".sha512")


class _Component(Record):
    """``assets`` are the IDs and digests of the files, by path."""

    id: str
    assets: Mapping[str, tuple[str, str]]


class NexusFileRemover:
    """The repository ``settings`` of the Nexus behind ``rest``; ``address`` is where its files are."""

    def __init__(self, rest: NexusRest, settings: RepositorySettings, artifact_format: Format, address: str) -> None:
        self._rest = rest
        self._settings = settings
        self._format = artifact_format
        self._address = f"{address}/"

    def path_of(self, artifact: Artifact, url: str) -> str | None:
        """Return the path as Nexus lists it."""
        if not url.startswith(self._address):
            return None
        if self._format.listed_path is not None:
            return self._format.listed_path(artifact)
        return unquote(url.removeprefix(self._address))

    def find(self, paths: Collection[str], context: Context) -> Mapping[str, str]:
        """Read the list of components: unlike the search it does not lag behind."""
        wanted = set(paths)
        return {
            path: digest
            for component in self._components(context)
            for path, (_, digest) in component.assets.items()
            if path in wanted
        }

    def remove(self, paths: Collection[str], context: Context) -> Mapping[str, AirgapError]:
        """Delete components, or assets of components that keep others."""
        going, failed = set(paths), {}
        for component in self._components(context):
            own = {path for path in component.assets if path in going or _original(path) in going}
            if not own & going:
                continue
            context.cancel.check()
            try:
                if own == component.assets.keys():
                    delete_component(self._rest, component.id)
                    continue
                for path in own:
                    delete_asset(self._rest, component.assets[path][0])
            except (Interrupted, Unauthorized):
                raise
            except AirgapError as error:
                if isinstance(error, Unavailable) and not error.status:
                    raise  # there is no answer, so there will be none for the others
                failed.update(dict.fromkeys(own & going, error))
        return failed

    def next_steps(self) -> list[str]:
        """Name the task."""
        return space_steps(images=False)

    def _components(self, context: Context) -> list[_Component]:
        found = []
        for items in self._rest.pages("components", self._settings.name):
            context.cancel.check()
            found += [component for item in items if (component := _component_of(item)) is not None]
        return found


def _component_of(item: Any) -> _Component | None:
    assets = item.get("assets") if isinstance(item, dict) else None
    if not isinstance(assets, list) or not isinstance(item.get("id"), str):
        return None
    by_path = {}
    for asset in assets:
        if not isinstance(asset, dict) or not isinstance(asset.get("id"), str):
            return None  # not all of it is known, so it is left alone
        checksum = asset.get("checksum")
        digest = f"sha256:{checksum.get('sha256')}" if isinstance(checksum, dict) else ""
        path = str(asset.get("path")).lstrip("/")
        by_path[path] = (asset["id"], "" if digests.problem(digest) else digest)
    return _Component(item["id"], by_path)


def _original(path: str) -> str:
    """The path of the file that a checksum belongs to."""
    return next((path.removesuffix(ending) for ending in _DERIVED if path.endswith(ending)), path)
