# SPDX-License-Identifier: Apache-2.0
"""Writing what a flow made: never half a file, never over something else, never outside the folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from airgap.durable import replace_file
from airgap.errors import BundleError, OutputError, UsageError
from airgap.flows import record
from airgap.flows.record import RECORD
from airgap.flows.rewrite import RewrittenFile

_ELSEWHERE = "--output chooses another folder"


def check_free(folder: Path, files: Iterable[tuple[str, bytes]], *, force: bool) -> None:
    """Raise :class:`OutputError` for the first file that exists with other content, before anything is written."""
    for name, content in files:
        path = inside(folder, name)
        if not _is_free(path):
            raise OutputError("something that is no file is already there", where=str(path), hint=_ELSEWHERE)
        try:
            same = force or not path.exists() or path.read_bytes() == content
        except OSError as error:
            raise OutputError(f"cannot be read: {error.strerror}", where=str(path), hint=_ELSEWHERE) from error
        if not same:
            raise OutputError(
                "a file with other content is already there",
                where=str(path),
                hint=f"--force replaces it; {_ELSEWHERE}",
            )


def check_receipt(path: Path, folder: Path, names: Iterable[str], *, force: bool) -> None:
    """Raise :class:`OutputError` where the receipt would replace something else, before anything is pushed."""
    resolved = path.resolve()
    if any(resolved == (folder / name).resolve() for name in (*names, RECORD)):
        raise OutputError("the receipt would replace a rewritten file", where=str(path), hint="--receipt names another")
    there = next(parent for parent in resolved.parents if parent.exists())
    if path.is_dir() or not _is_free(path) or not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise OutputError("the receipt cannot be written here", where=str(path), hint="--receipt names another place")
    if path.exists() and not force and not _is_receipt(path):
        raise OutputError(
            "a file that is no receipt is already there",
            where=str(path),
            hint="--force replaces it; --receipt names another",
        )


def check_place(path: Path, *, force: bool, option: str = "-o") -> None:
    """Raise :class:`OutputError` where a file cannot be put at ``path``, before any work is done for it."""
    folder = path.parent
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OutputError(f"no file can be here: {error.strerror}", where=str(path)[:200]) from error
    if path.is_dir():
        raise OutputError("a folder is already there", where=str(path), hint=f"{option} names a file")
    if path.is_symlink():
        raise OutputError("a link is already there", where=str(path), hint=f"{option} names the file itself")
    if not _is_free(path):
        raise OutputError("something that is no file is already there", where=str(path), hint=f"{option} names another")
    if path.exists() and not force:
        raise OutputError("a file is already there", where=str(path), hint="--force replaces it")
    if not folder.is_dir():
        raise OutputError("its folder does not exist", where=str(path), hint=f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("its folder cannot be written", where=str(path), hint=f"{option} chooses another")


def write_files(folder: Path, files: Sequence[tuple[str, bytes]], changed: Sequence[RewrittenFile] = ()) -> None:
    """Write ``files`` under ``folder``, after the record of how those ``changed`` were rewritten."""
    try:
        places = [(inside(folder, name), content) for name, content in files]
        _note(folder, changed)
        for path, content in places:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content)
        _note(folder, changed)
    except OSError as error:
        raise OutputError(f"cannot write: {error.strerror}", where=str(error.filename or folder)) from error


def check_record(folder: Path) -> None:
    """Raise :class:`ResourceError` where a record that cannot be read is in the way of the new one."""
    if (folder / RECORD).exists():
        record.read(folder / RECORD)


def check_in_place(files: Sequence[RewrittenFile]) -> None:
    """Raise :class:`UsageError` for what is no file."""
    if any(file.path == "-" or "://" in file.path for file in files):
        raise UsageError("standard input cannot be replaced in place", hint="leave --in-place out")


def replace_in_place(files: Sequence[RewrittenFile], *, recorded: bool = True) -> None:
    """Replace each changed file, keeping its mode and owner. If ``recorded``, the record in its folder is written
    first."""
    check_in_place(files)
    # A link stays: the file that it leads to is replaced.
    changed = {Path(file.path).resolve(): file for file in files if file.before != file.after}
    for folder in dict.fromkeys(path.parent for path in changed):
        members = {path: file for path, file in changed.items() if path.parent == folder}
        if recorded:
            noted = [(path.name, file, file.before) for path, file in members.items()]
            record.note(folder / RECORD, noted, first=False)
        for path, file in members.items():
            try:
                status = path.stat()
                replace_file(path, file.after, mode=stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
            except OSError as error:
                raise OutputError(f"cannot write: {error.strerror}", where=file.path) from error


def _note(folder: Path, changed: Sequence[RewrittenFile]) -> None:
    if changed:
        files = [(file.name, file, _content(folder / file.name)) for file in changed]
        record.note(folder / RECORD, files, first=True)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _is_receipt(path: Path) -> bool:
    from airgap.bundle import read_json_document

    try:
        document = read_json_document(path)
    except (BundleError, UsageError):
        return False
    return document is not None and document.kind == "receipt"


def _is_free(path: Path) -> bool:
    """Whether nothing or a regular file is there: devices, pipes and sockets are nobody's to replace."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False


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
