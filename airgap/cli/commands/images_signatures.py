# SPDX-License-Identifier: Apache-2.0
"""``airgap images --signatures``: prints what the registries have attached to each image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airgap.cli.printing import Styled, say, say_json
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import ProjectSettings
from airgap.config.connections import ConnectionOptions, open_registries
from airgap.errors import raise_all
from airgap.flows.image_signatures import Attachment, ImageAttachments, find_attachments
from airgap.flows.images import FoundImages
from airgap.i18n import tr
from airgap.transfer import CancelToken, Context, Jobs


def print_signatures(
    found_images: FoundImages,
    project: ProjectSettings,
    options: ConnectionOptions,
    jobs: int | None,
    progress: str,
    *,
    as_json: bool,
) -> None:
    """Print what is attached to each image. Raises the errors of images that could not be asked for, at the end."""
    with open_display(progress) as emit, open_registries(project, options, emit) as registries:
        context = Context(Jobs.of(jobs), emit, CancelToken(registries.abort))
        images, failures = find_attachments(found_images, registries, context, named=project.registries)
    if as_json:
        say_json([image_json(image) for image in images])
    else:
        _print_images(images)
    raise_all(failures)


def _print_images(images: Sequence[ImageAttachments]) -> None:
    for image in images:
        say(Styled(image.reference, bold=True))
        for line in attachment_lines(image):
            say(line)


def attachment_lines(image: ImageAttachments) -> Iterator[str]:
    """Return a line for each thing that is attached, or one that there is nothing."""
    for attachment in image.attachments:
        about = tr(", of {digest}", digest=attachment.subject[:19]) if attachment.subject != image.digest else ""
        yield f"  {_kind(attachment)}{_signer(attachment)}{about}"
    if not image.attachments:
        yield tr("  nothing: no signature, attestation or SBOM")


def _kind(attachment: Attachment) -> str:
    kind, details = attachment.what.kind, attachment.what.type
    if kind == "signature":
        return tr("signature ({program})", program=details)
    if kind == "attestation":
        return tr("attestation {type}", type=details)
    return tr("SBOM {format}", format=details) if kind == "sbom" else details


def _signer(attachment: Attachment) -> str:
    signer = attachment.signer
    if signer is not None and signer.issuer:
        return tr(", as {identity} (by {issuer}; not verified)", identity=signer.identity, issuer=signer.issuer)
    if signer is not None:
        return tr(", as {identity} (not verified)", identity=signer.identity)
    if attachment.what.certificate:
        return tr(", with a certificate that cannot be read here")
    cosign = attachment.what.kind == "signature" and attachment.what.type == "cosign"
    return tr(", with a key that it does not name") if cosign else ""


def image_json(image: ImageAttachments) -> dict[str, object]:
    """Return what is attached to an image as JSON."""
    return {
        "image": image.reference,
        "digest": image.digest,
        "attached": [
            {
                "kind": attachment.what.kind,
                "type": attachment.what.type,
                "digest": attachment.manifest,
                "subject": attachment.subject,
                "identity": attachment.signer.identity if attachment.signer else None,
                "issuer": attachment.signer.issuer or None if attachment.signer else None,
                "verified": False,
            }
            for attachment in image.attachments
        ],
    }
