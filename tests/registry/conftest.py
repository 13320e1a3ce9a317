# SPDX-License-Identifier: Apache-2.0
"""Registries that end with their test, and a double that holds one small image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.registry import Double, Shelf, double
from tests.parts.images import Images
from tests.registry.tools import Network


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    made = Network(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def images() -> Images:
    return Images(3)


@pytest.fixture
def shelf(images: Images) -> Shelf:
    """``team/app:v1`` is an image of two layers."""
    made = Shelf()
    made.put("team/app", images, v1=images.image())
    return made


@pytest.fixture
def peer(shelf: Shelf) -> Iterator[Double]:
    with double(shelf) as made:
        yield made
