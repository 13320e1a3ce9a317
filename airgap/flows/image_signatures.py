# SPDX-License-Identifier: Apache-2.0
"""``airgap images --signatures``: asks the registries what is attached to each image, and reads who signed it.

Nothing is verified: a registry may list anything. A key cannot be told from a signature; a certificate names somebody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airgap.dossier.signers import signer_of
from airgap.errors import AirgapError
from airgap.flows.images import FoundImages
from airgap.flows.steps.resolve import resolve_images
from airgap.oci import Platform
from airgap.oci.attached import Attached, attached
from airgap.oci.manifest import Manifest, attested_digest
from airgap.records import Record
from airgap.registry import Registries
from airgap.transfer import Context, Plan
from airgap.transfer.graph import Image
from airgap.transfer.pool import parallel_map
from airgap.trust.keyless import Signer


class Attachment(Record):
    """One thing that is attached. ``manifest`` is the digest of what has it, ``subject`` that of what it is about.

    ``signer`` is whom a certificate names, ``None`` if there is none.
    """

    what: Attached
    manifest: str
    subject: str
    signer: Signer | None


class ImageAttachments(Record):
    """An image, its ``digest``, and what is attached to it or to an image in it. ``size`` is in bytes."""

    reference: str
    digest: str
    attachments: Sequence[Attachment]
    platforms: Sequence[Platform]
    size: int


def find_attachments(
    found_images: FoundImages, registries: Registries, context: Context, *, named: Collection[str]
) -> tuple[list[ImageAttachments], list[AirgapError]]:
    """Ask for what is attached to each image. Returns the failures of images beside what was found."""
    resolved = resolve_images(found_images, registries, context, referrers=True, named=named)
    plan = resolved.plan
    work = [
        (resolved.sources[image.root.source], manifest, subject)
        for image in plan.images
        for manifest, subject in attaching(plan, image)
    ]
    results = parallel_map(
        work,
        lambda item: [
            Attachment(what, item[1].descriptor.digest, item[2], signer_of(item[0], what)) for what in attached(item[1])
        ],
        workers=context.jobs.control,
        cancel=context.cancel,
    )
    found = [attachment for result in results if not isinstance(result, AirgapError) for attachment in result]
    images = [image for image in plan.images if not image.referrer_of]
    return [_of_image(plan, image, found) for image in images], [error for _, error in plan.failures]


def _of_image(plan: Plan, image: Image, found: Sequence[Attachment]) -> ImageAttachments:
    subjects = {manifest.descriptor.digest for manifest in plan.closure(image)}
    of_image: list[Attachment] = []
    for attachment in found:  # a signature of a signature follows it
        if attachment.subject in subjects and attachment not in of_image:
            of_image.append(attachment)
            subjects.add(attachment.manifest)
    closure = plan.closure(image)
    sizes = {blob.digest: blob.size for manifest in closure for blob in (manifest.descriptor, *manifest.blobs)}
    return ImageAttachments(image.root.label, image.digest, of_image, image.platforms, sum(sizes.values()))


def attaching(plan: Plan, image: Image) -> list[tuple[Manifest, str]]:
    """Return the manifests that attach something, each with its subject.

    That is a referrer itself, and of other images what BuildKit adds.
    """
    if image.referrer_of:
        return [(image.manifest, image.referrer_of)]
    return [
        (plan.manifests[child.digest], subject)
        for manifest in plan.closure(image)
        for child in manifest.children
        if (subject := attested_digest(child)) and child.digest in plan.manifests
    ]
