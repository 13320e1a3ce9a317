# SPDX-License-Identifier: Apache-2.0
"""Finding images, beside libyaml's bare events over the same bytes, and the memory that it takes.

    python bench/discovery.py [FOLDER]

FOLDER holds resource files (``AIRGAP_CORPUS``/files where that is set); without one, only made files are measured:
pods as they come from a cluster, of 0.1, 1, 10 and 20 MB. CPU time, the minimum of five; memory is the growth of the
peak while a 20 MB file is scanned, and while it is rewritten, in processes of their own.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from airgap.errors import AirgapError
from airgap.kube import rewrite, scan

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: pod-{0}
  labels: {{app.kubernetes.io/name: web, app.kubernetes.io/instance: web-{0}}}
spec:
  containers:
  - name: web
    image: quay.io/example/web:v{0}
    args: [--listen=0.0.0.0:8080, --sidecar-image=quay.io/example/sidecar:v1]
    env:
    - {{name: TOKEN, value: "abcdef"}}
    resources: {{requests: {{cpu: 100m, memory: 128Mi}}, limits: {{memory: 1Gi}}}}
---
"""
ROUNDS = 5


def made(size: int) -> bytes:
    count = size // len(POD)
    return "".join(POD.format(number) for number in range(count)).encode()


def bare(contents: list[bytes]) -> None:
    for content in contents:
        try:
            for _ in yaml.parse(content, Loader=yaml.CSafeLoader):
                pass
        except yaml.YAMLError:
            continue


def ours(contents: list[bytes]) -> None:
    for content in contents:
        try:
            scan(content, "x.yaml")
        except AirgapError:
            continue


def seconds(work: Callable[[list[bytes]], None], contents: list[bytes]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        work(contents)
        best = min(best, time.process_time() - started)
    return best


def row(name: str, contents: list[bytes]) -> None:
    size = sum(map(len, contents)) / 1e6
    floor, own = seconds(bare, contents), seconds(ours, contents)
    print(
        f"{name:24} {size:7.1f} MB   bare {floor:7.3f} s   airgap {own:7.3f} s   {own / floor:4.2f} times", flush=True
    )


def grown(what: str) -> None:
    """In a process of its own: the growth of the peak."""
    content = made(20_000_000)
    scan(made(10_000), "x.yaml")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = scan(content, "x.yaml")
    if what == "rewrite":
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rewrite(content, [(site, "t.example:5000/p/x:1") for site in found.sites])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{what} of 20 MB, {len(found.sites)} sites: {(after - before) / 1024:.0f} MiB above start", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--grown"]:
        grown(sys.argv[2])
        return
    corpus = os.environ.get("AIRGAP_CORPUS")
    folder = sys.argv[1] if len(sys.argv) > 1 else str(Path(corpus) / "files") if corpus else None
    if folder:
        row("the folder", [path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()])
    for size in (100_000, 1_000_000, 10_000_000, 20_000_000):
        row(f"made, {size / 1e6:g} MB", [made(size)])
    for what in ("scan", "rewrite"):
        subprocess.run([sys.executable, __file__, "--grown", what], check=True)


if __name__ == "__main__":
    main()
