# SPDX-License-Identifier: Apache-2.0
"""What an import is asked for, and the place of everything that it makes: images, rewritten files, receipt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap import kube
from airgap.bundle import BundleReader
from airgap.durable import output
from airgap.kube.rewrite.bundle_files import rewrite_bundle_files
from airgap.kube.rewrite.file_set import RewrittenFile
from airgap.kube.rewrite.log import REWRITE_LOG
from airgap.kube.rewrite.output import check_log
from airgap.kube.rewrite.written import check_replaceable
from airgap.records import Record
from airgap.targets import Assignment, Mapping, Target
from airgap.targets.findings import raise_or_warn
from airgap.targets.import_plan import assignments_of
from airgap.targets.import_receipt import check_receipt, default_receipt
from airgap.transfer import Context
from airgap.transfer.shard import Shard


class ImportRequest(Record):
    """Where the rewritten files and the receipt go, and what may be replaced.

    Without ``receipt`` it goes beside ``output``, named after ``bundle_name``.

    With a ``shard`` only its blobs are pushed: no manifest, no file, no receipt. ``bases`` are older bundles, for
    layers that are restored from theirs.

    ``replace_version`` is for a release: files that an earlier import wrote and that nobody has changed are replaced,
    or removed if the release does not have them. ``overwrite_hint`` says what moving a tag means.
    """

    output: Path
    receipt: Path | None = None
    bundle_name: str = "bundle"
    overwrite: bool = False
    keep_going: bool = False
    dry_run: bool = False
    force: bool = False
    rules: kube.CustomRules = kube.NO_CUSTOM_RULES
    shard: Shard | None = None
    replace_version: bool = False
    overwrite_hint: str = ""
    bases: Sequence[BundleReader] = ()


class Placement(Record):
    """Where everything goes: the images by ``mapping``, and the resource files rewritten for it, and the receipt.

    ``stale`` are the files of another version that go from the output folder.
    """

    mapping: Mapping
    assignments: Sequence[Assignment]
    files: list[RewrittenFile]
    receipt: Path
    stale: Sequence[str] = ()


def check_and_place(request: ImportRequest, bundle: BundleReader, target: Target, context: Context) -> Placement:
    """Refuse collisions and occupied output files before anything is asked of the target, then check the target.

    The preflight may find that nodes pull by another address; the names are then computed again with it.
    """
    placement = _place(request, bundle, target.mapping, context)
    raise_or_warn(target.preflight(), context.emit)
    return placement if target.mapping == placement.mapping else _place(request, bundle, target.mapping, context)


def _place(request: ImportRequest, bundle: BundleReader, mapping: Mapping, context: Context) -> Placement:
    assignments = assignments_of(bundle.inventory, mapping, emit=context.emit)
    references = {assignment.source: assignment.target for assignment in assignments}
    files = rewrite_bundle_files(bundle, references, request.rules, context.emit)
    receipt = request.receipt or default_receipt(request.output, request.bundle_name, mapping.address)
    stale = [] if request.shard else _check_output(request, files, receipt)
    return Placement(mapping, assignments, files, receipt, stale)


def _check_output(request: ImportRequest, files: Sequence[RewrittenFile], receipt: Path) -> list[str]:
    """Check that everything can be written; return the names of files that go."""
    contents = [(file.name, file.after) for file in files]
    stale = check_replaceable(request.output, contents, force=request.force) if request.replace_version else []
    output.check_free(request.output, contents, force=request.force or request.replace_version)
    check_log(request.output)
    names = [REWRITE_LOG, *(file.name for file in files)]
    check_receipt(receipt, request.output, names, force=request.force)
    return stale
