# SPDX-License-Identifier: Apache-2.0
"""The order of versions is the one that people read."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.release.versions import version_key

ORDERED = [
    "0.9", "1.0-alpha", "1.0-alpha.1", "1.0-beta", "1.0-rc.2", "1.0-rc.10", "1.0", "1.0.1", "1.2", "v1.9", "1.10",
    "1.10.1", "2-1", "2", "10", "2026-9", "2026-10", "2026-11", "2026.11",
]  # fmt: skip


def test_numbers_count_as_numbers_and_what_follows_a_hyphen_comes_first() -> None:
    shuffled = random.Random(3).sample(ORDERED, len(ORDERED))
    assert sorted(shuffled, key=version_key) == ORDERED


@settings(max_examples=30)
@given(st.lists(st.text("0123456789.-+vrc", max_size=8), min_size=2, max_size=6, unique=True))
def test_any_text_has_one_place(versions: list[str]) -> None:
    ordered = sorted(versions, key=version_key)
    assert sorted(versions[1:] + versions[:1], key=version_key) == ordered
    assert all(version_key(one) < version_key(next_one) for one, next_one in pairwise(ordered))
