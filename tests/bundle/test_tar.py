# SPDX-License-Identifier: Apache-2.0
"""Headers of a tar that are larger than any bundle needs."""

from __future__ import annotations

import tarfile

import pytest

from airgap.bundle.tar import END, read_member
from airgap.errors import BundleError
from tests.bundle.bundles import TarMember, joined, member

NAME = "blobs/" + "long" * 40


def extended_header(size: int) -> TarMember:
    """A PAX header with ``size`` bytes of content: a comment and the path of the next member."""
    path = f" path={NAME}\n"
    path = f"{len(path) + 3}{path}"
    length = size - len(path)
    comment = f"{length} comment=".ljust(length - 1, "x") + "\n"
    return member("PaxHeaders/long", (comment + path).encode(), kind=tarfile.XHDTYPE)


def tar_with(extended: TarMember) -> bytes:
    return joined([extended, member("long", b"content")])


def test_an_extended_header_of_4_kib_is_read() -> None:
    content = tar_with(extended_header(4096))
    found = read_member(lambda count, offset: content[offset : offset + count], 0, len(content))
    assert found is not None
    assert found.name == NAME


def test_a_larger_extended_header_is_refused_before_it_is_read() -> None:
    content = tar_with(extended_header(4097))
    counts = []

    def pread(count: int, offset: int) -> bytes:
        counts.append(count)
        return content[offset : offset + count]

    with pytest.raises(BundleError, match="an extended header of 4097 bytes at byte 0"):
        read_member(pread, 0, len(content))
    assert max(counts) <= len(END)
