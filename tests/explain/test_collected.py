# SPDX-License-Identifier: Apache-2.0
"""Messages that people reported in public threads are found, and their cause comes first.

``collected.yaml`` was at hand when the table was written, ``held_out.yaml`` was kept apart until it was finished, and
``later.yaml`` was looked up after that. Each file says how many were found at first.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from airgap.explain import find_matches, known_messages

FILES = ("collected.yaml", "held_out.yaml", "later.yaml")


def reported(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / name).read_text("utf-8"))
    return found


ALL = [item for name in FILES for item in reported(name)]


@pytest.mark.parametrize("item", ALL, ids=lambda item: item["source"])
def test_the_cause_comes_first(item: dict[str, Any]) -> None:
    found = find_matches(item["text"])
    assert found
    assert found[0].certainty == "exact"
    assert found[0].message.id in item["ids"], [match.message.id for match in found]
    assert "pull-failed" not in [match.message.id for match in found]


def test_each_has_its_source_and_its_cause() -> None:
    assert len(ALL) >= 60
    assert len(reported("held_out.yaml")) == 20
    ids = {message.id for message in known_messages()}
    for item in ALL:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+#[0-9]+", item["source"])
        assert item["cause"].endswith(".")
        assert set(item["ids"]) <= ids
    assert Counter(item["source"] for item in ALL).most_common(1)[0][1] == 1
