# SPDX-License-Identifier: Apache-2.0
"""Assigns a repository and a tag of the target to every image, before anything is pushed, and detects collisions."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import AirgapError, TargetError, raise_all
from airgap.events import Sink, Warned, ignore
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.records import Record, replace
from airgap.targets.mapping import Mapping


class Assignment(Record):
    """Where one image goes: ``target`` is the reference that resource files get; the image is pushed under ``tag``."""

    source: Reference
    digest: str
    target: Reference
    tag: str

    @property
    def repository(self) -> str:
        """The repository that the image is pushed to."""
        return self.target.repository


def assign(images: Sequence[tuple[Reference, str, str]], mapping: Mapping, *, emit: Sink = ignore) -> list[Assignment]:
    """Assign a place to each of ``images``, in the same order.

    An image is (source reference, digest that is copied, digest that it was derived from or ``""``). In a target
    reference with a digest, the copied digest replaces the original one.

    Raises :class:`TargetError` if two images with different digests would get the same name and tag; the error names
    both and the policy that avoids this. Warns about different sources that share a name.
    """
    # "x:1" owns the tag 1 of x; without it, the first "x:1@sha256:…" does. Other digests get a tag made of the digest.
    owners: dict[tuple[str, str], str] = {}
    for source, digest, _ in sorted(images, key=lambda image: bool(image[0].digest)):
        owners.setdefault((source.name, source.tag), digest)
    assignments = []
    for source, digest, derived_from in images:
        target = mapping.locate(source)
        if source.digest and derived_from:
            target = target.with_digest(digest)
        tag = source.tag
        if not tag or (source.digest and owners[source.name, source.tag] != digest):
            tag = replace(source, digest=digest).digest_tag
        assignments.append(Assignment(source, digest, target, tag))
    _reject_collisions(assignments, mapping)
    _warn_of_shared_names(assignments, emit)
    return assignments


def _reject_collisions(assignments: Sequence[Assignment], mapping: Mapping) -> None:
    owners: dict[tuple[str, str], Assignment] = {}
    errors: list[AirgapError] = []
    for assignment in assignments:
        owner = owners.setdefault((assignment.repository, assignment.tag), assignment)
        if owner.digest != assignment.digest:
            errors.append(
                TargetError(
                    tr(
                        "{source} ({digest}) and {assignment_source} ({assignment_digest}) would both become "
                        "{name}:{tag}",
                        source=owner.source,
                        digest=owner.digest,
                        assignment_source=assignment.source,
                        assignment_digest=assignment.digest,
                        name=assignment.target.name,
                        tag=assignment.tag,
                    ),
                    hint=collision_hint(owner.source, assignment.source, mapping),
                )
            )
    raise_all(errors)


def collision_hint(first: Reference, second: Reference, mapping: Mapping) -> str:
    """Say how to give different names to two images that ``mapping`` gives the same name."""
    for policy in ("path", "full"):
        other_mapping = replace(mapping, policy=policy)
        if policy != mapping.policy and other_mapping.locate(first).name != other_mapping.locate(second).name:
            return tr("--mapping {policy} keeps them apart, and so does an override in airgap.yaml", policy=policy)
    return tr("name one of them by an override under mapping: in airgap.yaml")


def _warn_of_shared_names(assignments: Sequence[Assignment], emit: Sink) -> None:
    sources: dict[str, dict[str, None]] = {}
    for assignment in assignments:
        sources.setdefault(assignment.target.name, {})[assignment.source.name] = None
    for name, owners in sources.items():
        if len(owners) > 1:
            emit(
                Warned(
                    tr("{owners} share the name {name}, under different tags", owners=" and ".join(owners), name=name)
                )
            )
