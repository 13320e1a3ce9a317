# SPDX-License-Identifier: Apache-2.0
"""The encoders with random and hostile content, in writes and reads of all sizes, under AddressSanitizer and UBSan."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from airgap.recode import CODECS
from tests.recode.contents import mixture, needs_library
from tests.recode.sanitized import Job, compile_driver, hostile, random_jobs, wrong

pytestmark = needs_library


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_driver(tmp_path_factory.mktemp("driver"))


def test_every_codec_stays_inside_its_memory(driver: Path) -> None:
    choose = random.Random(1)
    sizes = (0, 1, 3, 17, 33, 129, 3000, 66_000)
    jobs = [Job(codec, hostile(choose, size), size) for codec in CODECS for size in sizes]
    # Enough for the window to move.
    jobs += [Job(codec, mixture(codec, 700_000), 5) for codec in ("go1.8-1.26/4", "go1.8-1.26/1", "go1.27/6")]
    jobs.append(Job("pgzip/kp-1.18.2+/5", mixture("pieces", (1 << 20) + 70_000), 6))
    assert wrong(driver, jobs) == []


@pytest.mark.long
@pytest.mark.parametrize("codec", CODECS)
def test_random_content_of_all_sizes(driver: Path, codec: str) -> None:
    assert wrong(driver, random_jobs(random.Random(codec), codec, 60)) == []
