# SPDX-License-Identifier: Apache-2.0
"""A program that has the encoders and the sanitizers in it, and content to give it."""

from __future__ import annotations

import os
import random
import shlex
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from airgap.records import Record
from tests.parts.need import need
from tests.recode.contents import encode, mixture, noise
from tools.native import SOURCES

DRIVER = Path(__file__).with_name("driver.c")
OPTIONS = (
    *("-std=c11", "-Og", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=off"),
    *("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
)


class Job(Record):
    """``content`` for an encoder; the sizes of writes and reads follow from ``seed``."""

    codec: str
    content: bytes
    seed: int


def compile_driver(folder: Path) -> Path:
    made = folder / "driver"
    sources = [DRIVER, *sorted(SOURCES.glob("*.c"))]
    command = [need("gcc"), *OPTIONS, f"-I{SOURCES}", "-o", made, *sources, "-lm"]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (compiled.returncode, compiled.stderr) == (0, ""), shlex.join(map(str, command))
    return made


def wrong(driver: Path, jobs: Sequence[Job]) -> list[tuple[str, int, int]]:
    """Return codec, size and seed of the jobs for which the library makes something else, or zlib reads something else.

    Raises AssertionError for what the sanitizers find.
    """
    return [
        (job.codec, len(job.content), job.seed)
        for job, output in zip(jobs, _run(driver, jobs), strict=True)
        if output != encode(job.codec, job.content) or zlib.decompress(output, wbits=31) != job.content
    ]


def _run(driver: Path, jobs: Sequence[Job]) -> Iterator[bytes]:
    given = b"".join(b"%s %d %d\n" % (job.codec.encode(), len(job.content), job.seed) + job.content for job in jobs)
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run([driver], input=given, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode(errors="replace")[:4000]
    rest = done.stdout
    while rest:
        size, _, rest = rest.partition(b"\n")
        yield rest[: int(size)]
        rest = rest[int(size) :]


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


def random_jobs(choose: random.Random, codec: str, count: int) -> list[Job]:
    sizes = [choose.choice((10, 300, 5_000, 70_000, 140_000, 1_200_000)) for _ in range(count)]
    return [Job(codec, hostile(choose, choose.randrange(1, size)), choose.randrange(1 << 30)) for size in sizes]
