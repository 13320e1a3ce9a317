# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.fuzz SECONDS BUNDLE``: random mutations of every door's seeds, with the numbers that repeat one."""

from __future__ import annotations

import random
import sys
import time
import traceback
from pathlib import Path

from airgap.errors import AirgapError
from tests.fuzz.doors import doors
from tests.fuzz.test_fuzz import PIECES, mutated


def main(seconds: float, bundle: Path) -> int:
    """Return the number of findings; each is printed with its door, its number and its bytes."""
    every = doors(bundle.read_bytes())
    deadline = time.monotonic() + seconds
    first = number = random.SystemRandom().randrange(1 << 32)
    findings: set[str] = set()
    print(f"seed {first}")
    while time.monotonic() < deadline:
        for name, door in every.items():
            chance = random.Random(f"{name} {number}")
            changes = [
                (chance.random(), chance.choice((0, 0, 1, 2, 9, 600)), chance.choice((*PIECES, chance.randbytes(4))))
                for _ in range(chance.randrange(1, 8))
            ]
            content = mutated(chance.choice(door.seeds), changes)
            try:
                door.read(content)
            except AirgapError:
                continue
            except Exception as error:  # noqa: BLE001 - any of them is a finding
                place = f"{name}: {type(error).__name__} at {traceback.extract_tb(error.__traceback__)[-1]}"
                if place not in findings:
                    findings.add(place)
                    print(f"{place}\n  number {number}: {content[:2000]!r}")
        number += 1
    print(f"{number - first} mutations of each door, {len(findings)} findings")
    return len(findings)


if __name__ == "__main__":
    sys.exit(min(main(float(sys.argv[1]), Path(sys.argv[2])), 1))
