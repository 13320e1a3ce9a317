# SPDX-License-Identifier: Apache-2.0
"""An import that is killed, or whose line breaks, and what the same command sends then: counted on the line."""

from __future__ import annotations

import contextlib
import json
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airgap.oci import Descriptor
from airgap.server.uploads import MAX_DIRECT_SIZE
from airgap.store.readers import FileRange
from airgap.trust import bech32
from airgap.trust.age_crypto import x25519_public
from airgap.trust.age_keys import parse_recipient
from tests.cli.command import Airgap, Registry, settings
from tests.parts.dockerregistry import DockerRegistry, docker_registry
from tests.parts.faulty_line import FaultyLine, faulty_line
from tests.parts.images import OCI_LAYER_PLAIN, Images
from tests.trust.test_age import sealed

MB = 1_000_000
JOBS = 2
#: Heads of requests, and the manifests that go again.
OVERHEAD = 150_000
#: What our own server reads at once: as much of a body that breaks off may be lost with the socket.
PIECE = 1 << 20
SHORT, LONG = range(3), range(100, 130)
SEEDS = [*SHORT, *(pytest.param(seed, marks=pytest.mark.long) for seed in LONG)]


@dataclass(frozen=True)
class Cargo:
    """A bundle, the roots in it by ``name:tag``, and its blobs' sizes."""

    bundle: Path
    roots: dict[str, Descriptor]
    images: Images
    sizes: list[int]

    @property
    def total(self) -> int:
        return sum(self.sizes)


