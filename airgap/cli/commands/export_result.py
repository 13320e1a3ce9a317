# SPDX-License-Identifier: Apache-2.0
"""The last lines of ``airgap export``."""

from __future__ import annotations

from airgap.cli.formatting.summary import finished_event
from airgap.errors import Incomplete
from airgap.events import Noted, Sink
from airgap.flows.export import Exported, ExportRequest
from airgap.formatting import counted, human, quoted
from airgap.i18n import tr
from airgap.transfer import Report


def print_result(request: ExportRequest, exported: Exported, target: str, seconds: float, emit: Sink) -> None:
    """Emit the last lines; raise :class:`Incomplete` if ``--keep-going`` left images out."""
    where, inventory = request.form.describe(exported.paths), exported.planned.inventory
    artifacts = [counted(len(inventory.artifacts), "artifact")] if inventory.artifacts else []
    contents = ", ".join([counted(exported.images, "image"), *artifacts, counted(exported.blobs, "blob")])
    if request.lock_only:
        emit(
            Noted(
                tr(
                    "{lock} is complete; the bundle will be {where}: {contents}",
                    lock=request.lock,
                    where=where,
                    contents=contents,
                )
            )
        )
    elif request.dry_run:
        emit(Noted(tr("would write {where}: {contents}", where=where, contents=contents)))
    else:
        # A volume alone, or a bundle that another program receives, is no bundle to import here.
        whole = not request.form.volume and not request.form.streamed
        emit(
            finished_event(
                f"{contents}, {human(exported.bundle_size)}",
                "fetched",
                exported.images,
                exported.report or Report(),
                seconds,
                name=where,
                platforms=exported.sizes.platforms,
                next_command=_import_command(request, exported, target) if whole else "",
            )
        )
    if exported.failures:
        names = ", ".join(label for label, _ in exported.failures)
        raise Incomplete(tr("not in the bundle: {names}", names=names))


def _import_command(request: ExportRequest, exported: Exported, target: str) -> str:
    words = ["airgap", "import", quoted(request.form.path)]
    words += ["--to", target] if exported.images else ["--only-artifacts"]
    words += ["--nexus", "http://NEXUS:8081"] if exported.planned.inventory.artifacts else []
    return " ".join(words)
