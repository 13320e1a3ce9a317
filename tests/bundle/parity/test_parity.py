# SPDX-License-Identifier: Apache-2.0
"""Parity volumes: what may be lost or damaged, and what is then made again, byte for byte."""

from __future__ import annotations

import hashlib
import itertools
import random
import shutil
from pathlib import Path

import pytest

from airgap.bundle.media.checksums import checksums_path, format_checksums
from airgap.bundle.parity import Assessment, assess, data_volume_size, make_parity, parity_set_of
from airgap.bundle.parity.galois import coefficients, combination, inverted, multiply
from airgap.bundle.parity.geometry import BLOCK, PAGE
from airgap.errors import UsageError
from airgap.flows.repair import repair
from airgap.transfer import Context

DATA = (200_000, 200_000, 200_000, 70_001)
SECTOR = 512


def ignore(_: int) -> None:
    pass


class Volumes:
    """Volumes of random bytes with parity in a folder, and what they were."""

    def __init__(self, folder: Path, parity: int, sizes: tuple[int, ...] = DATA) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.bundle = folder, folder / "b.tar"
        chance = random.Random(7)
        self.data = [folder / f"b.tar.{number:03}" for number in range(1, len(sizes) + 1)]
        for path, size in zip(self.data, sizes, strict=True):
            path.write_bytes(chance.randbytes(size))
        sums = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in self.data]
        checksums_path(self.bundle).write_bytes(format_checksums(sums))
        self.parity = make_parity(self.bundle, self.data, parity, ignore)
        self.whole = self.content()

    @property
    def all(self) -> list[Path]:
        return [*self.data, *self.parity]

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    def damage(self, path: Path, *offsets: int, size: int = SECTOR) -> None:
        content = bytearray(path.read_bytes())
        for offset in offsets:
            content[offset : offset + size] = bytes(value ^ 0xA5 for value in content[offset : offset + size])
        path.write_bytes(content)

    def assess(self) -> Assessment:
        given = next(path for path in self.all if path.exists())
        with parity_set_of([given]) as found:
            assert found is not None
            return assess(found, ignore)

    def repair(self, folder: Path | None = None) -> list[Path]:
        given = next(path for path in self.all if path.exists())
        return list(repair([given], folder, Context()).paths)

    def restored(self) -> bool:
        self.repair()
        return self.content() == self.whole


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Volumes]:
    root = tmp_path_factory.mktemp("parity")
    return {count: Volumes(root / str(count), count) for count in (1, 2, 3)}


@pytest.fixture
def copied(made: dict[int, Volumes], tmp_path: Path) -> dict[int, Volumes]:
    """A copy that a test may damage."""
    copies = {}
    for count, volumes in made.items():
        copy = object.__new__(Volumes)
        copy.folder = tmp_path / str(count)
        shutil.copytree(volumes.folder, copy.folder)
        copy.bundle, copy.whole = copy.folder / "b.tar", volumes.whole
        copy.data = [copy.folder / path.name for path in volumes.data]
        copy.parity = [copy.folder / path.name for path in volumes.parity]
        copies[count] = copy
    return copies


def test_any_rows_determine_the_data() -> None:
    """Each choice of lost data and of as many parity rows gives the data back."""
    blocks = [bytes([number * 7 + 1, number, 255 - number]) for number in range(5)]
    rows = coefficients(5, 3)
    sums = [combination(zip(row, blocks, strict=True), 3) for row in rows]
    assert rows[0] == (1,) * 5
    for count in (1, 2, 3):
        for lost in itertools.combinations(range(5), count):
            for used in itertools.combinations(range(3), count):
                left = [
                    combination([(1, sums[row]), *((rows[row][i], blocks[i]) for i in range(5) if i not in lost)], 3)
                    for row in used
                ]
                factors = inverted([[rows[row][i] for i in lost] for row in used])
                for number, line in zip(lost, factors, strict=True):
                    assert combination(zip(line, left, strict=True), 3) == blocks[number]


def test_the_field_is_a_field() -> None:
    assert multiply(2, 0x80) == 0x1D
    assert all(sorted(multiply(factor, value) for value in range(256)) == list(range(256)) for factor in range(1, 256))


def test_the_same_volumes_give_the_same_bytes(made: dict[int, Volumes], tmp_path: Path) -> None:
    again = Volumes(tmp_path / "again", 2)
    assert again.content() == made[2].whole
    assert list(made[2].whole)[-1] == "b.tar.sha256"
    listed = made[2].whole["b.tar.sha256"].decode().split()
    assert listed[1::2] == [path.name for path in made[2].all]
    for sha256, name in zip(listed[::2], listed[1::2], strict=True):
        assert hashlib.sha256(made[2].whole[name]).hexdigest() == sha256


@pytest.mark.parametrize("count", [1, 2])
def test_any_volumes_may_be_deleted(copied: dict[int, Volumes], count: int) -> None:
    volumes = copied[count]
    for lost in itertools.combinations(volumes.all, count):
        for path in lost:
            path.unlink()
        if not set(volumes.parity) <= set(lost):
            assert volumes.assess().damaged == [volumes.all.index(path) for path in lost]
        assert volumes.restored(), lost


