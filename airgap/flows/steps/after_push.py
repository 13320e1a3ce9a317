# SPDX-License-Identifier: Apache-2.0
"""What an import writes once its images are pushed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airgap.errors import OutputError
from airgap.i18n import tr


@contextmanager
def images_are_pushed() -> Iterator[None]:
    """Let an :class:`OutputError` of the block say that the images need not be pushed again."""
    try:
        yield
    except OutputError as error:
        error.hint = tr(
            "the images are pushed already: free space, or choose another folder with --output, and run it again"
        )
        raise
