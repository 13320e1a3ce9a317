# SPDX-License-Identifier: Apache-2.0
"""Loads the known messages from ``data/messages.yaml``, with their texts in the user's language."""

from __future__ import annotations

import functools
import pkgutil
from typing import Any

from airgap.explain.model import ANSWER, CAUSE, DECISIVE, WRAPPER, KnownMessage, Step
from airgap.i18n import language_in_use, tr

_WEIGHTS = {"decisive": DECISIVE, "cause": CAUSE, "answer": ANSWER, "wrapper": WRAPPER}


@functools.cache
def known_messages() -> tuple[KnownMessage, ...]:
    """Return all known messages in the order of the file, which is read once."""
    import yaml

    content = pkgutil.get_data("airgap.explain", "data/messages.yaml")
    return tuple(_known_message(item) for item in yaml.safe_load(content or b""))


def _known_message(item: dict[str, Any]) -> KnownMessage:
    language = language_in_use()
    guide = item.get("guide", "")
    return KnownMessage(
        item["id"],
        tr(item["title"]),
        tuple(item["phrases"]),
        item["seen"],
        tr(item["cause"]),
        tuple(Step(tr(step["say"]), tuple(step.get("run", ()))) for step in item["steps"]),
        guide if language == "en" else guide.replace(".md", f".{language}.md"),
        _WEIGHTS[item["weight"]],
        tuple(item.get("expressions", ())),
    )
