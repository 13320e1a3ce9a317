# SPDX-License-Identifier: Apache-2.0
"""``airgap hosts``: the target as nodes reach it, and which images moved there."""

from __future__ import annotations

import json
from pathlib import Path

from airgap.errors import AirgapError, BundleError, TargetError, UsageError
from airgap.flows.project import Project
from airgap.nodes import Endpoint, Moved, moved_by
from airgap.oci import Reference
from airgap.records import replace
from airgap.registry.settings import RegistrySettings
from airgap.target import Mapping, TargetAddress


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
    try:
        with open(path, "rb") as file:
            is_receipt = file.read(1) == b"{"
    except OSError as error:
        raise BundleError(f"cannot read it: {error.strerror}", where=path) from error
    if is_receipt:
        if policy:
            raise UsageError("--mapping goes with a bundle: a receipt says itself what images are called")
        return moved_by(_receipt(path, mapping.address.registry), mapping.address.registry)
    from airgap.bundle import BundleReader
    from airgap.flows.contents import assignments_of

    with BundleReader(path) as bundle:
        placed = [(one.source, one.target) for one in assignments_of(bundle, mapping)]
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


def _receipt(path: str, registry: str) -> list[tuple[Reference, Reference]]:
    try:
        document = json.loads(Path(path).read_bytes())
        images = [
            (Reference.parse(one["source"]), Reference.parse(one["target"]))
            for one in document["images"]
            if one["source"]
        ]
        known = document["format"] == 1
    except (AirgapError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"this receipt is unreadable ({error})", where=path) from error
    if not known:
        raise BundleError(f"this receipt has the format {document['format']}, and airgap knows 1", where=path)
    others = {target.registry for _, target in images} - {registry}
    if others:
        raise TargetError(
            f"this receipt is one of {', '.join(sorted(others))}, not of {registry}",
            where=path,
            hint="give the target that it was imported into, or the receipt of this one",
        )
    return images
