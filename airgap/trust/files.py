# SPDX-License-Identifier: Apache-2.0
"""Reads the small files of this room: keys, signatures and certificates."""

from __future__ import annotations

import os
import stat

from airgap.durable import missing_file, read_hint
from airgap.errors import UsageError
from airgap.i18n import tr


def read_small_file(path: str | os.PathLike[str], limit: int) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes. Raises :class:`UsageError`."""
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path) from None
    except OSError as error:
        raise _unreadable(error, path) from error
    with open(fd, "rb", buffering=0) as file:
        try:
            is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
            content = file.read(limit + 1) or b"" if is_regular else b""
        except OSError as error:
            raise _unreadable(error, path) from error
    if not is_regular or len(content) > limit:
        raise UsageError(
            tr("this is no key, signature or certificate: it is no file of at most {limit:,} bytes", limit=limit),
            where=os.fspath(path),
        )
    return content


def _unreadable(error: OSError, path: str | os.PathLike[str]) -> UsageError:
    return UsageError(
        tr("cannot read it: {strerror}", strerror=error.strerror), where=os.fspath(path), hint=read_hint(error, path)
    )
