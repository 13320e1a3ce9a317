# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.recode SECONDS [NUMBER]``: random content for every encoder under the sanitizers.

What is wrong is printed with a number; with that NUMBER it begins there again.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from airgap.recode import CODECS
from tests.recode.sanitized import compile_driver, random_jobs, wrong


def main(seconds: float, number: int) -> None:
    deadline, contents, size = time.monotonic() + seconds, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        driver = compile_driver(Path(folder))
        while time.monotonic() < deadline:
            codec = CODECS[number % len(CODECS)]
            jobs = random_jobs(random.Random(number), codec, 10)
            try:
                found = str(wrong(driver, jobs) or "")
            except AssertionError as error:
                found = str(error)
            if found:
                sys.exit(f"number {number}, {codec}: {found}")
            number, contents, size = number + 1, contents + len(jobs), size + sum(len(job.content) for job in jobs)
    print(f"{contents} contents, {size / 1e6:.0f} MB, nothing found")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else random.SystemRandom().randrange(1 << 32))
