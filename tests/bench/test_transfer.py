# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own truth: its figures are those of what ran, and what did not arrive is not counted."""

from __future__ import annotations

import contextlib
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.transfer import goals, report, tools, turns, workloads
from bench.transfer.line import delayed
from bench.transfer.measure import FailedError, Sample, measure
from bench.transfer.packages import TooLittleError, dealt, pieces
from bench.transfer.registries import Side, WrongContentError, check, fill
from bench.transfer.workloads import Workload
from tests.parts.dockerregistry import docker_registry
from tests.parts.service import clean_environment
from tests.parts.waiting import wait_until

SCALE = 0.001
AIRGAP = Path(sys.executable).with_name("airgap")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 9 MB in all, which compress by about a half."""
    folder = tmp_path_factory.mktemp("corpus")
    noise = random.Random("corpus")
    for number in range(30):
        path = folder / f"package-{number % 3}" / f"file-{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(noise.randbytes(150_000).hex().encode())
    (folder / "package-0" / "link").symlink_to("/etc/passwd")
    return folder


def made(folder: Path, name: str, corpus: Path, scale: float = SCALE) -> Workload:
    workloads.build(folder / f"{name}-{scale:g}", name, scale, [corpus], ["one 1.0"])
    return workloads.load(folder, name, scale, lambda _: None)


@pytest.fixture(scope="module")
def four(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Workload:
    return made(tmp_path_factory.mktemp("cache"), "w1", corpus)


def test_the_same_files_give_the_same_images(four: Workload, corpus: Path, tmp_path: Path) -> None:
    again = made(tmp_path, "w1", corpus)
    assert again.images == four.images
    assert sorted(path.name for path in again.blobs.iterdir()) == sorted(path.name for path in four.blobs.iterdir())
    assert len(four.images) == 4
    assert all(len(image.manifests) == 3 for image in four.images)
    assert len(four.sizes) == 18
    assert four.unique < four.repeated


def test_a_third_of_the_platform_is_shared() -> None:
    layers, images = workloads.plan("w2", 1)
    used = [layer for platforms in images.values() for own in platforms.values() for layer in own]
    once, repeated = sum(layers.values()), sum(layers[layer] for layer in used)
    assert (len(images), len(layers) + len(images)) == (40, 164)
    assert once == pytest.approx(1.4e9, rel=0.01)
    assert 1 - once / repeated == pytest.approx(1 / 3, abs=0.02)


def test_pieces_are_dealt_whole_and_once(corpus: Path) -> None:
    runs = pieces([corpus], 1 << 20)
    hands = dealt(runs, [3, 1, 1])
    spread = [piece for hand in hands for piece in hand]
    assert sorted(spread) == sorted(piece for run in runs for piece in run)
    assert sum(piece.length for piece in spread) == 30 * 300_000
    assert all(Path(piece.path).is_file() and "link" not in piece.name for piece in spread)


def test_too_few_files_make_no_workload(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(TooLittleError, match="early"):
        made(tmp_path, "w1", corpus, 0.1)
    assert not (tmp_path / "w1-0.1" / "images.json").exists()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Side]:
    with docker_registry(tmp_path / "target", access_log=False) as server:
        yield Side(server.address, None, server.data)


@pytest.mark.requires("docker-registry")
def test_what_is_missing_at_the_target_is_noticed(four: Workload, target: Side) -> None:
    with pytest.raises(WrongContentError):
        check(target, four)
    fill(target, four)
    check(target, four)
    image = four.images[1]
    digest = image.manifests[0].blobs[-1][0]
    (link,) = target.data.rglob(f"{image.repository}/_layers/sha256/{digest[7:]}/link")
    link.unlink()
    with pytest.raises(WrongContentError, match=digest):
        check(target, four)
    fill(target, four)
    other = replace(image, manifests=(*image.manifests[:-1], replace(image.manifests[-1], digest=digest)))
    with pytest.raises(WrongContentError, match="instead of"):
        check(target, replace(four, images=(other,)))


@pytest.mark.requires("docker-registry", "skopeo")
@pytest.mark.long
def test_a_round_of_turns_counts_what_arrived(corpus: Path, tmp_path: Path) -> None:
    one = made(tmp_path, "w3", corpus)
    pretending = tools.Tool("oras", "sh", "imports nothing", lambda _: "touch bundle/x", lambda _: "true")
    taking_part = [tool for tool in tools.TOOLS if tool.name in ("airgap", "skopeo")] + [pretending]
    said: list[str] = []
    (tmp_path / "memory").mkdir()
    place = turns.Place(tmp_path, tmp_path / "memory", AIRGAP, False, said.append, settle=lambda: None)
    with turns.sides(place, "plain", [one]) as ends:
        block = turns.run(place, "plain", one, taking_part, 1, ends)
    assert list(block.failures) == ["oras"]
    for operation in turns.OPERATIONS:
        assert [len(block.of(name, operation)) for name in ("airgap", "skopeo", "oras")] == [1, 1, 0]
    (ours,), (theirs,) = block.of("airgap", "export"), block.of("skopeo", "export")
    assert one.unique <= ours.bundle <= one.unique + 100_000
    assert one.repeated <= theirs.bundle
    assert ours.wire is None
    assert ours.cpu > 0
    assert ours.memory > 1 << 20
    text = report.page([block], "make bench", 1, taking_part, AIRGAP, "a folder")
    assert "| skopeo | " in text
    assert "- oras failed and counts for nothing here" in text
    assert "| oras | " not in text
    assert "wall / skopeo's | 0.45" in text


def measured(folder: Path, script: str) -> Sample:
    for name in ("tmp", "bundle"):
        (folder / name).mkdir()
    environment = clean_environment(folder, TMPDIR=str(folder / "tmp"))
    return measure(
        script, folder=folder, bundle=folder / "bundle", environment=environment, crossings=0, log=folder / "log"
    )


def test_a_script_is_measured_with_all_that_it_starts(tmp_path: Path) -> None:
    busy = "import time; m = bytearray(48 << 20); e = time.process_time() + .3\nwhile time.process_time() < e: pass"
    script = f"""
        head -c 3000000 /dev/zero > "$TMPDIR/x"; head -c 2000000 /dev/zero > layout
        head -c 1000000 /dev/zero > bundle/b
        sh -c '{sys.executable} -c "{busy}"; true'
        rm "$TMPDIR/x" layout
    """
    sample = measured(tmp_path, script)
    assert 0.3 <= sample.cpu < 3
    assert sample.cpu <= 2 * sample.wall
    assert sample.memory >= 48 << 20
    assert sample.bundle == 1_000_000
    assert 5_000_000 <= sample.temporary < 5_200_000
    assert sample.written is None or sample.written >= 6_000_000


def test_a_script_that_fails_is_no_sample(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="7: out of paper"):
        measured(tmp_path, "echo out of paper; exit 7")


def test_a_script_that_takes_too_long_is_stopped_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.transfer.measure._LONGEST", 0.3)
    with pytest.raises(FailedError, match="-9"):
        measured(tmp_path, "sh -c 'echo $$ > child; exec sleep 60'; true")
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    wait_until(lambda: not child.exists() or child.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_the_line_is_late_and_loses_nothing() -> None:
    content = random.Random("line").randbytes(3_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_echo, args=(listener,))
        thread.start()
        with (
            delayed(listener.getsockname()[1], 0.1) as port,
            socket.create_connection(("127.0.0.1", port), timeout=20) as client,
        ):
            began = time.monotonic()
            assert _exchanged(client, b"hello") == b"hello"
            first = time.monotonic() - began
            assert _exchanged(client, b"again") == b"again"
            second = time.monotonic() - began - first
            sender = threading.Thread(target=client.sendall, args=(content,))
            sender.start()
            assert _received(client, len(content)) == content
            sender.join()
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        thread.join(10)
    assert first >= 0.2  # TCP's handshake, and the round trip of what was said
    assert 0.1 <= second < first


def _echo(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(65536):
            connection.sendall(data)


def _exchanged(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return _received(client, len(data))


def _received(client: socket.socket, size: int) -> bytes:
    parts = []
    while size > 0 and (part := client.recv(min(size, 65536))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def sample(wall: float) -> Sample:
    return Sample(wall, 0, wall, 1, 100, 0, 100, 100)


def test_goals_stand_beside_the_best_that_kept_the_digests(four: Workload) -> None:
    block = turns.Block("plain", replace(four, name="w2"))
    block.samples = {
        ("airgap", "export"): [sample(1), sample(3), sample(2)],
        ("skopeo", "export"): [sample(10), sample(10), sample(10)],
        ("oras", "export"): [sample(2), sample(5), sample(5)],
        ("crane", "export"): [sample(0.5)],
        ("podman", "export"): [sample(0.1), sample(0.1), sample(0.1)],
    }
    block.failures = {"crane": "it broke"}
    assert goals.best(block, "export", goals.FIGURES["wall"]) == "oras"
    found = {result.figure: result for result in goals.results([block])}
    assert found["wall / skopeo's"].reached == 0.2
    assert found["wall / skopeo's"].met
    assert found["wall / the best other's (oras)"].reached == 0.5
    assert found["bytes written / bundle"].met
    late = replace(block.samples[("airgap", "export")][0], wall=4, written=102)
    block.samples[("airgap", "export")] = [late] * 3
    table = "\n".join(goals.table([block]))
    assert "| wall / skopeo's | 0.30 | 0.40 | MISSED |" in table
    assert "| bytes written / bundle | 1.01 | 1.02 | MISSED |" in table
