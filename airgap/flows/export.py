# SPDX-License-Identifier: Apache-2.0
"""``airgap export``: find the images, resolve them, lay the bundle out, fill it, give it its name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airgap.bundle import BundleWriter, Extras, Lock, Resource, compose
from airgap.copy import Destination, Plan, Report, Root, Stop, copy, plan
from airgap.errors import AirgapError, OutputError, UsageError, raise_all
from airgap.events import Noted, Sink, Warned
from airgap.flows.find import Found, secrets
from airgap.flows.sizes import Sizes, human, measure
from airgap.kube.model import POSSIBLE
from airgap.oci import Descriptor, Platform, Reference
from airgap.registry import Registries, Repository
from airgap.store.layout import replace_file

_BUNDLE = "bundle"


@dataclass(frozen=True)
class ExportRequest:
    """What to make. ``program`` is the content of airgap.pyz where the bundle is to carry it."""

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
    if request.output.exists() and not (request.force or request.dry_run):
        raise OutputError("the bundle is already there", where=str(request.output), hint="--force replaces it")
    locked = _read_lock(request)
    resources = _resources(request, found, emit)
    roots = _roots(found, locked)
    sources = {root.source: _repository(registries, root) for root in roots}
    planned = plan(
        roots, sources, platforms=request.platforms, referrers=request.referrers,
        jobs=max(jobs, 8), keep_going=request.keep_going, emit=emit, stop=stop,
    )  # fmt: skip
    unresolved = _set_guesses_aside(planned, found, emit)
    if not request.keep_going or not planned.images:
        raise_all([error for _, error in planned.failures])
    failures = [(root.label, error) for root, error in planned.failures]
    extras = Extras(resources, request.program, request.name, request.version, request.notes)
    inventory, layout = compose(planned, extras)
    sizes = measure(planned)
    result = Exported(len(inventory.images), len(inventory.blobs), sizes, 0, failures, unresolved)
    _tell_sizes(request, sizes, layout.total, emit)
    if request.dry_run:
        return result
    writer = BundleWriter.create(request.output, layout)
    try:
        workers = 1 if writer.ordered else jobs
        result.report = copy(planned, sources, {_BUNDLE: writer}, jobs=workers, how="fetched", emit=emit, stop=stop)
        writer.finish()
    except BaseException:
        writer.discard()
        raise
    result.bundle_size = layout.total
    if request.lock is not None and locked is None:
        _write_lock(request.lock, request, planned, resources)
    return result


def plan_of(found: Found, registries: Registries, *, jobs: int, emit: Sink) -> Plan:
    """What exporting everything would move, for its sizes alone."""
    roots = _roots(found, None)
    sources = {root.source: _repository(registries, root) for root in roots}
    planned = plan(roots, sources, jobs=max(jobs, 8), emit=emit, stop=Stop(registries.abort))
    _set_guesses_aside(planned, found, emit)
    raise_all([error for _, error in planned.failures])
    return planned


def _roots(found: Found, locked: Lock | None) -> list[Root]:
    roots = []
    unlocked = []
    for reference in found.references():
        name = reference.identifier
        if locked is not None:
            entry = locked.images.get(str(reference))
            if entry is None:
                unlocked.append(str(reference))
                continue
            name = entry.digest
        roots.append(Root(str(reference), reference.name, name, (Destination(_BUNDLE),)))
    if unlocked:
        raise UsageError(
            f"the lock does not know {', '.join(unlocked)}", hint="--refresh resolves everything anew and rewrites it"
        )
    return roots


def _repository(registries: Registries, root: Root) -> Repository:
    reference = Reference.parse(root.label)
    return registries.repository(reference.registry, reference.repository)


def _set_guesses_aside(planned: Plan, found: Found, emit: Sink) -> list[str]:
    """A reference that only looked like one and that no registry knows is no error; it is told."""
    references = found.references()
    guesses = {
        str(reference)
        for reference, sites in references.items()
        if sites and all(site.confidence == POSSIBLE for site in sites)
    }
    unresolved = [root.label for root, _ in planned.failures if root.label in guesses]
    planned.failures = [(root, error) for root, error in planned.failures if root.label not in guesses]
    for label in unresolved:
        emit(Noted(f"{label} looked like an image, but its registry does not know it; left out"))
    return unresolved


def _resources(request: ExportRequest, found: Found, emit: Sink) -> list[Resource]:
    if not request.carry_resources:
        return []
    for place in secrets(found):
        emit(Warned(f"{place}: a Secret travels in the bundle as it stands; --no-resources leaves resource files out"))
    return [Resource(file.name, file.content) for file, _ in found.files if file.path != "-"]


def _tell_sizes(request: ExportRequest, sizes: Sizes, total: int, emit: Sink) -> None:
    emit(Noted(f"the bundle will have {human(total)}"))
    if not request.platforms and len(sizes.platforms) > 1:
        name = "linux/amd64" if "linux/amd64" in sizes.platforms else next(iter(sizes.platforms))
        saved = sizes.total - sizes.platforms[name]
        if saved > 0:
            emit(Noted(f"it holds {len(sizes.platforms)} platforms; --platform {name} would save {human(saved)}"))


def _read_lock(request: ExportRequest) -> Lock | None:
    if request.lock is None or request.refresh or not request.lock.exists():
        return None
    lock = Lock.from_bytes(request.lock.read_bytes(), where=str(request.lock))
    wanted = tuple(str(platform) for platform in request.platforms)
    if wanted != lock.platforms:
        raise UsageError(
            f"the lock is for {', '.join(lock.platforms) or 'all platforms'}, "
            f"not for {', '.join(wanted) or 'all platforms'}",
            where=str(request.lock),
            hint="give the same --platform, or --refresh",
        )
    return lock


def _write_lock(path: Path, request: ExportRequest, planned: Plan, resources: Sequence[Resource]) -> None:
    images: dict[str, Descriptor] = {}
    referrers: dict[str, list[str]] = {}
    for image in planned.images:
        if image.referrer_of:
            referrers.setdefault(image.referrer_of, []).append(image.digest)
            continue
        images[image.root.label] = image.resolved
    lock = Lock(
        tuple(str(platform) for platform in request.platforms),
        images,
        referrers,
        {resource.name: f"sha256:{hashlib.sha256(resource.content).hexdigest()}" for resource in resources},
    )
    replace_file(path, lock.to_bytes())
