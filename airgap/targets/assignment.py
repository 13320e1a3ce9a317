# SPDX-License-Identifier: Apache-2.0
"""Every image's place on the target, decided before anything is pushed: who owns which tag, and who collides."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import AirgapError, TargetError, raise_all
from airgap.events import Sink, Warned, ignore
from airgap.oci import Reference
from airgap.records import Record, replace
from airgap.targets.mapping import Mapping


class Assignment(Record):
    """``target`` is what resource files will say; the image is pushed to ``repository`` under ``tag``."""

    source: Reference
    digest: str
    target: Reference
    tag: str

    @property
    def repository(self) -> str:
        return self.target.repository


def assign(images: Sequence[tuple[Reference, str, str]], mapping: Mapping, *, emit: Sink = ignore) -> list[Assignment]:
    """Place ``images``: (source reference, digest that moves, digest it was derived from or ``""``).

    A digest in a reference becomes the derived one. Raises :class:`TargetError` when two images with
    different digests would get one name and tag, naming both and the policy that keeps them apart.
    """
    # "x:1" owns the tag; without it the first "x:1@sha256:…". Another digest beside it goes by its digest.
    owners: dict[tuple[str, str], str] = {}
    for source, digest, _ in sorted(images, key=lambda image: bool(image[0].digest)):
        owners.setdefault((source.name, source.tag), digest)
    placed = []
    for source, digest, derived_from in images:
        target = mapping.locate(source)
        if source.digest and derived_from:
            target = target.with_digest(digest)
        tag = source.tag
        if not tag or (source.digest and owners[source.name, source.tag] != digest):
            tag = replace(source, digest=digest).digest_tag
        placed.append(Assignment(source, digest, target, tag))
    _refuse_collisions(placed, mapping)
    _warn_of_shared_names(placed, emit)
    return placed


def _refuse_collisions(placed: Sequence[Assignment], mapping: Mapping) -> None:
    owners: dict[tuple[str, str], Assignment] = {}
    errors: list[AirgapError] = []
    for assignment in placed:
        owner = owners.setdefault((assignment.repository, assignment.tag), assignment)
        if owner.digest != assignment.digest:
            errors.append(
                TargetError(
                    f"{owner.source} ({owner.digest}) and {assignment.source} ({assignment.digest}) would both become "
                    f"{assignment.target.name}:{assignment.tag}",
                    hint=apart(owner.source, assignment.source, mapping),
                )
            )
    raise_all(errors)


def apart(one: Reference, other: Reference, mapping: Mapping) -> str:
    """What would keep two images apart that get one name, in words."""
    for policy in ("path", "full"):
        trial = replace(mapping, policy=policy)
        if policy != mapping.policy and trial.locate(one).name != trial.locate(other).name:
            return f"--mapping {policy} keeps them apart, and so does an override in airgap.yaml"
    return "name one of them by an override under mapping: in airgap.yaml"


def _warn_of_shared_names(placed: Sequence[Assignment], emit: Sink) -> None:
    sources: dict[str, dict[str, None]] = {}
    for assignment in placed:
        sources.setdefault(assignment.target.name, {})[assignment.source.name] = None
    for name, owners in sources.items():
        if len(owners) > 1:
            emit(Warned(f"{' and '.join(owners)} share the name {name}, under different tags"))
