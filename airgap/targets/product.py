# SPDX-License-Identifier: Apache-2.0
"""What the folder of a product provides, and what it is given.

Its ``target.py`` has a function ``open_target`` of type :data:`OpenTarget`. It looks at ``request.probe.response``,
the answer to ``GET /v2/``, and returns a target if this is its product. ``factory.target_openers`` lists these
functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airgap.records import Record
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding, Target

if TYPE_CHECKING:
    from airgap.registry import Registries

RunChecks = Callable[[Probe, Sequence[str]], list[Finding]]
"""``run_checks(probe, names)`` runs checks of ``airgap doctor`` by their names, in doctor's order, up to the first
problem that makes the rest meaningless."""


class TargetRequest(Record):
    """An address whose product is to be found, and what the user wants from it.

    ``create_projects`` allows the target to create what images are grouped by; with ``dry_run`` it only pretends to.
    With ``read_only``, nothing will be pushed, so that what prevents a push is not a problem. With ``any_route``, the
    address may also be one that no node can pull from, if it can be read; with ``every_repository``, also one behind
    which several repositories are: then all of them are read.
    """

    probe: Probe
    registries: Registries
    run_checks: RunChecks
    create_projects: bool = False
    dry_run: bool = False
    read_only: bool = False
    any_route: bool = False
    every_repository: bool = False


OpenTarget = Callable[[TargetRequest], Target | None]
"""Returns the target, or ``None`` if another product answers at the address. Raises :class:`airgap.errors.NotReady`
if it is this product and cannot be used in this way."""
