# SPDX-License-Identifier: Apache-2.0
"""Recognises the bundle of an export that was killed after its last byte, before it could say that it was done.

Such a bundle has its name and no journal, so that it looks like any other file in the way of a new export. It counts
as finished if its inventory, its signatures and its size are those of this export, and every byte is verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import BundleReader, Inventory, OutputFormat, open_bundle
from airgap.bundle.tail import tail_bytes
from airgap.bundle.tar import END, TarLayout
from airgap.errors import AirgapError, Interrupted
from airgap.events import Noted
from airgap.flows.images import FoundImages
from airgap.flows.steps.sign_export import SignatureFiles
from airgap.flows.verify import verify
from airgap.i18n import tr
from airgap.transfer import Context


def may_be_finished(form: OutputFormat, found_images: FoundImages) -> bool:
    """Whether the file at the place of the bundle is a bundle of some of ``found_images`` and of no other image.

    Reads only the bundle's head: what this excludes can be refused before anything is asked of a registry.
    """
    if not _is_comparable(form) or not (form.path.is_dir() if form.folder else form.path.is_file()):
        return False
    try:
        with open_bundle(form.path) as bundle:
            return {image.reference for image in bundle.inventory.images} <= set(found_images.references())
    except AirgapError:
        return False


def is_finished(
    form: OutputFormat, inventory: Inventory, layout: TarLayout, signature_files: SignatureFiles,
    paths: Sequence[Path], context: Context,
) -> bool:  # fmt: skip
    """Whether ``paths`` are whole and what this export would write. Reads all of it, and tells of it with a note."""
    if not _is_comparable(form) or not all(_is_whole_output(form, path) for path in paths):
        return False
    try:
        if any(path.read_bytes() != content for path, content in signature_files):
            return False
        with open_bundle(paths[0]) as bundle:
            if not _is_planned(bundle, form, inventory, layout, paths):
                return False
            verify(bundle, context, signed=bundle.is_appendable)
    except Interrupted:
        raise
    except (AirgapError, OSError):
        return False
    context.emit(Noted(tr("{bundle} is already whole: every byte is verified", bundle=form.describe(paths))))
    return True


def _is_comparable(form: OutputFormat) -> bool:
    """Not a pipe, one volume of several, or what only its recipient can open."""
    return not form.streamed and not form.volume and form.sealer is None


def _is_whole_output(form: OutputFormat, path: Path) -> bool:
    return not path.is_symlink() and (path.is_dir() if form.folder else path.is_file())


def _is_planned(
    bundle: BundleReader, form: OutputFormat, inventory: Inventory, layout: TarLayout, paths: Sequence[Path]
) -> bool:
    return (
        bundle.inventory_content() == inventory.to_bytes()
        and tail_bytes(bundle.signatures()) == layout.tail + END
        and bundle.is_appendable != form.compressed
        and bundle.is_folder == form.folder
        and (bundle.is_folder or _has_planned_files(bundle, form, layout, paths))
    )


def _has_planned_files(bundle: BundleReader, form: OutputFormat, layout: TarLayout, paths: Sequence[Path]) -> bool:
    return (
        [Path(name).name for name in bundle.files] == [path.name for path in paths]
        and (form.compressed or sum(path.stat().st_size for path in paths) == layout.total)
        and (not form.volume_size or len(paths) == 1 or bundle.volume_size == form.split_size(layout.total))
    )
