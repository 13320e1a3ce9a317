# SPDX-License-Identifier: Apache-2.0
"""The artifacts of an export: resolved or taken from a lock, fetched into a folder beside the bundle, and planned."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airgap.artifacts.collect import NOTHING_COLLECTED, Collected, CollectedFiles, Locked, collect
from airgap.artifacts.lock import lock_entries
from airgap.artifacts.planning import ARTIFACTS, add_artifacts
from airgap.artifacts.settings import ArtifactEntry
from airgap.artifacts.workspace import FOLDER_SUFFIX, Workspace
from airgap.bundle import Lockfile
from airgap.bundle.artifacts import BundledArtifact
from airgap.bundle.output_format import OutputFormat
from airgap.durable.resumable_folder import resumable_folder
from airgap.flows.steps.resolve import BUNDLE
from airgap.registry import Registries
from airgap.store.protocols import Source
from airgap.transfer import Context, Plan


@contextmanager
def artifact_folder(
    form: OutputFormat, entries: Sequence[ArtifactEntry], *, temporary: bool, restart: bool
) -> Iterator[Path]:
    """Give a folder for artifacts: ``BUNDLE.artifacts``, kept if the block fails, so that the next run goes on.

    A ``temporary`` one is removed in any case. ``restart`` removes what an earlier run left. Without entries
    there is no folder.
    """
    if not entries:
        yield Path()
        return
    if temporary or form.streamed:
        with tempfile.TemporaryDirectory(prefix="airgap-") as name:
            yield Path(name)
        return
    with resumable_folder(form.run_path.with_name(form.run_path.name + FOLDER_SUFFIX), restart=restart) as folder:
        yield folder


def collect_artifacts(
    entries: Sequence[ArtifactEntry], folder: Path, registries: Registries, locked: Lockfile | None, where: str,
    context: Context,
) -> Collected:  # fmt: skip
    """Collect the artifacts of airgap.yaml; ``where`` is the lock's name for messages."""
    if not entries:
        return NOTHING_COLLECTED
    lock = Locked(locked.artifacts, locked.artifact_requests, where) if locked is not None else None
    return collect(entries, Workspace(folder.absolute(), registries, context), lock)


def plan_artifacts(
    collected: Collected, plan: Plan, sources: dict[str, Source], lockfile: Lockfile
) -> list[BundledArtifact]:
    """Add the artifacts to the plan and to the lockfile, and their files to the sources; return the inventory's
    entries."""
    lockfile.artifacts = lock_entries(collected.artifacts)
    lockfile.artifact_requests = dict(collected.requests)
    if not collected.artifacts:
        return []
    sources[ARTIFACTS] = CollectedFiles(collected.files)
    return add_artifacts(plan, collected.artifacts, BUNDLE)
