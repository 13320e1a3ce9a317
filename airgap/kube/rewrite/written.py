# SPDX-License-Identifier: Apache-2.0
"""What an earlier import wrote into an output folder, by the log, and whether anybody has changed it since.

A release that is imported over another one replaces the files of that one, and removes those that it does not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from airgap.durable import locked_folder
from airgap.durable.files import output_error
from airgap.durable.output import inside, is_free
from airgap.errors import OutputError, raise_all
from airgap.i18n import tr
from airgap.kube.rewrite.log import REWRITE_LOG, LogEntry, forget_files, read_log

_HINT = tr("--force replaces it; --output chooses another folder")


def check_replaceable(folder: Path, files: Sequence[tuple[str, bytes]], *, force: bool) -> list[str]:
    """Check that nobody has changed what ``files`` (name and content) of another version replace in ``folder``.

    Return the names of files that an import wrote, that nobody has changed, and that are not among ``files``: they go.
    Raises :class:`OutputError` for each file that was changed, unless ``force``, and what
    :func:`airgap.kube.rewrite.log.read_log` raises.
    """
    written = _written_files(folder)
    errors = []
    for name, content in files:
        path = inside(folder, name)
        present = _content(path)
        if present is None or present == content:
            continue
        if name not in written:
            errors.append(
                OutputError(tr("a file that airgap did not write is already there"), where=str(path), hint=_HINT)
            )
        elif not _is_unmodified(present, written[name]):
            errors.append(OutputError(tr("this file was changed since airgap wrote it"), where=str(path), hint=_HINT))
    stale = []
    for name in sorted(written.keys() - {name for name, _ in files}):
        path = inside(folder, name)
        present = _content(path)
        if present is None or not any(entry.bundle for entry in written[name]):
            continue
        if _is_unmodified(present, written[name]):
            stale.append(name)
        else:
            errors.append(
                OutputError(
                    tr("this file was changed since airgap wrote it, and is no part of the version that is imported"),
                    where=str(path),
                    hint=tr("move it away; --force leaves it where it is"),
                )
            )
    if not force:
        raise_all(errors)
    return stale


def remove_files(folder: Path, names: Collection[str]) -> None:
    """Remove the files ``names`` of ``folder`` that nobody has changed, and their lines of the log.

    Raises :class:`OutputError`.
    """
    if not names:
        return
    with locked_folder(folder):
        written = _written_files(folder)
        removed = []
        for name in names:
            path = inside(folder, name)
            content = _content(path)
            if content is None or not _is_unmodified(content, written.get(name, [])):
                continue
            try:
                path.unlink()
            except OSError as error:
                raise output_error(error, path) from error
            removed.append(name)
        forget_files(folder / REWRITE_LOG, removed)


def _written_files(folder: Path) -> dict[str, list[LogEntry]]:
    """The lines of the log by file; none without a log."""
    log = folder / REWRITE_LOG
    written: dict[str, list[LogEntry]] = {}
    for entry in read_log(log) if log.is_symlink() or log.exists() else ():
        written.setdefault(entry.name, []).append(entry)
    return written


def _is_unmodified(content: bytes, entries: Sequence[LogEntry]) -> bool:
    """Whether the content is what one of the runs wrote."""
    digest = hashlib.sha256(content).hexdigest()
    return any(entry.sha256 == digest for entry in entries)


def _content(path: Path) -> bytes | None:
    """The content of a file; ``None`` if there is none. Raises :class:`OutputError` for what is no file."""
    if not is_free(path):
        raise OutputError(tr("something that is no file is already there"), where=str(path), hint=_HINT)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise output_error(error, path) from error
