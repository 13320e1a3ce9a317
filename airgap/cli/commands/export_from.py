# SPDX-License-Identifier: Apache-2.0
"""Opens the places of ``export --from``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.oci import Reference

if TYPE_CHECKING:
    from airgap.store.local.base import LocalImages


@contextmanager
def open_at_hand(locations: Sequence[str]) -> Iterator[list[LocalImages]]:
    """Open all places in the given order. Raises :class:`UsageError` for one that is given twice."""
    if not locations:
        yield []
        return
    from airgap.store.local.locations import open_images

    with ExitStack() as stack:
        opened: dict[str, LocalImages] = {}
        for location in locations:
            images = open_images(location)
            stack.callback(images.close)
            if images.label in opened:
                raise UsageError(tr("this place is given twice"), where=location)
            opened[images.label] = images
        yield list(opened.values())


def every_image(at_hand: Sequence[LocalImages]) -> list[Reference]:
    """Return all images by their references. Raises :class:`UsageError` if none has a name."""
    references = {Reference.parse(name): None for images in at_hand for name in images.named}
    if not references:
        raise UsageError(
            tr("no image in it has a name"),
            where=at_hand[0].label,
            hint=tr("name the image: --from {label}:docker.io/library/NAME:TAG", label=at_hand[0].label),
        )
    return list(references)
