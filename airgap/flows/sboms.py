# SPDX-License-Identifier: Apache-2.0
"""The SBOMs of an image, in a bundle or at a registry: found by manifests alone, and read one at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from airgap import limits
from airgap.bundle import BundleReader
from airgap.errors import ContentMissing, NotFound, UsageError, raise_all
from airgap.flows.image_signatures import attaching
from airgap.flows.images import FoundImages
from airgap.flows.steps.resolve import resolve_images
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.oci import Descriptor, Reference
from airgap.oci import digest as digests
from airgap.oci.manifest import Manifest, attested_digest
from airgap.oci.sboms import read_sbom, sbom_format
from airgap.records import Record
from airgap.registry import Registries
from airgap.store.protocols import Source
from airgap.store.readers import fetch
from airgap.transfer import Context


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
    if not reader.exists(sbom.layer):
        where = f"{reader.path}: {sbom.layer.digest}"
        raise ContentMissing(tr("the bundle does not have this SBOM, since the target has it already"), where=where)
    return read_sbom_from(reader, sbom, where=str(reader.path))


def find_image_sboms(
    found_images: FoundImages, registries: Registries, context: Context, *, digest: str, named: Collection[str]
) -> tuple[list[Sbom], Source]:
    """Return the SBOMs that a registry has of one image, and where they are read.

    With a ``digest`` only those with it, or of an image with it. Raises :class:`NotFound` for an unknown digest.
    """
    resolved = resolve_images(found_images, registries, context, referrers=True, named=named)
    plan = resolved.plan
    raise_all([error for _, error in plan.failures])
    platforms = {
        child.digest: str(child.platform)
        for manifest in plan.manifests.values()
        for child in manifest.children
        if child.platform
    }
    sboms = [
        sbom
        for image in plan.images
        for manifest, subject in attaching(plan, image)
        for sbom in _sboms_in(manifest, subject, platforms)
    ]
    source = resolved.sources[plan.images[0].root.source]
    if digest:
        sboms = [sbom for sbom in sboms if digest in (sbom.subject, sbom.layer.digest)]
        if not sboms and digest not in plan.manifests:
            label = plan.images[0].root.label
            raise NotFound(
                tr("nothing with the digest {digest} belongs to this image", digest=digest),
                where=label,
                hint=tr("airgap inspect {image} --sbom lists its SBOMs", image=quoted(label)),
            )
    return list({sbom.layer.digest: sbom for sbom in sboms}.values()), source


def read_sbom_from(source: Source, sbom: Sbom, *, where: str) -> bytes:
    """Read an SBOM, verified. Raises :class:`UsageError` for one that is too large."""
    where = f"{where}: {sbom.layer.digest}"
    most = limits.value("download-bytes")
    if sbom.layer.size > most:
        raise UsageError(
            tr("this SBOM has {size:,} bytes; at most {most:,} are read", size=sbom.layer.size, most=most),
            where=where,
            hint=limits.hint("download-bytes"),
        )
    return read_sbom(sbom.layer, fetch(source, sbom.layer, limit=most), where=where)


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
