# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.registry.auth.challenge import parse


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Basic realm="Sonatype Nexus"'], [("basic", {"realm": "Sonatype Nexus"})]),
        (['BEARER REALM="https://a/t",Service="s"'], [("bearer", {"realm": "https://a/t", "service": "s"})]),
        (
            ['Basic realm="a, b", Bearer realm="https://a/t",scope="repository:x:pull,push"'],
            [("basic", {"realm": "a, b"}), ("bearer", {"realm": "https://a/t", "scope": "repository:x:pull,push"})],
        ),
        (['Basic realm="one"', "Negotiate"], [("basic", {"realm": "one"}), ("negotiate", {})]),
        (
            ["Negotiate YII=, Basic realm=plain"],
            [("negotiate", {}), ("basic", {"realm": "plain"})],
        ),
        (["NTLM TlRMTVNTUAAB/+==,Basic realm=x"], [("ntlm", {}), ("basic", {"realm": "x"})]),
        ([r'Bearer realm="say \"hi\" \\ there"'], [("bearer", {"realm": r'say "hi" \ there'})]),
        (['Bearer  realm = "spaced" , service = "s"'], [("bearer", {"realm": "spaced", "service": "s"})]),
        (['Basic realm="", charset="UTF-8"'], [("basic", {"realm": "", "charset": "UTF-8"})]),
        (
            ['Digest realm="d", qop="auth,auth-int", nonce=abc, Bearer realm="r"'],
            [("digest", {"realm": "d", "qop": "auth,auth-int", "nonce": "abc"}), ("bearer", {"realm": "r"})],
        ),
        ([""], []),
        ([], []),
        ([" , ,"], []),
        (['realm="nobody\'s"'], []),
    ],
)
def test_reads(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(found.scheme, dict(found.parameters)) for found in parse(headers)] == expected


def test_what_cannot_be_read_ends_one_header_alone() -> None:
    found = parse(['Basic realm="never closed', 'Bearer realm="https://a/t"'])
    assert [challenge.scheme for challenge in found] == ["basic", "bearer"]
    assert found[1].parameters["realm"] == "https://a/t"


_PIECES = st.sampled_from(
    ["Bearer", "basic", " ", ",", "=", '"', "\\", 'realm="x"', "a68==", "\t", "é", "scope", "\x00"]
)


@given(st.lists(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=40).map("".join)), max_size=4))
def test_never_raises(headers: list[str]) -> None:
    for challenge in parse(headers):
        assert challenge.scheme == challenge.scheme.lower() != ""
        assert all(name == name.lower() for name in challenge.parameters)


@pytest.mark.parametrize(
    "evil", [" " * 60000, "," * 60000, "a" * 60000, 'a="' + "\\" * 60000, "a " * 30000, "a=" * 30000]
)
def test_a_header_made_to_be_slow_is_not(evil: str) -> None:
    import time

    began = time.process_time()
    parse([f"Bearer {evil}", evil])
    assert time.process_time() - began < 2


_TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=8)
_VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(st.lists(st.tuples(_TOKEN, st.dictionaries(_TOKEN, _VALUE, min_size=1, max_size=3)), min_size=1, max_size=3))
def test_what_is_written_is_read(challenges: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert [(found.scheme, dict(found.parameters)) for found in parse([header])] == challenges
