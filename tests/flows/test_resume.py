# SPDX-License-Identifier: Apache-2.0
"""An export that was broken off, however it was, goes on where it stopped and ends in the same bytes."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.bundle.media.frames import FRAME_SIZE
from airgap.oci.manifest import is_manifest_type
from airgap.store import MemoryStore
from airgap.store.readers import BUFFER_SIZE
from tests.cli.command import Airgap, Registry, settings
from tests.parts.faulty_line import STALL, faulty_line
from tests.parts.images import OCI_LAYER_PLAIN, Images, Layer
from tests.parts.ledger import Ledger, in_flight
from tests.parts.waiting import at_rest, wait_until
from tests.suites.store_suite import noise

MIB = 1 << 20
LARGE = 40 * MIB
JOBS = 4
#: An export notes how far a blob is after so many bytes of it.
CHECKPOINT = 8 * MIB
IMAGES = ("--image", "quay.io/a/large:1", "--image", "quay.io/a/small:1")
#: Name of the bundle and what else says its form.
FORMS = {
    "tar": ("b.tar",),
    "volumes": ("b.tar", "--volume-size", "7MiB"),
    "zstd": ("b.tar.zst",),
}


class Source(Registry):
    """An image of large layers, one of 40 MiB unless other sizes are given, and an image of small ones."""

    def __init__(self, *sizes: int, store: MemoryStore | None = None) -> None:
        super().__init__(store=store)
        images = Images(3)
        layers = [images.blob(noise(size, seed), OCI_LAYER_PLAIN) for seed, size in enumerate(sizes or (LARGE,), 1)]
        large = images.image(layers=[Layer(layer, layer.digest) for layer in layers])
        small = images.image(layers=3, size=200_000)
        self.large = {layer.digest for layer in layers}
        #: Bytes of the blobs that are not large ones.
        self.small = sum(
            blob.size
            for root in (large, small)
            for blob in images.needed(root)
            if blob.digest not in self.large and not is_manifest_type(blob.media_type)
        )
        other = images.image(layers=2, size=100_000)
        self.fill(images, {"a/large:1": large, "a/small:1": small, "a/other:1": other})


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with Source() as made:
        yield made


def through(airgap: Airgap, url: str) -> None:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": url}}))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith("b.tar")}


def wanted(airgap: Airgap, source: Source, *form: str) -> dict[str, bytes]:
    """What an export makes that nothing breaks off."""
    through(airgap, source.url)
    airgap.run("export", *IMAGES, "-o", *form)
    found = files(airgap.folder)
    for name in found:
        (airgap.folder / name).unlink()
    return found


def killed(airgap: Airgap, source: Source, limit: int, *form: str) -> None:
    """Kill an export in whose largest layer the line fell silent after ``limit`` bytes."""
    with faulty_line(source.address, limit=limit, ending=STALL) as line:
        through(airgap, line.url)
        process = airgap.started("export", *IMAGES, "-o", *form)
        assert line.stalled.wait(60), "it never came so far"
        wait_until(at_rest(process.pid))
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("form", FORMS)
def test_a_killed_export_goes_on_in_the_middle_of_a_layer(airgap: Airgap, source: Source, form: str) -> None:
    expected = wanted(airgap, source, *FORMS[form])
    killed(airgap, source, 30 * MIB, *FORMS[form])
    assert not (files(airgap.folder).keys() & expected.keys())
    with faulty_line(source.address) as line:
        through(airgap, line.url)
        said = airgap.run("export", *IMAGES, "-o", *FORMS[form])
        assert line.received < LARGE - 30 * MIB + 10 * MIB
    assert "goes on" in said.stderr
    assert files(airgap.folder) == expected


def test_a_killed_volume_goes_on_although_another_was_made_beside_it(airgap: Airgap, source: Source) -> None:
    form = (*FORMS["volumes"], "--lock", "airgap.lock")
    expected = wanted(airgap, source, *form)
    killed(airgap, source, 30 * MIB, *form, "--volume", "4")
    assert files(airgap.folder).keys() == {"b.tar.004.partial", "b.tar.volume-4.journal"}
    through(airgap, source.url)
    assert "goes on" not in airgap.run("export", *IMAGES, "-o", *form, "--volume", "2").stderr
    assert "goes on" in airgap.run("export", *IMAGES, "-o", *form, "--volume", "4").stderr
    assert files(airgap.folder) == {name: expected[name] for name in ("b.tar.002", "b.tar.004")}


def test_a_folder_has_only_whole_files_and_goes_on_in_the_middle_of_a_layer(airgap: Airgap, source: Source) -> None:
    def tree() -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    folder, form = airgap.folder / "b", ("b", "--layout", "folder")
    through(airgap, source.url)
    airgap.run("export", *IMAGES, "-o", *form)
    expected = tree()
    shutil.rmtree(folder)
    (airgap.folder / "b.sha256.csv").unlink()
    killed(airgap, source, 30 * MIB, *form)
    left = tree()
    assert left
    assert left.items() < expected.items()
    assert all(name.startswith("blobs/") for name in left)
    assert not (airgap.folder / "b.sha256.csv").exists()
    # What somebody takes out of the folder meanwhile is fetched again.
    taken = min(folder.glob("blobs/sha256/*"), key=lambda path: path.stat().st_size)
    taken.unlink()
    with faulty_line(source.address) as line:
        through(airgap, line.url)
        said = airgap.run("export", *IMAGES, "-o", *form)
        assert line.received < LARGE - 30 * MIB + 10 * MIB
    assert "goes on" in said.stderr
    assert tree() == expected
    assert sorted(path.name for path in airgap.folder.iterdir() if path.name.startswith("b")) == [
        "b", "b.sha256", "b.sha256.csv",
    ]  # fmt: skip


def test_what_an_error_stopped_is_kept_and_the_command_says_so(airgap: Airgap, source: Source) -> None:
    expected = wanted(airgap, source, "b.tar")
    with faulty_line(source.address, limit=20 * MIB, ending=STALL) as line:
        through(airgap, line.url)
        process = airgap.started("export", *IMAGES, "--restart", "-o", "b.tar")
        assert line.stalled.wait(60)
        wait_until(at_rest(process.pid))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped; what has arrived is kept beside b.tar" in stderr.decode()
    assert files(airgap.folder).keys() == {"b.tar.partial", "b.tar.journal"}
    through(airgap, source.url)
    program, *arguments = shlex.split(stderr.decode().rpartition("\n  to continue: ")[2])
    assert program == "airgap"
    assert "--restart" not in arguments
    with faulty_line(source.address) as line:
        through(airgap, line.url)
        airgap.run(*arguments)
        assert line.received < LARGE
    assert files(airgap.folder) == expected


def test_a_tag_that_moves_meanwhile_changes_nothing(airgap: Airgap) -> None:
    with Source() as source:
        expected = wanted(airgap, source, "b.tar")
        killed(airgap, source, 20 * MIB, "b.tar")
        images = Images(77)
        source.fill(images, {"a/small:1": images.image(size=50_000)})
        through(airgap, source.url)
        airgap.run("export", *IMAGES, "-o", "b.tar")
        assert files(airgap.folder) == expected


def test_refresh_resolves_anew_and_keeps_what_still_serves(airgap: Airgap) -> None:
    with Source() as source:
        through(airgap, source.url)
        # The large layer arrives whole, and then the small ones stall.
        with faulty_line(source.address, limit=LARGE + 100_000, ending=STALL) as line:
            through(airgap, line.url)
            process = airgap.started("export", *IMAGES, "-o", "b.tar", "--jobs", "1")
            assert line.stalled.wait(60)
            wait_until(at_rest(process.pid))
            process.kill()
            process.communicate()
        images = Images(77)
        source.fill(images, {"a/small:1": images.image(size=50_000)})
        with faulty_line(source.address) as line:
            through(airgap, line.url)
            said = airgap.run("export", *IMAGES, "-o", "b.tar", "--refresh")
            assert line.received < MIB
        assert "of the earlier run still serve" in said.stderr
        assert files(airgap.folder).keys() == {"b.tar"}
        made = files(airgap.folder)
        (airgap.folder / "b.tar").unlink()
        through(airgap, source.url)
        airgap.run("export", *IMAGES, "-o", "b.tar")
        assert files(airgap.folder) == made


def test_other_inputs_are_refused_until_restart(airgap: Airgap, source: Source) -> None:
    killed(airgap, source, 20 * MIB, "b.tar")
    before = files(airgap.folder)
    through(airgap, source.url)
    for other in (
        ("--image", "quay.io/a/large:1"),
        (*IMAGES, "--image", "quay.io/a/other:1"),
        (*IMAGES, "--platform", "linux/amd64"),
        (*IMAGES, "--volume-size", "7MiB"),
    ):
        said = airgap.fails(2, "export", *other, "-o", "b.tar")
        assert "was begun with other images, files or options" in said.errors[0]
        assert "--restart" in said.stderr
        assert files(airgap.folder) == before
    airgap.run("export", "--image", "quay.io/a/other:1", "-o", "b.tar", "--restart")
    assert files(airgap.folder).keys() == {"b.tar"}
    airgap.run("verify", "b.tar")


@pytest.mark.parametrize("how", ["a power cut", "another disk's bytes", "no partial", "a torn journal", "no journal"])
def test_what_is_left_is_believed_only_as_far_as_it_is_true(airgap: Airgap, source: Source, how: str) -> None:
    """Whatever became of the files of a broken export, the next one ends in the right bytes."""
    expected = wanted(airgap, source, "b.tar")
    killed(airgap, source, 30 * MIB, "b.tar")
    partial, journal = airgap.folder / "b.tar.partial", airgap.folder / "b.tar.journal"
    if how == "a power cut":
        # Pages that were never written are zeros, wherever they are behind the head.
        with partial.open("r+b") as file:
            file.seek(12 * MIB)
            file.write(bytes(4 * MIB))
    elif how == "another disk's bytes":
        partial.write_bytes(b"oci-layout\0" + noise(len(expected["b.tar"]) - 11, 5))
    elif how == "no partial":
        partial.unlink()
    elif how == "a torn journal":
        journal.write_bytes(journal.read_bytes()[:-30])
    else:
        journal.unlink()
    through(airgap, source.url)
    airgap.run("export", *IMAGES, "-o", "b.tar")
    assert files(airgap.folder) == expected


def test_a_partial_of_frames_that_nobody_wrote_is_begun_anew(airgap: Airgap, source: Source) -> None:
    expected = wanted(airgap, source, "b.tar.zst")
    killed(airgap, source, 20 * MIB, "b.tar.zst")
    # A frame that says it holds 2**64 - 1 bytes, in one empty block.
    (airgap.folder / "b.tar.zst.partial").write_bytes(
        b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\x00\x00" + noise(MIB)
    )
    through(airgap, source.url)
    airgap.run("export", *IMAGES, "-o", "b.tar.zst")
    assert files(airgap.folder) == expected


def test_a_kill_between_the_name_and_the_journals_end(airgap: Airgap, source: Source) -> None:
    expected = wanted(airgap, source, "b.tar")
    killed(airgap, source, 30 * MIB, "b.tar")
    through(airgap, source.url)
    journal = (airgap.folder / "b.tar.journal").read_bytes()
    airgap.run("export", *IMAGES, "-o", "b.tar")
    blobs = json.loads(subprocess.check_output(["tar", "-xOf", airgap.folder / "b.tar", "airgap/bundle.json"]))["blobs"]
    whole = b"".join(json.dumps({"blob": blob["digest"], "whole": True}).encode() + b"\n" for blob in blobs)
    (airgap.folder / "b.tar.journal").write_bytes(journal + whole)
    airgap.run("export", *IMAGES, "-o", "b.tar")
    assert files(airgap.folder) == expected


class Kills:
    """Exports into one bundle that are killed, one after another. After each the registry has counted what was fetched
    again of every blob: no more than was written since its last note in the journal, and what had been sent and was
    not written when the kill came."""

    def __init__(self, airgap: Airgap, form: str, ledger: Ledger, source: Source) -> None:
        self.airgap, self.ledger, self.source = airgap, ledger, source
        self.command = ("export", *IMAGES, "-o", *FORMS[form])
        self.expected = wanted(airgap, source, *FORMS[form])
        #: A frame that is not whole is not written; where there are frames, one blob is written at a time.
        self.buffered, self.jobs = (FRAME_SIZE, 1) if form == "zstd" else (0, JOBS)
        self._begin_anew()

    def _begin_anew(self) -> None:
        for name in files(self.airgap.folder):
            os.unlink(self.airgap.folder / name)
        self.ledger.forget()
        #: What may be fetched again of one blob: nothing as long as nothing was killed.
        self.allowed = 0

    def run(self, *, moment: int = 0, seconds: float = 60) -> None:
        """One export, killed once it has written so many bytes, or in full flow after so many seconds, if it is not
        done before."""
        self.ledger.begin(moment)
        process = self.airgap.started(*self.command, "--jobs", str(JOBS))
        until, lost = time.monotonic() + seconds, 0
        while process.poll() is None and time.monotonic() < until and not self.ledger.reached.wait(0.002):
            pass
        if process.poll() is None:
            lost = self._kill(process, drained=bool(moment))
        process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
        self._check()
        self.allowed = max(self.allowed, lost)
        # A kill may also come when everything is done and only the process is still there.
        if files(self.airgap.folder).keys() == self.expected.keys():
            assert files(self.airgap.folder) == self.expected
            self._begin_anew()

    def _kill(self, process: subprocess.Popen[bytes], *, drained: bool) -> int:
        """Kill it, once sockets are empty if they are to be ``drained``; how much of one blob may have been sent in
        vain."""
        self.ledger.hold()
        port = int(self.source.address.rpartition(":")[2])
        if drained:
            wait_until(lambda: not in_flight(port), every=0.002)
        process.send_signal(signal.SIGSTOP)
        # Until the pieces that had been read are sent: the server's threads sleep then, all in this process.
        wait_until(at_rest(os.getpid(), _serving))
        flying = in_flight(port)
        process.kill()
        # A piece that the server had read and not sent, and one that airgap had read and not written.
        return CHECKPOINT + self.buffered + flying + 2 * BUFFER_SIZE

    def _check(self) -> None:
        large = {digest: count for digest, count in self.ledger.again.items() if digest in self.source.large}
        assert sum(count > 0 for count in large.values()) <= self.jobs, large
        assert max(large.values(), default=0) <= self.allowed, large
        # Configs are read in each run; of the small layers those come again that were on their way.
        assert sum(self.ledger.again.values()) - sum(large.values()) <= self.source.small


def _serving() -> list[int]:
    """The threads of the server that answer requests."""
    return [
        thread.native_id
        for thread in threading.enumerate()
        if thread.name == "airgap-server-worker" and thread.native_id is not None
    ]


def _random_kills(airgap: Airgap, form: str, kills: int, seed: int) -> None:
    sizes, chance, ledger = (24 * MIB, 17 * MIB, 10 * MIB), random.Random(seed), Ledger()
    with Source(*sizes, store=ledger) as source:
        made = Kills(airgap, form, ledger, source)
        for number in range(kills):
            if number % 3 == 2:
                made.run(seconds=chance.uniform(0.1, 1.0))
            else:
                made.run(moment=chance.randrange(1, sum(sizes) // 2))
        made.run()
        assert made.allowed == 0, "the last one was whole"


@pytest.mark.parametrize(
    "form", ["tar", *(pytest.param(form, marks=pytest.mark.long) for form in FORMS if form != "tar")]
)
def test_kills_at_random_moments(airgap: Airgap, form: str) -> None:
    _random_kills(airgap, form, 3, 5)


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_thirty_kills_at_random_moments(airgap: Airgap, form: str) -> None:
    _random_kills(airgap, form, 30, 6)
