# SPDX-License-Identifier: Apache-2.0
"""Throughput of making parity volumes and of restoring lost ones, and the memory that it takes.

    python bench/parity.py [GIB] [FOLDER] [COUNT...]

GIB (1 by default) of random bytes as ten volumes in FOLDER, with COUNT parity volumes (1, 2 and 3 by default). Making
reads all volumes; restoring is measured with as many data volumes lost as there are parity volumes. MB are of data
volumes. Beside both stands ``sha256sum`` over the same volumes, which no reading of them can do without. In brackets is
the same for a second of CPU, which other load on the machine changes less. Memory is the peak (VmHWM) of a process that
does only this.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from airgap.bundle.media.checksums import checksums_path, file_sha256, format_checksums
from airgap.bundle.parity import make_parity
from airgap.flows.repair import repair
from airgap.transfer import Context

VOLUMES = 10


def prepare(folder: Path, size: int) -> list[Path]:
    paths = [folder / f"b.tar.{number:03}" for number in range(1, VOLUMES + 1)]
    for path in paths:
        with open(path, "wb") as file:
            file.writelines(os.urandom(1 << 20) for _ in range(size // VOLUMES // (1 << 20)))
    return paths


def peak() -> float:
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def work(folder: Path, count: int) -> None:
    """In a process of its own: make, lose, restore."""
    paths = sorted(path for path in folder.iterdir() if path.suffix[1:].isdigit())
    size = sum(path.stat().st_size for path in paths)
    if not checksums_path(folder / "b.tar").exists():
        sums = []
        for path in paths:
            with open(path, "rb") as file:
                sums.append((path.name, file_sha256(file.fileno())))
        checksums_path(folder / "b.tar").write_bytes(format_checksums(sums))
    started = times()
    subprocess.run(["sha256sum", *paths], stdout=subprocess.DEVNULL, check=True)
    floor = since(started)
    started = times()
    parity = make_parity(folder / "b.tar", paths, count, lambda _: None)
    made = since(started)
    for path in paths[:count]:
        path.unlink()
    started = times()
    restored = repair([paths[-1]], None, Context()).paths
    again = since(started)
    assert list(restored) == paths[:count]
    for path in parity:
        path.unlink()
    print(
        f"{count} parity volumes: made at {rate(size, made)}, {count} lost ones restored at {rate(size, again)}; "
        f"sha256sum {rate(size, floor)}; memory {peak():.0f} MiB",
        flush=True,
    )


def times() -> tuple[float, float]:
    """The clock, and the seconds of CPU that this process and those that it waited for have used."""
    used = os.times()
    return time.monotonic(), used.user + used.system + used.children_user + used.children_system


def since(started: tuple[float, float]) -> tuple[float, float]:
    now = times()
    return now[0] - started[0], now[1] - started[1]


def rate(size: int, seconds: tuple[float, float]) -> str:
    return f"{size / seconds[0] / 1e6:.0f} MB/s ({size / seconds[1] / 1e6:.0f})"


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]), int(sys.argv[3]))
        return
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else 1) * (1 << 30))
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as place:
        prepare(Path(place), size)
        for count in sys.argv[3:] or ("1", "2", "3"):
            subprocess.run([sys.executable, __file__, "--work", place, count], check=True)


if __name__ == "__main__":
    main()
