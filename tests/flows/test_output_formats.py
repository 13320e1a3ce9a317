# SPDX-License-Identifier: Apache-2.0
"""The bundle's bytes in other forms: volumes, zstd frames, a pipe. Always the same tar, read without unpacking it."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import TRACEBACK, Airgap, Registry, settings
from tests.parts.faulty_line import Fault, faulty_line
from tests.parts.images import OCI_LAYER_PLAIN, Images, Layer
from tests.parts.need import need

IMAGES = ("--image", "quay.io/a/x:1", "--image", "quay.io/a/y:2", "--image", "quay.io/a/text:1")
MIB = 1 << 20


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three images of 7 MB together, one of which shrinks, exported once in each form."""
    folder, images = tmp_path_factory.mktemp("shelf"), Images(41)
    airgap = Airgap(folder, folder)
    with Registry() as registry:
        text = images.blob(b"the same line again\n" * 150_000, OCI_LAYER_PLAIN)
        registry.fill(
            images,
            {
                "a/x:1": images.image(size=2_000_000),
                "a/y:2": images.two_platforms(size=30_000),
                "a/text:1": images.image(layers=[Layer(text, text.digest)]),
            },
        )
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        airgap.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'quay.io/a/x:1'}]}\n")
        export(airgap, "-o", "b.tar")
        export(airgap, "-o", "b.tar.zst")
        export(airgap, "-o", "v.tar", "--volume-size", "1MiB")
        yield folder


@pytest.fixture
def small(airgap: Airgap, shelf: Path) -> Airgap:
    """A folder of the test's own with the plain bundle and what it was made from; the registry is there too."""
    for name in ("airgap.yaml", "airgap.lock", "pod.yaml", "b.tar"):
        shutil.copy(shelf / name, airgap.folder)
    return airgap


@pytest.fixture
def packed(small: Airgap, shelf: Path) -> Airgap:
    """With ``b.tar.zst``."""
    shutil.copy(shelf / "b.tar.zst", small.folder)
    return small


def export(airgap: Airgap, *more: str, **options: object) -> bytes:
    return airgap.run("export", "pod.yaml", *IMAGES, "--lock", "airgap.lock", *more, **options).stdout  # type: ignore[arg-type] # of run


def volumes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("v.tar.*") if path.suffix[1:].isdigit())


def same_images(airgap: Airgap, nexus: Registry, *bundle: str, stdin: bytes | None = None) -> None:
    """Importing it gives what importing the plain tar gives, its YAML too."""
    shutil.rmtree(airgap.folder / "airgap-out", ignore_errors=True)
    airgap.run("import", *bundle, "--to", f"{nexus.address}/p", stdin=stdin)
    assert f"{nexus.address}/p/x:1" in (airgap.folder / "airgap-out/pod.yaml").read_text()
    airgap.run("verify", "b.tar", "--against", f"{nexus.address}/p")


