# SPDX-License-Identifier: Apache-2.0
"""Write rewritten files into an output folder or in place, after the log of their edits."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from airgap.durable import locked_folder, replace_file, sweep_temporaries
from airgap.durable.files import output_error
from airgap.durable.output import inside
from airgap.errors import OutputError, UsageError
from airgap.i18n import tr
from airgap.kube.rewrite import log
from airgap.kube.rewrite.file_set import RewrittenFile
from airgap.kube.rewrite.log import REWRITE_LOG


def write_rewritten(
    folder: Path, files: Sequence[tuple[str, bytes]], changed: Sequence[RewrittenFile], *, bundle: str = ""
) -> None:
    """Write ``files`` (name and content) into ``folder``, after the log of the edits of ``changed``.

    ``bundle`` is the ID of the bundle that they come from.
    """
    try:
        targets = [(inside(folder, name), content) for name, content in files]
        with locked_folder(folder) if changed else nullcontext():
            _append_run(folder, changed, bundle)
            for path, content in targets:
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, content)
            _append_run(folder, changed, bundle)
    except OSError as error:
        raise output_error(error, Path(error.filename or folder)) from error


def check_log(folder: Path) -> None:
    """Raise :class:`ResourceError` if ``folder`` has a log that cannot be read."""
    if (folder / REWRITE_LOG).exists():
        log.read_log(folder / REWRITE_LOG)


def check_in_place(files: Sequence[RewrittenFile]) -> None:
    """Raise :class:`UsageError` if one of ``files`` is standard input or an address."""
    if any(file.path == "-" or "://" in file.path for file in files):
        raise UsageError(tr("standard input cannot be replaced in place"), hint=tr("leave --in-place out"))


def replace_in_place(files: Sequence[RewrittenFile], *, recorded: bool = True) -> None:
    """Replace each changed file, keeping its mode and owner; if ``recorded``, after the log in its folder."""
    check_in_place(files)
    for folder in {Path(file.path).resolve().parent for file in files}:
        sweep_temporaries(folder)
    # A symbolic link stays; its target is replaced.
    changed = {Path(file.path).resolve(): file for file in files if file.before != file.after}
    for folder in dict.fromkeys(path.parent for path in changed):
        members = {path: file for path, file in changed.items() if path.parent == folder}
        with locked_folder(folder):
            _replace_members(folder, members, recorded=recorded)


def _replace_members(folder: Path, members: Mapping[Path, RewrittenFile], *, recorded: bool) -> None:
    """Replace files of one folder, whose lock is held, so that no other run replaces the log or the files meanwhile."""
    for path, file in members.items():
        if _content_or_none(path) != file.before:
            raise OutputError(
                tr("another program has changed this file since it was read"),
                where=file.path,
                again=True,
            )
    if recorded:
        members_with_content = [(path.name, file, file.before) for path, file in members.items()]
        log.record_run(folder / REWRITE_LOG, members_with_content, first=False)
    for path, file in members.items():
        try:
            status = path.stat()
            replace_file(path, file.after, mode=stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
        except OSError as error:
            raise output_error(error, Path(file.path)) from error


def _append_run(folder: Path, changed: Sequence[RewrittenFile], bundle: str) -> None:
    if changed:
        files = [(file.name, file, _content_or_none(folder / file.name)) for file in changed]
        log.record_run(folder / REWRITE_LOG, files, first=True, bundle=bundle)


def _content_or_none(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
