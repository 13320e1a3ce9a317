# SPDX-License-Identifier: Apache-2.0
"""An old registry with many small images, and migrations of it that are killed: what tests of ``migrate`` share."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from airgap.oci import Descriptor
from airgap.registry import Credential, Credentials, Registries
from airgap.store.protocols import Store
from tests.cli.command import TRACEBACK, Airgap
from tests.doubles.nexus import PUSHER, READER, Nexus, User
from tests.doubles.nexus.double import Seen
from tests.parts.images import Images
from tests.parts.waiting import wait_until

SOURCE_WORD, TARGET_WORD = READER.password, PUSHER.password


@dataclass
class Old:
    """``names`` are the images by ``repository:tag``; some are indexes, all but those share a layer, some repositories
    hold one image under two tags."""

    images: Images
    names: dict[str, Descriptor] = field(default_factory=dict)

    @classmethod
    def of(cls, tags: int, repositories: int, *, seed: int = 11, size: int = 3000) -> Old:
        made = cls(Images(seed))
        base = made.images.layer(size=size)
        for number in range(tags):
            place, version = number % repositories, number // repositories
            name = f"team{place % 5}/{'deep/' if place % 7 == 0 else ''}app{place}:v{version}"
            if number % 9 == 0:
                made.names[name] = made.images.two_platforms(size=200)
            else:
                made.names[name] = made.images.image(layers=[base, made.images.layer(size=200)], docker=number % 4 == 1)
        for number in range(0, repositories, 6):
            first = next(name for name in made.names if f"app{number}:" in name)
            made.names[first.rpartition(":")[0] + ":latest"] = made.names[first]
        return made

    def push(self, open_: Callable[[str], Store]) -> None:
        by_repository: dict[str, dict[str, Descriptor]] = {}
        for name, root in self.names.items():
            repository, _, tag = name.rpartition(":")
            by_repository.setdefault(repository, {})[tag] = root
        for repository, tags in by_repository.items():
            self.images.push_to(open_(repository), tags)

    @property
    def digests(self) -> dict[str, str]:
        return {name: root.digest for name, root in self.names.items()}

    @property
    def blobs(self) -> set[str]:
        from airgap.oci.manifest import is_manifest_type

        needed = [one for root in self.names.values() for one in self.images.needed(root)]
        return {one.digest for one in needed if not is_manifest_type(one.media_type)}


def registries(address: str, user: User | None = None) -> Registries:
    known = {address: Credential(user.name, user.password)} if user else {}
    return Registries(credentials=Credentials({}, known))


def fill(address: str, old: Old, user: User | None = None) -> None:
    with registries(address, user) as client:
        old.push(lambda name: client.repository(address, name, push=True))


def tags_of(nexus: Nexus) -> dict[str, str]:
    """``repository:tag`` and digests that a double holds."""
    return {f"{image}:{tag}": digest for image, held in nexus.repository().tags.items() for tag, digest in held.items()}


def content_asked(*sides: Nexus) -> list[Seen]:
    """Requests for manifests and blobs."""
    return [one for side in sides for one in side.seen if "/manifests/" in one.target or "/blobs/" in one.target]


def content_of(nexus: Nexus) -> tuple[dict[str, str], set[tuple[str, str]], set[str]]:
    held = nexus.repository()
    return tags_of(nexus), set(held.manifests), set(held.blobs)


def secret_environment(airgap: Airgap) -> None:
    """A user at each side; the target's credential as every command takes it."""
    airgap.environment.update(
        AIRGAP_USERNAME=PUSHER.name, AIRGAP_PASSWORD=TARGET_WORD, AIRGAP_SOURCE_PASSWORD=SOURCE_WORD
    )


def between(old: Nexus, new: Nexus, *more: str) -> list[str]:
    """The command line of a migration between two doubles."""
    sides = [f"http://{old.connector().address}", f"http://{new.connector().address}"]
    return ["migrate", *sides, "--source-username", READER.name, *more]


def killed(airgap: Airgap, arguments: list[str], progress: Callable[[], int], *, after: int) -> str:
    """Run until ``progress`` has grown by ``after``, then SIGKILL; what it said. A run that is faster ends well."""
    begun = progress()
    process = airgap.started(*arguments)
    said = ""

    def read() -> None:
        nonlocal said
        stdout, stderr = process.communicate(timeout=120)  # it says more than a pipe holds
        said = (stdout + stderr).decode()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_until(lambda: not reader.is_alive() or progress() >= begun + after, seconds=120, every=0.002)
    finally:
        process.kill()
        reader.join()
    assert process.returncode in (0, -9), said
    assert not TRACEBACK.search(said), said
    return said


def kill_often(
    airgap: Airgap, arguments: list[str], progress: Callable[[], int], whole: int, *, times: int = 5, seed: int = 5
) -> list[str]:
    """Kill it at ``times`` random moments on a way of some ``whole`` steps of ``progress``; what each run said."""
    chance = random.Random(seed)
    return [
        killed(airgap, arguments, progress, after=chance.randint(whole // 12, whole // times)) for _ in range(times)
    ]


def files_of(airgap: Airgap) -> Mapping[str, bytes]:
    """Everything that a user's commands left: in the working folder and at home."""
    found = {}
    for top in (airgap.folder, airgap.home):
        found.update({str(path): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()})
    return found
