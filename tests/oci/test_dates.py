# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airgap.oci import dates


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T10:20:30Z",
        "2024-05-01T10:20:30.000000000Z",
        "2024-05-01T12:20:30.000+02:00",
        "2024-05-01T10:20:30.000+0000",
        "Wed, 01 May 2024 10:20:30 GMT",
        " 2024-05-01T10:20:30+00:00\n",
    ],
)
def test_a_moment_in_each_form(text: str) -> None:
    assert dates.parse(text) == datetime(2024, 5, 1, 10, 20, 30, tzinfo=timezone.utc)


def test_a_day_is_its_first_moment_and_fractions_are_cut() -> None:
    assert dates.parse("2024-05-01") == datetime(2024, 5, 1, tzinfo=timezone.utc)
    assert dates.parse("2024-05-01T00:00:00.5Z") == datetime(2024, 5, 1, 0, 0, 0, 500000, tzinfo=timezone.utc)
    assert dates.parse("2024-05-01T00:00:00.123456789Z") == datetime(2024, 5, 1, 0, 0, 0, 123456, tzinfo=timezone.utc)


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "0001-01-01T00:00:00+14:00", "\x00", "1" * 5000])
def test_what_is_no_moment(text: str) -> None:
    assert dates.parse(text) is None
