# SPDX-License-Identifier: Apache-2.0
"""``airgap scan``: gives everything in a bundle to an engine, file by file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import TextIO

from airgap import limits
from airgap.bundle import BundleReader, Inventory
from airgap.bundle.inventory import INVENTORY_MEMBER
from airgap.dossier.layers import is_encrypted, is_layer
from airgap.dossier.scanning.engine import Engine, EngineIdentity
from airgap.dossier.scanning.findings import Findings
from airgap.dossier.scanning.result import ScanResult
from airgap.dossier.scanning.scanner import Scanner
from airgap.dossier.scanning.verdicts import Verdicts
from airgap.dossier.streams import BUFFER, BlobStream, Stream
from airgap.events import BlobDone, BlobStarted, Planned
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.readers import BytesReader
from airgap.transfer import Context, Meter
from airgap.transfer.crew import Crew


def scan(
    bundle: BundleReader, engine: Engine, identity: EngineIdentity, verdicts: Verdicts, context: Context,
    listing: TextIO | None = None,
) -> ScanResult:  # fmt: skip
    """Scan the members and blobs of a bundle, in the order in which they lie in it. Each is verified on the way.

    ``listing`` gets the verdict on each file; then no layer is passed over because an earlier scan has read it.

    Raises :class:`airgap.errors.ScanFailure` if the engine fails, and the errors of a damaged bundle.
    """
    inventory, findings, emit = bundle.inventory, Findings(listing), context.emit
    emit(Planned(len(inventory.images), 0, len(inventory.blobs), sum(blob.size for blob in inventory.blobs)))
    if inventory.requires:
        count = counted(len(inventory.requires), "layer")
        context.note(tr("not in this bundle, and scanned with the one that has them: {count}", count=count))
    files = {artifact.content.digest: artifact.file for artifact in inventory.artifacts}
    try:
        with Crew(context.jobs.transfers, context.cancel) as crew:
            scanner = Scanner(engine, verdicts, findings, crew, context.cancel)
            for name, content in _members(bundle):
                scanner.scan(name, name, _stream(name, content), len(content))
            for blob in inventory.blobs:
                emit(BlobStarted(blob.digest, blob.size))
                how = _scan_blob(bundle, blob, files.get(blob.digest, ""), scanner, context)
                emit(BlobDone(blob.digest, blob.size, how))
            for name, content in () if bundle.signatures_come_last else bundle.signatures().items():
                scanner.scan(name, name, _stream(name, content), len(content))
        for blob in inventory.blobs:
            if is_layer(blob) and findings.files[blob.digest] and findings.is_clean(blob.digest):
                verdicts.add(_layer_key(blob), findings.files[blob.digest])
    finally:
        verdicts.keep()
    bundle.drain()
    return findings.result(bundle.id, identity, users_of(inventory))


def users_of(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """Return the images and artifacts by the digests of the blobs that they consist of."""
    labels = {artifact.descriptor.digest: [artifact.label] for artifact in inventory.artifacts}
    for image in inventory.images:
        labels.setdefault(image.descriptor.digest, []).append(str(image.reference))
    for referrer, subject in inventory.referrers.items():
        labels.setdefault(referrer, []).extend(labels.get(subject, ()))
    users: dict[str, list[str]] = {}
    for root, indexes in inventory.uses.items():
        for index in indexes:
            if index < len(inventory.blobs):
                users.setdefault(inventory.blobs[index].digest, []).extend(labels.get(root, ()))
    return {digest: tuple(sorted(set(names))) for digest, names in users.items()}


def _members(bundle: BundleReader) -> Iterator[tuple[str, bytes]]:
    yield INVENTORY_MEMBER, bundle.inventory_content()
    for name in bundle.inventory.members:
        yield name, bundle.member(name)


def _scan_blob(bundle: BundleReader, blob: Descriptor, file: str, scanner: Scanner, context: Context) -> str:
    """Scan a blob and return how, as for :class:`BlobDone`."""
    if is_encrypted(blob):
        scanner.refuse(blob.digest, "encrypted", tr("is encrypted"), size=blob.size)
        return "skipped"
    layer = is_layer(blob)
    known = 0 if scanner.findings.lists_all or not layer else scanner.verdicts.seen_earlier(_layer_key(blob))
    if known:
        scanner.findings.add_layer(blob.digest, known)
        return "skipped"
    reader = Meter(blob, partial(bundle.open, blob), context.emit, context.cancel).open(0)
    raw = BlobStream(blob, reader)
    with Stream(raw) as stream:
        scanner.scan(blob.digest, file, stream, blob.size, is_layer=layer)
        while stream.read(BUFFER):
            pass
        raw.verify()
    return "verified"


def _stream(name: str, content: bytes) -> Stream:
    descriptor = Descriptor(name, digests.of(content), len(content))
    return Stream(BlobStream(descriptor, BytesReader(content)))


def _layer_key(layer: Descriptor) -> bytes:
    """Return the digest under which the verdict on a whole layer is kept: it depends on how deep archives are read."""
    return hashlib.sha256(f"{layer.digest}/{limits.value('scan-depth')}".encode()).digest()
