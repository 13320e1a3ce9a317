# SPDX-License-Identifier: Apache-2.0
"""What the status of a pod says about why it does not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Reasons for which a container that waits is not in trouble.
_USUAL = {"", "ContainerCreating", "PodInitializing"}
_LONGEST = 400


def container_states(pod: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the state of each container, the first ones before the others."""
    status = _mapping(pod.get("status"))
    for key in ("initContainerStatuses", "containerStatuses"):
        listed = status.get(key)
        for item in listed if isinstance(listed, list) else []:
            if isinstance(item, dict):
                yield str(item.get("name")), _mapping(item.get("state"))


def trouble_of(pod: Mapping[str, Any]) -> str:
    """Return why a pod does not start, an empty string if it may just be slow."""
    for name, state in container_states(pod):
        waiting = _mapping(state.get("waiting"))
        reason = str(waiting.get("reason") or "")
        if reason not in _USUAL:
            return f"{name}: {reason}: {waiting.get('message') or ''}".rstrip(": ")[:_LONGEST]
    conditions = _mapping(pod.get("status")).get("conditions")
    for condition in conditions if isinstance(conditions, list) else []:
        if isinstance(condition, dict) and condition.get("reason") == "Unschedulable":
            return str(condition.get("message") or "Unschedulable")[:_LONGEST]
    return ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
