# SPDX-License-Identifier: Apache-2.0
"""What a file that is missing or cannot be read means for the user: one rule for every command and argument."""

from __future__ import annotations

import errno
import os

from airgap.errors import UsageError
from airgap.formatting import quoted
from airgap.i18n import tr

_DAMAGED = tr("the medium is damaged; copy the bundle once more to another one")


def missing_file(path: str | os.PathLike[str], *, hint: str | None = None) -> UsageError:
    """Return the error for a path that the user gave and that does not exist.

    Its hint is a file of the same folder with a similar name, else ``hint``, else where the path was looked for.
    """
    text = os.fspath(path)
    similar = _similar_file(text)
    if similar:
        hint = tr("did you mean {similar}?", similar=quoted(similar))
    return UsageError(tr("there is no such file or folder"), where=text, hint=hint or _place_hint(text))


def require_file(path: str | os.PathLike[str], *, hint: str | None = None) -> None:
    """Raise :func:`missing_file` if nothing is at ``path``."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path, hint=hint) from None
    except OSError:
        return  # opening it tells more


def read_hint(error: OSError, path: str | os.PathLike[str]) -> str | None:
    """Return what the user can do about a local file that cannot be read; ``None`` if there is nothing to say."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return tr("run airgap as a user who may read it; ls -ld {fspath} shows who may", fspath=quoted(path))
    return _DAMAGED if error.errno == errno.EIO else None


def _similar_file(path: str) -> str | None:
    import difflib

    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return None
    without_suffix = [other for other in names if os.path.splitext(other)[0] == name]
    similar = without_suffix[:1] or difflib.get_close_matches(name, names, 1, 0.8)
    return os.path.join(folder, similar[0]) if similar else None


def _place_hint(path: str) -> str:
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        return tr("the folder {folder} does not exist either", folder=quoted(folder))
    if os.path.isabs(path):
        return tr("ls {folder} shows what is there", folder=quoted(folder))
    return tr("a relative path begins at the working folder, which is {getcwd}", getcwd=quoted(os.getcwd()))
