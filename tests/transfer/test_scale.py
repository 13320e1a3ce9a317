# SPDX-License-Identifier: Apache-2.0
"""Thousands of images: so many steps and so much memory a blob and no more, whatever the number."""

from __future__ import annotations

import pytest

from tests.doubles.many import Many, exporting, importing, measured, moving
from tests.parts.steps import steps

#: A blob takes 85 to 105 of tests/parts/steps.py to plan, whatever the number of blobs; bench/scale.py has the seconds.
STEPS = 150
MEMORY = 2048
SIZES = [400, pytest.param(5000, marks=pytest.mark.long)]


@pytest.fixture(scope="module", params=SIZES)
def many(request: pytest.FixtureRequest) -> Many:
    return Many(request.param)


def test_planning_an_export(many: Many) -> None:
    assert steps(lambda: exporting(many)) <= STEPS * many.blobs
    assert measured(lambda: exporting(many), memory=True).memory <= MEMORY * many.blobs


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "all there"])
def test_planning_and_surveying_an_import(many: Many, there: bool) -> None:
    assert steps(lambda: importing(many, there=there)) <= STEPS * many.blobs
    assert measured(lambda: importing(many, there=there), memory=True).memory <= MEMORY * many.blobs


def test_moving(many: Many) -> None:
    """The engine's own share of a whole import: as much again is more than enough."""
    assert steps(lambda: moving(many)) <= 2 * STEPS * many.blobs
    assert measured(lambda: moving(many), memory=True).memory <= MEMORY * many.blobs
