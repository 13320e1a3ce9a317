# SPDX-License-Identifier: Apache-2.0
"""``airgap hosts``: how nodes reach the target, and which registries it mirrors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airgap.config.airgap_yaml import ProjectSettings
from airgap.errors import BundleError, TargetError, UsageError
from airgap.i18n import tr
from airgap.nodes import MirroredRegistry, PullEndpoint, mirrored_registries
from airgap.oci import Reference
from airgap.records import replace
from airgap.registry.settings import RegistrySettings
from airgap.targets import Mapping, TargetAddress

if TYPE_CHECKING:
    from airgap.bundle import Receipt


def pull_endpoint(
    project: ProjectSettings, address: TargetAddress, *, plain_http: bool, insecure: bool, ca_file: str
) -> PullEndpoint:
    """Return how nodes reach the target, by the command line and then ``airgap.yaml``.

    Mirrors and ``endpoint`` of ``airgap.yaml`` are for this machine only. Raises :class:`UsageError` for a certificate
    that would not be used or is not one.
    """
    settings = replace(project.registries.get(address.registry, RegistrySettings()), mirror="", endpoint="")
    if plain_http or address.plain_http is not None:
        settings = replace(settings, plain_http=plain_http or address.plain_http)
    is_plain = settings.base_url(address.registry).startswith("http:")
    insecure = insecure or (settings.insecure and not ca_file)
    ca_path = ca_file or ("" if insecure or is_plain else settings.ca_file)
    if ca_path and (is_plain or insecure):
        what = tr("plain HTTP shows no certificate") if is_plain else tr("--insecure trusts any certificate")
        raise UsageError(
            tr("{what}, so there is nothing for --ca-file to do", what=what), hint=tr("leave one of them out")
        )
    return PullEndpoint(address.registry, is_plain, insecure, _read_certificates(ca_path) if ca_path else b"")


def mirrors_from_file(path: str, mapping: Mapping, *, policy: str | None) -> list[MirroredRegistry]:
    """Return what the target mirrors according to the bundle or receipt at ``path``.

    Raises :class:`TargetError` for the receipt of another target or a collision, :class:`BundleError` for a file of
    another kind, and :class:`UsageError` for a ``policy`` with a receipt.
    """
    from airgap.bundle import Inventory, Receipt, read_document
    from airgap.targets.import_plan import assignments_of

    document = read_document(path, unreadable=BundleError)
    content = document.content
    registry = mapping.address.registry
    if isinstance(content, Receipt):
        if policy:
            raise UsageError(tr("--mapping goes with a bundle: a receipt says itself what images are called"))
        return mirrored_registries(_receipt_images(path, content, registry), registry)
    if document.kind != "bundle" or not isinstance(content, Inventory):
        raise BundleError(tr("this is a {kind}; --from takes a bundle or a receipt", kind=document.kind), where=path)
    assignments = assignments_of(content, mapping)
    return mirrored_registries([(assignment.source, assignment.target) for assignment in assignments], registry)


def _read_certificates(path: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(tr("cannot read it: {strerror}", strerror=error.strerror), where=path) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise UsageError(
            tr("there is no certificate in PEM form in it"), where=path, hint="openssl x509 -in FILE -inform DER"
        )
    if b"PRIVATE KEY-----" in content:
        raise UsageError(
            tr("there is a private key in it, which no node may get"), where=path, hint=tr("give a certificate alone")
        )
    return content


def _receipt_images(path: str, receipt: Receipt, registry: str) -> list[tuple[Reference, Reference]]:
    """The (source, target) references of the images whose source is known."""
    images = [
        (Reference.parse(image.source), Reference.parse(image.target)) for image in receipt.images if image.source
    ]
    other_registries = {target.registry for _, target in images} - {registry}
    if other_registries:
        raise TargetError(
            tr(
                "this receipt is one of {other_registries}, not of {registry}",
                other_registries=", ".join(sorted(other_registries)),
                registry=registry,
            ),
            where=path,
            hint=tr("give the target that it was imported into, or the receipt of this one"),
        )
    return images
