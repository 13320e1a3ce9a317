# SPDX-License-Identifier: Apache-2.0
"""The resource files that a bundle carries, and the names of those that were not read."""

from __future__ import annotations

from airgap.bundle import Resource
from airgap.bundle.inventory_entries import SkippedName
from airgap.events import Sink, Warned
from airgap.flows.images import FoundImages
from airgap.flows.steps.secret_objects import secret_locations
from airgap.i18n import tr


def carried_resources(found_images: FoundImages, emit: Sink) -> list[Resource]:
    """Every file that was read; standard input and the answers of a cluster are no files.

    A Secret in one of them is a warning with its file and line.
    """
    for place in secret_locations(file for file, _ in found_images.files):
        emit(
            Warned(
                tr(
                    "{place}: a Secret travels in the bundle as it stands; --no-resources leaves resource files out",
                    place=place,
                )
            )
        )
    return [Resource(file.name, file.content) for file, _ in found_images.files if file.carried]


def skipped_names(found_images: FoundImages) -> list[SkippedName]:
    """The files that were not read, with the reason, as text that UTF-8 can encode."""
    return [
        SkippedName(*(text.encode(errors="backslashreplace").decode() for text in (item.name, item.why)))
        for item in found_images.skipped
    ]
