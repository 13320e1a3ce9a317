# SPDX-License-Identifier: Apache-2.0
"""What planning, surveying and moving thousands of images cost this program itself, against a simulated registry.

    python bench/scale.py [IMAGES …]        1250 2500 5000 by default; 12 blobs each, and 5 that all share

Seconds are CPU of this process; memory is the peak that Python allocated, by tracemalloc, in a run of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.doubles.many import Many, exporting, importing, measured, moving

STEPS: dict[str, Callable[[Many], object]] = {
    "export: plan": exporting,
    "import: plan, survey, nothing there": partial(importing, there=False),
    "import: plan, survey, all there": partial(importing, there=True),
    "import: all of it, into a target that takes everything": moving,
}


def main() -> None:
    for count in [int(text) for text in sys.argv[1:]] or [1250, 2500, 5000]:
        many = Many(count)
        print(f"{count:,} images, {many.blobs:,} blobs")
        for name, step in STEPS.items():
            seconds = measured(partial(step, many), memory=False).seconds
            memory = measured(partial(step, many), memory=True).memory
            each = f"{1e6 * seconds / many.blobs:4.0f} µs, {memory / many.blobs:5.0f} B a blob"
            print(f"  {name:56} {seconds:6.2f} s CPU, {memory / 1e6:6.1f} MB; {each}")


if __name__ == "__main__":
    main()
