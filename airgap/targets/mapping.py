# SPDX-License-Identifier: Apache-2.0
"""From a source reference to its target reference, by policy and per-pattern overrides. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dictionary
from functools import cached_property

from airgap.errors import UsageError
from airgap.oci import Reference
from airgap.oci.reference import repository_problem
from airgap.records import Record, field, replace
from airgap.targets.address import TargetAddress

#: What each policy does with ``quay.io/jetstack/x``.
POLICIES = {
    "basename": "the last path element: x",
    "path": "the path without the registry: jetstack/x",
    "full": "the registry as first element, ':' written '_': quay.io/jetstack/x",
}
#: The policy if neither ``--mapping`` nor ``airgap.yaml`` names one.
DEFAULT_POLICY = "basename"


class Mapping(Record):
    """``overrides`` maps patterns of ``registry/repository`` to names under the prefix; the first match wins, and
    ``*`` is one or more path elements, also on the right-hand side."""

    address: TargetAddress
    policy: str = DEFAULT_POLICY
    overrides: Dictionary[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UsageError(f"{self.policy!r} is no mapping policy; there are {', '.join(POLICIES)}")
        for pattern, name in self.overrides.items():
            if name.count("*") > pattern.count("*") or pattern.count("*") > 1:
                raise UsageError(
                    f"the mapping override {pattern!r}: {name!r} does not fit together",
                    hint="one * on the left, and at most one on the right",
                )
            reason = repository_problem(name.replace("*", "x"))
            if reason:
                raise UsageError(f"the mapping override {pattern!r}: {name!r} names no repository: {reason}")

    def locate(self, reference: Reference) -> Reference:
        """The target reference: registry, prefix and policy's name; tag and digest as they were.

        An image that lies under the target already keeps its name, so that rewriting twice changes nothing more.
        """
        prefix = f"{self.address.prefix}/" if self.address.prefix else ""
        if reference.registry == self.address.registry and reference.repository.startswith(prefix):
            return reference
        name = self._overridden(reference) or self._by_policy(reference)
        return replace(reference, registry=self.address.registry, repository=f"{prefix}{name}")

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        return [
            (re.compile(re.escape(pattern).replace(r"\*", "([^/]+(?:/[^/]+)*)")), name)
            for pattern, name in self.overrides.items()
        ]

    def _overridden(self, reference: Reference) -> str:
        for pattern, name in self._patterns:
            match = pattern.fullmatch(reference.name)
            if match:
                return name.replace("*", match[1]) if "*" in name else name
        return ""

    def _by_policy(self, reference: Reference) -> str:
        if self.policy == "basename":
            return reference.repository.rpartition("/")[2]
        if self.policy == "path":
            return reference.repository
        # ':' is what the policy is about; an IPv6 address's brackets and runs of ':' have no place in a name either.
        registry = re.sub(r"[^a-z0-9.-]+", "_", reference.registry.lower()).strip("_")
        return f"{registry}/{reference.repository}"
