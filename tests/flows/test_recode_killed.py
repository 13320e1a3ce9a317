# SPDX-License-Identifier: Apache-2.0
"""Commands about recoded bundles that are killed at random moments and run again: the same bytes, nothing left."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.oci import Descriptor
from tests.cli.command import Airgap, Registry, pod, settings
from tests.flows.releases import Far, whole
from tests.parts.images import Images
from tests.parts.recoding import PGZIP, changed, content, layer_by, needs_encoders

pytestmark = [needs_encoders, pytest.mark.long]

NAME = "team/app"
SIZE = 6_000_000
KILLS = 12
EXPORT = ("export", "2.yaml", "--recode", "--base", "1.tar", "-o", "2.recoded.tar")


class Update:
    """Two releases of one image at a registry that plays quay.io: ``1.tar`` and ``2.tar`` are plain, ``2.recoded.tar``
    builds on the first."""

    def __init__(self, airgap: Airgap) -> None:
        self.airgap = airgap
        self.registry = Registry()
        self.images = Images(9)
        self.roots: dict[str, Descriptor] = {}
        first, second = content(1, SIZE), content(2, SIZE)
        for version in "12":
            layers = [
                layer_by(self.images, {"usr/lib/first": first}),
                layer_by(self.images, {"usr/lib/second": second}, PGZIP),
            ]
            self.roots[version] = self.images.image(layers=layers)
            first, second = changed(first, 10), changed(second, 20)
        self.registry.fill(self.images, {f"{NAME}:{version}": root for version, root in self.roots.items()})

    def prepare(self) -> None:
        """Export the plain bundles and the recoded one."""
        self.airgap.write("airgap.yaml", settings({"quay.io": {"mirror": self.registry.url}}))
        for version in "12":
            self.airgap.write(f"{version}.yaml", pod(f"quay.io/{NAME}:{version}"))
            self.airgap.run("export", f"{version}.yaml", "-o", f"{version}.tar")
        self.airgap.run(*EXPORT)

    @property
    def folder(self) -> Path:
        return self.airgap.folder

    def killed(self, chooser: random.Random, seconds: float, *arguments: str) -> bool:
        """Start a command and kill it at a random moment of ``seconds``; return whether it was still running.

        One that has ended has succeeded.
        """
        process = self.airgap.started(*arguments)
        said = None
        try:
            said = process.communicate(timeout=chooser.uniform(0.1, 1) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        assert process.returncode in (0, -9), said
        return process.returncode != 0


@pytest.fixture
def update(airgap: Airgap) -> Iterator[Update]:
    made = Update(airgap)
    with made.registry:
        made.prepare()
        made.airgap.fresh = True
        yield made


def timed(update: Update, *arguments: str) -> float:
    started = time.monotonic()
    update.airgap.run(*arguments)
    return time.monotonic() - started


def test_export(update: Update) -> None:
    expected = (update.folder / "2.recoded.tar").read_bytes()
    before = {path.name for path in update.folder.iterdir()}
    (update.folder / "2.recoded.tar").unlink()
    seconds, chooser, killed = timed(update, *EXPORT), random.Random(1), 0
    for _ in range(KILLS):
        (update.folder / "2.recoded.tar").unlink(missing_ok=True)
        killed += update.killed(chooser, seconds, *EXPORT)
        if (update.folder / "2.recoded.tar").exists():
            assert (update.folder / "2.recoded.tar").read_bytes() == expected
    assert killed >= KILLS // 2
    (update.folder / "2.recoded.tar").unlink(missing_ok=True)
    update.airgap.run(*EXPORT)
    assert (update.folder / "2.recoded.tar").read_bytes() == expected
    assert {path.name for path in update.folder.iterdir()} == before


def test_import(update: Update) -> None:
    chooser, killed, seconds = random.Random(2), 0, 0.0
    for number in range(KILLS + 1):
        with Registry() as registry:
            update.airgap.run("import", "1.tar", "--to", f"{registry.url}/p", "--output", f"old-{number}")
            command = ("import", "2.recoded.tar", "--to", f"{registry.url}/p", "--output", f"new-{number}")
            if number == 0:
                seconds = timed(update, *command)
            else:
                was_killed = update.killed(chooser, seconds, *command)
                if was_killed and "p/app:2" in registry.names():  # a tag is the last that is pushed
                    check_far(update, registry)
                killed += was_killed
            update.airgap.run(*command)
            check_far(update, registry)
    assert killed >= KILLS // 2


def check_far(update: Update, registry: Registry) -> None:
    """The second release is at the target with the digests that it has at its source, and each blob has its content."""
    root = update.roots["2"]
    whole(Far(registry.url, registry.requests), update.images, "p/app", "2", root)


def test_expand(update: Update) -> None:
    expected = (update.folder / "2.tar").read_bytes()
    command = ("expand", "2.recoded.tar", "--base", "1.tar", "-o", "plain.tar")
    before = {path.name for path in update.folder.iterdir()}
    seconds, chooser, killed = timed(update, *command), random.Random(3), 0
    for _ in range(KILLS):
        (update.folder / "plain.tar").unlink(missing_ok=True)
        killed += update.killed(chooser, seconds, *command)
        if (update.folder / "plain.tar").exists():
            assert (update.folder / "plain.tar").read_bytes() == expected
    assert killed >= KILLS // 2
    (update.folder / "plain.tar").unlink(missing_ok=True)
    update.airgap.run(*command)
    assert (update.folder / "plain.tar").read_bytes() == expected
    assert {path.name for path in update.folder.iterdir()} - {"plain.tar"} == before
