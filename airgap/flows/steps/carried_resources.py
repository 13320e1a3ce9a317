# SPDX-License-Identifier: Apache-2.0
"""The resource files that a bundle carries."""

from __future__ import annotations

from airgap.bundle import Resource
from airgap.events import Sink, Warned
from airgap.flows.images import FoundImages
from airgap.flows.steps.secret_objects import secret_locations
from airgap.i18n import tr


def carried_resources(found_images: FoundImages, emit: Sink) -> list[Resource]:
    """Every file that was read, except standard input. A Secret in one of them is a warning with its file and line."""
    for place in secret_locations(file for file, _ in found_images.files):
        emit(
            Warned(
                tr(
                    "{place}: a Secret travels in the bundle as it stands; --no-resources leaves resource files out",
                    place=place,
                )
            )
        )
    return [Resource(file.name, file.content) for file, _ in found_images.files if file.path != "-"]
