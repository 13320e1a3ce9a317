# SPDX-License-Identifier: Apache-2.0
"""``airgap hosts``: the target as nodes reach it, and which images moved there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airgap.config.airgap_yaml import Project
from airgap.errors import BundleError, TargetError, UsageError
from airgap.nodes import Endpoint, Moved, moved_by
from airgap.oci import Reference
from airgap.records import replace
from airgap.registry.settings import RegistrySettings
from airgap.targets import Mapping, TargetAddress

if TYPE_CHECKING:
    from airgap.bundle import Receipt


def endpoint_of(
    project: Project, address: TargetAddress, *, plain_http: bool, insecure: bool, ca_file: str
) -> Endpoint:
    """The target as nodes reach it, by the command line and ``airgap.yaml``. Raises :class:`UsageError`."""
    entry = replace(project.registries.get(address.registry, RegistrySettings()), mirror="", endpoint="")
    if plain_http or address.plain_http is not None:
        entry = replace(entry, plain_http=plain_http or address.plain_http)
    plain = entry.base_url(address.registry).startswith("http:")
    insecure = insecure or (entry.insecure and not ca_file)
    file = ca_file or ("" if insecure or plain else entry.ca_file)
    if file and (plain or insecure):
        what = "plain HTTP shows no certificate" if plain else "--insecure trusts any certificate"
        raise UsageError(f"{what}, so there is nothing for --ca-file to do", hint="leave one of them out")
    return Endpoint(address.registry, plain, insecure, _certificates(file) if file else b"")


def moved_of(path: str, mapping: Mapping, *, policy: str | None) -> list[Moved]:
    """Which images a bundle holds, or a receipt says the target holds, and what they are called there.

    Raises :class:`TargetError` for another target's receipt or a collision, :class:`BundleError` for neither.
    """
    from airgap.bundle import Inventory, Receipt, read_document
    from airgap.targets.import_plan import assignments_of

    document = read_document(path, unreadable=BundleError)
    content = document.content
    if isinstance(content, Receipt):
        if policy:
            raise UsageError("--mapping goes with a bundle: a receipt says itself what images are called")
        return moved_by(_receipt(path, content, mapping.address.registry), mapping.address.registry)
    if document.kind != "bundle" or not isinstance(content, Inventory):
        raise BundleError(f"this is a {document.kind}; --from takes a bundle or a receipt", where=path)
    placed = [(one.source, one.target) for one in assignments_of(content, mapping)]
    return moved_by(placed, mapping.address.registry)


def _certificates(path: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read it: {error.strerror}", where=path) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise UsageError(
            "there is no certificate in PEM form in it", where=path, hint="openssl x509 -in FILE -inform DER"
        )
    if b"PRIVATE KEY-----" in content:
        raise UsageError(
            "there is a private key in it, which no node may get", where=path, hint="give a certificate alone"
        )
    return content


def _receipt(path: str, receipt: Receipt, registry: str) -> list[tuple[Reference, Reference]]:
    images = [
        (Reference.parse(image.source), Reference.parse(image.target)) for image in receipt.images if image.source
    ]
    others = {target.registry for _, target in images} - {registry}
    if others:
        raise TargetError(
            f"this receipt is one of {', '.join(sorted(others))}, not of {registry}",
            where=path,
            hint="give the target that it was imported into, or the receipt of this one",
        )
    return images
