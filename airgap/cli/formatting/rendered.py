# SPDX-License-Identifier: Apache-2.0
"""What ``airgap rewrite`` does where its PATH is a chart or a kustomization."""

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
from airgap.kube.render import programs
from airgap.kube.render.inputs import PullOptions, check_options
from airgap.kube.render.overlay import KUSTOMIZATION_FILE, overlay_for
from airgap.kube.render.values_file import values_file_for
from airgap.kube.rewrite.file_set import Locate


def is_rendered(paths: Sequence[str], rendering: programs.Rendering) -> bool:
    """Whether this is one chart or one kustomization; raises UsageError where it is one among other paths."""
    kinds = [programs.renderable_kind(path) for path in paths]
    check_options(paths, rendering)
    if any(kinds) and len(kinds) > 1:
        raise UsageError("a chart or a kustomization is rewritten by itself", hint="give the others in another command")
    return any(kinds)


def rewrite(
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
    """Write the values file or the overlay, with ``dry_run`` only say so, then end with exit code 3 if it does not
    move every image."""
    if programs.renderable_kind(path) == programs.CHART:
        generated = values_file_for(
            path, rendering, locate, pull=pull, keep_unknown=keep_unknown, origin=origin, emit=emit
        )
        if output is None and not dry_run:
            sys.stdout.buffer.write(generated.content)
            sys.stdout.flush()
            raise_all(generated.unmoved)
            return
        place = Path(output or "-")
        if output and (place.is_dir() or output.endswith("/")):
            place /= f"{generated.name}-values.yaml"
    else:
        if output is None:
            raise UsageError("where should the overlay go?", hint="add --output DIR, a folder beside the kustomization")
        with _gone_again(Path(output).parent) if dry_run else nullcontext():
            generated = overlay_for(path, Path(output), locate, keep_unknown=keep_unknown, origin=origin, emit=emit)
        place = Path(output) / KUSTOMIZATION_FILE
    if dry_run:
        if output:
            out.check_free(place.parent, [(place.name, generated.content)], force=force)
    else:
        _write(place, generated.content, force=force)
    unmoved = len(generated.unmoved)
    moved = f"{counted(unmoved, 'place')} not moved" if unmoved else "proven by rendering with it"
    wrote = "would write" if dry_run else "wrote"
    where = str(place) if output else "the values file to standard output"
    click.echo(f"{wrote} {where}: {counted(generated.images, 'image')}, {moved}", err=True)
    raise_all(generated.unmoved)


@contextmanager
def _gone_again(folder: Path) -> Iterator[None]:
    """An overlay is proven beside where it will lie: the folders that were made for that go again."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        with suppress(OSError):
            for path in missing:
                path.rmdir()


def _write(place: Path, content: bytes, *, force: bool) -> None:
    with out.folder_for(place.parent):
        out.check_free(place.parent, [(place.name, content)], force=force)
        out.write_files(place.parent, [(place.name, content)])
