# SPDX-License-Identifier: Apache-2.0
"""The SBOMs that a bundle carries with an image, found by its inventory and manifests alone, and read one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airgap import limits
from airgap.bundle import BundleReader
from airgap.errors import ContentMissing, NotFound, UsageError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.oci import Descriptor, Reference
from airgap.oci import digest as digests
from airgap.oci.manifest import Manifest, attested_digest
from airgap.oci.sboms import read_sbom, sbom_format
from airgap.records import Record
from airgap.store.readers import fetch


class Sbom(Record):
    """One SBOM. ``layer`` holds it, ``format`` is such as ``SPDX``, ``subject`` the digest of the image it is about."""

    layer: Descriptor
    format: str
    subject: str
    platform: str


def find_sboms(reader: BundleReader, name: str) -> list[Sbom]:
    """Return the SBOMs of an image, or the one with this digest. ``name`` is a reference or a digest.

    Raises :class:`NotFound` for what is not in the bundle, and :class:`UsageError` for what is no reference.
    """
    images = reader.inventory.images
    if digests.is_digest(name):
        roots = [image.descriptor.digest for image in images]
        known = {digest for root in roots for digest in (root, *reader.inventory.manifests_of(root))}
        sboms = [
            sbom
            for root in dict.fromkeys(roots)
            for sbom in _sboms_of(reader, root)
            if name in (root, sbom.subject, sbom.layer.digest)
        ]
    else:
        reference = Reference.parse(name)
        known = {image.descriptor.digest for image in images if image.reference == reference}
        sboms = [sbom for root in known for sbom in _sboms_of(reader, root)]
    if not sboms and (not known or (digests.is_digest(name) and name not in known)):
        raise NotFound(
            tr("{name} is not in this bundle", name=name),
            where=str(reader.path),
            hint=tr("airgap inspect {bundle} lists its images", bundle=quoted(str(reader.path))),
        )
    return list({sbom.layer.digest: sbom for sbom in sboms}.values())


def sbom_content(reader: BundleReader, sbom: Sbom) -> bytes:
    """Return the SBOM, verified. Raises :class:`ContentMissing` for a differential bundle without it."""
    where = f"{reader.path}: {sbom.layer.digest}"
    most = limits.value("download-bytes")
    if sbom.layer.size > most:
        raise UsageError(
            tr("this SBOM has {size:,} bytes; at most {most:,} are read", size=sbom.layer.size, most=most),
            where=where,
            hint=limits.hint("download-bytes"),
        )
    if not reader.exists(sbom.layer):
        raise ContentMissing(tr("the bundle does not have this SBOM, since the target has it already"), where=where)
    return read_sbom(sbom.layer, fetch(reader, sbom.layer, limit=most), where=where)


def _sboms_of(reader: BundleReader, root: str) -> Iterator[Sbom]:
    """The SBOMs of an image or index, of the images in it, and of its BuildKit attestations."""
    inventory = reader.inventory
    platforms: dict[str, str] = {}
    for digest in (root, *inventory.manifests_of(root)):
        manifest = reader.manifest(digest)
        platforms.update({child.digest: str(child.platform) for child in manifest.children if child.platform})
        for child in manifest.children:
            if (about := attested_digest(child)) and reader.exists(child):
                yield from _sboms_in(reader.manifest(child.digest), about, platforms)
    subjects: Sequence[str] = (root, *inventory.manifests_of(root))
    for referrer, subject in inventory.referrers.items():
        if subject in subjects:
            yield from _sboms_in(reader.manifest(referrer), subject, platforms)


def _sboms_in(manifest: Manifest, subject: str, platforms: dict[str, str]) -> Iterator[Sbom]:
    for layer in manifest.layers:
        if name := sbom_format(manifest, layer):
            yield Sbom(layer, name, subject, platforms.get(subject, ""))
