# SPDX-License-Identifier: Apache-2.0
"""The lock beside the bundle: it comes back as it was, and is refused where it cannot be understood."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle import Lockfile
from airgap.errors import BundleError, UnsupportedBundle
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_INDEX

DIGESTS = [digests.of(bytes([number])) for number in range(4)]
LOCK = Lockfile(
    ("linux/amd64", "linux/arm64"),
    {
        "quay.io/a/x:v1": Descriptor(OCI_INDEX, DIGESTS[0], 77),
        f"quay.io/a/x@{DIGESTS[1]}": Descriptor(OCI_INDEX, DIGESTS[1], 1 << 40),
    },
    {DIGESTS[0]: [DIGESTS[3], DIGESTS[2]]},
    {"deploy/한글.yaml": DIGESTS[2]},
)


def edited(**more: Any) -> bytes:
    return json.dumps({**json.loads(LOCK.to_bytes()), **more}).encode()


def test_round_trip() -> None:
    found = Lockfile.from_bytes(LOCK.to_bytes(), where="airgap.lock")
    assert found.to_bytes() == LOCK.to_bytes()
    assert (found.platforms, found.images, found.resources) == (LOCK.platforms, LOCK.images, LOCK.resources)
    assert {key: sorted(value) for key, value in LOCK.referrers.items()} == found.referrers


def test_the_shape() -> None:
    document = json.loads(LOCK.to_bytes())
    assert list(document) == ["format", "platforms", "images", "referrers", "resources", "base", "features"]
    assert document["format"] == 1
    assert document["platforms"] == ["linux/amd64", "linux/arm64"]
    assert document["images"]["quay.io/a/x:v1"] == {"digest": DIGESTS[0], "mediaType": OCI_INDEX, "size": 77}
    assert (document["base"], document["features"]) == (None, [])
    assert json.loads(Lockfile().to_bytes())["platforms"] is None
    assert Lockfile.from_bytes(Lockfile().to_bytes(), where="x") == Lockfile()


def test_the_order_of_images_decides_nothing() -> None:
    other = Lockfile(LOCK.platforms, dict(reversed(LOCK.images.items())), LOCK.referrers, LOCK.resources)
    assert other.to_bytes() == LOCK.to_bytes()
    assert LOCK.to_bytes().endswith(b"}\n")


def test_unknown_keys_mean_nothing() -> None:
    content = edited(later={"x": [1]}, images={"a": {"digest": DIGESTS[0], "size": 1, "mediaType": "", "more": 1}})
    assert Lockfile.from_bytes(content, where="x").images["a"].size == 1


@pytest.mark.parametrize("more", [{"format": 2}, {"format": "1"}, {"features": ["x"]}, {"format": None}])
def test_what_a_newer_airgap_wrote(more: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedBundle) as caught:
        Lockfile.from_bytes(edited(**more), where="airgap.lock")
    assert caught.value.exit_code == 41
    assert "airgap.lock" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        edited(images=[]),
        edited(images={"a": "sha256:0"}),
        edited(images={"a": {"digest": "sha256:0", "size": 1}}),
        edited(images={"a": {"digest": DIGESTS[0], "size": -1}}),
        edited(platforms=5),
        edited(platforms="linux/amd64"),
        edited(referrers={DIGESTS[0]: ["x"]}),
        edited(resources=[1]),
    ],
)
def test_nonsense(content: bytes) -> None:
    with pytest.raises(BundleError, match="unreadable") as caught:
        Lockfile.from_bytes(content, where="airgap.lock")
    assert caught.value.exit_code == 40
    assert str(caught.value).startswith("airgap.lock: ")
    assert caught.value.hint


@given(st.binary(max_size=200))
def test_arbitrary_bytes(content: bytes) -> None:
    with pytest.raises(BundleError):
        Lockfile.from_bytes(content, where="airgap.lock")
