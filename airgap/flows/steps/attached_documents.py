# SPDX-License-Identifier: Apache-2.0
"""Reads the documents that ``export --attach`` names."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from airgap import limits
from airgap.bundle.attached import attached_name_problem
from airgap.durable import missing_file, read_hint
from airgap.errors import UsageError
from airgap.formatting import counted
from airgap.i18n import tr


def read_attached(paths: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return name and content of each file, in the order in which they are given.

    Raises :class:`UsageError` for what is no regular file, for two of one name, and past ``attached-files`` or
    ``attached-bytes``.
    """
    most = limits.value("attached-files")
    if len(paths) > most:
        raise UsageError(
            tr("{count}; at most {most} are attached", count=counted(len(paths), "file"), most=most),
            hint=limits.hint("attached-files"),
        )
    documents: dict[str, bytes] = {}
    left = limits.value("attached-bytes")
    for path in paths:
        name = Path(path).name
        if reason := attached_name_problem(name):
            raise UsageError(
                tr("the file name {reason}", reason=reason),
                where=path,
                hint=tr("copy it to another name, and attach that"),
            )
        if name in documents:
            raise UsageError(
                tr("another attached file is also called {name}", name=name), where=path,
                hint=tr("copy it to another name, and attach that"),
            )  # fmt: skip
        documents[name] = _read(path, left)
        left -= len(documents[name])
    return list(documents.items())


def _read(path: str, left: int) -> bytes:
    """Return a file of at most ``left`` bytes."""
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(tr("is no regular file"), where=path, hint=tr("copy it into a file"))
            content = file.read(left + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path) from None
    except IsADirectoryError:
        raise UsageError(tr("is a folder; --attach takes files"), where=path) from None
    except OSError as error:
        raise UsageError(
            tr("cannot be read: {strerror}", strerror=error.strerror), where=path, hint=read_hint(error, path)
        ) from error
    if len(content) > left:
        raise UsageError(
            tr("all attached files together have more than {most:,} bytes", most=limits.value("attached-bytes")),
            where=path,
            hint=limits.hint("attached-bytes"),
        )
    return content
