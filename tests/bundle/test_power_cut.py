# SPDX-License-Identifier: Apache-2.0
"""A kill or a power cut at any moment of an export: the next run ends in the right bytes, and what has the bundle's
name is whole."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from airgap.bundle import OutputFormat, background_sync, build_layout, writer
from airgap.bundle.build import BundleBuild
from airgap.bundle.lockfile import Lockfile
from airgap.bundle.media import file as media_file
from airgap.events import ignore
from airgap.oci import Descriptor
from airgap.store.protocols import Reader
from airgap.transfer import Context, CopyOptions, Jobs, copy
from tests.bundle.bundles import Content
from tests.parts.disk import Disk, Operation, recording, restore
from tests.parts.images import Images

#: Name of the bundle, and the size of a volume.
FORMS = {"tar": ("b.tar", 0), "volumes": ("b.tar", 16 * 1024), "zstd": ("b.tar.zst", 0)}
#: Bytes that a registry gives at a time, after which is synced, and after which is noted how far a blob is.
PIECE, SYNC, NOTE = 1000, 4000, 3000


class Inline:
    """A thread whose work is done when it is started: the order of writes is then the same each time."""

    def __init__(self, target: Callable[..., None], args: tuple[object, ...], name: str, daemon: bool) -> None:
        self._work = lambda: target(*args)

    def start(self) -> None:
        self._work()

    def is_alive(self) -> bool:
        return False

    def join(self) -> None: ...


class Pieces:
    """A reader that gives a thousand bytes at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def readinto(self, buffer: memoryview, /) -> int:
        return self._reader.readinto(buffer[:PIECE])

    def close(self) -> None:
        self._reader.close()


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def reserve_by_truncating(fd: int, size: int) -> int:
        if os.fstat(fd).st_size < size:
            os.ftruncate(fd, size)
        return 0

    def note_only(fd: int) -> None:
        """The order counts; hundreds of real ones would take minutes."""

    monkeypatch.setattr(os, "fsync", note_only)
    monkeypatch.setattr(os, "fdatasync", note_only)
    monkeypatch.setattr(background_sync, "SYNC_BYTES", SYNC)
    monkeypatch.setattr(background_sync, "SYNC_SECONDS", 1e9)
    monkeypatch.setattr(background_sync, "threading", SimpleNamespace(Lock=threading.Lock, Thread=Inline))
    monkeypatch.setattr(writer, "_RECORD_INTERVAL", NOTE)
    monkeypatch.setattr(media_file, "fallocate", reserve_by_truncating)


@dataclass
class Export:
    """Exports three layers in one form; ``fetched`` are the digests that the last run asked the registry for."""

    form: str
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        images = Images(5)
        layers = [images.layer(size=size) for size in (20_000, 7_000, 2_000)]
        self.content = Content(images, {"quay.io/a/x:v1": images.image(layers=layers)})
        self.layers = [layer.descriptor.digest for layer in layers]

    def run(self, folder: Path, *, restart: bool = False) -> None:
        planned, sources = self.content.planned()
        inventory, layout = build_layout(planned)
        name, volume_size = FORMS[self.form]
        self.fetched = []
        outer = self

        class Registry:
            def resolve(self, name: str) -> Descriptor:
                return sources["source"].resolve(name)

            def exists(self, descriptor: Descriptor) -> bool:
                return sources["source"].exists(descriptor)

            def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
                outer.fetched.append(descriptor.digest)
                return Pieces(sources["source"].open(descriptor, offset))

        with (
            BundleBuild.open(
                OutputFormat(folder / name, volume_size), refresh=False, restart=restart, dry_run=False, emit=ignore
            ) as build,
            build.writer(planned, inventory, layout, Lockfile()) as store,
        ):
            sources_now = build.with_leftovers(planned, {"source": Registry()})
            copy(
                planned,
                sources_now,
                {"bundle": store},
                Context(Jobs.of(1)),
                CopyOptions(order=layout.blobs if store.ordered else None),
            )
            store.finish()

    def recorded(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Operation]:
        with recording(folder, monkeypatch) as operations:
            self.run(folder)
        return operations


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file but the temporary ones of :func:`airgap.durable.replace_file`, which a kill leaves behind."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".airgap-")}


