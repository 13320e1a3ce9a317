# SPDX-License-Identifier: Apache-2.0
"""The places where output goes: checked before any work is done, never outside the given folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from airgap.durable.files import new_file_mode, output_error, replace_file
from airgap.errors import OutputError
from airgap.formatting import quoted
from airgap.i18n import tr

_ELSEWHERE = tr("--output chooses another folder")


def check_free(folder: Path, files: Iterable[tuple[str, bytes]], *, force: bool) -> None:
    """Raise :class:`OutputError` for the first file that exists with other content, before anything is written."""
    for name, content in files:
        path = inside(folder, name)
        if not is_free(path):
            raise OutputError(tr("something that is no file is already there"), where=str(path), hint=_ELSEWHERE)
        try:
            same = force or not path.exists() or path.read_bytes() == content
        except OSError as error:
            raise OutputError(
                tr("cannot be read: {strerror}", strerror=error.strerror), where=str(path), hint=_ELSEWHERE
            ) from error
        if not same:
            raise OutputError(
                tr("a file with other content is already there"),
                where=str(path),
                hint=tr("--force replaces it; {elsewhere}", elsewhere=_ELSEWHERE),
            )


def write_files(folder: Path, files: Sequence[tuple[str, bytes]], *, executable: bool = False) -> None:
    """Write each of ``files`` (name and content) below ``folder``, whole. Raises :class:`OutputError`.

    ``executable`` allows those to run them whom the umask lets read them.
    """
    mode = new_file_mode()
    if executable:
        mode |= (mode & 0o444) >> 2
    for path, content in [(inside(folder, name), content) for name, content in files]:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content, mode=mode)
        except OSError as error:
            raise output_error(error, Path(error.filename or path)) from error


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole. Raises :class:`OutputError`."""
    try:
        replace_file(path, content, mode=0o600)
    except OSError as error:
        raise output_error(error, path) from error


def check_file_name(path: Path, *, option: str = "-o") -> None:
    """Raise :class:`OutputError` for a folder, and for ``/``, ``.`` and ``..``, which can be nothing else."""
    if not path.name or path.name == ".." or path.is_dir():
        raise OutputError(
            tr("a folder is already there"), where=str(path), hint=tr("{option} names a file", option=option)
        )


def check_place(path: Path, *, force: bool, option: str = "-o") -> None:
    """Raise :class:`OutputError` where a file cannot be put at ``path``, before any work is done for it."""
    folder = path.parent
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OutputError(
            tr("no file can be here: {strerror}", strerror=error.strerror), where=str(path)[:200]
        ) from error
    check_file_name(path, option=option)
    if path.is_symlink():
        raise OutputError(
            tr("a link is already there"), where=str(path), hint=tr("{option} names the file itself", option=option)
        )
    if not is_free(path):
        raise OutputError(
            tr("something that is no file is already there"),
            where=str(path),
            hint=tr("{option} names another", option=option),
        )
    if path.exists() and not force:
        raise OutputError(tr("a file is already there"), where=str(path), hint=tr("--force replaces it"))
    if not folder.is_dir():
        raise OutputError(
            tr("its folder does not exist"), where=str(path), hint=tr("mkdir -p {folder}", folder=quoted(folder))
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            tr("its folder cannot be written"), where=str(path), hint=tr("{option} chooses another", option=option)
        )


def is_free(path: Path) -> bool:
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
            tr("cannot make this folder: {strerror}", strerror=error.strerror),
            where=str(folder),
            hint=tr("--output chooses another"),
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(tr("this folder cannot be written"), where=str(folder), hint=tr("--output chooses another"))
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
        raise OutputError(tr("a link leads out of the output folder"), where=str(path))
    return path
