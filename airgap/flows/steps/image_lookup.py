# SPDX-License-Identifier: Apache-2.0
"""What ``airgap rewrite --from`` names: a bundle, a receipt or a lock, told apart by content; which images each knows,
where they are at the target, and under which digests.
"""

from __future__ import annotations

from collections.abc import Mapping

from airgap.bundle import Inventory, Lockfile, Receipt, open_bundle, read_document
from airgap.config.airgap_yaml import Project
from airgap.config.connections import target_of
from airgap.errors import AirgapError, BundleError, TargetError, UsageError
from airgap.events import Sink, ignore
from airgap.kube.rewrite.files import Locate
from airgap.oci import Reference
from airgap.oci.manifest import INDEXES
from airgap.records import replace
from airgap.targets import Mapping as TargetMapping
from airgap.targets import TargetAddress, assign, collision_hint
from airgap.targets.import_plan import assignments_of


def known_by(
    path: str, project: Project, to: str | None, policy: str | None, *, pin: bool = False, emit: Sink = ignore
) -> tuple[Locate, str]:
    """Where each image is that ``path`` knows, and what ``path`` is in a word. With ``pin`` every reference says its
    digest.

    Raises UsageError where the target is not told or what was told contradicts a receipt, TargetError for collisions
    and for another target's receipt, BundleError for what cannot be read.
    """
    if path == "-":
        with open_bundle(path) as opened:
            return by_bundle(opened.inventory, target_of(project, to, policy), pin=pin, emit=emit), "bundle"
    document = read_document(path, unreadable=BundleError)
    content = document.content
    if isinstance(content, Receipt):
        return _by_receipt(path, _receipt(path, content), to, policy, pin=pin), "receipt"
    if isinstance(content, Lockfile):
        return _by_lock(path, content, project, to, policy, pin=pin, emit=emit), "lock"
    if document.kind != "bundle":
        raise BundleError(f"this is a {document.kind}; --from takes a bundle, a receipt or a lock", where=path)
    return by_bundle(content, target_of(project, to, policy), pin=pin, emit=emit), "bundle"


def _receipt(path: str, read: Receipt) -> tuple[TargetAddress, list[tuple[Reference, Reference, str]]]:
    """Its target, and source, target and digest of each image of which it knows the source. Raises BundleError for an
    image outside of its target."""
    try:
        address = TargetAddress.parse(read.target)
        known = [image for image in read.images if image.source]
        images = [(Reference.parse(one.source), Reference.parse(one.target), one.digest) for one in known]
    except AirgapError as error:
        raise BundleError(f"this receipt is unreadable ({error})", where=path) from error
    prefix = f"{address.prefix}/" if address.prefix else ""
    for _, target, _ in images:
        if target.registry != address.registry or not target.repository.startswith(prefix):
            raise BundleError(f"this receipt is of {address}, and yet has {target} in it", where=path)
    return address, images


def _by_receipt(
    path: str,
    read: tuple[TargetAddress, list[tuple[Reference, Reference, str]]],
    to: str | None,
    policy: str | None,
    *,
    pin: bool,
) -> Locate:
    """What was pushed is where it was pushed: ``--to`` may say the same, and no policy is asked."""
    if policy:
        raise UsageError("--mapping goes with a bundle or a lock: a receipt says itself what images are called")
    address, images = read
    if to is not None:
        wanted = TargetAddress.parse(to)
        if (wanted.registry, wanted.prefix) != (address.registry, address.prefix):
            raise TargetError(
                f"this receipt is one of {address}, not of {wanted}",
                where=path,
                hint="leave --to out, or give the receipt of that target",
            )
    known = {}
    for source, target, digest in images:
        # The tag that a digest alone was pushed under is no part of what resource files say.
        kept = digest if pin or source.digest else ""
        known[source] = Reference(target.registry, target.repository, source.tag, kept)
    return known.get


def _by_lock(
    path: str, lock: Lockfile, project: Project, to: str | None, policy: str | None, *, pin: bool, emit: Sink = ignore
) -> Locate:
    """Where a lock's images go follows from the mapping. A lock holds what was resolved before ``--platform`` chose,
    so that its digests are those at the target only where nothing was chosen."""
    resolved = {Reference.parse(name): descriptor for name, descriptor in lock.images.items()}
    placed = assign(
        [(source, one.digest, "") for source, one in resolved.items()], target_of(project, to, policy), emit=emit
    )
    known = {one.source: one.target.with_digest(one.digest) if pin else one.target for one in placed}
    chosen = {source for source, one in resolved.items() if lock.platforms and one.media_type in INDEXES}

    def locate(source: Reference) -> Reference | None:
        found = known.get(source)
        if found is not None and found.digest and source in chosen:
            raise UsageError(
                f"which digest {replace(source, digest='')} has for {', '.join(lock.platforms)} is not in the lock",
                where=path,
                hint="give --from the bundle, or the receipt of its import",
            )
        return found

    return locate


def by_mapping(mapping: TargetMapping) -> Locate:
    """Every image is known: its target follows from the mapping alone. Two images that would get one name are
    refused with :class:`TargetError` as they are asked for."""
    owners: dict[Reference, Reference] = {}

    def locate(source: Reference) -> Reference:
        target = mapping.locate(source)
        owner = owners.setdefault(target, source)
        if owner != source:
            hint = collision_hint(owner, source, mapping)
            raise TargetError(f"{owner} and {source} would both become {target}", hint=hint)
        return target

    return locate


def by_bundle(inventory: Inventory, mapping: TargetMapping, *, pin: bool = False, emit: Sink = ignore) -> Locate:
    """Only what the bundle holds is known; a digest that platforms changed becomes the derived one. With ``pin``
    every reference says the digest that the bundle carries, behind its tag if it has one."""
    known: Mapping[Reference, Reference] = {
        a.source: a.target.with_digest(a.digest) if pin else a.target
        for a in assignments_of(inventory, mapping, emit=emit)
    }
    return known.get
