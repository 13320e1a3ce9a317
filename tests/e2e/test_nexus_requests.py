# SPDX-License-Identifier: Apache-2.0
"""Requests to a Nexus beside the least that would do, and the table of them in the guide."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ROOT


def tool() -> Any:
    """tools/nexus_requests.py as a module."""
    spec = importlib.util.spec_from_file_location("nexus_requests", ROOT / "tools" / "nexus_requests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Any]]:
    made = tool()
    return made, [made.counts(basic, tmp_path_factory.mktemp("requests")) for basic in (True, False)]


def test_few_more_than_the_least(counted: tuple[Any, list[Any]]) -> None:
    for counts in counted[1]:
        for one in counts:
            # A sign-in by token is one request more than one by password.
            assert one.requests <= max(one.minimum * 1.1, one.minimum + 2), one


@pytest.mark.parametrize("page", ["nexus.md", "nexus.ko.md"])
def test_the_guides_table_is_up_to_date(counted: tuple[Any, list[Any]], page: str) -> None:
    made, counts = counted
    assert made.table(page, *counts) in Path(ROOT / "docs" / page).read_text()
