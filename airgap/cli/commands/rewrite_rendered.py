# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite`` of a chart or a kustomization: writes a values file or an overlay instead of the files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from airgap.cli.printing import note, write_bytes
from airgap.durable import output as out
from airgap.errors import UsageError, raise_all
from airgap.events import Sink, Warned
from airgap.formatting import counted, quoted
from airgap.i18n import tr
from airgap.kube.render import programs
from airgap.kube.render.inputs import PullOptions, check_options
from airgap.kube.render.overlay import KUSTOMIZATION_FILE, overlay_for
from airgap.kube.render.values_file import GeneratedFile, values_file_for
from airgap.kube.rewrite.file_set import Locate
from airgap.records import Record


class _File(Record):
    """A file to write."""

    path: Path
    content: bytes
    executable: bool = False


def is_chart(path: str) -> bool:
    """Whether ``path`` is a chart."""
    return programs.renderable_kind(path) == programs.CHART


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
    post_renderer: str | None,
    pull: PullOptions,
    keep_unknown: bool,
    origin: str,
    force: bool,
    dry_run: bool,
    emit: Sink,
) -> None:
    """Write the values file or the overlay for ``path``; with ``dry_run`` only tell what would be written.

    ``post_renderer`` names the executable to write too, or with a slash at its end the folder of a plugin. Raises the
    errors of the images that are not moved (exit code 3), after the files are written.
    """
    if is_chart(path):
        generated = values_file_for(
            path, rendering, locate, pull=pull, keep_unknown=keep_unknown, origin=origin,
            with_post_renderer=bool(post_renderer), emit=emit,
        )  # fmt: skip
        destination = None if output is None else Path(output)
        if destination and (destination.is_dir() or str(output).endswith("/")):
            destination /= f"{generated.name}-values.yaml"
    else:
        if output is None:
            raise UsageError(
                tr("where should the overlay go?"), hint=tr("add --output DIR, a folder beside the kustomization")
            )
        with _remove_new_folders(Path(output).parent) if dry_run else nullcontext():
            generated = overlay_for(path, Path(output), locate, keep_unknown=keep_unknown, origin=origin, emit=emit)
        destination = Path(output) / KUSTOMIZATION_FILE
    files = [] if destination is None else [_File(destination, generated.content)]
    program = _program_files(generated, post_renderer) if post_renderer else []
    if destination in [file.path for file in program]:
        raise UsageError(tr("--output and --post-renderer name the same file"), where=str(destination))
    for warning in generated.left:
        emit(Warned(warning))
    _write([*files, *program], force=force, dry_run=dry_run)
    if destination is None and not dry_run:
        write_bytes(generated.content)
        sys.stdout.flush()
    else:
        _report(destination, generated, dry_run=dry_run)
    if post_renderer:
        _report_program(program[0].path, generated, is_plugin=len(program) > 1, dry_run=dry_run)
    raise_all(generated.unmoved)


def _program_files(generated: GeneratedFile, post_renderer: str) -> list[_File]:
    """The executable, and in a folder the file that makes a plugin of helm 4 of it."""
    if not (post_renderer.endswith("/") or os.path.isdir(post_renderer)):
        return [_File(Path(post_renderer), generated.post_renderer, executable=True)]
    from airgap.kube.render.post_renderer import PROGRAM, plugin_manifest

    folder = Path(post_renderer)
    return [
        _File(folder / PROGRAM, generated.post_renderer, executable=True),
        _File(folder / "plugin.yaml", plugin_manifest(generated.name)),
    ]


def _report(destination: Path | None, generated: GeneratedFile, *, dry_run: bool) -> None:
    places_left = len(generated.unmoved) + len(generated.left) + generated.post_rendered
    moved = (
        tr("{place_count} not moved", place_count=counted(places_left, "place"))
        if places_left
        else tr("proven by rendering with it")
    )
    verb = tr("would write") if dry_run else tr("wrote")
    where = str(destination) if destination else tr("the values file to standard output")
    note(f"{verb} {where}: {counted(generated.images, 'image')}, {moved}")


def _report_program(program: Path, generated: GeneratedFile, *, is_plugin: bool, dry_run: bool) -> None:
    """Tell what the post-renderer moves, and the options of helm 3 and helm 4 that use it."""
    from airgap.kube.render.post_renderer import plugin_name

    verb = tr("would write") if dry_run else tr("wrote")
    moved = (
        tr("it moves {place_count}", place_count=counted(generated.post_rendered, "place"))
        if generated.post_rendered
        else tr("no place needs it")
    )
    note(f"{verb} {program}: {moved}")
    note(tr("helm 3: --post-renderer {path}", path=_argument(program)))
    if is_plugin:
        name = plugin_name(generated.name)
        folder = _argument(program.parent)
        use = tr("helm 4: helm plugin install {folder}, then --post-renderer {name}", folder=folder, name=name)
    else:
        use = tr("helm 4 takes plugins only: --post-renderer FOLDER/ makes one")
    note(use)


def _argument(path: Path) -> str:
    """The path as a word of a shell. With a slash in it, helm does not look for it on the PATH."""
    return quoted(str(path) if path.is_absolute() else os.path.join(".", path))


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


def _write(files: Sequence[_File], *, force: bool, dry_run: bool) -> None:
    """Write the files, after it is sure that none of them replaces another file."""
    for file in files:
        out.check_free(file.path.parent, [(file.path.name, file.content)], force=force)
    for file in files if not dry_run else ():
        with out.folder_for(file.path.parent):
            out.write_files(file.path.parent, [(file.path.name, file.content)], executable=file.executable)
