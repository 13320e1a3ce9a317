# SPDX-License-Identifier: Apache-2.0
"""What images are called on the far side, and whether that side is fit to take them.

``mapping`` is pure naming; ``assign`` gives every image of a bundle its place and refuses collisions; a
:class:`Target` checks and opens. A target names and checks; it never uploads. ``target_for`` asks which product is
behind an address: ``plain``, ``nexus`` or ``harbor``. ``checks`` over a ``probe`` are what ``airgap doctor`` says.
"""

from airgap.targets.address import TargetAddress
from airgap.targets.assignment import Assignment, apart, assign
from airgap.targets.factory import AskedTarget, target_for
from airgap.targets.mapping import DEFAULT_POLICY, POLICIES, Mapping
from airgap.targets.plain import PlainTarget
from airgap.targets.protocols import Bounded, Finding, Target, Tried

__all__ = [
    "DEFAULT_POLICY",
    "POLICIES",
    "AskedTarget",
    "Assignment",
    "Bounded",
    "Finding",
    "Mapping",
    "PlainTarget",
    "Target",
    "TargetAddress",
    "Tried",
    "apart",
    "assign",
    "target_for",
]
