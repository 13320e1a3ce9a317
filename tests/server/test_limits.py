# SPDX-License-Identifier: Apache-2.0
"""The table of limits, and what can be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.errors import UsageError
from airgap.server import Server, parse_limits
from airgap.server.limits import TABLE, Limits
from airgap.store import MemoryStore


def test_each_name_is_there_once() -> None:
    assert len({limit.name for limit in TABLE}) == len(TABLE)
    assert all(Limits()[limit.name] == limit.value for limit in TABLE)


def test_each_limit_is_tested() -> None:
    """Somewhere in the tests of this room each name occurs, or the words of its own test."""
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    by_default = {  # tested at the default, at the limit and one past it
        "header-line": "test_a_header_line_of_32_kib",
        "header-lines": "test_a_hundred_header_lines",
        "header-bytes": "test_64_kib_of_headers",
        "manifest-bytes": "test_the_largest_manifest",
        "manifest-values": "test_manifests_that_are_too_much",
        "manifest-depth": "test_manifests_that_are_too_much",
        "sign-in-failures": "test_after_a_few_wrong_passwords_a_client_waits",
        "sign-in-interval": "test_a_client_gets_a_try_back_in_each_interval",
    }
    for limit in TABLE:
        assert f'"{limit.name}": ' in tests.replace(f'"{limit.name}": "test', "") or (
            f"def {by_default.get(limit.name)}(" in tests
        ), limit.name


def test_changes() -> None:
    assert parse_limits(["uploads=3", "workers=4"]) == {"uploads": 3, "workers": 4}
    assert Limits({"uploads": 3})["uploads"] == 3


@pytest.mark.parametrize("setting", ["uploads", "uploads=0", "uploads=x", "uploads=" + "9" * 16, "no-such=1"])
def test_what_is_no_limit(setting: str) -> None:
    with pytest.raises(UsageError):
        parse_limits([setting])


def test_a_server_knows_its_limits() -> None:
    with pytest.raises(UsageError, match="no-such"):
        Server(MemoryStore(), limits={"no-such": 1})
