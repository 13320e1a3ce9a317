# SPDX-License-Identifier: Apache-2.0
"""A folder beside an output in which a command keeps what is finished until the whole output is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap.durable.files import writing


@contextmanager
def resumable_folder(folder: Path, *, restart: bool) -> Iterator[Path]:
    """Make ``folder`` for the block and remove it afterwards. If the block fails, it is kept for the next run, unless
    there is no file in it. ``restart`` removes what an earlier run left.

    Raises :class:`airgap.errors.OutputError` if it cannot be made.
    """
    if restart:
        shutil.rmtree(folder, ignore_errors=True)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    try:
        yield folder
    except BaseException:
        if not any(path.is_file() for path in folder.rglob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
