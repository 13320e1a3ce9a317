# SPDX-License-Identifier: Apache-2.0
"""A small, fixed number of mutations of each door's seeds; ``python -m tests.fuzz`` goes on with random ones."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.bundle import Inventory
from airgap.errors import AirgapError
from tests.cli.fixtures import bundle as bundle
from tests.fuzz import recoded
from tests.fuzz.doors import Door, doors
from tests.parts.recoding import needs_encoders

NAMES = sorted(doors(b""))
PIECES = (
    b"",
    b"\0",
    b"\xff",
    b"\xe2\x80\xae",
    b"{",
    b"]",
    b'"',
    b"\\",
    b":",
    b",",
    b"\n",
    b"  ",
    b"- ",
    b"&a ",
    b"*a",
    b"9" * 25,
)


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[float, int, bytes]]:
    """Places from 0 to 1, how many bytes go there, and what comes instead."""
    piece = st.one_of(st.sampled_from(PIECES), st.binary(max_size=6))
    return draw(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 2, 9, 600]), piece), max_size=6))


def mutated(seed: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    content = seed
    for place, gone, piece in changes:
        at = int(place * len(content))
        content = content[:at] + piece + content[at + gone :]
    return content


def attempt(door: Door, content: bytes) -> None:
    with suppress(AirgapError):
        door.read(content)


@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_seed_ends_in_an_answer_or_an_error(name: str, bundle: Path) -> None:
    door = doors(bundle.read_bytes())[name]
    for seed in door.seeds:
        attempt(door, seed)

    @settings(max_examples=60, derandomize=True, database=None)
    @given(seed=st.sampled_from(list(door.seeds)), changes=mutations())
    def run(seed: bytes, changes: list[tuple[float, int, bytes]]) -> None:
        attempt(door, mutated(seed, changes))

    run()


@needs_encoders
def test_the_seeds_of_recoded_bundles_are_restored() -> None:
    recoded.restore_as_said(recoded.inventory())
    for payload in recoded.payloads():
        recoded.restore_payload(payload)
    recoded.unpack_older_layer(recoded.made().gzip)
    assert Inventory.from_bytes(recoded.inventory(), where="x").recoded
