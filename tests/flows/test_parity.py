# SPDX-License-Identifier: Apache-2.0
"""``export --parity`` and ``airgap repair``, as a user meets them."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import Images
from tests.parts.need import need

#: ``airgap``, killed when the first parity volume has its name.
KILLED = """
import os, signal
from airgap.bundle.parity import encode
from airgap.__main__ import main
publish = encode.publish
def publish_and_die(*arguments):
    publish(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
encode.publish = publish_and_die
main()
"""
EXPORT = ("export", "--image", "quay.io/a/x:1", "--lock", "a.lock", "-o", "b.tar", "--volume-size", "1MiB")
PARITY = (*EXPORT, "--parity", "2")


@pytest.fixture(scope="module")
def source() -> Iterator[Registry]:
    with Registry() as registry:
        images = Images(12)
        registry.fill(images, {"a/x:1": images.image(layers=3, size=900_000)})
        yield registry


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, source: Registry) -> Airgap:
    folder = tmp_path_factory.mktemp("shelf")
    airgap = Airgap(folder, folder)
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
    said = airgap.run(*PARITY).stderr
    assert "parity: b.tar.p001 … b.tar.p002" in said
    return airgap


@pytest.fixture
def made(shelf: Airgap, airgap: Airgap) -> Airgap:
    shutil.copytree(shelf.folder, airgap.folder, dirs_exist_ok=True)
    return airgap


def volumes(airgap: Airgap) -> dict[str, bytes]:
    return {name: content for name, content in airgap.files().items() if name.startswith("b.tar.")}


def test_no_volume_is_larger_than_asked_for(made: Airgap) -> None:
    sizes = {name: len(content) for name, content in volumes(made).items()}
    assert list(sizes) == ["b.tar.001", "b.tar.002", "b.tar.003", "b.tar.p001", "b.tar.p002", "b.tar.sha256"]
    assert max(sizes.values()) <= 1 << 20
    subprocess.run([need("sha256sum"), "-c", "--quiet", "b.tar.sha256"], cwd=made.folder, check=True)


def test_the_bundle_is_read_as_without_parity(made: Airgap, source: Registry) -> None:
    said = made.run("verify", "b.tar.002").stderr
    assert "parity: all 5 volumes are whole; any 2 of them may be lost" in said
    with Registry() as nexus:
        made.run("import", "b.tar.001", "--to", nexus.address)


def test_verify_finds_a_damaged_parity_volume_of_a_whole_bundle(made: Airgap) -> None:
    content = bytearray((made.folder / "b.tar.p002").read_bytes())
    content[500_000] ^= 1
    (made.folder / "b.tar.p002").write_bytes(content)
    said = made.run("verify", "b.tar.001").stderr
    assert "all as they should be" in said
    assert "parity restores b.tar.p002: airgap repair b.tar.001" in said


def test_lost_volumes_are_named_and_restored(made: Airgap) -> None:
    before = volumes(made)
    (made.folder / "b.tar.001").unlink()
    (made.folder / "b.tar.003").unlink()
    said = made.run("verify", "b.tar.002", code=40)
    assert "2 of 3 volumes are missing" in said.stderr
    assert "airgap repair b.tar.002 makes them again from parity" in said.stderr
    assert "parity restores b.tar.001, b.tar.003: airgap repair b.tar.002" in said.stderr
    assert "would restore b.tar.001" in made.run("repair", "b.tar.002", "--dry-run").stderr
    assert volumes(made) != before
    said = made.run("repair", "b.tar.p002")
    assert "restored b.tar.001\nrestored b.tar.003\n" in said.stderr
    assert volumes(made) == before
    assert "nothing is lost or damaged" in made.run("repair", "b.tar.001").stderr


def test_damaged_volumes_are_named_and_restored(made: Airgap) -> None:
    before = volumes(made)
    chance = random.Random(1)
    for name in ("b.tar.002", "b.tar.p001"):
        content = bytearray(before[name])
        for _ in range(300):
            place = chance.randrange(len(content) - 512)
            content[place : place + 512] = chance.randbytes(512)
        (made.folder / name).write_bytes(content)
    said = made.run("verify", "b.tar.001", code=None)
    assert said.code in (31, 40)
    assert "airgap repair b.tar.001" in said.stderr
    restored = made.run("repair", "b.tar.001", "--json").json
    assert [Path(path).name for path in restored["restored"]] == ["b.tar.002", "b.tar.p001"]
    assert volumes(made) == before


def test_one_too_many(made: Airgap) -> None:
    for name in ("b.tar.001", "b.tar.002", "b.tar.p001"):
        (made.folder / name).unlink()
    said = made.run("verify", "b.tar.003", code=40).stderr
    assert "parity cannot restore all of it: copy or make b.tar.001 again" in said
    said = made.fails(40, "repair", "b.tar.003").stderr
    assert "too much is lost: b.tar.001, b.tar.002, b.tar.p001" in said
    assert "copy or make b.tar.001 again" in said
    made.run(*PARITY, "--volume", "1")
    assert "restored" in made.run("repair", "b.tar.003").stderr
    made.run("verify", "b.tar.001")


def test_only_parity_is_lost(made: Airgap) -> None:
    before = volumes(made)
    for name in ("b.tar.p001", "b.tar.p002"):
        (made.folder / name).unlink()
    made.run("repair", "b.tar.001")
    assert volumes(made) == before
    for name in ("b.tar.p001", "b.tar.p002", "b.tar.002"):
        (made.folder / name).unlink()
    said = made.fails(40, "repair", "b.tar.001").stderr
    assert "no parity volume can be used, and these are lost or damaged too: b.tar.002" in said


def test_into_another_folder(made: Airgap) -> None:
    before = volumes(made)
    (made.folder / "b.tar.002").unlink()
    made.run("repair", "b.tar.001", "-o", "out")
    assert made.folder.joinpath("out/b.tar.002").read_bytes() == before["b.tar.002"]
    assert not (made.folder / "b.tar.002").exists()
    made.run("verify", "b.tar.001", "out/b.tar.002")


def test_killed_between_the_parity_volumes(airgap: Airgap, shelf: Airgap) -> None:
    shutil.copy(shelf.folder / "airgap.yaml", airgap.folder)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *PARITY],
        cwd=airgap.folder, env=airgap.whole_environment(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert "b.tar.p001" in airgap.files()
    assert "b.tar.p002" not in airgap.files()
    said = airgap.run(*PARITY).stderr
    assert "already whole" in said
    assert volumes(airgap) == volumes(shelf)


def test_a_signature_is_covered(made: Airgap) -> None:
    made.run("keygen", "-o", "k", "--no-passphrase")
    made.run("sign", "b.tar.001", "--key", "k.key")
    signed = volumes(made)
    (made.folder / "b.tar.003").unlink()
    made.run("repair", "b.tar.001")
    assert volumes(made) == signed
    made.run("verify", "b.tar.001", "--key", "k.pub")


def test_a_sector_of_every_volume_at_different_places(made: Airgap) -> None:
    before = volumes(made)
    assert len(before) > 5
    for stripe, name in enumerate(name for name in before if not name.endswith("sha256")):
        content = bytearray(before[name])
        place = (stripe + 1) * 65_536 + 512
        content[place : place + 512] = bytes(512 - 1) + b"x"
        (made.folder / name).write_bytes(content)
    assert "parity restores b.tar.001, b.tar.002" in made.run("verify", "b.tar.001", code=None).stderr
    made.run("repair", "b.tar.p002")
    assert volumes(made) == before


def test_parity_of_volumes_that_machines_made_one_by_one(airgap: Airgap, shelf: Airgap) -> None:
    for name in ("airgap.yaml", "a.lock"):
        shutil.copy(shelf.folder / name, airgap.folder)
    count = len([name for name in volumes(shelf) if re.fullmatch(r"b\.tar\.\d{3}", name)])
    for number in range(1, count):
        airgap.run(*PARITY, "--volume", str(number))
    assert f"b.tar.{count:03}" in airgap.fails(40, "repair", "b.tar.001", "--parity", "2").stderr
    airgap.run(*PARITY, "--volume", str(count))
    assert "would write b.tar.p001" in airgap.run("repair", "b.tar.001", "--parity", "2", "--dry-run").stderr
    made = airgap.run("repair", "b.tar.001", "--parity", "2", "--json").json
    assert made == {"made": ["b.tar.p001", "b.tar.p002"], "dry_run": False}
    assert volumes(airgap) == volumes(shelf)
    assert "has 2 parity volumes already" in airgap.fails(40, "repair", "b.tar.001", "--parity", "1").stderr


def test_parity_of_a_damaged_volume_is_not_made(made: Airgap) -> None:
    for name in ("b.tar.p001", "b.tar.p002", "b.tar.sha256"):
        (made.folder / name).unlink()
    content = bytearray((made.folder / "b.tar.002").read_bytes())
    content[5000] ^= 1
    (made.folder / "b.tar.002").write_bytes(content)
    made.run("repair", "b.tar.001", "--parity", "1", code=31)
    assert not (made.folder / "b.tar.p001").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("repair", "b.001", "--parity", "1", "-o", "out"), "-o is for restored ones"),
        (("export", "--image", "a", "-o", "b.tar", "--parity", "1"), "--parity adds volumes to a bundle in volumes"),
        (("repair", "gone.001"), "gone.001"),
        (("repair", "plain.tar"), "there are no parity volumes beside it"),
    ],
)
def test_mistakes(airgap: Airgap, command: tuple[str, ...], said: str) -> None:
    airgap.write("plain.tar", "x")
    assert said in airgap.run(*command, code=None).stderr
