# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.bundle.recoding.raw_files import RawFiles
from airgap.errors import BundleError, OutputError
from airgap.oci import digest as digests

MIB = 1 << 20
SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7]


@pytest.mark.parametrize("step", [1000, MIB, 5 * MIB])
def test_tars_keep_their_bytes_beside_each_other(tmp_path: Path, step: int) -> None:
    tars = {size: random.Random(size).randbytes(size) for size in SIZES}
    together = threading.Barrier(len(SIZES))
    made = {}

    def pieces(plain: bytes) -> Iterator[bytes]:
        together.wait(20)
        for start in range(0, len(plain), step):
            yield plain[start : start + step]

    with RawFiles(tmp_path) as files:

        def add(size: int) -> None:
            made[size] = files.add(pieces(tars[size]))

        threads = [threading.Thread(target=add, args=[size]) for size in SIZES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        for size, plain in tars.items():
            file = made[size]
            assert (file.size, file.digest) == (size, digests.of(plain))
            for offset in (0, 1, MIB - 1, MIB, 2 * MIB + 5, size):
                for count in (0, 1, MIB, 2 * MIB + 3, 9 * MIB):
                    assert file.region(offset, count) == plain[offset : offset + count]


def test_nothing_is_seen_in_the_folder(tmp_path: Path) -> None:
    with RawFiles(tmp_path) as files:
        files.add([b"one"])
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_the_digest_has_the_algorithm_that_is_asked_for(tmp_path: Path) -> None:
    with RawFiles(tmp_path) as files:
        assert files.add([b"one", b"two"], "sha512").digest == digests.of(b"onetwo", "sha512")


def test_errors_name_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as refused:
        RawFiles(tmp_path / "none")
    assert refused.value.where == str(tmp_path / "none")
    with RawFiles(tmp_path) as files:
        made = files.add([b"one"])
    with pytest.raises(BundleError) as gone:
        made.region(0, 3)
    assert gone.value.where == str(tmp_path)
