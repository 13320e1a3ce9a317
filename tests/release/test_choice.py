# SPDX-License-Identifier: Apache-2.0
"""The files of a release that a site needs, compared with trying every set of files."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, combinations

import pytest

from airgap.bundle.inventory import Inventory
from airgap.bundle.required_layers import RequiredLayer
from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_MANIFEST
from airgap.release import ReleaseBundle, ReleaseFile, SiteRelease
from airgap.release.choice import Candidate, choose, files_to_read

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Made:
    """A bundle of some layers, its volumes, and which bytes of it each of its blobs takes."""

    def __init__(self, number: int, layers: Sequence[Descriptor], left_out: Sequence[Descriptor], rng: random.Random):
        manifest = Descriptor(OCI_MANIFEST, digest(f"manifest {number}"), rng.randint(300, 1500))
        blobs = (manifest, *(layer for layer in layers if layer not in left_out))
        self.head_end = 512 * rng.randint(5, 40)
        self.inventory = Inventory((), blobs, requires=tuple(RequiredLayer(one.digest, one.size) for one in left_out))
        self.always = [(0, self.head_end)]
        self.ranges: dict[str, tuple[int, int]] = {}
        offset = self.head_end
        for blob in blobs:
            end = offset + 512 + -(-blob.size // 512) * 512
            self.ranges[blob.digest] = (offset, end)
            offset = end
        self.always.append(self.ranges[manifest.digest])
        size = offset + rng.choice([0, 512 * rng.randint(1, 30)]) + 1024  # signatures come before the end
        volume = rng.choice([size, rng.randint(2_000, 20_000)])
        identity = hashlib.sha256(str(number).encode()).hexdigest()
        sizes = [min(volume, size - start) for start in range(0, size, volume)]
        self.files = tuple(
            ReleaseFile(f"{number}.{index:03}", one, identity, "bundle", identity) for index, one in enumerate(sizes, 1)
        )
        since = SiteRelease(str(number), "f" * 64) if left_out else None
        self.bundle = ReleaseBundle(identity, size, tuple(file.name for file in self.files), since=since)

    def candidate(self, held: Collection[str], *, exact: bool = True) -> Candidate:
        lacking = sum(layer.digest not in held for layer in self.inventory.requires)
        head_end = self.head_end if exact else None
        return Candidate(self.bundle, files_to_read(self.inventory, self.files, head_end, held), lacking)

    def serves(self, names: Collection[str], held: Collection[str]) -> bool:
        """Whether an import that has only the volumes ``names`` of this bundle has all that it reads."""
        if any(layer.digest not in held for layer in self.inventory.requires):
            return False
        wanted = [*self.always, *(place for digest, place in self.ranges.items() if digest not in held)]
        start = 0
        for file in self.files:
            end = start + file.size
            if file.name not in names and any(first < end and start < last for first, last in wanted):
                return False
            start = end
        return True


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, count) for count in range(len(names) + 1))


def case(seed: int) -> tuple[list[Made], set[str], set[str]]:
    """Bundles of a release, what a site holds, and which files are at hand."""
    rng = random.Random(seed)
    while True:
        layers = [Descriptor(LAYER, digest(f"{seed} {n}"), rng.randint(1, 12_000)) for n in range(rng.randint(1, 6))]
        left_out = [rng.sample(layers, rng.randint(1, len(layers))) for _ in range(rng.randint(0, 2))]
        made = [Made(number, layers, one, rng) for number, one in enumerate(([], *left_out))]
        names = [file.name for one in made for file in one.files]
        if len(names) <= 10:
            # A manifest is read even if the site has it.
            known = [*layers, *(one.inventory.blobs[0] for one in made)]
            held = {blob.digest for blob in known if rng.random() < 0.6}
            return made, held, {name for name in names if rng.random() < 0.7}


@pytest.mark.parametrize("block", range(4))
def test_the_choice_is_that_of_trying_all_sets(block: int) -> None:
    seen = set()
    for seed in range(block * 60, block * 60 + 60):
        made, held, at_hand = case(seed)
        sizes = {file.name: file.size for one in made for file in one.files}
        serving = [names for names in subsets(list(sizes)) if any(one.serves(names, held) for one in made)]

        def cost(names: Collection[str], sizes: dict[str, int] = sizes) -> int:
            return sum(sizes[name] for name in names)

        choice = choose([one.candidate(held) for one in made], at_hand)
        assert choice is not None
        assert choice.cheapest.size == min(map(cost, serving)), seed
        ready = [names for names in serving if at_hand.issuperset(names)]
        if ready:
            assert choice.chosen is not None, seed
            assert choice.chosen.size == min(map(cost, ready)), seed
            assert choice.fetch == ()
        else:
            assert choice.chosen is None, seed
            fetch = {file.name for file in choice.fetch}
            assert any(one.serves(at_hand | fetch, held) for one in made), seed
            assert cost(fetch) == min(cost(set(names) - at_hand) for names in serving), seed
        seen.add((choice.chosen is None, choice.cheapest.bundle.kind, len(choice.cheapest.files) > 1))
    assert len(seen) >= 4


def test_without_the_head_never_less_is_named_than_is_read() -> None:
    for seed in range(60):
        made, held, _ = case(seed)
        for one in made:
            exact, guessed = one.candidate(held), one.candidate(held, exact=False)
            assert {file.name for file in exact.files} <= {file.name for file in guessed.files}


def test_no_bundle_serves() -> None:
    made, _, _ = case(1)
    assert choose([Candidate(one.bundle, one.files, 1) for one in made], ()) is None
