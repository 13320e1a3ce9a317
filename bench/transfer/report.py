# SPDX-License-Identifier: Apache-2.0
"""The page of results: goals first, then for each line and workload a table an operation.

Figures are medians of the rounds; ratios are taken round by round and then the median, so that a machine that is
slower for a while weighs on both sides. Nothing of a tool that failed is shown but that it failed. No date is
written: the versions say what was measured.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.transfer import goals
from bench.transfer.measure import Sample
from bench.transfer.tools import TOOLS, Tool
from bench.transfer.turns import OPERATIONS, ROUND_TRIP, Block

_MB = 1_000_000
_LINES = {
    "plain": "Plain HTTP",
    "tls": "TLS",
    "delay": f"Plain HTTP over a line with a round trip of {1000 * ROUND_TRIP:.0f} ms",
}
_OPERATIONS = {"export": "Export", "import": "Import", "again": "Import with everything there"}
_VERSION = {"oras": "version", "crane": "version", "regctl": "version"}
_TITLES = ("", "wall s (least–most)", "÷ skopeo, best", "CPU s", "÷ skopeo, best", "memory MiB")
_TITLES_OF_BYTES = ("written MB", "temp MB", "wire MB", "bundle MB")
_TITLES_OF_DISK = ("on disk s", "÷ skopeo, best")


def page(blocks: Sequence[Block], command: str, rounds: int, tools: Sequence[Tool], airgap: Path, places: str) -> str:
    """All of it as Markdown."""
    lines = [
        "# Results",
        "",
        f"Written by `{command}`: medians of {rounds} rounds in turns, after one that warms up.",
        "How it is measured, and what each column is: [README.md](README.md).",
        "",
        *machine(tools, airgap, places),
        "",
        *goals.table(blocks),
    ]
    for block in blocks:
        lines += ["", *section(block)]
    return "\n".join(lines) + "\n"


def section(block: Block) -> list[str]:
    """One workload over one line."""
    load = block.workload
    scaled = "" if load.scale == 1 else f" at scale {load.scale:g}"
    count, blobs = len(load.images), len(load.sizes)
    lines = [
        f"## {_LINES[block.line]}: {load.name}{scaled}",
        "",
        f"{count} image{'s' if count > 1 else ''}, {blobs} blobs, {load.unique / _MB:.0f} MB once, "
        f"{load.repeated / _MB:.0f} MB an image at a time; fingerprint {load.fingerprint}.",
    ]
    for operation in OPERATIONS:
        titles = [*_TITLES, *(_TITLES_OF_DISK if operation == "export" else ()), *_TITLES_OF_BYTES]
        lines += ["", f"### {_OPERATIONS[operation]}, {load.name} {block.line}", ""]
        lines += [f"| {' | '.join(titles)} |", "|-" * len(titles) + "|"]
        lines += [_row(block, operation, tool) for tool in TOOLS if block.of(tool.name, operation)]
    failed = [f"- {tool} failed and counts for nothing here: {why}" for tool, why in block.failures.items()]
    return [*lines, *(["", *failed] if failed else [])]


def _row(block: Block, operation: str, tool: Tool) -> str:
    samples = block.of(tool.name, operation)
    walls = [sample.wall for sample in samples]
    cells = [
        tool.name + ("" if tool.keeps else " (other digests)"),
        f"{statistics.median(walls):.2f} ({min(walls):.2f}–{max(walls):.2f})",
        _ratios(block, operation, samples, goals.FIGURES["wall"]),
        f"{statistics.median(sample.cpu for sample in samples):.2f}",
        _ratios(block, operation, samples, goals.FIGURES["CPU"]),
        f"{statistics.median(sample.memory for sample in samples) / (1 << 20):.0f}",
        *(_on_disk(block, samples) if operation == "export" else ()),
        *(_megabytes(samples, name) for name in ("written", "temporary", "wire", "bundle")),
    ]
    return f"| {' | '.join(cells)} |"


def _on_disk(block: Block, samples: list[Sample]) -> tuple[str, str]:
    of = goals.FIGURES[goals.ON_DISK]
    return f"{statistics.median(map(of, samples)):.2f}", _ratios(block, "export", samples, of)


def _ratios(block: Block, operation: str, samples: list[Sample], of: Callable[[Sample], float]) -> str:
    """Beside skopeo's archives, and beside the best of all but airgap."""
    others = ("skopeo", goals.best(block, operation, of) or "")
    ratios = (goals.ratio(samples, block.of(other, operation), of) for other in others)
    return ", ".join("–" if ratio is None else f"{ratio:.2f}" for ratio in ratios)


def _megabytes(samples: list[Sample], name: str) -> str:
    values = [getattr(sample, name) for sample in samples]
    return "–" if None in values else f"{statistics.median(values) / _MB:.1f}"


def machine(tools: Sequence[Tool], airgap: Path, places: str) -> list[str]:
    """Processor, memory, kernel and the versions of what was run."""
    model = _first("/proc/cpuinfo", "model name", ":") or platform.machine()
    memory = int((_first("/proc/meminfo", "MemTotal", ":") or "0").split()[0]) >> 20
    system = (_first("/etc/os-release", "PRETTY_NAME", "=") or "Linux").strip('"')
    lines = [
        f"- {len(os.sched_getaffinity(0))} processors ({model}), {memory} GiB of memory, {places}",
        f"- {system}, kernel {platform.release()}, Python {platform.python_version()}",
        f"- target and source: docker-registry {_version('docker-registry', '--version')}",
    ]
    for tool in tools:
        program = str(airgap) if tool.name == "airgap" else tool.program
        lines.append(f"- {tool.name}: {_version(program, _VERSION.get(tool.name, '--version'))}; {tool.what}")
    return lines


def _first(path: str, key: str, separator: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(separator, 1)[1].strip() for line in lines if line.startswith(key)), "")


def _version(program: str, argument: str) -> str:
    """The first word with a digit and a dot in it of what the program says of itself."""
    run = subprocess.run([program, argument], capture_output=True, text=True, check=False)
    words = (run.stdout + run.stderr).replace(",", " ").split()
    return next((word for word in words if "." in word and any(map(str.isdigit, word)) and "/" not in word), "?")


def show(text: str) -> None:
    """To standard output at once: the long form takes its time."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
