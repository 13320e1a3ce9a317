# SPDX-License-Identifier: Apache-2.0
"""What a runtime fetches of one image: the manifest of its tag or digest, that of the node's platform, and the blobs.

A :class:`Route` says where. containerd takes each piece from the first host that has it; the others stay at the one
address that gave the first manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from airgap.errors import AirgapError, NotFound
from airgap.oci import Descriptor, Platform
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.prove.faults import Faults
from airgap.prove.model import Endpoint, Fault, Need
from airgap.prove.sessions import Session
from airgap.records import Record, replace

#: How deep indexes may be nested.
_MAX_DEPTH = 8
Step = tuple[Session, Endpoint]
_Answer = TypeVar("_Answer")


class Route(Record):
    """The addresses at which the pieces of an image are looked for, in this order."""

    steps: tuple[Step, ...]

    @property
    def last(self) -> Endpoint:
        """The address that messages are about: the one asked last."""
        return self.steps[-1][1]

    def manifest(self, name: str) -> Manifest:
        """Return a manifest from the first address that gives it. Raises the first error if none does."""
        return self._first(lambda session, endpoint: session.manifest(endpoint, name))

    def config(self, digest: str) -> bytes:
        """Return a config from the first address that gives it. Raises the first error if none does."""
        return self._first(lambda session, endpoint: session.config(endpoint, digest))

    def has_blob(self, digest: str) -> bool:
        """Whether one of the addresses has a blob. Raises the first error if none has it and one did not say."""

        def ask(session: Session, endpoint: Endpoint) -> bool:
            if session.has_blob(endpoint, digest):
                return True
            raise NotFound("")

        try:
            return self._first(ask)
        except NotFound:
            return False

    def _first(self, ask: Callable[[Session, Endpoint], _Answer]) -> _Answer:
        first: AirgapError | None = None
        for session, endpoint in self.steps:
            try:
                return ask(session, endpoint)
            except AirgapError as error:
                if first is None or isinstance(first, NotFound):
                    first = error
        assert first is not None  # a route has steps
        raise first


class Contents(Record):
    """Looks for everything below the first manifest of an image; ``platform`` is the node's."""

    faults: Faults
    platform: Platform

    def examine(self, route: Route, need: Need, root: Manifest) -> tuple[list[Fault], list[Fault]]:
        """Return what is missing, and warnings. Raises the error of a registry that does not answer."""
        reference, manifest, warnings = need.reference, root, list[Fault]()
        for _ in range(_MAX_DEPTH):
            if not manifest.is_index:
                break
            child = self._child(manifest)
            if child is None:
                has = [c.platform for c in manifest.children if c.platform and c.platform.is_known]
                return [self.faults.missing_platform(route.last, self.platform, list(dict.fromkeys(has)))], warnings
            try:
                manifest = route.manifest(child.digest)
            except NotFound:
                return [self.faults.missing_child(route.last, self.platform, child.digest, reference)], warnings
        missing = []
        for blob in dict.fromkeys(_needed_blobs(manifest)):
            if blob == manifest.config and manifest is root and manifest.is_container_image:
                # A manifest without an index is pulled whatever its platform is. Only its config tells.
                try:
                    platform = manifests.config_platform(route.config(blob.digest))
                except NotFound:
                    missing.append(blob.digest)
                    continue
                if platform is not None and not platform.matches(self.platform):
                    warnings.append(self.faults.other_platform(platform, self.platform))
            elif not route.has_blob(blob.digest):
                missing.append(blob.digest)
        faults = [self.faults.missing_blobs(route.last, missing, reference)] if missing else []
        return faults, warnings

    def _child(self, index: Manifest) -> Descriptor | None:
        """The manifest that runtimes choose: the first for the platform, or for one that it can run too."""
        images = [c for c in index.children if c.platform and not manifests.attested_digest(c)]
        for wanted in _compatible(self.platform):
            for child in images:
                if child.platform is not None and child.platform.matches(wanted):
                    return child
        return None


def _needed_blobs(manifest: Manifest) -> Sequence[Descriptor]:
    return [blob for blob in manifest.blobs if not manifests.is_nondistributable(blob)]


def _compatible(platform: Platform) -> list[Platform]:
    """The platform, and those whose images run on it: older variants of 32-bit ARM (containerd platforms.Only)."""
    if platform.architecture != "arm":
        return [platform]
    newest = int(platform.variant[1:]) if platform.variant[1:].isdecimal() else 7
    return [replace(platform, variant=f"v{number}") for number in range(newest, 4, -1)]
