# SPDX-License-Identifier: Apache-2.0
"""Sealed bundles as their users meet them: exported for a recipient, opened with an identity, never plain on a disk."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.flows.verify import verify
from airgap.transfer import Context, Jobs
from airgap.trust.age_keys import passphrase_recipient
from tests.bundle.mutations import entry, make, unseal
from tests.cli.command import Airgap, Registry
from tests.flows.test_resume import IMAGES, LARGE, MIB, Source, through
from tests.parts.faulty_line import STALL, faulty_line
from tests.parts.terminal import on_terminal
from tests.parts.waiting import at_rest, wait_until
from tests.trust.test_age import sealed

pytestmark = pytest.mark.requires("age")
EXPORT = ("export", "cert-manager.yaml", "-o")


@pytest.fixture
def recipient(airgap: Airgap) -> str:
    """The public key of ``id.txt`` in the working folder."""
    subprocess.run(["age-keygen", "-o", "id.txt"], cwd=airgap.folder, check=True, capture_output=True)
    return age(airgap, "age-keygen", "-y", "id.txt").decode().strip()


def age(airgap: Airgap, *command: str) -> bytes:
    return subprocess.run(command, cwd=airgap.folder, check=True, capture_output=True, timeout=60).stdout


def test_age_gives_the_plain_bundle(prepared: Airgap, recipient: str, nexus: Registry) -> None:
    prepared.run(*EXPORT, "plain.tar")
    before = set(prepared.files())
    prepared.run(*EXPORT, "b.tar.age", "--encrypt-to", recipient)
    assert set(prepared.files()) - before == {"b.tar.age"}
    plain = (prepared.folder / "plain.tar").read_bytes()
    assert age(prepared, "age", "-d", "-i", "id.txt", "b.tar.age") == plain
    assert "all as they should be" in prepared.run("verify", "b.tar.age", "--identity", "id.txt").stderr
    shown = prepared.run("inspect", "b.tar.age", "--identity", "id.txt").text.splitlines()
    assert shown[1:] == prepared.run("inspect", "plain.tar").text.splitlines()[1:]
    prepared.run("import", "b.tar.age", "--to", f"{nexus.url}/p", "--identity", "id.txt")
    assert len(nexus.names()) == 4
    # What age itself seals is read too.
    age(prepared, "age", "-r", recipient, "-o", "theirs.tar.age", "plain.tar")
    prepared.run("verify", "theirs.tar.age", "--identity", "id.txt")


def test_volumes_are_cut_from_the_sealed_stream(prepared: Airgap, recipient: str) -> None:
    prepared.run(*EXPORT, "plain.tar")
    prepared.write("recipients.txt", f"# the officer\n{recipient}\n")
    prepared.run(*EXPORT, "b.tar.age", "--encrypt-to", "recipients.txt", "--volume-size", "1MiB")
    joined = b"".join(content for name, content in sorted(prepared.files().items()) if name.startswith("b.tar.age.0"))
    prepared.write("joined.age", joined)
    assert age(prepared, "age", "-d", "-i", "id.txt", "joined.age") == (prepared.folder / "plain.tar").read_bytes()
    subprocess.run(["sha256sum", "-c", "b.tar.age.sha256"], cwd=prepared.folder, check=True, capture_output=True)
    prepared.run("verify", "b.tar.age.001", "--identity", "id.txt")


def test_without_the_right_key(prepared: Airgap, recipient: str, nexus: Registry) -> None:
    prepared.run(*EXPORT, "b.tar.age", "--encrypt-to", recipient)
    subprocess.run(["age-keygen", "-o", "other.txt"], cwd=prepared.folder, check=True, capture_output=True)
    for command in (("verify", "b.tar.age"), ("import", "b.tar.age", "--to", f"{nexus.url}/p")):
        assert "--identity FILE" in prepared.fails(43, *command).stderr
        assert "none of the given keys" in prepared.fails(43, *command, "--identity", "other.txt").stderr
    prepared.fails(43, "serve", "b.tar.age")
    assert nexus.requests() == []
    shown = prepared.run("inspect", "b.tar.age").text
    assert "sealed in the format of age" in shown
    assert "a key of the type X25519" in shown
    assert prepared.run("inspect", "b.tar.age", "--json").json["sealed"] == ["X25519"]
    prepared.fails(2, "verify", "b.tar.age", "--identity", "cert-manager.yaml")


def test_what_was_changed_is_not_imported(prepared: Airgap, recipient: str, nexus: Registry) -> None:
    prepared.run(*EXPORT, "b.tar.age", "--encrypt-to", recipient)
    good = (prepared.folder / "b.tar.age").read_bytes()
    flipped = good[:-20] + bytes((good[-20] ^ 1,)) + good[-19:]
    for changed in (good[:-1], good + b"x", flipped, good[:-5000] + good[-4999:]):
        prepared.write("bad.tar.age", changed)
        prepared.run("verify", "bad.tar.age", "--identity", "id.txt", code=43)
        prepared.run("import", "bad.tar.age", "--to", f"{nexus.url}/p", "--identity", "id.txt", code=43)
    assert nexus.requests() == []


def test_signed_and_sealed(prepared: Airgap, recipient: str, nexus: Registry) -> None:
    prepared.run("keygen", "-o", "maker", "--no-passphrase")
    prepared.run(*EXPORT, "b.tar.age", "--encrypt-to", recipient, "--sign", "maker.key")
    opened = ("--identity", "id.txt", "--key", "maker.pub")
    prepared.run("verify", "b.tar.age", *opened)
    prepared.run("import", "b.tar.age", "--to", f"{nexus.url}/p", "--require-signature", *opened)
    prepared.run("keygen", "-o", "other", "--no-passphrase")
    prepared.fails(43, "verify", "b.tar.age", "--identity", "id.txt", "--key", "other.pub")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("b.tar", "--encrypt-to", "RECIPIENT"), "called .tar.age"),
        (("b.tar.zst.age", "--encrypt-to", "RECIPIENT"), "called .tar.age"),
        (("b.tar.age",), "--encrypt-to RECIPIENT"),
        (("-", "--encrypt-to", "RECIPIENT"), "age -r RECIPIENT"),
        (("b.tar.age", "--encrypt-to", "age1wrong"), "no recipient"),
        (("b.tar.age", "--encrypt-to", "absent"), "no such file"),
        (("b.tar.age", "--passphrase"), "no terminal"),
    ],
)
def test_options_that_make_no_sealed_bundle(
    prepared: Airgap, recipient: str, arguments: tuple[str, ...], said: str
) -> None:
    before = prepared.files()
    given = [recipient if argument == "RECIPIENT" else argument for argument in arguments]
    assert said in prepared.fails(2, *EXPORT, *given).stderr
    assert prepared.files() == before


def test_a_passphrase_is_asked_for_on_the_terminal(prepared: Airgap) -> None:
    prepared.run(*EXPORT, "plain.tar")
    plain = (prepared.folder / "plain.tar").read_bytes()
    prepared.write("b.tar.age", sealed(plain, [passphrase_recipient("open me", work=10)]))
    shown = prepared.run("inspect", "b.tar.age").text
    assert "for a passphrase" in shown
    command = prepared.command("verify", "b.tar.age", "--progress", "plain")
    for typed, code in ((b"open me\n", 0), (b"wrong\n", 43)):
        status, said = on_terminal(
            command, 100, 20, environment=prepared.whole_environment(), folder=prepared.folder, answers=[typed]
        )
        assert status == code, said


def test_a_killed_export_fetches_nothing_again_that_it_has(airgap: Airgap, recipient: str) -> None:
    with Source() as source:
        through(airgap, source.url)
        airgap.run("export", *IMAGES, "-o", "plain.tar")
        export = ("export", *IMAGES, "-o", "b.tar.age", "--encrypt-to", recipient)
        with faulty_line(source.address, limit=30 * MIB, ending=STALL) as line:
            through(airgap, line.url)
            process = airgap.started(*export)
            assert line.stalled.wait(60)
            wait_until(at_rest(process.pid))
            process.kill()
            process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (airgap.folder / "b.tar.age").exists()
        with faulty_line(source.address) as line:
            through(airgap, line.url)
            airgap.run(*export)
            assert line.received < LARGE - 30 * MIB + 10 * MIB
    assert [name for name in os.listdir(airgap.folder) if name.startswith("b.tar.age")] == ["b.tar.age"]
    assert age(airgap, "age", "-d", "-i", "id.txt", "b.tar.age") == (airgap.folder / "plain.tar").read_bytes()


class SealedKills:
    """Exports of a sealed bundle, killed at any moment and continued; each ends in the plain bundle's bytes."""

    def __init__(self, airgap: Airgap, source: Source, recipient: str, *form: str) -> None:
        self.airgap, self.source = airgap, source
        self.command = ("export", *IMAGES, "-o", "b.tar.age", "--encrypt-to", recipient, *form)
        through(airgap, source.url)
        airgap.run("export", *IMAGES, "-o", "plain.tar")
        self.plain = (airgap.folder / "plain.tar").read_bytes()

    def kill_while_fetching(self, moment: int) -> None:
        """Kill it once the line has carried so many bytes and has fallen silent."""
        with faulty_line(self.source.address, limit=moment, ending=STALL) as line:
            through(self.airgap, line.url)
            process = self.airgap.started(*self.command)
            assert line.stalled.wait(60)
            wait_until(at_rest(process.pid))
            process.kill()
            process.communicate()
        through(self.airgap, self.source.url)
        assert process.returncode == -signal.SIGKILL

    def kill_while_sealing(self) -> bool:
        """Kill it when the first sealed bytes are written; return whether it was still running."""
        process = self.airgap.started(*self.command)
        wait_until(lambda: self._is_sealing() or process.poll() is not None, every=0.001)
        process.kill()
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def finish(self, most_fetched: int) -> None:
        """Run it to its end: little is fetched, and nothing is left but a bundle that age opens."""
        with faulty_line(self.source.address) as line:
            through(self.airgap, line.url)
            self.airgap.run(*self.command)
            assert line.received < most_fetched
        names = self._names()
        assert not [name for name in names if "partial" in name or "journal" in name]
        parts = sorted(name for name in names if not name.endswith(".sha256"))
        self.airgap.write("joined.age", b"".join((self.airgap.folder / name).read_bytes() for name in parts))
        assert age(self.airgap, "age", "-d", "-i", "id.txt", "joined.age") == self.plain
        for name in names:
            (self.airgap.folder / name).unlink()

    def _names(self) -> list[str]:
        return [name for name in os.listdir(self.airgap.folder) if name.startswith("b.tar.age")]

    def _is_sealing(self) -> bool:
        paths = [self.airgap.folder / name for name in self._names() if ".plain" not in name]
        return any(_starts_sealed(path) for path in paths)


