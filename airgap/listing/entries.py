# SPDX-License-Identifier: Apache-2.0
"""What a bundle or a layout folder holds, as the entries of the page."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.artifacts.artifact import Artifact
from airgap.bundle import BundleReader
from airgap.bundle.image_sizes import image_sizes
from airgap.dossier.usage import sites_in, uses_of
from airgap.errors import AirgapError
from airgap.kube import NO_CUSTOM_RULES
from airgap.listing.commands import Line, artifact_lines, image_lines
from airgap.oci import Descriptor
from airgap.records import Record
from airgap.server.naming import MirrorNaming, split_name


class Entry(Record):
    """One thing that the server holds. ``kind`` is ``image``, ``resource``, or the name of a format.

    ``size`` is in bytes, all its parts together, 0 if it is not known. ``files`` are the resource files that name an
    image. ``lines`` fetch it.
    """

    kind: str
    name: str
    digest: str
    size: int = 0
    platforms: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()


def bundle_entries(bundle: BundleReader, artifacts: Mapping[str, Artifact]) -> list[Entry]:
    """Return the entries of a bundle: images, files by format, resource files. ``artifacts`` are by their path."""
    inventory = bundle.inventory
    naming, sizes = MirrorNaming(bundle.names()), image_sizes(inventory)
    users = _users(bundle)
    entries = []
    for image in inventory.images:
        digest, reference = image.descriptor.digest, image.reference
        if digest in inventory.incomplete:
            continue
        held = sizes.get(digest)
        identifier = reference.tag or digest
        entries.append(
            Entry(
                "image", str(reference), digest, held.total if held else 0, tuple(map(str, image.platforms)),
                tuple(users.get(str(reference), ())), image_lines(naming.public_name(reference.name), identifier),
            )
        )  # fmt: skip
    entries += [
        Entry(artifact.format, artifact.label, artifact.digest, artifact.size, lines=artifact_lines(artifact, path))
        for path, artifact in sorted(artifacts.items())
    ]
    entries += [Entry("resource", resource.name, resource.sha256) for resource in inventory.resources]
    return entries


def layout_entries(names: Mapping[str, Descriptor]) -> list[Entry]:
    """Return the entries of a layout folder: its tagged images."""
    entries = []
    for name, descriptor in sorted(names.items()):
        repository, identifier = split_name(name)
        if repository and ":" not in identifier:
            entries.append(Entry("image", name, descriptor.digest, lines=image_lines(repository, identifier)))
    return entries


def _users(bundle: BundleReader) -> dict[str, list[str]]:
    """The carried resource files that name each image."""
    try:
        files = [(resource.name, bundle.member(resource.member)) for resource in bundle.inventory.resources]
    except AirgapError:  # a damaged file does not keep the page away
        return {}
    uses = uses_of(sites_in(files, NO_CUSTOM_RULES))
    return {reference: list(dict.fromkeys(use.file for use in found)) for reference, found in uses.items()}
