# SPDX-License-Identifier: Apache-2.0
"""Where ``airgap rewrite`` puts the rewritten files: a folder, a file, their own places, standard output, or a diff."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.cli.formatting.unified_diff import file_diff
from airgap.cli.printing import note, say, write_bytes
from airgap.durable import output as out
from airgap.errors import UsageError, WouldChange
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.rewrite.file_set import RewrittenFile
from airgap.kube.rewrite.output import check_in_place, replace_in_place, write_rewritten
from airgap.records import Record


class Destination(Record):
    """Where the rewritten files go. ``folder`` is that of ``--output``; without any option it is standard output."""

    folder: Path | None
    in_place: bool
    diff: bool
    check: bool
    dry_run: bool
    force: bool


def write_or_show(files: Sequence[RewrittenFile], destination: Destination, *, recorded: bool = True) -> None:
    """Write the files or show what would change. ``recorded`` also writes the rewrite log."""
    folder = destination.folder
    if destination.check:
        _check(files)
    elif destination.diff:
        for file in files:
            say(file_diff(file), lines=True, end="")
    elif destination.dry_run:
        _print_dry_run(files, destination)
    elif destination.in_place:
        replace_in_place(files, recorded=recorded)
        for file in files if recorded else ():
            if file.edits:
                note(
                    tr("rewrote {image_count} in {path}", image_count=counted(len(file.edits), "image"), path=file.path)
                )
    elif folder and _is_file_name(folder, files):
        with out.folder_for(folder.parent):
            out.check_free(folder.parent, [(folder.name, files[0].after)], force=destination.force)
            out.write_files(folder.parent, [(folder.name, files[0].after)])
        note(tr("wrote {folder}", folder=folder))
    elif folder:
        contents = [(file.name, file.after) for file in files]
        with out.folder_for(folder):
            out.check_free(folder, contents, force=destination.force)
            write_rewritten(folder, contents, files if recorded else ())
        note(tr("wrote {file_count} to {folder}", file_count=counted(len(files), "file"), folder=folder))
    elif len(files) == 1:
        write_bytes(files[0].after)
    else:
        raise _too_many_for_stdout(files)


def _print_dry_run(files: Sequence[RewrittenFile], destination: Destination) -> None:
    """Print which files would be written and how much of each changes; raise the errors that writing would raise."""
    folder = destination.folder
    if destination.in_place:
        check_in_place(files)
    elif folder and _is_file_name(folder, files):
        out.check_free(folder.parent, [(folder.name, files[0].after)], force=destination.force)
    elif folder:
        out.check_free(folder, [(file.name, file.after) for file in files], force=destination.force)
    elif len(files) > 1:
        raise _too_many_for_stdout(files)
    for file in files:
        if destination.in_place and file.before == file.after:
            continue
        if destination.in_place:
            where = file.path
        else:
            where = str(_path_in(folder, file, files)) if folder else tr("{path} to standard output", path=file.path)
        note(tr("would write {where}: {change_count}", where=where, change_count=counted(len(file.edits), "change")))
    total = sum(len(file.edits) for file in files)
    changed_files = sum(file.before != file.after for file in files)
    note(
        tr(
            "{change_count} in {file_count}; nothing was written",
            change_count=counted(total, "change"),
            file_count=counted(changed_files, "file"),
        )
    )


def _is_file_name(path: Path, files: Sequence[RewrittenFile]) -> bool:
    """Whether ``--output`` names a file: it ends as one of YAML or JSON and is no folder. The log is for folders.

    Raises :class:`UsageError` if that is to hold several files.
    """
    if path.suffix.lower() not in (".yaml", ".yml", ".json") or path.is_dir():
        return False
    if len(files) > 1:
        raise UsageError(
            tr("{files_count} files do not fit into one", files_count=len(files)),
            where=str(path),
            hint=tr("--output names a folder"),
        )
    return True


def _path_in(folder: Path, file: RewrittenFile, files: Sequence[RewrittenFile]) -> Path:
    return folder if _is_file_name(folder, files) else folder / file.name


def _too_many_for_stdout(files: Sequence[RewrittenFile]) -> UsageError:
    return UsageError(
        tr("{files_count} files do not fit on standard output", files_count=len(files)),
        hint=tr("add --output DIR, --in-place, --diff or --check"),
    )


def _check(files: Sequence[RewrittenFile]) -> None:
    """Raise :class:`WouldChange` if a file would change."""
    changed_files = [file for file in files if file.before != file.after]
    if changed_files:
        count = sum(len(file.edits) for file in changed_files)
        names = ", ".join(file.path for file in changed_files)
        raise WouldChange(
            tr(
                "{image_count} in {file_count} would change: {names}",
                image_count=counted(count, "image"),
                file_count=counted(len(changed_files), "file"),
                names=names,
            ),
            hint=tr("--diff shows them, --in-place rewrites them"),
        )
