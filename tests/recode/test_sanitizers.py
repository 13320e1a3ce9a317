# SPDX-License-Identifier: Apache-2.0
"""The encoders with random and hostile content, in writes and reads of all sizes, under AddressSanitizer and UBSan."""

from __future__ import annotations

import os
import random
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.recode import CODECS
from tests.parts.need import need
from tests.recode.contents import encode, mixture, needs_library, noise
from tools.native import SOURCES

pytestmark = needs_library
DRIVER = Path(__file__).with_name("driver.c")
OPTIONS = (
    *("-std=c11", "-Og", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=off"),
    *("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("driver") / "driver"
    sources = [DRIVER, *sorted(SOURCES.glob("*.c"))]
    command = [need("gcc"), *OPTIONS, f"-I{SOURCES}", "-o", made, *sources, "-lm"]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (compiled.returncode, compiled.stderr) == (0, ""), shlex.join(map(str, command))
    return made


def run(driver: Path, jobs: list[tuple[str, bytes, int]]) -> Iterator[bytes]:
    given = b"".join(b"%s %d %d\n" % (codec.encode(), len(content), seed) + content for codec, content, seed in jobs)
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run([driver], input=given, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode(errors="replace")[:4000]
    rest = done.stdout
    while rest:
        size, _, rest = rest.partition(b"\n")
        yield rest[: int(size)]
        rest = rest[int(size) :]


def check(driver: Path, jobs: list[tuple[str, bytes, int]]) -> None:
    made = list(run(driver, jobs))
    assert len(made) == len(jobs)
    for (codec, content, seed), output in zip(jobs, made, strict=True):
        assert output == encode(codec, content), (codec, len(content), seed)


def hostile(choose: random.Random, size: int) -> bytes:
    """Content that leads along the limits: one byte, periods near the largest distances, noise, changed bytes."""
    kind = choose.randrange(6)
    if kind == 0:
        return bytes(size)
    if kind == 1:
        period = choose.choice((1, 2, 3, 258, 259, 4097, 32_506, 32_767, 32_768, 32_769))
        return (noise(f"{period}", period) * (size // period + 1))[:size]
    if kind == 2:
        return noise(f"{size}", size)
    if kind == 3:
        return noise(f"{size}", size).translate(bytes(byte & 1 for byte in range(256)))
    content = bytearray(mixture(f"{choose.random()}", size))
    for _ in range(choose.randrange(1 + size // 50)):
        content[choose.randrange(size)] = choose.randrange(256)
    return bytes(content)


def test_every_codec_stays_inside_its_memory(driver: Path) -> None:
    choose = random.Random(1)
    jobs = [(codec, hostile(choose, size), size) for codec in CODECS for size in (0, 1, 3, 17, 33, 129, 3000, 66_000)]
    # Enough for the window to move.
    jobs += [(codec, mixture(codec, 700_000), 5) for codec in ("go1.8-1.26/4", "go1.8-1.26/1", "go1.27/6")]
    check(driver, [*jobs, ("pgzip/kp-1.18.2+/5", mixture("pieces", (1 << 20) + 70_000), 6)])


@pytest.mark.long
@pytest.mark.parametrize("codec", CODECS)
def test_random_content_of_all_sizes(driver: Path, codec: str) -> None:
    choose = random.Random(codec)
    sizes = [choose.choice((10, 300, 5_000, 70_000, 140_000, 1_200_000)) for _ in range(60)]
    check(driver, [(codec, hostile(choose, choose.randrange(1, size)), choose.randrange(1 << 30)) for size in sizes])
