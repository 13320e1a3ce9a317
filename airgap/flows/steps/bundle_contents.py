# SPDX-License-Identifier: Apache-2.0
"""What bundles are made of: the images that were found, resolved into a plan, and the artifacts that were collected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.artifacts.collect import Collected
from airgap.bundle import Lockfile, Resource
from airgap.bundle.artifacts import BundledArtifact
from airgap.bundle.build import BundleBuild
from airgap.bundle.inventory_entries import SkippedName
from airgap.bundle.lockfile import create_lockfile
from airgap.errors import AirgapError, UsageError
from airgap.flows.images import FoundImages
from airgap.flows.steps.carried_resources import skipped_names
from airgap.flows.steps.export_artifacts import collect_artifacts, plan_artifacts
from airgap.flows.steps.export_request import ExportRequest
from airgap.flows.steps.resolve import ResolvedImages, failed_images, resolve_images
from airgap.flows.steps.sparse_indexes import warn_of_sparse_indexes
from airgap.flows.steps.verify_images import verify_images
from airgap.records import Record
from airgap.registry import Registries
from airgap.store.protocols import Source
from airgap.transfer import Context, Plan
from airgap.transfer.sizes import Sizes, measure


class BundleContents(Record):
    """Images and artifacts with their ``sources`` by name in the ``plan``.

    ``lockfile`` says what they resolved to. ``failures`` are the images that were left out by ``keep_going``,
    ``unresolved`` the guesses that no registry confirmed, ``skipped`` the files that were not read.
    """

    plan: Plan
    sources: Mapping[str, Source]
    lockfile: Lockfile
    resources: Sequence[Resource]
    artifacts: Sequence[BundledArtifact]
    skipped: Sequence[SkippedName]
    sizes: Sizes
    failures: list[tuple[str, AirgapError]]
    unresolved: list[str]


def gather(
    request: ExportRequest, found_images: FoundImages, resources: Sequence[Resource], registries: Registries,
    locked: Lockfile | None, build: BundleBuild, folder: Path, base_id: str | None, context: Context,
) -> BundleContents:  # fmt: skip
    """Resolve the images, or take their digests from ``locked``, and collect the artifacts into ``folder``.

    Failures are collected and raised together.
    """
    resolved, collected = _resolved(request, found_images, registries, locked, build, folder, context)
    plan = resolved.plan
    failures = failed_images(plan, context.emit, keep_going=request.keep_going)
    lockfile = create_lockfile(request.platforms, plan, resources, base_id, sparse=request.sparse)
    warn_of_sparse_indexes(plan, context)
    sizes = measure(plan)
    artifacts = plan_artifacts(collected, plan, resolved.sources, lockfile)
    return BundleContents(
        plan, resolved.sources, lockfile, resources, artifacts, skipped_names(found_images), sizes, failures,
        resolved.unresolved,
    )  # fmt: skip


def _resolved(
    request: ExportRequest, found_images: FoundImages, registries: Registries, locked: Lockfile | None,
    build: BundleBuild, folder: Path, context: Context,
) -> tuple[ResolvedImages, Collected]:  # fmt: skip
    wanted = (tuple(map(str, request.platforms)), request.sparse)
    if locked is not None and build.resuming and (locked.platforms, locked.sparse) != wanted:
        raise build.other_inputs_error()
    try:
        images = resolve_images(
            found_images, registries, context, platforms=request.platforms, sparse=request.sparse,
            referrers=request.referrers, locked=locked, named=request.named, at_hand=request.at_hand,
        )  # fmt: skip
        verify_images(request.demand, images.plan, images.sources, context)
        where = str(request.lock or request.form.path)
        return images, collect_artifacts(request.artifacts, folder, registries, locked, where, context)
    except UsageError:
        if locked is not None and locked is build.lockfile:
            raise build.other_inputs_error() from None
        raise