def cargo_of(folder: Path, sizes: dict[str, list[int]]) -> Cargo:
    """Export images with one layer of each size."""
    images = Images(len(sizes))
    roots = {
        name: images.image(layers=[images.layer(size=size, media_type=OCI_LAYER_PLAIN) for size in layers])
        for name, layers in sizes.items()
    }
    airgap = Airgap(folder, folder)
    with Registry() as internet:
        internet.fill(images, {f"a/{name}": root for name, root in roots.items()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        named = [part for name in roots for part in ("--image", f"quay.io/a/{name}")]
        airgap.run("export", *named, "-o", "bundle.tar")
    blobs = airgap.run("inspect", "bundle.tar", "--json").json["blobs"]
    found = [blob["size"] for blob in blobs if "manifest" not in blob["mediaType"]]
    return Cargo(folder / "bundle.tar", roots, images, sorted(found, reverse=True))


@pytest.fixture(scope="module")
def cargo(tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    """Some blobs that our own server keeps half of, and some that it does not."""
    sizes = {"x:1": [12 * MB, 2 * MB], "y:1": [9 * MB, MB, MB // 2], "z:1": [3 * MB]}
    return cargo_of(tmp_path_factory.mktemp("cargo"), sizes)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("real")) as made:
        yield made


def kill_at(airgap: Airgap, line: FaultyLine, moment: int, *arguments: str | Path) -> list[int]:
    """SIGKILL once ``moment`` bytes have left; the sizes of the blobs that were on their way then."""
    line.stall_after = moment
    process = airgap.started(*arguments, "--progress", "json")
    try:
        assert line.stalled.wait(60), "it never came so far"
    finally:
        process.send_signal(signal.SIGKILL)
        _, told = process.communicate(timeout=20)
        line.release()
    running: dict[str, int] = {}
    for said in told.splitlines(keepends=True):
        event = json.loads(said) if said.endswith(b"\n") else {"event": "cut off by the kill"}
        if event["event"] == "blob-started":
            running[event["digest"]] = event["size"]
        elif event["event"] == "blob-done":
            running.pop(event["digest"], None)
    assert len(running) <= JOBS
    return list(running.values())


def assert_whole(cargo: Cargo, registry: Registry) -> None:
    for name, root in cargo.roots.items():
        assert registry.digest(f"p/{name}") == root.digest
        for descriptor in cargo.images.needed(root):
            reader = registry.store.open(descriptor)
            content = bytearray(descriptor.size)
            assert not isinstance(reader, FileRange)
            assert reader.readinto(memoryview(content)) == descriptor.size
            assert bytes(content) == cargo.images.content[descriptor.digest]


def sent_again(cargo: Cargo, line: FaultyLine) -> int:
    return line.sent - cargo.total


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_moment_into_our_own_server(airgap: Airgap, cargo: Cargo, seed: int) -> None:
    moment = random.Random(seed).randrange(cargo.total + 5000)
    with Registry() as nexus, faulty_line(nexus.address) as line:
        command = ("import", cargo.bundle, "--to", f"{line.url}/p", "--jobs", str(JOBS))
        running = kill_at(airgap, line, moment, *command)
        assert not (airgap.folder / "bundle.tar.receipt.json").exists()
        airgap.run(*command)
        assert_whole(cargo, nexus)
        # A large blob goes on at its byte; one that goes straight into the store is sent from its start.
        lost = sum(PIECE if size > MAX_DIRECT_SIZE else size for size in running)
        assert sent_again(cargo, line) <= lost + OVERHEAD, f"killed after {moment} bytes"
    assert list(airgap.home.rglob("import-*")) == [], "a whole import leaves no state"


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_moment_into_docker_registry(
    airgap: Airgap, cargo: Cargo, real: DockerRegistry, seed: int
) -> None:
    moment = random.Random(seed).randrange(cargo.total + 5000)
    with faulty_line(real.address) as line:
        # Another prefix each time: the repositories are new ones.
        command = ("import", cargo.bundle, "--to", f"{line.url}/k{seed}", "--jobs", str(JOBS))
        running = kill_at(airgap, line, moment, *command)
        airgap.run(*command)
        assert sent_again(cargo, line) <= sum(running) + OVERHEAD, f"killed after {moment} bytes"
        airgap.run("verify", cargo.bundle, "--against", f"{real.url}/k{seed}")


@pytest.fixture(scope="module")
def sealed_cargo(cargo: Cargo, tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    """The same in a sealed bundle, with the file of its key beside it."""
    folder = tmp_path_factory.mktemp("sealed")
    secret = bytes(range(32))
    (folder / "id.txt").write_text(bech32.encode(secret, "age-secret-key-").upper())
    recipient = parse_recipient(bech32.encode(x25519_public(secret), "age"), where="")
    (folder / "bundle.tar.age").write_bytes(sealed(cargo.bundle.read_bytes(), [recipient]))
    return replace(cargo, bundle=folder / "bundle.tar.age")


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=pytest.mark.long) for seed in (*SHORT, *LONG[:10])])
def test_a_sealed_one_is_decrypted_from_its_start_and_sends_what_is_missing(
    airgap: Airgap, sealed_cargo: Cargo, seed: int
) -> None:
    moment = random.Random(seed).randrange(sealed_cargo.total + 5000)
    with Registry() as nexus, faulty_line(nexus.address) as line:
        identity = ("--identity", sealed_cargo.bundle.with_name("id.txt"))
        command = ("import", sealed_cargo.bundle, "--to", f"{line.url}/p", *identity)
        running = kill_at(airgap, line, moment, *command)
        assert len(running) <= 1
        before = {path for path in airgap.home.rglob("*") if path.is_file() and path.stat().st_size > 100_000}
        assert not before, "nothing plain is kept on a disk"
        airgap.run(*command)
        assert_whole(sealed_cargo, nexus)
        lost = sum(PIECE if size > MAX_DIRECT_SIZE else size for size in running)
        assert sent_again(sealed_cargo, line) <= lost + OVERHEAD, f"killed after {moment} bytes"


def test_the_half_that_is_there_is_not_sent_again(airgap: Airgap, cargo: Cargo) -> None:
    """The largest blob is under way, alone: all that had arrived of it counts, and is told."""
    with Registry() as nexus, faulty_line(nexus.address) as line:
        command = ("import", cargo.bundle, "--to", f"{line.url}/p", "--jobs", "1")
        kill_at(airgap, line, 7 * MB, *command)
        (left,) = airgap.home.rglob("import-*")
        assert left.parent == airgap.home / ".local/state/airgap"
        said = airgap.run(*command, "--progress", "json")
        assert_whole(cargo, nexus)
        assert sent_again(cargo, line) <= OVERHEAD
    done = {event["digest"]: event["how"] for event in said.events if event["event"] == "blob-done"}
    assert sorted(done.values()) == sorted(["resumed", *["pushed"] * (len(done) - 1)])
    moved = [event["bytes"] for event in said.events if event["event"] in ("blob-progress", "blob-resumed")]
    assert sum(moved) == cargo.total
    last = next(event for event in said.events if event["event"] == "finished")
    assert (last["images"], last["moved"], last["resumed"]) == (3, len(done), 1)
    assert last["moved_bytes"] + last["resumed_bytes"] == cargo.total
    assert last["resumed_bytes"] > 3 * MB


def test_stopped_by_the_user_it_goes_on_too(airgap: Airgap, cargo: Cargo) -> None:
    with Registry() as nexus, faulty_line(nexus.address) as line:
        command = ("import", cargo.bundle, "--to", f"{line.url}/p", "--jobs", "1", "--state", "kept/here")
        line.stall_after = 7 * MB
        process = airgap.started(*command)
        assert line.stalled.wait(60)
        # Meanwhile nobody else may do the same; another target is another matter.
        said = airgap.fails(51, *command)
        assert "another import of this bundle to this target is running" in said.errors[0]
        airgap.run("import", cargo.bundle, "--to", f"{nexus.url}/q", "--state", "kept/here")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        line.release()
        assert len(list((airgap.folder / "kept/here").iterdir())) == 1
        airgap.run(*command)
        assert_whole(cargo, nexus)
    assert list((airgap.folder / "kept/here").iterdir()) == []


def test_a_server_that_began_anew_has_no_upload(airgap: Airgap, cargo: Cargo) -> None:
    """The registry was restarted meanwhile: what it forgot is sent from the start."""
    with contextlib.ExitStack() as stack:
        nexus = stack.enter_context(Registry())
        line = stack.enter_context(faulty_line(nexus.address))
        command = ("import", cargo.bundle, "--to", f"{line.url}/p", "--jobs", "1")
        kill_at(airgap, line, 7 * MB, *command)
        nexus.server.stop()
        nexus.server.start()
        airgap.run(*command)
        assert_whole(cargo, nexus)


def test_state_that_cannot_be_kept(airgap: Airgap, cargo: Cargo) -> None:
    with Registry() as nexus:
        airgap.write("file", "")
        command = ("import", cargo.bundle, "--to", f"{nexus.address}/p")
        said = airgap.fails(42, *command, "--state", "file/state")
        assert "--state DIR" in said.stderr
        assert nexus.names() == []
        said = airgap.run(*command, environment={"XDG_STATE_HOME": str(airgap.folder / "file")})
        assert "warning: " in said.stderr
        assert "will begin again" in said.stderr
        assert_whole(cargo, nexus)


def test_the_state_names_no_password(airgap: Airgap, cargo: Cargo) -> None:
    with Registry(credentials=("admin", "s3cret")) as nexus, faulty_line(nexus.address) as line:
        command = ("import", cargo.bundle, "--to", f"{line.url}/p", "--jobs", "1")
        mine = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "s3cret"}
        airgap.environment.update(mine)
        kill_at(airgap, line, 7 * MB, *command)
        (left,) = airgap.home.rglob("import-*")
        head, *entries = [json.loads(entry) for entry in left.read_text().splitlines()]
        assert head["target"] == f"{line.address}/p"
        assert entries
        assert "s3cret" not in left.read_text()
        assert "YWRtaW46" not in left.read_text()
        airgap.run(*command)
        assert_whole(cargo, nexus)


def through_a_line_that_breaks(airgap: Airgap, registry: DockerRegistry, cargo: Cargo, limit: int) -> FaultyLine:
    with faulty_line(registry.address, limit=limit) as line:
        said = airgap.run("import", cargo.bundle, "--to", f"{line.url}/p", timeout=300)
        assert "1 image pushed" in said.stderr
        assert "trying again" in said.stderr
    airgap.run("verify", cargo.bundle, "--against", f"{registry.url}/p", timeout=300)
    return line


def test_a_layer_gets_through_a_line_that_breaks(
    airgap: Airgap, registry: DockerRegistry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """docker-registry drops an upload whose line breaks: only chunks that are small enough arrive."""
    cargo = cargo_of(tmp_path_factory.mktemp("one"), {"x:1": [12 * MB]})
    line = through_a_line_that_breaks(airgap, registry, cargo, 2 * MB)
    assert line.resets >= 2
    assert line.sent < 2 * cargo.total
    patches = [request for request in registry.requests() if request.startswith("PATCH")]
    assert len(patches) >= 6


def test_a_line_that_breaks_into_our_own_server(airgap: Airgap, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It keeps what arrived: nothing is sent twice, and no chunk is needed."""
    cargo = cargo_of(tmp_path_factory.mktemp("own"), {"x:1": [12 * MB]})
    with Registry() as nexus, faulty_line(nexus.address, limit=3 * MB, once_read=True) as line:
        airgap.run("import", cargo.bundle, "--to", f"{line.url}/p")
        assert_whole(cargo, nexus)
        assert line.resets >= 3
        assert sent_again(cargo, line) < MB


@pytest.mark.long
def test_two_hundred_megabytes_by_twenty(
    airgap: Airgap, registry: DockerRegistry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cargo = cargo_of(tmp_path_factory.mktemp("large"), {"x:1": [200 * MB]})
    line = through_a_line_that_breaks(airgap, registry, cargo, 20 * MB)
    assert line.resets >= 2
    assert line.sent < 1.5 * cargo.total
