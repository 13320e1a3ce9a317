# SPDX-License-Identifier: Apache-2.0
"""Thousands of images: so much CPU and memory a blob and no more, whatever the number."""

from __future__ import annotations

import pytest

from tests.doubles.many import Many, exporting, importing, measured, moving

#: 10 s for 60,000 blobs.
SECONDS = 10 / 60_000
MEMORY = 2048
SIZES = [400, pytest.param(5000, marks=pytest.mark.long)]


@pytest.fixture(scope="module", params=SIZES)
def many(request: pytest.FixtureRequest) -> Many:
    return Many(request.param)


def test_planning_an_export(many: Many) -> None:
    assert measured(lambda: exporting(many), memory=False).seconds <= SECONDS * many.blobs
    assert measured(lambda: exporting(many), memory=True).memory <= MEMORY * many.blobs


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "all there"])
def test_planning_and_surveying_an_import(many: Many, there: bool) -> None:
    assert measured(lambda: importing(many, there=there), memory=False).seconds <= SECONDS * many.blobs
    assert measured(lambda: importing(many, there=there), memory=True).memory <= MEMORY * many.blobs


def test_moving(many: Many) -> None:
    """The engine's own share of a whole import: as much again is more than enough."""
    assert measured(lambda: moving(many), memory=False).seconds <= 2 * SECONDS * many.blobs
    assert measured(lambda: moving(many), memory=True).memory <= MEMORY * many.blobs
