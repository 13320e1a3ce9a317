# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.recode SECONDS``: random content for every encoder under the sanitizers, from a seed it prints."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from airgap.recode import CODECS
from tests.recode.sanitized import check, compile_driver, random_jobs


def main(seconds: float) -> None:
    deadline, number = time.monotonic() + seconds, random.SystemRandom().randrange(1 << 32)
    contents = size = 0
    with tempfile.TemporaryDirectory() as folder:
        driver = compile_driver(Path(folder))
        while time.monotonic() < deadline:
            codec = CODECS[number % len(CODECS)]
            jobs = random_jobs(random.Random(number), codec, 10)
            try:
                check(driver, jobs)
            except AssertionError:
                print(f"number {number}, {codec}", file=sys.stderr)
                raise
            number, contents, size = number + 1, contents + len(jobs), size + sum(len(job.content) for job in jobs)
    print(f"{contents} contents, {size / 1e6:.0f} MB, nothing found")


if __name__ == "__main__":
    main(float(sys.argv[1]))
