# SPDX-License-Identifier: Apache-2.0
"""Compare airgap with the tools on PATH; `python -m bench.transfer --help` and bench/README.md say how.

Packages are fetched first; what is measured then runs in a network namespace of its own where this machine lets us,
so that loopback carries nothing else and its counter is the bytes on the wire. Refuses to start where docker-registry
or every tool is missing, and ends with 1 when airgap itself failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.transfer import goals, report, tools, turns, workloads
from bench.transfer.measure import kind_of_disk
from bench.transfer.packages import TooLittleError
from bench.transfer.report import show
from bench.transfer.workloads import Workload

FULL = ("plain:w1", "plain:w2", "plain:w3", "tls:w1", "tls:w2", "tls:w3", "delay:w1")
SHORT = ("plain:w1", "plain:w2:0.1", "tls:w1")
LEFT_OUT = ("podman", "skopeo-2", "skopeo-oci")
_HERE = "AIRGAP_BENCH_NAMESPACE"


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.transfer", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("blocks", nargs="*", metavar="LINE:WORKLOAD[:SCALE]", help=f"default: {' '.join(FULL)}")
    parser.add_argument(
        "--short", action="store_true", help=f"3 rounds of {' '.join(SHORT)}, without {', '.join(LEFT_OUT)}"
    )
    parser.add_argument("--rounds", type=int, help="that count, after one that warms up [default: 5]")
    parser.add_argument("--scale", type=float, default=1, help="of every workload's sizes, beside its own SCALE")
    parser.add_argument("--tools", default="", help=f"of {','.join(t.name for t in tools.TOOLS)} [default: all found]")
    parser.add_argument(
        "--folder", type=Path, default=default_cache(), help="packages, workloads, work [default: %(default)s]"
    )
    parser.add_argument("--installed", action="store_true", help="take the files of installed packages, fetch nothing")
    parser.add_argument("--output", type=Path, help="where the page goes; without it, to standard output alone")
    chosen = parser.parse_args(arguments)
    chosen.command = "make bench-short" if chosen.short else "make bench"
    if chosen.blocks or chosen.scale != 1 or chosen.tools or chosen.installed or chosen.rounds:
        chosen.command = " ".join(["python -m bench.transfer", *(sys.argv[1:] if arguments is None else arguments)])
    chosen.blocks = [_block(text, parser) for text in chosen.blocks or (SHORT if chosen.short else FULL)]
    chosen.rounds = chosen.rounds or (3 if chosen.short else 5)
    chosen.tools = tuple(filter(None, chosen.tools.split(",")))
    if unknown := set(chosen.tools) - {tool.name for tool in tools.TOOLS}:
        parser.error(f"no such tool: {', '.join(sorted(unknown))}")
    scales: dict[str, float] = {}
    for _, name, scale in chosen.blocks:
        if scales.setdefault(name, scale) != scale:
            parser.error(f"{name} at two scales: one run has one")
    return chosen


def _block(text: str, parser: argparse.ArgumentParser) -> tuple[str, str, float]:
    line, _, rest = text.partition(":")
    name, _, scale = rest.partition(":")
    try:
        size = float(scale or 1)
    except ValueError:
        size = 0
    if line not in turns.LINES or name not in workloads.NAMES or size <= 0:
        parser.error(f"{text!r}: LINE is of {', '.join(turns.LINES)}, WORKLOAD of {', '.join(workloads.NAMES)}")
    return line, name, size


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airgap-bench"


def main(arguments: list[str] | None = None) -> int:
    chosen = options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    airgap = tools.own_airgap()
    found = tools.found(airgap, chosen.tools)
    if chosen.short and not chosen.tools:
        found = [tool for tool in found if tool.name not in LEFT_OUT]
    if airgap is None or not found or shutil.which("docker-registry") is None:
        show("bench: airgap, docker-registry and at least one tool to compare must be installed")
        return 2
    chosen.folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    loads = {}
    for _, name, scale in chosen.blocks:
        try:
            loads[name] = workloads.load(chosen.folder, name, scale * chosen.scale, show, installed=chosen.installed)
        except TooLittleError as error:
            show(f"bench: {error}")
            return 2
    if _HERE not in os.environ:
        _enter_namespace()
    blocks = measured(chosen, loads, found, airgap)
    show(f"took {time.monotonic() - began:.0f} s")
    return 1 if any("airgap" in block.failures for block in blocks) else 0


def _enter_namespace() -> None:
    """Become the same command in a network namespace with nothing but loopback; stay here where that is refused."""
    kind = "-n" if os.geteuid() == 0 else "-rn"
    inside = ["unshare", kind, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    allowed = shutil.which("unshare") and shutil.which("ip")
    if not allowed or subprocess.run([*inside, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        show("no network namespace of our own: the bytes on the wire are not known")
        return
    again = [sys.executable, "-m", "bench.transfer", *sys.argv[1:]]
    os.execvpe(inside[0], [*inside, *again], {**os.environ, _HERE: "1"})


def measured(
    chosen: argparse.Namespace, loads: dict[str, Workload], found: list[tools.Tool], airgap: Path
) -> list[turns.Block]:
    """Run every block, write the page."""
    blocks = []
    largest = max(load.unique for load in loads.values())
    memory_folder = Path("/dev/shm")
    roomy = memory_folder.is_dir() and shutil.disk_usage(memory_folder).free > 1.5 * largest
    with (
        tempfile.TemporaryDirectory(prefix="work-", dir=chosen.folder) as disk,
        tempfile.TemporaryDirectory(prefix="airgap-bench-", dir=memory_folder if roomy else disk) as memory,
    ):
        place = turns.Place(Path(disk), Path(memory), airgap, _HERE in os.environ, show)
        for line in turns.LINES:
            wanted = [name for at, name, _ in chosen.blocks if at == line]
            if wanted:
                with turns.sides(place, line, list(loads.values())) as ends:
                    for name in wanted:
                        blocks.append(turns.run(place, line, loads[name], found, chosen.rounds, ends))
                        show("\n" + "\n".join(report.section(blocks[-1])) + "\n")
        places = f"source and bundles on {kind_of_disk(place.disk)}, target on {kind_of_disk(place.memory)}"
    text = report.page(blocks, chosen.command, chosen.rounds, found, airgap, places)
    if chosen.output:
        chosen.output.write_text(text)
        show(f"written: {chosen.output}")
    show("\n".join(goals.table(blocks)))
    return blocks


if __name__ == "__main__":
    sys.exit(main())
