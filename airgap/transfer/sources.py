# SPDX-License-Identifier: Apache-2.0
"""What some sources can do besides giving content, asked for by ``isinstance``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from airgap.oci import Descriptor, Platform
from airgap.oci.manifest import Manifest


@runtime_checkable
class ManifestSource(Protocol):
    """A source that gives a manifest in one request."""

    def manifest(self, name: str, /) -> Manifest:
        """The manifest behind a tag or digest, verified."""


@runtime_checkable
class ReferrerSource(Protocol):
    """A source that knows what refers to a manifest: signatures, SBOMs."""

    def referrers(self, digest: str, /) -> Sequence[Descriptor]:
        """The manifests whose subject is ``digest``."""


@runtime_checkable
class SignatureTagSource(Protocol):
    """A source in which tags made of an image's digest lead to its signatures, as cosign makes them."""

    def signature_tags(self, digest: str, /) -> Mapping[str, str]:
        """The digest of what each of these tags for ``digest`` stands for."""


@runtime_checkable
class SparseSource(Protocol):
    """A source whose indexes may list manifests that it does not have."""

    @property
    def absent_manifests(self) -> Collection[str]:
        """The digests of these manifests."""


@runtime_checkable
class PartialSource(Protocol):
    """A source that may hold only some of an index's platforms."""

    def held_platforms(self, index: Manifest, /) -> Sequence[Platform]:
        """The platforms that it holds as a whole; nothing if it holds all of them."""
