# SPDX-License-Identifier: Apache-2.0
"""Digests: image-spec descriptor.md, "Digests"."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import DigestMismatch, InvalidReference
from airgap.oci import digest as digests

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_known_algorithms(algorithm: str) -> None:
    found = digests.of(b"abc", algorithm)
    assert found == f"{algorithm}:{hashlib.new(algorithm, b'abc').hexdigest()}"
    assert digests.check(found) == found
    assert (digests.algorithm(found), digests.encoded(found)) == tuple(found.split(":"))
    hasher = digests.hasher(found)
    hasher.update(b"a")
    hasher.update(memoryview(b"bc"))
    assert hasher.hexdigest() == digests.encoded(found)


def test_the_empty_blob() -> None:
    assert digests.of(b"") == EMPTY


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "written algorithm:hex"),
        ("sha256", "written algorithm:hex"),
        ("sha256:", "written algorithm:hex"),
        (":abc", "written algorithm:hex"),
        ("SHA256:" + "0" * 64, "written algorithm:hex"),
        ("sha256:" + "0" * 63 + "/", "written algorithm:hex"),
        ("sha256:" + "0" * 64 + "\n", "written algorithm:hex"),
        ("sha256:" + "0" * 63, "has 64 characters"),
        ("sha256:" + "0" * 65, "has 64 characters"),
        ("sha256:" + "F" * 64, "has 64 characters"),
        ("sha512:" + "0" * 64, "has 128 characters"),
        ("sha256:" + "٣" * 64, "written algorithm:hex"),
        ("sha1:" + "0" * 40, "unknown digest algorithm 'sha1'"),
        ("sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", "unknown digest algorithm"),
    ],
)
def test_refuses_with_the_reason(text: str, reason: str) -> None:
    assert reason in (digests.problem(text) or "")
    with pytest.raises(InvalidReference, match="invalid digest"):
        digests.check(text)


def test_verify() -> None:
    assert digests.verify(b"", EMPTY) == b""
    with pytest.raises(DigestMismatch) as caught:
        digests.verify(b"x", EMPTY, where="index.json")
    assert str(caught.value).startswith("index.json: content hashes to sha256:2d71")
    assert EMPTY in str(caught.value)


@given(st.text(max_size=150))
def test_what_passes_can_be_a_path(text: str) -> None:
    if digests.problem(text) is None:
        assert set(text) <= set("sha0123456789abcdef:")
        assert text.count(":") == 1
