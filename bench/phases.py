# SPDX-License-Identifier: Apache-2.0
"""Where the time of an export and an import goes: beside what the registries themselves need.

    python -m bench.phases [WORKLOAD …] [--line plain|tls] [--rounds 5] [--folder CACHE]

The commands and registries are those of ``python -m bench.transfer``; the moments are those at which the events of
``--progress json`` come. ``begin`` is start-up, planning and every question; ``blobs`` and ``manifests`` is what moves;
``end`` what is left, reading tags back and writing files. Seconds, medians of the rounds after one that warms up. CPU
of the registries is theirs while the command runs: on two processors nothing is quicker than half of all CPU together.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.transfer import tools, turns, workloads
from bench.transfer.__main__ import default_cache
from bench.transfer.measure import synced
from bench.transfer.report import show
from bench.transfer.tools import Job
from tests.parts.service import clean_environment

COLUMNS = ("whole", "begin", "blobs", "manifests", "end", "CPU", "CPU of the registries")


def measured(script: str, folder: Path, home: Path) -> dict[str, float]:
    """One command whose events are read as they come."""
    last, planned = dict.fromkeys(("blob-done", "manifest-done"), 0.0), 0.0
    registries, before, began = _registries(), os.times(), time.monotonic()
    process = subprocess.Popen(
        ["sh", "-ec", script],
        cwd=folder,
        env=clean_environment(home, DOCKER_CONFIG=str(home)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    for line in process.stderr:
        name, now = json.loads(line)["event"], time.monotonic() - began
        planned = now if name == "planned" else planned
        if name in last:
            last[name] = now
    if process.wait():
        raise SystemExit(f"it ended with {process.returncode}: {script}")
    whole, after = time.monotonic() - began, os.times()
    blobs = max(last["blob-done"], planned)
    manifests = max(last["manifest-done"], blobs)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return dict(
        zip(
            COLUMNS,
            (whole, planned, blobs - planned, manifests - blobs, whole - manifests, cpu, _registries() - registries),
            strict=True,
        )
    )


def _registries() -> float:
    """The processor time of the registries that this process has started, so far."""
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"docker-registry" in Path(f"/proc/{child}/cmdline").read_bytes():
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("workloads", nargs="*", default=["w1"], choices=workloads.NAMES)
    parser.add_argument("--line", default="plain", choices=("plain", "tls"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=default_cache())
    chosen = parser.parse_args()
    airgap = tools.own_airgap()
    if airgap is None:
        raise SystemExit("airgap must be installed")
    loads = [workloads.load(chosen.folder, name, 1, show) for name in chosen.workloads]
    with tempfile.TemporaryDirectory(dir=chosen.folder) as disk, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        place = turns.Place(Path(disk), Path(memory), airgap, False, show)
        with turns.sides(place, chosen.line, loads) as (source, target, _):
            for load in loads:
                job, folder = Job(load, source, target, airgap), place.disk / load.name
                tools.inputs(job, folder)
                show(f"\n| {load.name} {chosen.line} | {' | '.join(COLUMNS)} |\n{'|-' * (len(COLUMNS) + 1)}|")
                seen: dict[str, list[dict[str, float]]] = {operation: [] for operation in turns.OPERATIONS}
                for _ in range(chosen.rounds + 1):
                    shutil.rmtree(folder / "bundle", ignore_errors=True)
                    (folder / "bundle").mkdir()
                    target.empty()
                    for operation in turns.OPERATIONS:
                        synced()
                        script = tools.airgap_script(job, operation == "export", "json")
                        seen[operation].append(measured(script, folder, place.disk))
                for operation, rounds in seen.items():
                    medians = (statistics.median(one[column] for one in rounds[1:]) for column in COLUMNS)
                    show(f"| {operation} | {' | '.join(f'{value:.2f}' for value in medians)} |")


if __name__ == "__main__":
    main()