def _starts_sealed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"age-"
    except OSError:
        return False


FORMS = {"file": (), "volumes": ("--volume-size", "7MiB")}


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_kills_while_it_is_fetched_and_sealed(airgap: Airgap, recipient: str, form: str) -> None:
    chance = random.Random(18)
    with Source() as source:
        kills = SealedKills(airgap, source, recipient, *FORMS[form])
        sealing = 0
        for _ in range(6):
            kills.kill_while_fetching(chance.randrange(1 * MIB, LARGE))
            # What was sealed is sealed anew, and nothing is fetched again.
            sealing += kills.kill_while_sealing()
            sealing += kills.kill_while_sealing()
            kills.finish(most_fetched=LARGE)
        assert sealing > 3


def test_reading_a_sealed_bundle_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing plain reaches a disk, whatever is read of it, in whatever order."""
    make(tmp_path / "b", "sealed")
    real_open = os.open

    def read_only(path: str, flags: int, *mode: int, **more: object) -> int:
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT), path
        return real_open(path, flags, *mode, **more)  # type: ignore[arg-type]

    def no_file(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", no_file)
    monkeypatch.setattr(tempfile, "TemporaryFile", no_file)
    with open_bundle(entry(tmp_path / "b", "sealed"), unseal=unseal) as bundle:
        assert verify(bundle, Context(Jobs.of(1))).blobs > 5
        for blob in reversed(bundle.inventory.blobs):
            bundle.check_blob(blob)
