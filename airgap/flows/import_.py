# SPDX-License-Identifier: Apache-2.0
"""``airgap import``: map, look, skip what is there, push, read back, and only then write the YAML."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from airgap import kube
from airgap.bundle import BundleReader
from airgap.durable import output
from airgap.errors import AirgapError, TargetError, raise_all
from airgap.events import ManifestDone, Sink, Warned
from airgap.kube.rewrite.files import RewrittenFile, rewrite_files
from airgap.kube.rewrite.log import RECORD
from airgap.kube.rewrite.output import check_record, write_rewritten
from airgap.records import Record, field
from airgap.store.base import Store
from airgap.targets import Assignment, Bounded, Mapping, Target, Tried
from airgap.targets.base_layers import Completed
from airgap.targets.findings import heed
from airgap.targets.import_plan import BUNDLE, assignments_of, roots_of
from airgap.targets.import_receipt import check_receipt, receipt_of
from airgap.transfer import Holdings, Image, Jobs, Plan, Report, Stop, confirm, copy, find, plan, survey
from airgap.transfer.shard import Shard


class ImportRequest(Record):
    """Where the rewritten files and the receipt go, and what may be replaced. With a ``shard`` only its blobs are
    sent: no manifest, no file, no receipt."""

    output: Path
    receipt: Path
    overwrite: bool = False
    keep_going: bool = False
    dry_run: bool = False
    force: bool = False
    rules: kube.Custom = kube.NO_RULES
    shard: Shard | None = None


class Imported(Record, frozen=False):
    """``names`` are the images that were pushed, or would be; ``present`` counts those that need not; ``files`` are
    what was written."""

    names: list[str] = field(default_factory=list)
    present: int = 0
    files: list[RewrittenFile] = field(default_factory=list)
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)
    report: Report | None = None


def import_(
    request: ImportRequest, bundle: BundleReader, mapping: Mapping, target: Target,
    *, jobs: Jobs, emit: Sink, stop: Stop,
) -> Imported:  # fmt: skip
    """Make the target hold the bundle's images, then write its resource files rewritten, and a receipt."""
    assignments = assignments_of(bundle.inventory, mapping, emit=emit)
    files = _rewritten(bundle, assignments, request.rules, emit)
    with nullcontext() if request.dry_run or request.shard else output.folder_for(request.output):
        return _push(request, bundle, mapping, target, assignments, files, jobs=jobs, emit=emit, stop=stop)


def _push(
    request: ImportRequest, bundle: BundleReader, mapping: Mapping, target: Target,
    assignments: Sequence[Assignment], files: list[RewrittenFile], *, jobs: Jobs, emit: Sink, stop: Stop,
) -> Imported:  # fmt: skip
    if not request.shard:
        output.check_free(request.output, [(file.name, file.after) for file in files], force=request.force)
        check_record(request.output)
        check_receipt(request.receipt, request.output, [RECORD, *(file.name for file in files)], force=request.force)
    heed(target.preflight(), emit)
    if target.mapping != mapping:  # nodes pull by another name than the one that was given to push by
        mapping = target.mapping
        assignments = assignments_of(bundle.inventory, mapping, emit=emit)
        files = _rewritten(bundle, assignments, request.rules, emit)
        if not request.shard:
            output.check_free(request.output, [(file.name, file.after) for file in files], force=request.force)

    roots = roots_of(bundle, assignments)
    completed = Completed(bundle) if bundle.inventory.requires else None
    sources = {BUNDLE: completed or bundle}
    planned = plan(roots, sources, jobs=1, emit=emit, stop=stop)
    raise_all([error for _, error in planned.failures])
    repositories = sorted({d.repository for root in roots for d in root.destinations})
    stores: dict[str, Store] = {name: target.open(name) for name in repositories}
    todo, present, known = _lacking(planned, stores, request, jobs, emit, stop)
    needed = planned.only(todo)
    if completed is not None:
        completed.prove(needed, mapping, target, jobs=jobs, stop=stop)
    if isinstance(target, Bounded):
        heed(target.room(sum(bool(place.tag) for image in todo for place in image.root.destinations)), emit)
    result = Imported([image.root.label for image in todo if image.root.destinations[0].tag], present, files)
    if request.dry_run:
        return result
    if todo and isinstance(target, Tried):
        heed(target.begin(), emit)
    if request.shard:
        needed, result.names, result.files = needed.shard(request.shard.index, request.shard.count), [], []
    result.report = copy(
        needed, sources, stores, jobs=jobs.transfers, keep_going=request.keep_going, known=known,
        order=bundle.inventory.blobs if bundle.ordered else None, emit=emit, stop=stop,
    )  # fmt: skip
    bundle.finish()
    if request.shard:
        return result
    result.failures = [(root.label, error) for root, error in result.report.failures]
    failed = {label for label, _ in result.failures}
    result.names = [name for name in result.names if name not in failed]
    confirm([image for image in todo if image.root.label not in failed], stores, jobs=jobs.control, stop=stop)
    result.files = _without_failed(files, request.rules, failed, emit)
    write_rewritten(request.output, [(f.name, f.after) for f in result.files], result.files)
    output.write_files(
        request.receipt.parent, [(request.receipt.name, receipt_of(bundle, mapping, assignments, planned, failed))]
    )
    return result


def _rewritten(
    bundle: BundleReader, assignments: Sequence[Assignment], rules: kube.Custom, emit: Sink
) -> list[RewrittenFile]:
    known = {assignment.source: assignment.target for assignment in assignments}
    files = []
    for entry in bundle.inventory.resources:
        content = bundle.member(entry.member)
        files.append((kube.ResourceFile(entry.name, entry.name, content), kube.scan(content, entry.name, rules)))
    return rewrite_files(files, known.get, keep_unknown=True, emit=emit)


def _lacking(
    planned: Plan, stores: dict[str, Store], request: ImportRequest, jobs: Jobs, emit: Sink, stop: Stop
) -> tuple[list[Image], int, Holdings]:
    """The images that the target lacks, how many it has, and what is known to be there already. A tag that stands for
    something else is refused."""
    there = survey(planned, stores, jobs=jobs.control, stop=stop)
    todo, present = [], 0
    errors: list[AirgapError] = []
    for image in planned.images:
        destination = image.root.destinations[0]
        found = there.get(destination)
        if destination.tag and found == image.digest:
            present += 1
            emit(ManifestDone(image.digest, destination.tag, "skipped"))
            continue
        if found is not None and not request.overwrite:
            errors.append(
                TargetError(
                    f"the tag is already there with {found}, the bundle has {image.digest}",
                    where=f"{stores[destination.repository]}:{destination.tag}",
                    hint="--overwrite moves the tag to the bundle's image",
                )
            )
        todo.append(image)
    raise_all(errors)
    known = find(planned, todo, there, stores, jobs=jobs.control, stop=stop)
    # A signature or the like is reachable by its digest alone.
    todo = [image for image in todo if image.root.destinations[0].tag or not known.whole(image)]
    return todo, present, known


def _without_failed(
    files: Sequence[RewrittenFile], rules: kube.Custom, failed: set[str], emit: Sink
) -> list[RewrittenFile]:
    kept = []
    for file in files:
        sites = kube.scan(file.before, file.name, rules).sites if failed else ()
        lost = sorted({str(site.reference) for site in sites if str(site.reference) in failed})
        if lost:
            emit(Warned(f"{file.name} is not written: it needs {', '.join(lost)}"))
        else:
            kept.append(file)
    return kept
