# SPDX-License-Identifier: Apache-2.0
"""From a source reference to its target reference, by a policy and by overrides for single names. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dictionary
from functools import cached_property

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.oci.reference import repository_problem
from airgap.records import Record, field, replace
from airgap.targets.address import TargetAddress

#: What each policy does with ``quay.io/jetstack/x``.
POLICIES = {
    "basename": tr("the last path element: x"),
    "path": tr("the path without the registry: jetstack/x"),
    "full": tr("the registry as first element, ':' written '_': quay.io/jetstack/x"),
}
#: The policy if neither ``--mapping`` nor ``airgap.yaml`` names one.
DEFAULT_POLICY = "basename"


class Mapping(Record):
    """How images are named at a target.

    ``overrides`` maps patterns of ``registry/repository`` to names below the prefix. The first pattern that matches
    wins, before the policy. ``*`` is one or more path elements; a ``*`` in the name is replaced by what it matched.
    Raises :class:`UsageError` for a policy or an override that makes no sense.
    """

    address: TargetAddress
    policy: str = DEFAULT_POLICY
    overrides: Dictionary[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UsageError(
                tr(
                    "{policy!r} is no mapping policy; there are {policies}",
                    policy=self.policy,
                    policies=", ".join(POLICIES),
                )
            )
        for pattern, name in self.overrides.items():
            if name.count("*") > pattern.count("*") or pattern.count("*") > 1:
                raise UsageError(
                    tr("the mapping override {pattern!r}: {name!r} does not fit together", pattern=pattern, name=name),
                    hint=tr("one * on the left, and at most one on the right"),
                )
            reason = repository_problem(name.replace("*", "x"))
            if reason:
                raise UsageError(
                    tr(
                        "the mapping override {pattern!r}: {name!r} names no repository: {reason}",
                        pattern=pattern,
                        name=name,
                        reason=reason,
                    )
                )

    def locate(self, reference: Reference) -> Reference:
        """Return the target reference: registry, prefix and the mapped name, with the same tag and digest.

        A reference that is below the target already is returned as it is, so that a second rewrite changes nothing.
        """
        prefix = f"{self.address.prefix}/" if self.address.prefix else ""
        if reference.registry == self.address.registry and reference.repository.startswith(prefix):
            return reference
        name = self._name_by_override(reference) or self._name_by_policy(reference)
        return replace(reference, registry=self.address.registry, repository=f"{prefix}{name}")

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        return [
            (re.compile(re.escape(pattern).replace(r"\*", "([^/]+(?:/[^/]+)*)")), name)
            for pattern, name in self.overrides.items()
        ]

    def _name_by_override(self, reference: Reference) -> str:
        for pattern, name in self._patterns:
            match = pattern.fullmatch(reference.name)
            if match:
                return name.replace("*", match[1]) if "*" in name else name
        return ""

    def _name_by_policy(self, reference: Reference) -> str:
        if self.policy == "basename":
            return reference.repository.rpartition("/")[2]
        if self.policy == "path":
            return reference.repository
        # A repository name cannot contain the ':' of a port, nor the brackets and '::' of an IPv6 address.
        registry = re.sub(r"[^a-z0-9.-]+", "_", reference.registry.lower()).strip("_")
        return f"{registry}/{reference.repository}"
