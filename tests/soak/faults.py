# SPDX-License-Identifier: Apache-2.0
"""What happens to a command on its way: each fault runs it once, and knows with which exit codes it may end."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable

from airgap.errors import Interrupted, Unavailable
from tests.cli.command import TRACEBACK
from tests.parts.faulty_line import CLOSE, RESET, STALL
from tests.soak.world import World

#: Seconds that no command takes, whatever happens to it.
_HANGING = 150
#: 3 and 20 to 24 from registries that break off; 40 to 42 from disks; 51 where the other of two has the lock; the end
#: by a signal, which also SIGINT and SIGTERM bring before and after a command's work.
_CODES = {
    0,
    3,
    10,
    20,
    22,
    23,
    Unavailable.exit_code,
    30,
    32,
    40,
    42,
    51,
    Interrupted.exit_code,
    -signal.SIGKILL,
    -signal.SIGINT,
    -signal.SIGTERM,
}
#: The logarithm of the calls of the system after which a fault begins: a command makes up to some hundred of them.
_CALLS = (0, 2.7)
_YEAR = 365 * 24 * 3600

Command = tuple[str, ...]


class Run:
    """A command that has been started, and is told to end at random moments."""

    def __init__(self, world: World, command: Command, environment: dict[str, str] | None = None) -> None:
        self.command = " ".join(command)
        self._world = world
        self._process = subprocess.Popen(
            world.airgap.command(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=world.airgap.folder, env=world.airgap.whole_environment(environment),
        )  # fmt: skip

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def send(self, sent: signal.Signals) -> None:
        self._process.send_signal(sent)

    def end(self) -> None:
        """Wait for its end, which is one that a user can understand."""
        try:
            said = self._process.communicate(timeout=_HANGING)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            self._process.kill()
            said = self._process.communicate()[0].decode("utf-8", "replace")[-5000:]
            raise AssertionError(f"{self.command} did not end within {_HANGING} s:\n{said}") from None
        assert not TRACEBACK.search(said), f"{self.command}:\n{said}"
        assert self._process.returncode in _CODES, f"{self.command} ended with {self._process.returncode}:\n{said}"
        self._world.broken += self._process.returncode != 0


def _moment(world: World, command: Command, chance: random.Random) -> float:
    """Seconds after which it is at work: not before Python has begun, and rarely after its end."""
    return chance.uniform(0.15, 0.5 + 1.2 * world.durations.get(command, 1.5))


def kill(world: World, command: Command, chance: random.Random) -> None:
    run = Run(world, command)
    run.wait(_moment(world, command, chance))
    run.send(signal.SIGKILL)
    run.end()


def interrupt(world: World, command: Command, chance: random.Random) -> None:
    run = Run(world, command)
    run.wait(_moment(world, command, chance))
    run.send(chance.choice((signal.SIGTERM, signal.SIGINT)))
    run.end()


def cut_line(world: World, command: Command, chance: random.Random) -> None:
    """Each connection breaks after some bytes; the command may get through all the same, or the user gives up."""
    with world.lines(int(10 ** chance.uniform(2.5, 7)), chance.choice((RESET, CLOSE))):
        run = Run(world, command)
        if not run.wait(chance.uniform(2, 8)):
            run.send(signal.SIGINT)
        run.end()


def silence(world: World, command: Command, chance: random.Random) -> None:
    """The line falls silent, and the user gives up."""
    with world.lines(int(10 ** chance.uniform(2.5, 7)), STALL) as lines:
        run = Run(world, command)
        deadline = time.monotonic() + 10
        while not run.wait(0.02) and not any(line.stalled.is_set() for line in lines) and time.monotonic() < deadline:
            pass
        run.wait(chance.uniform(0, 0.3))
        run.send(chance.choice((signal.SIGKILL, signal.SIGINT)))
        run.end()


def full_disk(world: World, command: Command, chance: random.Random) -> None:
    Run(world, command, _fault(world, "full", chance)).end()


def read_only(world: World, command: Command, chance: random.Random) -> None:
    Run(world, command, _fault(world, "read-only", chance)).end()


def clock_jump(world: World, command: Command, chance: random.Random) -> None:
    """The clock jumps by up to years while the command runs, which changes nothing; often it is killed, too."""
    run = Run(world, command, _fault(world, "clock", chance))
    if chance.random() < 0.7:
        run.wait(_moment(world, command, chance))
        run.send(signal.SIGKILL)
    run.end()


def restart(world: World, command: Command, chance: random.Random) -> None:
    """A registry is killed and begins anew while the command talks to it."""
    run = Run(world, command)
    for _ in range(chance.randrange(1, 3)):
        run.wait(_moment(world, command, chance) / 2)
        world.broken += 1
        world.registries[chance.choice(list(world.registries))].restart()
    run.end()


def registry_disk(world: World, command: Command, chance: random.Random) -> None:
    """The disk or the clock of a registry fails while it takes content."""
    registry = world.registries[chance.choice(list(world.registries))]
    registry.restart(_fault(world, chance.choice(("full", "read-only", "clock")), chance))
    try:
        Run(world, command).end()
    finally:
        registry.restart()


def two_at_once(world: World, command: Command, chance: random.Random) -> None:
    """The same command twice; often one of them is killed."""
    first = Run(world, command)
    first.wait(chance.uniform(0, 1))
    second = Run(world, command)
    if chance.random() < 0.5:
        second.wait(_moment(world, command, chance))
        chance.choice((first, second)).send(signal.SIGKILL)
    first.end()
    second.end()


def collection(world: World, command: Command, chance: random.Random) -> None:
    """The garbage of all registries is collected beside their servers, and the command is killed."""
    run = Run(world, command)
    run.wait(_moment(world, command, chance))
    for registry in world.registries.values():
        Run(world, ("serve", str(registry.folder), "--gc")).end()
    run.send(signal.SIGKILL)
    run.end()


def _fault(world: World, kind: str, chance: random.Random) -> dict[str, str]:
    jump = chance.choice((-3, -1, 1, 3)) * _YEAR // chance.choice((1, 365, 365 * 24))
    return {
        "LD_PRELOAD": str(world.shim),
        "SOAK_FAULT": kind,
        "SOAK_AFTER": str(int(10 ** chance.uniform(*_CALLS))),
        "SOAK_JUMP": str(jump),
    }


Fault = Callable[[World, Command, random.Random], None]
#: What may happen to every command, and to one that talks to registries.
EVERYWHERE: tuple[Fault, ...] = (kill, interrupt, full_disk, read_only, clock_jump, two_at_once)
NETWORK: tuple[Fault, ...] = (cut_line, silence, restart, registry_disk, collection)
