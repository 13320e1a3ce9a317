# SPDX-License-Identifier: Apache-2.0
"""Which codecs a gzip header leaves."""

from __future__ import annotations

import pytest

from airgap.recode import CODECS, candidates

GO = bytes.fromhex("1f8b08000000000000ff")
FASTEST = bytes.fromhex("1f8b08000000000004ff")
BEST = bytes.fromhex("1f8b08000000000002ff")
PGZIP = bytes.fromhex("1f8b080000096e8800ff")


def test_each_codec_has_a_header_that_leads_to_it() -> None:
    found = [*candidates(GO), *candidates(FASTEST), *candidates(BEST)]
    pgzip = [codec for codec in candidates(PGZIP) if codec not in found]
    assert sorted(found + pgzip) == sorted(CODECS)
    assert len(set(CODECS)) == len(CODECS) == 17


@pytest.mark.parametrize(
    ("header", "first"),
    [(GO, "go1.8-1.26/6"), (FASTEST, "go1.8-1.26/1"), (BEST, "go1.8-1.26/9"), (PGZIP, "pgzip/kp-1.18.2+/5")],
)
def test_the_most_frequent_is_tried_first(header: bytes, first: str) -> None:
    assert candidates(header)[0] == first
    assert candidates(header + b"what follows") == candidates(header)


def test_the_same_program_on_arm_is_tried_after_it() -> None:
    for header in (GO, FASTEST, PGZIP):
        order = candidates(header)
        fused = [codec for codec in order if codec.endswith("/fma")]
        assert fused
        for codec in fused:
            assert order.index(codec.removesuffix("/fma")) < order.index(codec)


def test_a_time_that_a_caller_has_set_tells_nothing() -> None:
    dated = GO[:4] + bytes.fromhex("11223344") + GO[8:]
    assert set(candidates(dated)) == set(candidates(GO)) | set(candidates(PGZIP))
    assert candidates(FASTEST[:4] + b"\1\2\3\4" + FASTEST[8:]) == candidates(FASTEST)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        GO[:9],
        b"\x28\xb5\x2f\xfd" + GO[4:],  # zstd
        GO[:3] + b"\x08" + GO[4:],  # with a name
        GO[:9] + b"\x03",  # gzip of Unix
        GO[:8] + b"\x09\xff",
    ],
)
def test_what_no_codec_writes_has_no_candidates(header: bytes) -> None:
    assert candidates(header) == ()
