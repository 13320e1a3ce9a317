# SPDX-License-Identifier: Apache-2.0
"""What the tests of this room share: registries that wait for nothing and tell what they would have waited."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airgap.events import Event, Retrying
from airgap.oci import Descriptor
from airgap.registry import Credential, Credentials, Registries, RegistrySettings, Repository
from airgap.registry.http.retry import RetryPolicy
from airgap.store import FileRange, Reader
from airgap.store.protocols import Opener

#: A name that no name server has: only a proxy of the tests' own leads there.
ELSEWHERE = "registry.test"


@dataclass
class Recorder:
    """Events and sleeps of one set of registries."""

    events: list[Event] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)

    def clock(self) -> float:
        """The time as it would be, had all that was slept."""
        return time.monotonic() + sum(self.sleeps)

    @property
    def retries(self) -> list[Retrying]:
        return [event for event in self.events if isinstance(event, Retrying)]


class Network:
    """Makes :class:`Registries` that are closed with the test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.recorder = Recorder()
        self._made: list[Registries] = []

    def registries(
        self,
        settings: Mapping[str, RegistrySettings] | None = None,
        *,
        default: RegistrySettings | None = None,
        explicit: Mapping[str, Credential] | None = None,
        environment: Mapping[str, str] | None = None,
        attempts: int = 5,
        credentials: Credentials | None = None,
    ) -> Registries:
        environment = {"HOME": str(self.home), **(environment or {})}
        made = Registries(
            settings,
            default=default,
            credentials=credentials or Credentials(environment, explicit),
            environment=environment,
            retry=RetryPolicy(
                attempts=attempts, sleep=self.recorder.sleeps.append, clock=self.recorder.clock, random=lambda: 1.0
            ),
            emit=self.recorder.events.append,
        )
        self._made.append(made)
        return made

    def repository(self, address: str, name: str = "team/app", **more: object) -> Repository:
        return self.registries(**more).repository(address, name, push=True)  # type: ignore[arg-type] # passed on

    def close(self) -> None:
        for made in self._made:
            made.close()


def file_opener(path: Path, descriptor: Descriptor) -> Opener:
    """An opener whose readers lie in a file, as a bundle's do: these go by ``sendfile``."""
    import os

    def opener(offset: int) -> Reader:
        fd = os.open(path, os.O_RDONLY)
        return FileRange(fd, offset, descriptor.size - offset, owned=True)

    return opener


def together(count: int, work: Callable[[int], object]) -> list[object]:
    """Run ``work`` in ``count`` threads at the same moment; what each gave, or the error that it raised."""
    barrier, results = threading.Barrier(count), list[object]([None] * count)

    def run(number: int) -> None:
        barrier.wait(10)
        try:
            results[number] = work(number)
        except Exception as error:  # noqa: BLE001 - handed to the test, which looks at it
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results