def named(state: dict[str, bytes]) -> dict[str, bytes]:
    """The files with a bundle's name, without what lies beside them for the next run."""
    return {
        name: content
        for name, content in state.items()
        if not name.endswith((".partial", ".journal")) and not name.startswith(".airgap-")
    }


def check(export: Export, state: dict[str, bytes], expected: dict[str, bytes], folder: Path) -> None:
    for name, content in named(state).items():
        assert content == expected[name], f"{name} is not whole, and has its name"
    restore(state, folder)
    export.run(folder)
    assert content_of(folder) == expected


def different_states(operations: list[Operation]) -> list[dict[str, bytes]]:
    """What the disk may hold after each number of the operations; what it may hold at several moments once."""
    found = {}
    for count in range(len(operations) + 1):
        for state in Disk(operations[:count]).states():
            found[frozenset(state.items())] = state
    return list(found.values())


@pytest.mark.parametrize("form", ["tar", *(pytest.param(form, marks=pytest.mark.long) for form in ("volumes", "zstd"))])
def test_at_every_moment(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export, first, second = Export(form), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    operations = export.recorded(first, monkeypatch)
    expected = content_of(first)
    assert expected.keys() == named(expected).keys()
    states = different_states(operations)
    for state in states:
        check(export, state, expected, second)
    print(f"{form}: {len(operations)} operations, {len(states)} states")
    assert len(states) > len(operations) > 30
    for state in Disk(operations).states():
        assert named(state) == expected, "it was said to be done, and a power cut takes it away"


@pytest.mark.parametrize("form", ["tar", pytest.param("volumes", marks=pytest.mark.long), "zstd"])
def test_twice(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that continues is broken off as well."""
    export, first, second, third = Export(form), tmp_path / "first", tmp_path / "second", tmp_path / "third"
    first.mkdir()
    operations = export.recorded(first, monkeypatch)
    expected = content_of(first)
    random_ = random.Random(7)
    for _ in range(12):
        state = random_.choice(Disk(operations[: random_.randrange(len(operations))]).states())
        restore(state, second)
        continued = export.recorded(second, monkeypatch)
        assert content_of(second) == expected
        for count in range(0, len(continued) + 1, 3):
            check(export, random_.choice(Disk(continued[:count]).states()), expected, third)


@pytest.mark.parametrize("form", FORMS)
def test_what_was_synced_is_not_fetched_again(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export, first, second = Export(form), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    operations = export.recorded(first, monkeypatch)
    # The last sync of the bundle's data that is followed by one of the journal.
    journal = next(operation.file for operation in operations if operation.name.endswith(".journal"))
    synced = [number for number, op in enumerate(operations) if op.kind == "sync" and op.file == journal]
    restore(Disk(operations[: synced[-1] + 1]).after_a_power_cut(), second)
    export.run(second)
    largest = export.layers[0]
    assert largest not in export.fetched
    assert export.fetched, "everything was there: this test shows nothing"


def test_a_claim_that_was_found_false_is_not_vouched_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that the journal calls whole and that is not: the run that finds out is killed before it fetches it."""
    export, first, second = Export("tar"), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    operations = export.recorded(first, monkeypatch)
    expected = content_of(first)
    before_the_name = next(number for number, op in enumerate(operations) if op.kind == "rename")
    disk = Disk(operations[:before_the_name])
    state = disk.after_a_kill()
    journal = state["b.tar.journal"]
    state["b.tar.journal"] = b"".join(line for line in journal.splitlines(True) if b"synced" not in line)
    partial = bytearray(state["b.tar.partial"])
    partial[-4000:] = bytes(4000)
    restore({**state, "b.tar.partial": bytes(partial)}, second)
    continued = export.recorded(second, monkeypatch)
    assert content_of(second) == expected
    for later in different_states(continued):
        check(export, later, expected, tmp_path / "third")
