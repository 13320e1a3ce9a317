# SPDX-License-Identifier: Apache-2.0
"""The table, read from ``data/messages.yaml`` once it is asked for."""

from __future__ import annotations

import functools
import pkgutil
from typing import Any

from airgap.explain.model import ANSWER, CAUSE, WRAPPER, Entry, Step

_WEIGHTS = {"cause": CAUSE, "answer": ANSWER, "wrapper": WRAPPER}


@functools.cache
def table() -> tuple[Entry, ...]:
    """Every entry, in the file's order."""
    import yaml

    content = pkgutil.get_data("airgap.explain", "data/messages.yaml")
    return tuple(_entry(one) for one in yaml.safe_load(content or b""))


def _entry(given: dict[str, Any]) -> Entry:
    steps = tuple(Step(step["say"], tuple(step.get("run", ()))) for step in given["steps"])
    return Entry(
        given["id"],
        given["title"],
        tuple(given["phrases"]),
        given["seen"],
        given["cause"],
        steps,
        given.get("guide", ""),
        _WEIGHTS[given["weight"]],
    )
