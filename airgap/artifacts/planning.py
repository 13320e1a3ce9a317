# SPDX-License-Identifier: Apache-2.0
"""Adds artifacts to the plan of a copy: each is one image to it, whose manifest has an empty config and one layer."""

from __future__ import annotations

from collections.abc import Iterable

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.manifest import EMPTY, build_manifest
from airgap.bundle.artifacts import BundledArtifact
from airgap.oci import digest as digests
from airgap.oci.manifest import Manifest
from airgap.transfer import Destination, Image, Plan, Root
from airgap.transfer.plan import add_image

#: The name of the artifacts' source in a plan.
ARTIFACTS = "artifacts"


def add_artifacts(plan: Plan, artifacts: Iterable[Artifact], repository: str) -> list[BundledArtifact]:
    """Add artifacts with their manifests to ``plan``; return the inventory's entries of them."""
    bundled = []
    for artifact in artifacts:
        manifest = build_manifest(artifact)
        add_to_plan(plan, artifact.label, manifest, ARTIFACTS, repository)
        layer = manifest.layers[0]
        names = (artifact.format, artifact.name, artifact.version, artifact.file)
        bundled.append(BundledArtifact(*names, manifest.descriptor, layer, artifact.source))
    return bundled


def add_to_plan(plan: Plan, label: str, manifest: Manifest, source: str, repository: str) -> None:
    """Add one artifact by its manifest, to be copied from ``source`` to ``repository``."""
    root = Root(label, source, manifest.descriptor.digest, (Destination(repository),))
    image = Image(root, manifest, (), manifest.descriptor)
    plan.images.append(image)
    plan.inline_blobs[digests.of(EMPTY)] = EMPTY
    add_image(plan, image, Plan(manifests={manifest.descriptor.digest: manifest}))
