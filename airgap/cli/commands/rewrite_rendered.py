# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite`` of a chart or a kustomization: writes a values file or an overlay instead of the files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import click

from airgap.durable import output as out
from airgap.errors import UsageError, raise_all
from airgap.events import Sink
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.render import programs
from airgap.kube.render.inputs import PullOptions, check_options
from airgap.kube.render.overlay import KUSTOMIZATION_FILE, overlay_for
from airgap.kube.render.values_file import values_file_for
from airgap.kube.rewrite.file_set import Locate


def is_rendered(paths: Sequence[str], rendering: programs.Rendering) -> bool:
    """Whether ``paths`` is one chart or one kustomization. Raises :class:`UsageError` for one among other paths."""
    kinds = [programs.renderable_kind(path) for path in paths]
    check_options(paths, rendering)
    if any(kinds) and len(kinds) > 1:
        raise UsageError(
            tr("a chart or a kustomization is rewritten by itself"), hint=tr("give the others in another command")
        )
    return any(kinds)


def rewrite_rendered(
    path: str,
    locate: Locate,
    output: str | None,
    rendering: programs.Rendering,
    *,
    pull: PullOptions,
    keep_unknown: bool,
    origin: str,
    force: bool,
    dry_run: bool,
    emit: Sink,
) -> None:
    """Write the values file or the overlay for ``path``; with ``dry_run`` only tell what would be written.

    Raises the errors of the images that it does not move (exit code 3), after it is written.
    """
    if programs.renderable_kind(path) == programs.CHART:
        addition = values_file_for(
            path, rendering, locate, pull=pull, keep_unknown=keep_unknown, origin=origin, emit=emit
        )
        if output is None and not dry_run:
            sys.stdout.buffer.write(addition.content)
            sys.stdout.flush()
            raise_all(addition.unmoved)
            return
        destination = Path(output or "-")
        if output and (destination.is_dir() or output.endswith("/")):
            destination /= f"{addition.name}-values.yaml"
    else:
        if output is None:
            raise UsageError(
                tr("where should the overlay go?"), hint=tr("add --output DIR, a folder beside the kustomization")
            )
        with _remove_new_folders(Path(output).parent) if dry_run else nullcontext():
            addition = overlay_for(path, Path(output), locate, keep_unknown=keep_unknown, origin=origin, emit=emit)
        destination = Path(output) / KUSTOMIZATION_FILE
    if not dry_run:
        _write(destination, addition.content, force=force)
    elif output:
        out.check_free(destination.parent, [(destination.name, addition.content)], force=force)
    moved = (
        tr("proven by rendering with it")
        if not addition.unmoved
        else tr("{place_count} not moved", place_count=counted(len(addition.unmoved), "place"))
    )
    verb = tr("would write") if dry_run else "wrote"
    where = str(destination) if output else tr("the values file to standard output")
    click.echo(f"{verb} {where}: {counted(addition.images, 'image')}, {moved}", err=True)
    raise_all(addition.unmoved)


@contextmanager
def _remove_new_folders(folder: Path) -> Iterator[None]:
    """Remove ``folder`` and its parents afterwards, as far as they do not exist yet and stay empty.

    An overlay is tried in a temporary folder beside its destination, even with ``--dry-run``.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        with suppress(OSError):
            for path in missing:
                path.rmdir()


def _write(path: Path, content: bytes, *, force: bool) -> None:
    with out.folder_for(path.parent):
        out.check_free(path.parent, [(path.name, content)], force=force)
        out.write_files(path.parent, [(path.name, content)])
