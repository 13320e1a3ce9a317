# SPDX-License-Identifier: Apache-2.0
"""Platforms, normalised as nodes do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import UsageError
from airgap.oci import Platform


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/x86_64", Platform("linux", "amd64")),
        ("Linux/AMD64", Platform("linux", "amd64")),
        ("linux/amd64/v1", Platform("linux", "amd64")),
        ("linux/amd64/v3", Platform("linux", "amd64", "v3")),
        ("linux/arm64", Platform("linux", "arm64")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/arm64/v8", Platform("linux", "arm64")),
        ("linux/arm", Platform("linux", "arm", "v7")),
        ("linux/arm/7", Platform("linux", "arm", "v7")),
        ("linux/arm/v6", Platform("linux", "arm", "v6")),
        ("linux/armhf", Platform("linux", "arm", "v7")),
        ("linux/armel", Platform("linux", "arm", "v6")),
        ("linux/i386", Platform("linux", "386")),
        ("macos/arm64", Platform("darwin", "arm64")),
        ("windows(10.0.17763)/amd64", Platform("windows", "amd64", "", "10.0.17763")),
    ],
)
def test_reads(text: str, expected: Platform) -> None:
    assert Platform.parse(text) == expected
    assert Platform.parse(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "linux", "/", "linux/", "/amd64", "a/b/c/d", "linux/am d64", "linux()/amd64"])
def test_refuses(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Platform.parse(text)
    assert repr(text) in str(caught.value)
    assert "linux/amd64" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("mine", "wanted", "matches"),
    [
        (Platform("linux", "amd64"), Platform("linux", "amd64"), True),
        (Platform("linux", "amd64"), Platform("linux", "arm64"), False),
        (Platform("linux", "amd64"), Platform("windows", "amd64"), False),
        (Platform("linux", "arm64", "v8"), Platform("linux", "arm64"), True),
        (Platform("linux", "arm64"), Platform("linux", "arm64", "v8"), True),
        (Platform("linux", "arm", "v7"), Platform("linux", "arm"), True),
        (Platform("linux", "arm", "v6"), Platform("linux", "arm"), False),
        (Platform("windows", "amd64", "", "10.0.17763.1"), Platform("windows", "amd64"), True),
        (Platform("windows", "amd64", "", "10.0.17763.1"), Platform("windows", "amd64", "", "10.0.17763"), True),
        (Platform("windows", "amd64", "", "10.0.177630.1"), Platform("windows", "amd64", "", "10.0.17763"), False),
        (Platform("windows", "amd64"), Platform("windows", "amd64", "", "10.0.17763"), False),
    ],
)
def test_matches(mine: Platform, wanted: Platform, matches: bool) -> None:
    assert mine.matches(wanted) is matches


def test_json_both_ways() -> None:
    document = {"os": "linux", "architecture": "arm", "variant": "v6", "os.version": "1"}
    platform = Platform.from_json(document)
    assert platform == Platform("linux", "arm", "v6", "1")
    assert platform.to_json() == document
    assert Platform.from_json({}).to_json() == {"os": "", "architecture": ""}


def test_attestations_are_of_no_platform() -> None:
    assert not Platform("unknown", "unknown").is_known
    assert not Platform("", "").is_known
    assert Platform("linux", "amd64").is_known


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = Platform.parse(text)
    except UsageError:
        return
    assert found == found.normalized() == Platform.parse(str(found))
