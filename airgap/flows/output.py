# SPDX-License-Identifier: Apache-2.0
"""Writing what a flow made: never half a file, never over something else, never outside the folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from airgap.errors import OutputError, UsageError
from airgap.flows import record
from airgap.flows.record import RECORD
from airgap.flows.rewrite import RewrittenFile
from airgap.store.layout import replace_file


def check_free(folder: Path, files: Iterable[tuple[str, bytes]], *, force: bool) -> None:
    """Raise :class:`OutputError` for the first file that exists with other content, before anything is written."""
    for name, content in files:
        path = inside(folder, name)
        if not force and path.exists() and path.read_bytes() != content:
            raise OutputError(
                "a file with other content is already there",
                where=str(path),
                hint="--force replaces it; --output chooses another folder",
            )


def check_place(path: Path, *, force: bool) -> None:
    """Raise :class:`OutputError` where a file cannot be put at ``path``, before any work is done for it."""
    folder = path.parent
    if path.is_dir():
        raise OutputError("a folder is already there", where=str(path), hint="-o names a file")
    if path.exists() and not force:
        raise OutputError("a file is already there", where=str(path), hint="--force replaces it")
    if not folder.is_dir():
        raise OutputError("its folder does not exist", where=str(path), hint=f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("its folder cannot be written", where=str(path), hint="-o chooses another")


def write_files(folder: Path, files: Sequence[tuple[str, bytes]], changed: Sequence[RewrittenFile] = ()) -> None:
    """Write ``files`` under ``folder``, and beside them the record of how those ``changed`` were rewritten."""
    try:
        for name, content in files:
            path = inside(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content)
        if lines := "".join(record.lines(file.name, file.after, file.changes) for file in changed):
            replace_file(folder / RECORD, lines.encode())
    except OSError as error:
        raise OutputError(f"cannot write: {error.strerror}", where=str(error.filename or folder)) from error


def replace_in_place(files: Sequence[RewrittenFile], *, recorded: bool = True) -> None:
    """Put each changed file where it was, with its mode and owner, and, if ``recorded``, the record beside it."""
    changed = [file for file in files if file.before != file.after]
    if any(file.path == "-" or "://" in file.path for file in files):
        raise UsageError("standard input cannot be replaced in place", hint="leave --in-place out")
    for file in changed:
        # Through a link, the file itself is replaced and the link stays.
        path = Path(file.path).resolve()
        try:
            status = path.stat()
            replace_file(path, file.after, mode=stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
            if recorded:
                log = path.parent / RECORD
                lines = record.lines(path.name, file.after, file.changes)
                replace_file(log, (log.read_bytes() if log.exists() else b"") + lines.encode())
        except OSError as error:
            raise OutputError(f"cannot write: {error.strerror}", where=file.path) from error


@contextmanager
def folder_for(folder: Path) -> Iterator[None]:
    """Make the output folder and see that it can be written, before any work is done for it; where the work then
    fails, what was made here and is empty goes again."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make this folder: {error.strerror}", where=str(folder), hint="--output chooses another"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("this folder cannot be written", where=str(folder), hint="--output chooses another")
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in missing:
                path.rmdir()
        raise


def inside(folder: Path, name: str) -> Path:
    """``folder/name``, refused if a link on the way leads out of ``folder``."""
    path = folder / name
    if not path.parent.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
        raise OutputError("a link leads out of the output folder", where=str(path))
    return path
