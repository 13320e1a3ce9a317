# SPDX-License-Identifier: Apache-2.0
"""Loads the known messages from ``data/messages.yaml``, and their texts in other languages."""

from __future__ import annotations

import functools
import pkgutil
from typing import Any

from airgap.explain.model import ANSWER, CAUSE, DECISIVE, WRAPPER, KnownMessage, Step
from airgap.records import replace

#: The languages that have texts. The phrases that messages are recognised by are English in all of them.
LANGUAGES = ("en", "ko")

_WEIGHTS = {"decisive": DECISIVE, "cause": CAUSE, "answer": ANSWER, "wrapper": WRAPPER}


@functools.cache
def known_messages(language: str = "en") -> tuple[KnownMessage, ...]:
    """Return all known messages in the order of the file, with texts in ``language``, or in English if it has none.

    ``data/messages.yaml`` is read once, and ``data/messages.LANGUAGE.yaml`` only if that language is asked for.
    """
    if language == "en" or language not in LANGUAGES:
        return tuple(_known_message(item) for item in _load("messages.yaml"))
    texts = _load(f"messages.{language}.yaml")
    return tuple(_translated(message, texts[message.id], language) for message in known_messages())


def _load(name: str) -> Any:
    import yaml

    return yaml.safe_load(pkgutil.get_data("airgap.explain", f"data/{name}") or b"")


def _known_message(item: dict[str, Any]) -> KnownMessage:
    return KnownMessage(
        item["id"],
        item["title"],
        tuple(item["phrases"]),
        item["seen"],
        item["cause"],
        tuple(Step(step["say"], tuple(step.get("run", ()))) for step in item["steps"]),
        item.get("guide", ""),
        _WEIGHTS[item["weight"]],
        tuple(item.get("expressions", ())),
    )


def _translated(message: KnownMessage, texts: dict[str, Any], language: str) -> KnownMessage:
    """Return ``message`` with the texts and the guide of ``language``. Commands are the same in all languages."""
    steps = zip(message.steps, texts["steps"], strict=True)
    return replace(
        message,
        title=texts["title"],
        cause=texts["cause"],
        steps=tuple(replace(step, say=say) for step, say in steps),
        guide=message.guide.replace(".md", f".{language}.md"),
    )