class TestVolumes:
    @pytest.fixture
    def split(self, small: Airgap, shelf: Path) -> Airgap:
        for path in shelf.glob("v.tar*"):
            shutil.copy(path, small.folder)
        return small

    def test_they_are_byte_ranges_of_the_tar(self, split: Airgap) -> None:
        parts = volumes(split.folder)
        assert len(parts) > 5
        assert b"".join(part.read_bytes() for part in parts) == (split.folder / "b.tar").read_bytes()
        assert {part.stat().st_size for part in parts[:-1]} == {MIB}
        subprocess.run(["sha256sum", "-c", "--quiet", "v.tar.sha256"], cwd=split.folder, check=True)
        joined = subprocess.run("cat v.tar.[0-9]* | cmp - b.tar", shell=True, cwd=split.folder, check=False)
        assert joined.returncode == 0
        assert not [path.name for path in split.folder.iterdir() if path.suffix in (".partial", ".journal")]

    def test_any_one_of_them_finds_the_others(self, split: Airgap, nexus: Registry) -> None:
        split.run("verify", "v.tar.003")
        assert split.run("inspect", "v.tar.002", "--json").json["images"]
        same_images(split, nexus, "v.tar.004")

    def test_without_the_checksums_too(self, split: Airgap) -> None:
        (split.folder / "v.tar.sha256").unlink()
        split.run("verify", "v.tar.002")

    def test_one_volume_is_made_again_alone(self, split: Airgap) -> None:
        third = (split.folder / "v.tar.003").read_bytes()
        (split.folder / "v.tar.003").unlink()
        export(split, "-o", "v.tar", "--volume-size", "1MiB", "--volume", "3")
        assert (split.folder / "v.tar.003").read_bytes() == third
        assert not [path.name for path in split.folder.iterdir() if path.suffix in (".partial", ".journal")]

    def test_machines_make_a_volume_each_at_the_same_time(self, small: Airgap, shelf: Path) -> None:
        """From a lock that was written before any of them, into one folder."""
        (small.folder / "airgap.lock").unlink()
        options = ("pod.yaml", *IMAGES, "--lock", "airgap.lock", "-o", "v.tar", "--volume-size", "1MiB")
        whole = volumes(shelf)
        said = small.run("export", *options, "--lock-only").stderr
        assert f"airgap.lock is complete; the bundle will be v.tar.001 … {whole[-1].name}: 3 images, " in said
        assert (small.folder / "airgap.lock").read_bytes() == (shelf / "airgap.lock").read_bytes()
        assert volumes(small.folder) == []

        numbers = range(1, len(whole) + 1)
        running = [small.started("export", *options, "--volume", str(number)) for number in numbers]
        for process in running:
            _, error = process.communicate(timeout=120)
            assert process.returncode == 0, error.decode()
        assert [part.name for part in volumes(small.folder)] == [part.name for part in whole]
        for part in whole:
            assert (small.folder / part.name).read_bytes() == part.read_bytes(), part.name
        assert not [path.name for path in small.folder.iterdir() if path.suffix in (".partial", ".journal")]

    def test_a_lock_alone(self, small: Airgap) -> None:
        (small.folder / "airgap.lock").unlink()
        options = ("export", *IMAGES, "-o", "v.tar", "--lock-only")
        assert "--lock airgap.lock" in small.fails(2, *options).stderr
        small.fails(2, *options, "--lock", "airgap.lock", "--volume-size", "1MiB", "--volume", "1")
        before = small.files()
        small.run(*options, "--lock", "airgap.lock", "--dry-run")
        assert small.files() == before
        small.run(*options, "--lock", "airgap.lock")
        assert small.files().keys() - before.keys() == {"airgap.lock"}
        # A lock that is there is followed, and left as it is.
        locked = small.files()
        small.run(*options, "--lock", "airgap.lock")
        assert small.files() == locked

    def test_a_damaged_volume_is_named_with_the_images_it_touches(self, split: Airgap) -> None:
        with (split.folder / "v.tar.004").open("r+b") as file:
            file.seek(1000)
            byte = file.read(1)
            file.seek(1000)
            file.write(bytes([byte[0] ^ 1]))
        good = (split.folder / "v.tar.004").read_bytes()
        said = split.fails(31, "verify", "v.tar.001")
        assert said.errors[0].startswith("v.tar.004: ")
        assert "quay.io/a/" in said.errors[0]
        # The hint's command makes just this volume again.
        command = said.stderr.rpartition("airgap ")[2].strip()
        assert command == "export FILES -o v.tar --volume-size 1048576 --lock LOCK --volume 4"
        (split.folder / "v.tar.004").unlink()
        export(split, *command.replace("LOCK", "airgap.lock").split()[2:])
        assert (split.folder / "v.tar.004").read_bytes() != good
        split.run("verify", "v.tar.001")

    def test_missing_volumes_are_asked_for_by_name(self, split: Airgap) -> None:
        for name in ("v.tar.002", "v.tar.004"):
            (split.folder / name).unlink()
        said = split.fails(40, "verify", "v.tar.001").errors[0]
        assert "missing: v.tar.002, v.tar.004" in said

    def test_missing_last_volumes_without_checksums(self, split: Airgap) -> None:
        last = volumes(split.folder)[-1]
        (split.folder / "v.tar.sha256").unlink()
        last.unlink()
        assert last.name in split.fails(40, "inspect", "v.tar.001").errors[0]

    def test_volumes_on_several_media(self, split: Airgap, nexus: Registry) -> None:
        given = []
        for number, part in enumerate(volumes(split.folder)):
            folder = split.folder / f"medium{number % 3}"
            folder.mkdir(exist_ok=True)
            given.append(str(part.rename(folder / part.name).relative_to(split.folder)))
        same_images(split, nexus, *given)

    def test_a_volume_of_another_size_is_refused(self, split: Airgap) -> None:
        with (split.folder / "v.tar.002").open("ab") as file:
            file.write(b"x")
        assert "should have 1,048,576" in split.fails(40, "verify", "v.tar.001").errors[0]

    def test_one_drive_at_a_time(self, split: Airgap, nexus: Registry) -> None:
        """Only one volume is there at any time; each next one is put in when it is asked for."""
        drive, shelf = split.folder / "drive", split.folder / "shelf"
        for folder in (drive, shelf):
            folder.mkdir()
        for part in volumes(split.folder):
            part.rename(shelf / part.name)
        (shelf / "v.tar.001").rename(drive / "v.tar.001")
        (split.folder / "v.tar.sha256").rename(drive / "v.tar.sha256")
        main, terminal = pty.openpty()
        command = split.command("import", "drive/v.tar.001", "--to", f"{nexus.address}/p", "--progress", "plain")
        process = subprocess.Popen(
            command,
            cwd=split.folder,
            env=split.whole_environment(),
            stdin=terminal,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        os.close(terminal)
        assert process.stderr is not None
        said, asked = "", []
        end = time.monotonic() + 60
        while time.monotonic() < end:
            ready, _, _ = select.select([process.stderr], [], [], 1)
            if not ready:
                continue
            text = os.read(process.stderr.fileno(), 65536).decode()
            if not text:
                break
            said += text
            if said.count("gives up)") > len(asked):
                name = said.rsplit(" is not there", 1)[0].rsplit("/", 1)[1]
                asked.append(name)
                for there in list(drive.glob("v.tar.[0-9]*")):
                    there.rename(shelf / there.name)
                (shelf / name).rename(drive / name)
                os.write(main, b"\n")
        process.communicate(timeout=10)
        os.close(main)
        assert process.returncode == 0, said
        assert not TRACEBACK.search(said)
        assert asked == sorted(set(asked)), "no volume is asked for twice"
        split.run("verify", "b.tar", "--against", f"{nexus.address}/p")

    @pytest.mark.parametrize("size", ["0", "x", "10", "1e9", "-4GB", "4 XB"])
    def test_sizes_that_are_none(self, small: Airgap, size: str) -> None:
        assert "--volume-size" not in small.folder.name
        said = small.fails(2, "export", *IMAGES, "-o", "v.tar", "--volume-size", size)
        assert size in said.errors[0] or "too small" in said.errors[0]

    def test_names_by_a_pattern(self, small: Airgap) -> None:
        export(small, "-o", "v.tar", "--volume-size", "1MiB", "--volume-names", "disk{number}-{name}")
        assert (small.folder / "disk001-v.tar").exists()
        small.run("verify", "disk002-v.tar")
        assert "no pattern" in small.fails(2, "export", *IMAGES, "-o", "v.tar", "--volume-names", "{name}").errors[0]

    def test_what_does_not_go_together(self, small: Airgap) -> None:
        for more in (("-o", "v.tar.zst", "--volume-size", "4GB"), ("-o", "-", "--volume-size", "4GB")):
            small.fails(2, "export", *IMAGES, *more)
        small.fails(2, "export", *IMAGES, "-o", "v.tar", "--volume-size", "4GB", "--volume", "1")
        small.fails(2, "export", *IMAGES, "-o", "v.tar", "--volume", "1", "--lock", "airgap.lock")


class TestZstd:
    def test_every_zstd_program_reads_it(self, packed: Airgap) -> None:
        done = subprocess.run([need("zstd"), "-dc", "b.tar.zst"], cwd=packed.folder, capture_output=True, check=True)
        assert done.stdout == (packed.folder / "b.tar").read_bytes()
        subprocess.run([need("zstd"), "-tq", "b.tar.zst"], cwd=packed.folder, check=True)
        assert (packed.folder / "b.tar.zst").stat().st_size < (packed.folder / "b.tar").stat().st_size - 2_500_000

    def test_it_is_imported_without_a_temporary_file(self, packed: Airgap, nexus: Registry) -> None:
        packed.run("verify", "b.tar.zst")
        (packed.folder / "none").mkdir(mode=0o500)
        packed.environment["TMPDIR"] = str(packed.folder / "none" / "such")
        same_images(packed, nexus, "b.tar.zst")

    def test_one_without_a_seek_table_is_read_from_its_start(self, small: Airgap, nexus: Registry) -> None:
        subprocess.run([need("zstd"), "-q", "b.tar", "-o", "c.tar.zst"], cwd=small.folder, check=True)
        small.run("verify", "c.tar.zst")
        same_images(small, nexus, "c.tar.zst")

    def test_two_are_the_same_bytes(self, small: Airgap) -> None:
        export(small, "-o", "b.tar.zst")
        export(small, "-o", "c.tar.zst")
        assert (small.folder / "b.tar.zst").read_bytes() == (small.folder / "c.tar.zst").read_bytes()

    def test_damage_is_found_everywhere(self, packed: Airgap) -> None:
        good = (packed.folder / "b.tar.zst").read_bytes()
        for place in (5, 600, len(good) // 3, len(good) // 2, len(good) - 5, len(good) - 40):
            bad = bytearray(good)
            bad[place] ^= 0x10
            (packed.folder / "bad.tar.zst").write_bytes(bad)
            assert packed.run("verify", "bad.tar.zst", code=None).code in (31, 40, 41)
        (packed.folder / "bad.tar.zst").write_bytes(good[: len(good) // 2])
        assert packed.run("verify", "bad.tar.zst", code=None).code in (31, 40)


class TestPipes:
    def test_the_same_bytes_go_to_standard_output(self, small: Airgap) -> None:
        assert export(small, "-o", "-") == (small.folder / "b.tar").read_bytes()

    def test_a_blob_that_changed_on_the_way_cannot_be_taken_back(self, small: Airgap) -> None:
        mirror = json.loads((small.folder / "airgap.yaml").read_text())["registries"]["quay.io"]["mirror"]
        flip = Fault("GET", "/blobs/", 99, header="Host", corrupt_response=1_000_000)  # of the large ones
        with faulty_line(mirror.removeprefix("http://"), flip) as line:
            small.write("airgap.yaml", settings({"quay.io": {"mirror": line.url}}))
            said = small.run("export", "pod.yaml", *IMAGES, "-o", "-", code=42)
        assert "content hashes to sha256:" in said.errors[0]
        assert "what was written to a pipe cannot be taken back" in said.errors[0]

    def test_a_bundle_is_imported_from_standard_input(self, small: Airgap, nexus: Registry) -> None:
        same_images(small, nexus, "-", stdin=(small.folder / "b.tar").read_bytes())

    def test_zstd_from_standard_input(self, packed: Airgap, nexus: Registry) -> None:
        same_images(packed, nexus, "-", stdin=(packed.folder / "b.tar.zst").read_bytes())

    def test_one_into_the_other(self, small: Airgap, nexus: Registry) -> None:
        out = subprocess.Popen(
            small.command("export", "pod.yaml", *IMAGES, "-o", "-"),
            cwd=small.folder,
            env=small.whole_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        into = subprocess.run(
            small.command("import", "-", "--to", f"{nexus.address}/p"),
            cwd=small.folder,
            env=small.whole_environment(),
            stdin=out.stdout,
            capture_output=True,
            check=False,
        )
        _, said = out.communicate(timeout=30)
        assert (out.returncode, into.returncode) == (0, 0), said + into.stderr
        small.run("verify", "b.tar", "--against", f"{nexus.address}/p")

    def test_verify_and_inspect_read_it_too(self, small: Airgap) -> None:
        content = (small.folder / "b.tar").read_bytes()
        small.run("verify", "-", stdin=content)
        assert small.run("inspect", "-", "--json", stdin=content).json["images"]
        assert small.run("verify", "-", stdin=content[:-200_000], code=None).code in (31, 40)
        damaged = bytearray(content)
        damaged[len(content) // 2] ^= 1
        small.fails(31, "verify", "-", stdin=bytes(damaged))

    def test_a_reader_that_ends_is_one_clear_error(self, small: Airgap) -> None:
        command = (
            " ".join(small.command("export", *IMAGES, "-o", "-"))
            + " | head -c 100000 > /dev/null; exit ${PIPESTATUS[0]}"
        )
        done = subprocess.run(
            ["bash", "-c", command], cwd=small.folder, env=small.whole_environment(), capture_output=True, check=False
        )
        assert done.returncode == 42, done.stderr
        assert "whoever read it has ended" in done.stderr.decode()
        assert not TRACEBACK.search(done.stderr.decode())

    def test_what_is_said_of_standard_input(self, small: Airgap) -> None:
        said = small.fails(2, "import", "-", "--to", "127.0.0.1:1/p", "--username", "u", "--password-stdin", stdin=b"")
        assert "cannot be both" in said.errors[0]
        small.fails(2, "import", "-", "b.tar", "--to", "127.0.0.1:1/p", stdin=b"")
        small.fails(40, "verify", "-", stdin=b"")
