# SPDX-License-Identifier: Apache-2.0
"""What airgap brought to a target: the receipts of imports, and the history of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airgap.bundle import Receipt, ReceiptImage
from airgap.bundle.documents import read_json_document
from airgap.bundle.receipt import ReceiptArtifact
from airgap.errors import AirgapError, BundleError, UsageError
from airgap.flows.history import read_history
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.records import Record, field
from airgap.targets import TargetAddress
from airgap.transfer import Context

#: The ending of the receipts that imports write by themselves.
RECEIPTS = "*.receipt.json"


class Brought(Record, frozen=False):
    """``images``: the digests that airgap gave each tag, by repository and tag, and ``sources`` the references that it
    came from. ``artifacts`` are those that came with images of this target, by their addresses, and
    ``other_artifacts`` those that came alone.

    ``receipts`` counts what was read: receipts, and imports of the history.
    """

    images: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    sources: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    artifacts: dict[str, ReceiptArtifact] = field(default_factory=dict)
    other_artifacts: dict[str, ReceiptArtifact] = field(default_factory=dict)
    receipts: int = 0

    @property
    def digests(self) -> dict[str, set[str]]:
        """The digests that airgap brought, by repository."""
        by_repository: dict[str, set[str]] = {}
        for (repository, _), digests in self.images.items():
            by_repository.setdefault(repository, set()).update(digests)
        return by_repository


def read_receipts(paths: Sequence[str], folder: Path, state: Path | None, context: Context) -> list[Receipt]:
    """Return the receipts at ``paths``, which are files or folders.

    Without any, those in ``folder`` and the imports in the history below ``state``. Raises :class:`UsageError` for a
    file that is no receipt of an import, and :class:`airgap.errors.SignatureFailure` for a history that was changed.
    """
    receipts: list[Receipt] = []
    for path in map(Path, paths or [str(folder)]):
        if not path.is_dir():
            receipts.append(_named_receipt(path))
            continue
        found = sorted(path.glob(RECEIPTS))
        if paths and not found:
            raise UsageError(tr("this folder has no receipt (*.receipt.json)"), where=str(path))
        receipts += [receipt for file in found if (receipt := _found_receipt(file, context)) is not None]
    if not paths and state is not None:
        try:
            entries = read_history(state)
        except AirgapError as error:
            error.hint = tr("--receipt FILE names what was imported instead; the history is not read then")
            raise
        receipts += [_receipt_of(entry.document) for entry in entries if "bundle" in entry.document]
    return receipts


def brought_to(address: TargetAddress | None, receipts: Iterable[Receipt]) -> Brought:
    """Return what the receipts say of the target at ``address``, ``None`` for artifacts alone."""
    brought = Brought()
    prefix = f"{address.prefix}/" if address is not None and address.prefix else ""
    for receipt in receipts:
        targets = [(image, Reference.parse(image.target)) for image in receipt.images]
        own = [
            (image, target)
            for image, target in targets
            if address is not None and target.registry == address.registry and target.repository.startswith(prefix)
        ]
        if targets and not own and address is not None:
            continue
        brought.receipts += 1
        for image, target in own:
            place = target.repository, target.tag
            brought.images.setdefault(place, set()).add(image.digest)
            if image.source:
                brought.sources.setdefault(place, set()).add(image.source)
        artifacts = brought.artifacts if own else brought.other_artifacts
        artifacts.update({artifact.target: artifact for artifact in receipt.artifacts})
    return brought


def _named_receipt(path: Path) -> Receipt:
    document = read_json_document(path)
    if document is None or not isinstance(document.content, Receipt):
        raise UsageError(tr("this is no receipt"), where=str(path), hint=tr("airgap import writes one"))
    if document.content.bundle is None:
        raise UsageError(
            tr("this receipt is an inventory: it says what is there, not what airgap brought"),
            where=str(path),
            hint=tr("name the receipt of an import; --keep takes an inventory"),
        )
    return document.content


def _found_receipt(path: Path, context: Context) -> Receipt | None:
    """A receipt that nobody named: one that cannot be read only means that less is known to be airgap's."""
    try:
        return _named_receipt(path)
    except (UsageError, BundleError) as error:
        context.warn(tr("{error}; not used", error=error))
        return None


def _receipt_of(document: Mapping[str, Any]) -> Receipt:
    """The entry of an import as a receipt. Raises :class:`BundleError` for one that another program wrote."""
    try:
        images = tuple(map(ReceiptImage.from_json, document.get("images") or ()))
        artifacts = tuple(map(ReceiptArtifact.from_json, document.get("artifacts") or ()))
    except (AirgapError, KeyError, TypeError, ValueError, AttributeError) as error:
        where = tr("the history, import {number}", number=document.get("number"))
        raise BundleError(
            tr("this entry is unreadable ({error})", error=error), where=where,
            hint=tr("--receipt FILE names what was imported instead; the history is not read then"),
        ) from error  # fmt: skip
    return Receipt("", "", images, {}, artifacts=artifacts)
