# SPDX-License-Identifier: Apache-2.0
"""What a small request costs through httpx and through airgap's own transport (ADR 0002).

    python bench/control_requests.py

One docker-registry-like server on loopback answers 2,000 HEADs on a kept connection to each client, in turns;
imports are timed in fresh interpreters. Medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import httpx

from airgap.registry.http.connect import Trust
from airgap.registry.http.transport import Transport
from airgap.server import Server
from airgap.store import MemoryStore

REQUESTS, ROUNDS = 2000, 5


def imports(module: str) -> float:
    """Milliseconds that importing ``module`` adds to an interpreter."""
    times = []
    for code in ("pass", f"import {module}") * 7:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - started)
    return 1000 * (statistics.median(times[1::2]) - statistics.median(times[0::2]))


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(REQUESTS):
        action()
    return time.perf_counter() - wall, time.thread_time() - cpu


def main() -> None:
    with Server(MemoryStore()) as server, httpx.Client(trust_env=False) as client:
        url, transport = f"{server.url}/v2/", Transport({})
        runs: dict[str, list[tuple[float, float]]] = {"httpx": [], "airgap": []}
        for _ in range(ROUNDS):
            runs["httpx"].append(seconds(lambda: client.head(url).raise_for_status()))
            runs["airgap"].append(seconds(lambda: transport.request("HEAD", url, Trust(), {}).read()))
    for name, module in (("httpx", "httpx"), ("airgap", "airgap.registry.registries")):
        wall, cpu = (1e6 * statistics.median(run[i] for run in runs[name]) / REQUESTS for i in (0, 1))
        print(f"{name:7} {wall:5.0f} µs wall, {cpu:5.0f} µs client CPU a request; import {imports(module):4.0f} ms")


if __name__ == "__main__":
    main()
