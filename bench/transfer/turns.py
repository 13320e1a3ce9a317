# SPDX-License-Identifier: Apache-2.0
"""The order of the measurements: tools take turns, so that what disturbs the machine disturbs them alike.

A turn is one tool's export, import into an empty target with nothing of the export but the bundle, and import once
more with everything there. Each round
begins with another tool; the first round warms caches and is not counted. After both imports the target is asked for
every digest: a tool that did not bring them there has failed, and no figure of that turn's rest is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from bench.transfer.line import delayed
from bench.transfer.measure import FailedError, Sample, measure
from bench.transfer.registries import Side, WrongContentError, check, fill
from bench.transfer.tools import SCRATCH, Job, Tool, inputs
from bench.transfer.workloads import Workload
from tests.parts.certificates import Authority
from tests.parts.dockerregistry import docker_registry
from tests.parts.service import clean_environment

OPERATIONS = ("export", "import", "again")
LINES = ("plain", "tls", "delay")
ROUND_TRIP = 0.05


@dataclass
class Block:
    """One workload over one line: for each tool and operation the samples in order of rounds."""

    line: str
    workload: Workload
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def of(self, tool: str, operation: str) -> list[Sample]:
        """Empty for a tool that has failed: none of its figures count."""
        return [] if tool in self.failures else self.samples.get((tool, operation), [])


@dataclass(frozen=True)
class Place:
    """``disk`` holds source and bundles, ``memory`` the target's storage."""

    disk: Path
    memory: Path
    airgap: Path
    wire_known: bool
    say: Callable[[str], None]
    #: Called before each measurement, so that none pays for what the one before has left to be written.
    settle: Callable[[], None] = os.sync


@contextlib.contextmanager
def sides(place: Place, line: str, workloads: list[Workload]) -> Iterator[tuple[Side, Side, Side]]:
    """The filled source as tools reach it over ``line``, the target likewise, and the target without its delay."""
    with contextlib.ExitStack() as stack:
        authority = Authority(place.disk / f"authority-{line}") if line == "tls" else None
        pair, ca = (authority.good(), authority.ca) if authority else (None, None)
        start = stack.enter_context
        servers = [
            start(docker_registry(f / "registry", tls=pair, access_log=False)) for f in (place.disk, place.memory)
        ]
        source, target = (Side(server.address, ca, server.data) for server in servers)
        filled = place.disk / "registry" / "filled"
        if not filled.exists():
            for workload in workloads:
                fill(source, workload)
            filled.touch()
        if line != "delay":
            yield source, target, target
            return
        late = [
            Side(f"127.0.0.1:{start(delayed(int(side.address.rpartition(':')[2]), ROUND_TRIP))}", ca, side.data)
            for side in (source, target)
        ]
        yield late[0], late[1], target


def run(
    place: Place, line: str, workload: Workload, tools: list[Tool], rounds: int, ends: tuple[Side, Side, Side]
) -> Block:
    """Every tool's turns, ``rounds`` of them after the one that warms up."""
    source, target, asked = ends
    job = Job(workload, source, target, place.airgap)
    block = Block(line, workload)
    fits = [t for t in tools if workload.name in t.workloads and not (t.plain_only and line != "plain")]
    for number in range(rounds + 1):
        first = number % len(fits)
        for tool in fits[first:] + fits[:first]:
            if tool.name in block.failures:
                continue
            try:
                turn = _turn(place, job, tool, asked)
            except (FailedError, WrongContentError, HTTPException, OSError) as error:
                block.failures[tool.name] = f"{error}"
                place.say(f"{line} {workload.name} {tool.name} failed: {error}")
                continue
            if number:
                for operation, sample in turn.items():
                    block.samples.setdefault((tool.name, operation), []).append(sample)
            walls = " ".join(f"{operation} {sample.wall:.2f}" for operation, sample in turn.items())
            place.say(f"{line} {workload.name} {f'round {number}' if number else 'warm-up'} {tool.name}: {walls}")
    return block


def _turn(place: Place, job: Job, tool: Tool, asked: Side) -> dict[str, Sample]:
    work, home = place.disk / "work", place.disk / "home"
    for folder in (work, home):
        shutil.rmtree(folder, ignore_errors=True)
    inputs(job, work)
    turn = {}
    for operation in OPERATIONS:
        temporary = work / "tmp"
        for name in ("tmp", *(SCRATCH if operation == "import" else ())):
            shutil.rmtree(work / name, ignore_errors=True)
        for folder in (temporary, work / "bundle", home):
            folder.mkdir(parents=True, exist_ok=True)
        if operation == "import":
            asked.empty()
        more = {"SSL_CERT_FILE": str(job.source.ca)} if job.source.ca else {}
        script = tool.export(job) if operation == "export" else tool.import_(job)
        environment = clean_environment(home, TMPDIR=str(temporary), DOCKER_CONFIG=str(home), **more)
        place.settle()
        sample = measure(
            script,
            folder=work,
            bundle=work / "bundle",
            environment=environment,
            crossings=0 if not place.wire_known else 1 if asked is job.target else 2,
            log=place.disk / "log",
        )
        if operation != "export":
            check(asked, job.workload, same=tool.keeps)
        turn[operation] = sample
    asked.empty()
    return turn
