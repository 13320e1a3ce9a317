# SPDX-License-Identifier: Apache-2.0
"""What airgap is to reach beside the others, and whether it did.

A ratio stands beside one named tool, or beside the best of all others: the one whose median of that figure is least,
tools that change digests left out. A goal whose workload, line or tool was not measured is left out of the table.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bench.transfer.measure import Sample
from bench.transfer.tools import TOOLS
from bench.transfer.turns import OPERATIONS, Block

ON_DISK = "wall until on the disk"
#: By name, the figures that are compared as ratios.
FIGURES: dict[str, Callable[[Sample], float]] = {
    "wall": lambda s: s.wall,
    ON_DISK: lambda s: s.wall + s.flush,
    "CPU": lambda s: s.cpu,
}
#: Workload, operation, figure, beside whom, at most. All over plain HTTP.
_RATIOS = (
    ("w1", "export", "wall", "skopeo", 0.40),
    ("w1", "import", "wall", "skopeo", 0.40),
    ("w2", "export", "wall", "skopeo", 0.30),
    ("w2", "export", "wall", "best", 0.50),
    ("w2", "export", ON_DISK, "best", 1.0),
    ("w2", "export", "CPU", "best", 0.55),
    ("w2", "import", "wall", "skopeo", 0.35),
    ("w2", "import", "wall", "oras", 0.60),
    ("w2", "import", "CPU", "oras", 0.50),
    ("w2", "again", "wall", "oras", 0.50),
    ("w3", "export", "wall", "skopeo", 0.45),
    ("w3", "export", ON_DISK, "best", 1.0),
    ("w3", "import", "wall", "skopeo", 0.70),
)
_WIRE = 1.02  # a hundredth or so is headers, acknowledgements and manifests; one layer sent twice is far more
_NAMES = {"export": "export", "import": "import", "again": "import again"}


class Result(NamedTuple):
    """One goal, ``limit`` and ``reached`` in the same unit."""

    where: str
    figure: str
    limit: float
    reached: float
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.reached <= self.limit


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample], of: Callable[[Sample], float]) -> float | None:
    """The median of the rounds' ratios; ``None`` when either has no samples."""
    if not ours or len(ours) != len(theirs):
        return None
    return statistics.median(of(a) / max(of(b), 1e-9) for a, b in zip(ours, theirs, strict=True))


def best(block: Block, operation: str, of: Callable[[Sample], float]) -> str | None:
    """The tool other than airgap that needs least of a figure, or ``None``."""
    peers = {
        tool.name: statistics.median(map(of, block.of(tool.name, operation)))
        for tool in TOOLS
        if tool.name != "airgap" and tool.keeps and block.of(tool.name, operation)
    }
    return min(peers, key=lambda name: peers[name]) if peers else None


def results(blocks: Sequence[Block]) -> list[Result]:
    """Every goal that these measurements can speak to."""
    return [result for block in blocks for result in _of(block)]


def table(blocks: Sequence[Block]) -> list[str]:
    """The goals as Markdown."""
    lines = ["## Goals", "", "| | figure | at most | measured | |", "|-|-|-|-|-|"]
    for result in results(blocks):
        limit, reached = (f"{value:.2f}{result.unit}" for value in (result.limit, result.reached))
        lines.append(
            f"| {result.where} | {result.figure} | {limit} | {reached} | {'met' if result.met else 'MISSED'} |"
        )
    return lines


def _of(block: Block) -> Iterator[Result]:
    load, line = block.workload.name, block.line
    if line == "plain":
        for workload, operation, figure, beside, limit in _RATIOS:
            if workload == load:
                yield from _beside(block, operation, figure, beside, limit)
    elif line == "tls":
        for operation in OPERATIONS:
            yield from _beside(block, operation, "wall", "best", 1.0)
    for operation in OPERATIONS:
        ours, where = block.of("airgap", operation), f"{load} {line}, {_NAMES[operation]}"
        if not ours:
            continue
        yield Result(where, "peak memory", 80, max(s.memory for s in ours) / (1 << 20), " MiB")
        yield Result(where, "temporary bytes", 1, max(s.temporary for s in ours) / 1e6, " MB")
        if operation == "export":
            pairs = [(s.written, s.bundle) for s in ours if s.written is not None]
            if pairs:
                yield Result(where, "bytes written / bundle", 1.01, max(w / max(b, 1) for w, b in pairs))
        wires = [s.wire for s in ours if s.wire is not None]
        if operation == "import" and wires:
            yield Result(where, "bytes on the wire / unique bytes", _WIRE, max(wires) / block.workload.unique)
        if operation == "again" and (load, line) == ("w2", "plain"):
            yield Result(where, "wall", 0.5, statistics.median(s.wall for s in ours), " s")


def _beside(block: Block, operation: str, figure: str, beside: str, limit: float) -> Iterator[Result]:
    of = FIGURES[figure]
    peer = best(block, operation, of) if beside == "best" else beside
    reached = ratio(block.of("airgap", operation), block.of(peer, operation), of) if peer else None
    if reached is not None:
        shown = f"{figure} / the best other's ({peer})" if beside == "best" else f"{figure} / {peer}'s"
        yield Result(f"{block.workload.name} {block.line}, {_NAMES[operation]}", shown, limit, reached)
