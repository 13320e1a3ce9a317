# SPDX-License-Identifier: Apache-2.0
"""Functions that look up where an image is on the target by a bundle, a receipt or a lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.bundle import Inventory, Lockfile, Receipt, open_bundle, read_document
from airgap.config.airgap_yaml import ProjectSettings
from airgap.config.connections import target_mapping
from airgap.errors import AirgapError, BundleError, TargetError, UsageError
from airgap.events import Sink, ignore
from airgap.i18n import tr
from airgap.kube.rewrite.file_set import Locate, with_rewritten
from airgap.oci import Descriptor, Reference
from airgap.oci.manifest import INDEXES
from airgap.records import Record, replace
from airgap.targets import Mapping as TargetMapping
from airgap.targets import TargetAddress, assign
from airgap.targets.import_plan import assignments_of


def lookup_by_file(
    path: str, project: ProjectSettings, to: str | None, policy: str | None, *, pin: bool = False, emit: Sink = ignore
) -> tuple[Locate, str]:
    """Return a lookup of the images in the file of ``--from``, and its kind: ``bundle``, ``receipt`` or ``lock``.

    The kind is recognised by content; ``-`` is a bundle in standard input. With ``pin`` every target reference has a
    digest. Raises :class:`UsageError` without a target and for options that contradict a receipt,
    :class:`TargetError` for collisions and for the receipt of another target, and :class:`BundleError` for a file that
    cannot be read.
    """
    if path == "-":
        with open_bundle(path) as bundle:
            return lookup_by_bundle(bundle.inventory, target_mapping(project, to, policy), pin=pin, emit=emit), "bundle"
    document = read_document(path, unreadable=BundleError)
    content = document.content
    if isinstance(content, Receipt):
        receipt = _parse_receipt(path, content)
        if policy:
            raise UsageError(tr("--mapping goes with a bundle or a lock: a receipt says itself what images are called"))
        return _lookup_by_receipt(path, receipt, to, pin=pin), "receipt"
    if isinstance(content, Lockfile):
        locked = {Reference.parse(name): descriptor for name, descriptor in content.images.items()}
        mapping = target_mapping(project, to, policy)
        return _lookup_by_lock(path, locked, content.platforms, mapping, pin=pin, emit=emit), "lock"
    if document.kind != "bundle":
        message = tr("this is a {kind}; --from takes a bundle, a receipt or a lock", kind=document.kind)
        raise BundleError(message, where=path)
    return lookup_by_bundle(content, target_mapping(project, to, policy), pin=pin, emit=emit), "bundle"


def lookup_by_bundle(inventory: Inventory, mapping: TargetMapping, *, pin: bool = False, emit: Sink = ignore) -> Locate:
    """Return a lookup of the images in the bundle. With ``pin`` every target reference has the bundle's digest.

    A digest in a source reference becomes the one that was derived from it for the chosen platforms.
    """
    targets: Mapping[Reference, Reference] = {
        assignment.source: assignment.target.with_digest(assignment.digest) if pin else assignment.target
        for assignment in assignments_of(inventory, mapping, emit=emit)
    }
    return with_rewritten(targets)


class _ReceiptImages(Record):
    """The target of a receipt, and (source, target, digest) of each image whose source is known."""

    address: TargetAddress
    images: list[tuple[Reference, Reference, str]]


def _parse_receipt(path: str, receipt: Receipt) -> _ReceiptImages:
    try:
        address = TargetAddress.parse(receipt.target)
        images = [
            (Reference.parse(image.source), Reference.parse(image.target), image.digest)
            for image in receipt.images
            if image.source
        ]
    except AirgapError as error:
        raise BundleError(tr("this receipt is unreadable ({error})", error=error), where=path) from error
    prefix = f"{address.prefix}/" if address.prefix else ""
    for _, target, _ in images:
        if target.registry != address.registry or not target.repository.startswith(prefix):
            message = tr("this receipt is of {address}, and yet has {target} in it", address=address, target=target)
            raise BundleError(message, where=path)
    return _ReceiptImages(address, images)


def _lookup_by_receipt(path: str, receipt: _ReceiptImages, to: str | None, *, pin: bool) -> Locate:
    address = receipt.address
    if to is not None:
        given = TargetAddress.parse(to)
        if (given.registry, given.prefix) != (address.registry, address.prefix):
            raise TargetError(
                tr("this receipt is one of {address}, not of {given}", address=address, given=given),
                where=path,
                hint=tr("leave --to out, or give the receipt of that target"),
            )
    targets = {}
    for source, target, digest in receipt.images:
        # Keep the source's tag: an image without one was pushed under a tag made from its digest.
        targets[source] = replace(target, tag=source.tag, digest=digest if pin or source.digest else "")
    return with_rewritten(targets)


def _lookup_by_lock(
    path: str, locked: Mapping[Reference, Descriptor], platforms: Sequence[str], mapping: TargetMapping,
    *, pin: bool, emit: Sink,
) -> Locate:  # fmt: skip
    """A lookup that raises :class:`UsageError` for an image whose digest on the target is not in the lock.

    A lock has the digests before ``platforms`` were chosen, and choosing changes the digest of an index.
    """
    assignments = assign([(source, descriptor.digest, "") for source, descriptor in locked.items()], mapping, emit=emit)
    targets = {item.source: item.target.with_digest(item.digest) if pin else item.target for item in assignments}
    find = with_rewritten(targets)
    changed = {source for source, descriptor in locked.items() if platforms and descriptor.media_type in INDEXES}

    def locate(source: Reference) -> Reference | None:
        target = find(source)
        if target is not None and target.digest and source in changed:
            image, chosen = replace(source, digest=""), ", ".join(platforms)
            message = tr("which digest {image} has for {platforms} is not in the lock", image=image, platforms=chosen)
            raise UsageError(message, where=path, hint=tr("give --from the bundle, or the receipt of its import"))
        return target

    return locate
