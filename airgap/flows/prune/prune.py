# SPDX-License-Identifier: Apache-2.0
"""``airgap prune``: read what is kept and what airgap brought, choose what goes, ask, delete it, and read back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.artifacts.publish.opening import Opener
from airgap.bundle import Document, Receipt
from airgap.errors import TargetError, UsageError
from airgap.flows.prune.brought import brought_to
from airgap.flows.prune.deletion import DeletedImages, check_gone, delete_images
from airgap.flows.prune.files import FilePlan, delete_files, select_files
from airgap.flows.prune.images import plan_images
from airgap.flows.prune.kept import kept_at
from airgap.flows.prune.plan import FileRemoval, ImagePlan, Left
from airgap.flows.prune.record import record_prune
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.records import Record, field
from airgap.targets import Remover, SupportsRemoval, Target
from airgap.targets.findings import raise_or_warn
from airgap.transfer import Context


class PruneRequest(Record):
    """What is kept: ``documents`` and ``images`` that resource files name. ``receipts`` say what airgap brought.

    ``history`` is the file that gets a line, ``None`` for none. With ``dry_run`` the target is only read.
    """

    documents: Sequence[Document]
    receipts: Sequence[Receipt]
    images: Sequence[Reference] = ()
    history: Path | None = None
    dry_run: bool = False


class PrunePlan(Record, frozen=False):
    """What a prune deletes. ``target`` is ``None`` for artifacts alone, and ``remover`` deletes its images."""

    images: ImagePlan = field(default_factory=ImagePlan)
    files: FilePlan = field(default_factory=FilePlan)
    target: Target | None = None
    remover: Remover | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be deleted."""
        return not self.images.removals and not self.files.files

    @property
    def left(self) -> list[Left]:
        """What stays although no kept release needs it."""
        return [*self.images.left, *self.files.left]

    @property
    def frees(self) -> int:
        """The bytes that nothing else needs."""
        return self.images.frees + sum(file.size for file in self.files.files)

    @property
    def place(self) -> str:
        """The target, for messages."""
        if self.target is not None:
            return str(self.target.mapping.address)
        return ", ".join(repository.place for repository in self.files.repositories)


class PruneResult(Record, frozen=False):
    """What is gone, what is left, and the ``next_steps`` that give the space back."""

    images: DeletedImages = field(default_factory=DeletedImages)
    files: list[FileRemoval] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    next_steps: list[str] = field(default_factory=list)


def plan_prune(request: PruneRequest, target: Target | None, opener: Opener | None, context: Context) -> PrunePlan:
    """Find out what would be deleted. Changes nothing.

    ``target`` is ``None`` for artifacts alone, ``opener`` for images alone. Raises :class:`UsageError` where nothing
    says what airgap brought, and :class:`TargetError` where none of the kept images is at the target.
    """
    plan = PrunePlan(target=target)
    if target is not None:
        raise_or_warn(target.preflight(), context.emit)
    mapping = target.mapping if target is not None else None
    kept = kept_at(request.documents, request.images, mapping)
    brought = brought_to(mapping.address if mapping is not None else None, request.receipts)
    if not brought.receipts:
        raise UsageError(
            tr("no receipt and no history says that airgap brought anything there"),
            where=plan.place or None,
            hint=tr("--receipt names the receipts of imports, BUNDLE.receipt.json, or a folder with them"),
        )
    if target is not None:
        if not isinstance(target, SupportsRemoval):
            raise TargetError(tr("airgap deletes nothing here"), where=plan.place, hint=tr("name one repository"))
        plan.remover = target.remover()
        plan.images = plan_images(target, plan.remover, brought, kept, context)
        if plan.images.removals and not request.dry_run:
            plan.remover.check(plan.images.removals[0].repository)  # before anybody is asked
    if opener is not None:
        registry = mapping.address.registry if mapping is not None else ""
        plan.files = select_files(brought, kept, opener, registry, context)
    return plan


def carry_out(request: PruneRequest, plan: PrunePlan, context: Context) -> PruneResult:
    """Delete what was planned, read back, and write the history, also if this is stopped."""
    result = PruneResult(left=plan.left)
    outcome = "stopped"
    try:
        if plan.target is not None and plan.remover is not None and plan.images.removals:
            delete_images(plan.images, plan.target, plan.remover, context, result.images)
            if not result.images.left and not plan.remover.cleans_up:
                result.images.left += check_gone(plan.images, plan.target, context)
            result.left += result.images.left
            result.next_steps += plan.remover.next_steps()
        delete_files(plan.files, context, result.files, result.left)
        for repository in plan.files.repositories:
            result.next_steps += repository.remover.next_steps() if repository.files else []
        outcome = "incomplete" if any(one.failed for one in result.left) else "complete"
    finally:
        done = result.images.images or result.files
        if request.history is not None and (done or outcome == "stopped"):
            kept = [document.path for document in request.documents]
            record_prune(
                request.history, plan.place, outcome, kept, result.images.images, result.files, result.left, context
            )
    result.next_steps = list(dict.fromkeys(result.next_steps))
    return result
