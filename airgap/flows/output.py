# SPDX-License-Identifier: Apache-2.0
"""Writing what a flow made: never half a file, never over something else, never outside the folder."""

from __future__ import annotations

import json
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
    """Write ``files`` under ``folder``, and beside them the record of how those ``changed`` were rewritten."""
    try:
        for name, content in files:
            path = inside(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content)
        if changed:
            _note(folder / RECORD, [(file.name, file) for file in changed], on_top=False)
    except OSError as error:
        raise OutputError(f"cannot write: {error.strerror}", where=str(error.filename or folder)) from error


def check_in_place(files: Sequence[RewrittenFile]) -> None:
    """Raise :class:`UsageError` for what is no file."""
    if any(file.path == "-" or "://" in file.path for file in files):
        raise UsageError("standard input cannot be replaced in place", hint="leave --in-place out")


def replace_in_place(files: Sequence[RewrittenFile], *, recorded: bool = True) -> None:
    """Put each changed file where it was, with its mode and owner, and, if ``recorded``, the record beside it."""
    changed = [file for file in files if file.before != file.after]
    check_in_place(files)
    for file in changed:
        # Through a link, the file itself is replaced and the link stays.
        path = Path(file.path).resolve()
        try:
            status = path.stat()
            replace_file(path, file.after, mode=stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
            if recorded:
                _note(path.parent / RECORD, [(path.name, file)], on_top=True)
        except OSError as error:
            raise OutputError(f"cannot write: {error.strerror}", where=file.path) from error


def _note(log: Path, changed: Sequence[tuple[str, RewrittenFile]], *, on_top: bool) -> None:
    """Add to a record how files were rewritten: on top of what it says of them where they were changed again, in
    place of it where they were made anew."""
    new = "".join(record.lines(name, file.after, file.changes) for name, file in changed)
    if not new:
        return
    names = set() if on_top else {name for name, _ in changed}
    there = log.read_text(encoding="utf-8").split("\n") if log.exists() else []
    kept = "".join(f"{line}\n" for line in there if line and _name_in(line) not in names)
    replace_file(log, (kept + new).encode())


def _name_in(line: str) -> str | None:
    try:
        return str(json.loads(line)["name"])
    except (ValueError, KeyError, TypeError):
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
