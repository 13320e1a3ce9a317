# SPDX-License-Identifier: Apache-2.0
"""``airgap export``: find the images, resolve them, lay the bundle out, fill it, give it its name."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airgap.bundle import BundleWriter, Extras, Resource, compose, read_base
from airgap.copy import Report, Stop, copy
from airgap.errors import AirgapError, UsageError, raise_all
from airgap.events import ImageFailed, Noted, Sink, Warned
from airgap.flows import locking, output
from airgap.flows.differential import leave_out
from airgap.flows.find import Found, secrets
from airgap.flows.resolve import BUNDLE, resolve
from airgap.flows.sizes import Sizes, measure
from airgap.flows.words import human
from airgap.oci import Platform
from airgap.registry import Registries


@dataclass(frozen=True)
class ExportRequest:
    """What to make. ``program`` is the content of airgap.pyz where the bundle is to carry it; ``named`` are the
    registries that airgap.yaml names; ``base`` is a file that says what the far side holds."""

    output: Path
    platforms: Sequence[Platform] = ()
    lock: Path | None = None
    refresh: bool = False
    carry_resources: bool = True
    referrers: bool = True
    keep_going: bool = False
    dry_run: bool = False
    force: bool = False
    program: bytes | None = None
    name: str | None = None
    version: str | None = None
    notes: bytes | None = None
    named: Collection[str] = ()
    base: Path | None = None


@dataclass
class Exported:
    """``bundle_size`` is in bytes, 0 for a dry run; ``failures`` are the images left out by ``keep_going``."""

    images: int
    blobs: int
    sizes: Sizes
    bundle_size: int = 0
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    report: Report | None = None


def export(
    request: ExportRequest, found: Found, registries: Registries, *, jobs: int, emit: Sink, stop: Stop
) -> Exported:
    """Make the bundle. While planning, every failure is collected and raised together, and nothing is left behind."""
    output.check_place(request.output, force=request.force or request.dry_run)
    for file, _ in found.files:
        if request.output.exists() and os.path.exists(file.path) and os.path.samefile(request.output, file.path):
            raise UsageError("the bundle would replace a resource file that it is made of", where=file.path)
    locked, base = None, read_base(request.base) if request.base else None
    base_id = base.id if base else None
    if request.lock is not None:
        locked = locking.read(request.lock, request.platforms, refresh=request.refresh, base=base_id)
    resources = _resources(request, found, emit)
    if request.lock is not None and locked is not None:
        locking.check_resources(request.lock, locked, resources)
    for place in found.unfilled():
        emit(Warned(place))
    resolved = resolve(
        found, registries, platforms=request.platforms, referrers=request.referrers,
        locked=locked, named=request.named, jobs=jobs, emit=emit, stop=stop,
    )  # fmt: skip
    planned = resolved.plan
    if not request.keep_going or not planned.images:
        raise_all([error for _, error in planned.failures])
    failures = [(root.label, error) for root, error in planned.failures]
    for label, error in failures:
        emit(ImageFailed(label, str(error)))
    extras = Extras(resources, request.program, request.name, request.version, request.notes)
    sizes = measure(planned)
    left_out = leave_out(planned, base, emit)
    inventory, layout = compose(planned, extras, left_out.requires, left_out.bases)
    result = Exported(len(inventory.images), len(inventory.blobs), sizes, 0, failures, resolved.unresolved)
    _tell_sizes(request, sizes, layout.total, emit)
    if request.dry_run:
        return result
    writer = BundleWriter.create(request.output, layout)
    try:
        workers = 1 if writer.ordered else jobs
        result.report = copy(
            planned, resolved.sources, {BUNDLE: writer}, jobs=workers, how="fetched", emit=emit, stop=stop
        )
        writer.finish()
    except BaseException:
        writer.discard()
        raise
    result.bundle_size = layout.total
    if request.lock is not None and locked is None:
        locking.write(request.lock, request.platforms, planned, resources, base_id)
    return result


def _resources(request: ExportRequest, found: Found, emit: Sink) -> list[Resource]:
    if not request.carry_resources:
        return []
    for place in secrets(found):
        emit(Warned(f"{place}: a Secret travels in the bundle as it stands; --no-resources leaves resource files out"))
    return [Resource(file.name, file.content) for file, _ in found.files if file.path != "-"]


def _tell_sizes(request: ExportRequest, sizes: Sizes, total: int, emit: Sink) -> None:
    emit(Noted(f"the bundle will have {human(total)}"))
    # What fewer platforms would save of a differential bundle is not what they would save of a whole one.
    if not request.platforms and len(sizes.platforms) > 1 and request.base is None:
        name = "linux/amd64" if "linux/amd64" in sizes.platforms else next(iter(sizes.platforms))
        saved = sizes.total - sizes.platforms[name]
        if saved > 0:
            emit(Noted(f"it holds {len(sizes.platforms)} platforms; --platform {name} would save {human(saved)}"))