def test_any_volumes_may_be_damaged_everywhere(copied: dict[int, Volumes]) -> None:
    volumes = copied[2]
    for bad in itertools.combinations(volumes.all, 2):
        for path in bad:
            volumes.damage(path, *range(0, path.stat().st_size, SECTOR * 3))
        assert volumes.restored(), bad


def test_a_sector_of_every_volume_may_be_damaged(copied: dict[int, Volumes]) -> None:
    volumes = copied[1]
    for stripe, path in enumerate(volumes.data[:3]):
        volumes.damage(path, stripe * BLOCK + 11)
    volumes.damage(volumes.data[3], BLOCK + 5)
    volumes.damage(volumes.parity[0], PAGE + 40)  # of its first record
    assessment = volumes.assess()
    assert assessment.damaged == [0, 1, 2, 3, 4]
    # The last volume's second block is in the stripe of another damaged block.
    assert assessment.lost_stripes == [1]
    shutil.copy(made_file(volumes, 3), volumes.data[3])
    assert volumes.restored()


def made_file(volumes: Volumes, number: int) -> Path:
    path = volumes.folder.parent / "whole"
    path.write_bytes(volumes.whole[volumes.all[number].name])
    return path


@pytest.mark.parametrize("place", ["title", "last title", "record", "last record", "blocks"])
def test_a_damaged_parity_volume_is_found_and_restored(copied: dict[int, Volumes], place: str) -> None:
    volumes = copied[1]
    size = volumes.parity[0].stat().st_size
    blocks = size // 2 // BLOCK * BLOCK
    offset = {"title": 100, "last title": size - 200, "record": PAGE + 9, "last record": size - PAGE - 90}
    volumes.damage(volumes.parity[0], offset.get(place, blocks))
    assert volumes.assess().damaged == [4]
    assert volumes.restored()


def test_one_deleted_and_a_thousand_sectors_of_one_more(copied: dict[int, Volumes]) -> None:
    chance = random.Random(3)
    for deleted, damaged in ((0, 1), (0, 4), (4, 0), (4, 5), (5, 4)):
        volumes = copied[2]
        volumes.all[deleted].unlink()
        size = volumes.all[damaged].stat().st_size
        volumes.damage(volumes.all[damaged], *(chance.randrange(size) for _ in range(1000)))
        assert volumes.restored(), (deleted, damaged)


def test_one_more_and_it_says_which_volume_to_make_again(copied: dict[int, Volumes]) -> None:
    volumes = copied[2]
    for number in (0, 2):
        volumes.all[number].unlink()
    volumes.damage(volumes.data[1], BLOCK)
    assessment = volumes.assess()
    assert assessment.lost_stripes == [1]
    assert len(assessment.to_make_again()) == 1
    again = assessment.to_make_again()[0]
    volumes.all[again].write_bytes(volumes.whole[volumes.all[again].name])
    assert volumes.restored()


def test_a_short_and_a_long_volume(copied: dict[int, Volumes]) -> None:
    volumes = copied[2]
    volumes.data[1].write_bytes(volumes.data[1].read_bytes()[: BLOCK + 7])
    volumes.data[3].write_bytes(volumes.data[3].read_bytes() + b"more")
    assert volumes.assess().damaged == [1, 3]
    assert volumes.restored()


def test_restored_volumes_go_to_another_folder(copied: dict[int, Volumes], tmp_path: Path) -> None:
    volumes = copied[2]
    volumes.data[0].unlink()
    volumes.damage(volumes.data[2], 5)
    before = volumes.content()
    (tmp_path / "out").mkdir()
    paths = volumes.repair(tmp_path / "out")
    assert [path.name for path in paths] == ["b.tar.001", "b.tar.003"]
    assert all(path.read_bytes() == volumes.whole[path.name] for path in paths)
    assert volumes.content() == before


def test_a_set_of_another_export_is_not_mixed(copied: dict[int, Volumes], tmp_path: Path) -> None:
    """A parity volume of an older export lies beside the volumes."""
    other = Volumes(tmp_path / "other", 2, (199_999, 70_001))
    volumes = copied[2]
    shutil.copy(other.parity[1], volumes.parity[1])
    assert volumes.assess().damaged == [5]
    assert volumes.restored()


@pytest.mark.parametrize(("total", "size", "parity"), [(10**6, 10**6, 1), (10**8, 10**6, 3), (5 * 10**9, 4 * 10**8, 2)])
def test_parity_volumes_are_as_large_as_a_medium(total: int, size: int, parity: int) -> None:
    from airgap.bundle.parity.geometry import planned_set

    data = data_volume_size(total, size, parity, "b.tar")
    count = -(-(total + BLOCK) // data)
    names = [f"b.tar.{number:03}" for number in range(1, count + 1)]
    largest = planned_set(names, [data] * count, "b.tar", parity).parity_size()
    assert largest <= size
    assert data % BLOCK == 0
    assert data > size * 0.75


def test_more_volumes_than_the_field_has(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than 256 volumes"):
        data_volume_size(10**9, 10**6, 2, "b.tar")
