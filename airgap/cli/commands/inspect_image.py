# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect IMAGE``: what a registry has of an image, and its SBOMs."""

from __future__ import annotations

import os
import re

from airgap.cli.commands.images_signatures import attachment_lines, image_json
from airgap.cli.commands.inspect_sbom import SbomPrinter
from airgap.cli.printing import Styled, say, say_json
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import ConnectionOptions, open_registries
from airgap.errors import AirgapError, raise_all
from airgap.flows.image_signatures import ImageAttachments, find_attachments
from airgap.flows.images import FoundImages
from airgap.flows.sboms import find_image_sboms, read_sbom_from
from airgap.formatting import human, quoted
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.transfer import CancelToken, Context, Jobs

#: How bundles and their volumes are called: a misspelt one is no image.
_BUNDLE_NAME = re.compile(r"\.(tar|zst|age|[0-9]{3,})$")


def image_reference(argument: str) -> Reference | None:
    """Return the reference that an argument is, and ``None`` if it is a file, or looks like the name of one."""
    if argument == "-" or argument.startswith((".", "/", "~")) or os.path.lexists(argument):
        return None
    first, slash, _ = argument.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    has_tag = ":" in argument.rpartition("/")[2] or "@" in argument
    if _BUNDLE_NAME.search(argument) or not (has_registry or has_tag):
        return None
    try:
        return Reference.parse(argument)
    except AirgapError:
        return None


def inspect_image(
    reference: Reference, sbom: str | None, config: str | None, options: ConnectionOptions, *, as_json: bool
) -> None:
    """Print what is attached to an image, or with ``sbom`` its SBOM: the only one, or that with this digest.

    Raises :class:`NotFound` and what registries raise.
    """
    project = load_project(config)
    with open_display("auto") as emit, open_registries(project, options, emit) as registries:
        context = Context(Jobs.of(None), emit, CancelToken(registries.abort))
        found_images = FoundImages((), (reference,))
        if sbom is None:
            images, failures = find_attachments(found_images, registries, context, named=project.registries)
        else:
            sboms, source = find_image_sboms(found_images, registries, context, digest=sbom, named=project.registries)
            where = str(reference)
            hint = tr("airgap inspect {image} shows what is attached to it", image=quoted(where))
            example = f"airgap inspect {quoted(where)} --sbom"
            printer = SbomPrinter(sbom or where, where, example, tr("{name} has no SBOM", name=sbom or where), hint)
            printer.show(sboms, lambda one: read_sbom_from(source, one, where=where), as_json=as_json)
            return
    raise_all(failures)
    if as_json:
        say_json(_image_json(images[0]))
        return
    for image in images:
        say(Styled(image.reference, bold=True))
        say(f"  {image.digest}")
        platforms = ", ".join(map(str, image.platforms)) or tr("no platform")
        say(f"  {platforms}, {human(image.size)}")
        for line in attachment_lines(image):
            say(line)


def _image_json(image: ImageAttachments) -> dict[str, object]:
    return {**image_json(image), "platforms": list(map(str, image.platforms)), "size": image.size}
