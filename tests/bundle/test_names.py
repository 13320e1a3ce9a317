# SPDX-License-Identifier: Apache-2.0
"""The names that the room offers are imported on first use."""

from __future__ import annotations

import pytest

from airgap import bundle


def test_every_name_can_be_imported() -> None:
    assert [name for name in bundle.__all__ if getattr(bundle, name).__name__ != name] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        bundle.nothing  # noqa: B018
