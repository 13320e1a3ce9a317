# SPDX-License-Identifier: Apache-2.0
"""Text in columns: a Hangul syllable takes two."""

from __future__ import annotations

import pytest

from airgap.cli.formatting.columns import cut, display_width, left, right


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("레지스트리", 10), ("a한b", 4), ("한".encode().decode(), 2), ("é", 1)]
)
def test_the_width_of_a_text(text: str, width: int) -> None:
    assert display_width(text) == width


def test_padding_fills_columns() -> None:
    assert left("정상", 8) == "정상    "
    assert right("정상", 6) == "  정상"
    assert left("longer than that", 4) == "longer than that"


@pytest.mark.parametrize(
    ("columns", "kept"), [(0, ""), (1, ""), (2, "한"), (3, "한a"), (4, "한a"), (5, "한a글"), (9, "한a글")]
)
def test_a_cut_text_fits(columns: int, kept: str) -> None:
    assert cut("한a글", columns) == kept


def test_a_negative_room_holds_nothing() -> None:
    assert cut("abc", -1) == ""
    assert cut("한글", -1) == ""
