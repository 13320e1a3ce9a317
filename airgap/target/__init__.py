# SPDX-License-Identifier: Apache-2.0
"""What images are called on the far side, and whether that side is fit to take them.

``mapping`` is pure naming; ``assign`` gives every image of a bundle its place and refuses collisions; a
:class:`Target` checks and opens. A target names and checks; it never uploads. ``target_for`` asks which product is
behind an address: ``plain``, ``nexus`` or ``harbor``. ``checks`` over a ``probe`` are what ``airgap doctor`` says.
"""

from airgap.target.address import TargetAddress
from airgap.target.assign import Assignment, apart, assign
from airgap.target.base import Bounded, Finding, Target, Tried
from airgap.target.choose import AskedTarget, target_for
from airgap.target.mapping import POLICIES, Mapping
from airgap.target.plain import PlainTarget

__all__ = [
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
