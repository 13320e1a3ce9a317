# SPDX-License-Identifier: Apache-2.0
"""Does the time to scan and rewrite a file grow with its size alone? On a quiet machine: python -m bench.growth

For each shape of tests/kube/shapes.py, the CPU seconds for a file and for one ten times as large, and how many times as
long the second took. tests/kube/test_limits.py counts steps of the same work; seconds also tell of what is done in C.
Ends with 1 if a shape took 45 times as long or more.
"""

from __future__ import annotations

import sys
import time

from tests.kube.shapes import SHAPES, scanned_and_rewritten

_SMALL, _LARGE = 250, 2_500
_MOST = 45


def seconds(content: bytes) -> float:
    """CPU seconds of one run."""
    begun = time.process_time()
    scanned_and_rewritten(content)
    return time.process_time() - begun


def main() -> int:
    worst = 0.0
    print(f"{'shape':28}{'small':>10}{'large':>10}{'ratio':>8}")
    for name, shape in SHAPES.items():
        small, large = shape(_SMALL), shape(_LARGE)
        seconds(small)
        once = max(min(seconds(small) for _ in range(3)), 0.002)
        ten_times = seconds(large)
        worst = max(worst, ten_times / once)
        print(f"{name:28}{once:9.3f}s{ten_times:9.3f}s{ten_times / once:8.1f}")
    return 1 if worst >= _MOST else 0


if __name__ == "__main__":
    sys.exit(main())
