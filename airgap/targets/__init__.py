# SPDX-License-Identifier: Apache-2.0
"""Registries that images are pushed to, and the names that images get there.

``address`` and ``mapping`` compute names and do no I/O; ``assignment`` applies a mapping to all images of a bundle and
rejects collisions. A :class:`Target` (``protocols``) checks a registry and opens its repositories. ``factory`` asks an
address which product it is and makes the target: ``nexus``, ``harbor``, or ``plain`` for any other registry.
``doctor`` holds the checks of ``airgap doctor``; ``probe`` is the address that they examine.
``import_plan``, ``base_layers``, ``import_receipt`` and ``findings`` are steps of an import, and ``removal`` deletes
images.

To add a product: write a folder with a ``target.py`` that has ``open_target`` (see ``product``), and add it to
``factory.target_openers``.
"""

from airgap.targets.address import TargetAddress
from airgap.targets.assignment import Assignment, assign, collision_hint
from airgap.targets.factory import LazyTarget, open_source, target_for
from airgap.targets.mapping import DEFAULT_POLICY, POLICIES, Mapping
from airgap.targets.plain import PlainTarget
from airgap.targets.protocols import (
    Finding,
    Remover,
    SupportsCapacity,
    SupportsRemoval,
    SupportsTagPolicy,
    SupportsUploadProbe,
    Target,
)

__all__ = [
    "DEFAULT_POLICY",
    "POLICIES",
    "Assignment",
    "Finding",
    "LazyTarget",
    "Mapping",
    "PlainTarget",
    "Remover",
    "SupportsCapacity",
    "SupportsRemoval",
    "SupportsTagPolicy",
    "SupportsUploadProbe",
    "Target",
    "TargetAddress",
    "assign",
    "collision_hint",
    "open_source",
    "target_for",
]
