# SPDX-License-Identifier: Apache-2.0
"""The rounds of a soak: a command that is broken some times, ends in peace, and is checked."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.soak.faults import EVERYWHERE, NETWORK, Command, Fault
from tests.soak.world import COPY, EXPORTS, REWRITE, SOURCE, TARGET, World, world

Tell = Callable[[str], None]
#: Faults of one round at most.
_MOST_FAULTS = 4


class Operation(NamedTuple):
    """A command, what checks its result once it has ended in peace, and what may happen to it."""

    command: Command
    check: Callable[[World, Command], None]
    faults: tuple[Fault, ...]


def _check_export(world: World, command: Command) -> None:
    expected = world.bundles[command]
    assert world.made_bundles() == expected
    world.check_files(*expected)
    world.registries[SOURCE].check(world.images, world.roots)


def _check_import(world: World, command: Command) -> None:
    moved = {f"p/{name}": root for name, root in world.roots.items()}
    world.registries[TARGET].check(world.images, moved)
    written = {path.name: path.read_bytes() for path in world.path("out").rglob("*.yaml")}
    assert written == {
        name.rpartition("/")[2]: content.replace(f"{SOURCE}/".encode(), f"{TARGET}/p/".encode())
        for name, content in world.resources.items()
    }
    world.check_files("out", "receipt.json")
    world.registries[TARGET].empty()


def _check_migrate(world: World, command: Command) -> None:
    world.registries[COPY].check(world.images, world.roots)
    world.registries[SOURCE].check(world.images, world.roots)
    world.check_files()
    world.registries[COPY].empty()


def _check_rewrite(world: World, command: Command) -> None:
    assert {name: world.path(name).read_bytes() for name in world.resources} == world.rewritten
    world.airgap.run("rewrite", "k", "--revert", "--in-place")
    assert {name: world.path(name).read_bytes() for name in world.resources} == world.resources
    assert {path.name for path in world.path("k").iterdir()} == {name[2:] for name in world.resources}
    world.check_files()


IMPORT = (
    "import", "whole.tar", "--to", f"{TARGET}/p", "--mapping", "path", "--output", "out", "--receipt", "receipt.json",
    "--force",
)  # fmt: skip
OPERATIONS = (
    *(Operation(export, _check_export, (*EVERYWHERE, *NETWORK)) for export in EXPORTS),
    Operation(IMPORT, _check_import, (*EVERYWHERE, *NETWORK)),
    Operation(("migrate", SOURCE, COPY), _check_migrate, (*EVERYWHERE, *NETWORK)),
    Operation(REWRITE, _check_rewrite, EVERYWHERE),
)


def soak(folder: Path, seconds: float, seed: int, tell: Tell) -> None:
    """Play rounds in ``folder`` until ``seconds`` are over. Raises AssertionError as :func:`play` does."""
    tell(f"seed {seed}")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts in the background ignore it
    deadline, rounds = time.monotonic() + seconds, 0
    with world(folder, random.Random(seed)) as made:
        while time.monotonic() < deadline:
            play(made, f"{seed}/{rounds}", tell)
            rounds += 1
        tell(f"seed {seed}: {made.broken} interruptions in {rounds} rounds, nothing lost")


def play(world: World, seed: str, tell: Tell) -> None:
    """Play one round, chosen by ``seed``.

    Raises AssertionError for whatever is lost, left over, or said in a way that nobody understands.
    """
    chance = random.Random(seed)
    operation = chance.choice(OPERATIONS)
    faults = [chance.choice(operation.faults) for _ in range(chance.randrange(1, _MOST_FAULTS + 1))]
    tell(f"{seed}: {' '.join(operation.command)}: {', '.join(fault.__name__ for fault in faults)}")
    for fault in faults:
        fault(world, operation.command, chance)
    world.run(operation.command)
    operation.check(world, operation.command)
    world.clean()
