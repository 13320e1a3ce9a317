# SPDX-License-Identifier: Apache-2.0
"""``export --layout folder``, and everything that reads the folder as it reads a tar."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.errors import UsageError
from airgap.flows.serve import collect_layout_garbage, create_server
from airgap.oci import digest as digests
from tests.cli.command import SAMPLES, Airgap, Registry, settings
from tests.cli.fixtures import cert_manager
from tests.parts.images import Images

FOLDER = ("--layout", "folder")
WHAT = ("cert-manager.yaml", "--image", "quay.io/a/large:1", "--attach", "한글.json", "--lock", "airgap.lock")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """cert-manager as ``b`` and as ``b.tar``, with the registry that it was pulled from."""
    folder = tmp_path_factory.mktemp("shelf")
    with Registry() as registry:
        images = Images(7)
        registry.fill(images, {**cert_manager(images), "a/large:1": images.image(size=1_200_000)})
        airgap = Airgap(folder, folder)
        airgap.write("cert-manager.yaml", (SAMPLES / "cert-manager/cert-manager.yaml").read_bytes())
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        airgap.write("한글.json", "{}")
        for form in (("-o", "b.tar"), (*FOLDER, "-o", "b")):
            airgap.run("export", *WHAT, *form)
        yield folder


@pytest.fixture
def carried(airgap: Airgap, shelf: Path) -> Airgap:
    """A folder of the test's own with all of that."""
    shutil.copytree(shelf, airgap.folder, dirs_exist_ok=True)
    return airgap


def export(airgap: Airgap, *more: str, code: int = 0) -> str:
    return airgap.run("export", *WHAT, *FOLDER, *more, code=code).stderr


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sums(path: Path) -> dict[str, str]:
    return {name: sha256 for sha256, name in (line.split("  ") for line in path.read_text().splitlines())}


def largest(folder: Path) -> Path:
    return max((folder / "blobs/sha256").iterdir(), key=lambda path: (path.stat().st_size, path.name))


class TestWriting:
    def test_it_has_the_members_of_the_tar_as_files(self, shelf: Path) -> None:
        with tarfile.open(shelf / "b.tar") as tar:
            members = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr] # it is a file
        assert tree(shelf / "b") == members
        assert all(name.isascii() and not set(name) & set(":%\\") for name in members)
        assert not list(shelf.glob("b.partial")) + list(shelf.glob("*.journal"))

    def test_the_lists_of_checksums(self, shelf: Path) -> None:
        subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "b.sha256"], cwd=shelf, check=True)
        rows = list(csv.DictReader((shelf / "b.sha256.csv").read_text().splitlines()))
        assert list(rows[0]) == ["name", "size", "sha256"]
        assert {row["name"]: int(row["size"]) for row in rows} == {
            f"b/{name}": len(content) for name, content in tree(shelf / "b").items()
        }
        assert {row["name"]: row["sha256"] for row in rows} == sums(shelf / "b.sha256")

    @pytest.mark.parametrize(
        "form",
        [("-o", "t.tar"), *(("-o", "t.tar", "--volume-size", size, "--parity", "1") for size in ("1MiB", "1GB"))],
    )
    def test_a_tar_and_volumes_have_the_table_too(self, carried: Airgap, form: tuple[str, ...]) -> None:
        carried.run("export", *WHAT, "--sha256", *form)
        rows = list(csv.DictReader((carried.folder / "t.tar.sha256.csv").read_text().splitlines()))
        listed = [(row["name"], int(row["size"]), row["sha256"]) for row in rows]
        names = [line.split("  ")[1] for line in (carried.folder / "t.tar.sha256").read_text().splitlines()]
        contents = [(carried.folder / name).read_bytes() for name in names]
        assert listed == [
            (name, len(content), digests.encoded(digests.of(content)))
            for name, content in zip(names, contents, strict=True)
        ]
        # A signature that is added later changes the last volume, its parity, and the table with them.
        carried.run("keygen", "-o", "maker", "--no-passphrase")
        carried.run("sign", names[0], "--key", "maker.key")
        rows = list(csv.DictReader((carried.folder / "t.tar.sha256.csv").read_text().splitlines()))
        for row in rows:
            content = (carried.folder / row["name"]).read_bytes()
            assert (int(row["size"]), row["sha256"]) == (len(content), digests.encoded(digests.of(content)))

    def test_the_same_inputs_give_the_same_bytes(self, carried: Airgap) -> None:
        export(carried, "-o", "again")
        assert tree(carried.folder / "again") == tree(carried.folder / "b")

    def test_the_same_export_again_verifies_what_is_there(self, carried: Airgap) -> None:
        assert "b is already whole: every byte is verified" in export(carried, "-o", "b")

    def test_the_name_without_one_is_that_of_the_project(self, carried: Airgap) -> None:
        project = json.loads((carried.folder / "airgap.yaml").read_text())
        carried.write("airgap.yaml", json.dumps({**project, "name": "platform", "version": "1.10"}))
        export(carried)
        assert (carried.folder / "platform-1.10/index.json").is_file()

    def test_a_layer_larger_than_the_station_takes_is_named_before_anything_is_pulled(
        self, carried: Airgap, shelf: Path
    ) -> None:
        name, size = largest(shelf / "b").name, largest(shelf / "b").stat().st_size
        assert "airgap import fits --to" in export(carried, "-o", "fits", "--max-file-size", str(size))
        said = export(carried, "-o", "c", "--max-file-size", str(size - 1), code=42)
        assert f"quay.io/a/large:1: sha256:{name} has {size:,} bytes, and no file may have more than" in said
        assert "--volume-size in place of --layout folder" in said
        assert not (carried.folder / "c").exists()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((*FOLDER, "-o", "-"), "standard output is no folder"),
            ((*FOLDER, "-o", "x", "--volume-size", "1MiB"), "--layout folder writes each layer as a file"),
            ((*FOLDER, "-o", "x", "--parity", "1"), "--layout folder writes each layer as a file"),
            ((*FOLDER, "-o", "x.tar"), "-o x"),
            ((*FOLDER, "-o", "a:b"), "A-Z, a-z, 0-9"),
            ((*FOLDER, "-o", "번들"), "A-Z, a-z, 0-9"),
            ((*FOLDER, "-o", "x", "--max-file-size", "some"), "'some' is no size of a file"),
            (("-o", "x.tar", "--max-file-size", "2GB"), "--volume-size cuts a tar"),
        ],
    )
    def test_what_does_not_go_together(self, airgap: Airgap, arguments: tuple[str, ...], said: str) -> None:
        assert said in airgap.fails(2, "export", "--image", "quay.io/a/x:1", *arguments).stderr
        assert list(airgap.folder.iterdir()) == []

    def test_a_sealed_folder_is_refused(self, airgap: Airgap) -> None:
        recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
        result = airgap.fails(2, "export", "--image", "quay.io/a/x:1", *FOLDER, "-o", "x", "--encrypt-to", recipient)
        assert "only a tar is sealed" in result.stderr

    def test_a_folder_with_other_files_is_left_alone(self, carried: Airgap) -> None:
        carried.write("mine/letter.txt", "Dear office")
        assert "other files than those of a bundle" in export(carried, "-o", "mine", "--force", code=42)
        assert [path.name for path in (carried.folder / "mine").iterdir()] == ["letter.txt"]

    def test_force_replaces_a_bundle_and_pulls_only_what_it_lacks(self, carried: Airgap, shelf: Path) -> None:
        lost = largest(carried.folder / "b")
        lost.unlink()
        (carried.folder / "b/index.json").write_bytes(b"{}")
        assert "--force replaces it" in export(carried, "-o", "b", code=42)
        report = export(carried, "-o", "b", "--force", "--progress", "json")
        events = [json.loads(line) for line in report.splitlines()]
        pulled = [event for event in events if event["event"] == "blob-done" and event["how"] == "fetched"]
        assert [event["digest"] for event in pulled] == [f"sha256:{lost.name}"]
        assert tree(carried.folder / "b") == tree(shelf / "b")


class TestReading:
    def test_verify_inspect_and_diff(self, carried: Airgap) -> None:
        assert "all as they should be" in carried.run("verify", "b").stderr
        folder, tar = (carried.run("inspect", name, "--json").json for name in ("b", "b.tar"))
        assert folder == tar
        assert carried.run("inspect", "b").text == carried.run("inspect", "b.tar").text.replace("b.tar", "b")
        assert carried.run("diff", "b", "b.tar", "--json").json["counts"] == {
            "added": 0,
            "removed": 0,
            "changed": 0,
            "kept": 5,
        }

    def test_import_gives_what_the_tar_gives(self, carried: Airgap, nexus: Registry) -> None:
        carried.run("import", "b", "--to", f"{nexus.address}/p")
        carried.run("verify", "b.tar", "--against", f"{nexus.address}/p")
        assert (
            f"{nexus.address}/p/cert-manager-webhook:v1.14.4"
            in (carried.folder / "airgap-out/cert-manager.yaml").read_text()
        )

    def test_it_is_a_base_as_the_tar_is(self, carried: Airgap) -> None:
        for base in ("b", "b.tar"):
            carried.run("export", "cert-manager.yaml", "--base", base, "-o", f"since-{base}.tar")
        assert (carried.folder / "since-b.tar").read_bytes() == (carried.folder / "since-b.tar.tar").read_bytes()

    def test_a_walk_leaves_it_out(self, carried: Airgap) -> None:
        carried.write("deploy/pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'quay.io/a/x:1'}]}\n")
        shutil.move(carried.folder / "b", carried.folder / "deploy/b")
        assert carried.run("images", "deploy").text.split() == ["quay.io/a/x:1", "deploy/pod.yaml:3"]

    def test_a_dossier_and_a_scan(self, carried: Airgap) -> None:
        carried.run("dossier", "b", "-o", "dossier")
        document = json.loads((carried.folder / "dossier/b.json").read_text())
        files = {file["name"]: file["sha256"] for file in document["bundle"]["files"]}
        assert files == sums(carried.folder / "b.sha256")
        assert carried.run("inspect", "b", "--attached", "한글.json").text == "{}"


class TestOnTheWay:
    def test_what_a_station_dropped_is_named(self, carried: Airgap, nexus: Registry) -> None:
        lost = largest(carried.folder / "b")
        lost.unlink()
        (carried.folder / "b/manifest.json").unlink()
        for command in (("verify", "b"), ("import", "b", "--to", f"{nexus.address}/p")):
            result = carried.run(*command, code=40)
            assert (
                f"b/blobs/sha256/{lost.name}: this file of the bundle is missing; needed by quay.io/" in result.stderr
            )
            assert "b/manifest.json: this file of the bundle is missing" in result.stderr
        assert nexus.names() == []

    def test_what_was_cut_short_or_changed_is_named(self, carried: Airgap) -> None:
        path = largest(carried.folder / "b")
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        assert f"has {len(whole) - 1:,} bytes and should have {len(whole):,}" in carried.fails(40, "verify", "b").stderr
        path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        damaged = carried.fails(31, "verify", "b").stderr
        assert str(path.relative_to(carried.folder)) in damaged
        assert "is damaged, and with it quay.io/" in damaged

    @pytest.mark.parametrize("kind", ["link", "folder link", "pipe", "folder", "socket"])
    def test_only_regular_files_are_read(self, carried: Airgap, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        path = largest(carried.folder / "b")
        secret = carried.folder / "secret"
        if kind == "folder link":
            blobs = carried.folder / "b/blobs"
            shutil.move(blobs, secret)
            blobs.symlink_to(secret)
        else:
            shutil.move(path, secret)
            if kind == "link":
                path.symlink_to(secret)
            elif kind == "pipe":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                monkeypatch.chdir(path.parent)  # the address of a socket is short
                with socket.socket(socket.AF_UNIX) as opened:
                    opened.bind(path.name)
        result = carried.run("verify", "b", code=40)
        assert "is no regular file, or a link leads there" in result.stderr

    @pytest.mark.parametrize("name", ["airgap/../../airgap.yaml", "airgap.yaml", "/etc/passwd", "airgap/signatures/x"])
    def test_a_hostile_inventory_names_no_file_elsewhere(self, carried: Airgap, name: str) -> None:
        path = carried.folder / "b/airgap/bundle.json"
        body = path.read_bytes().partition(b',"check":"')[0]
        assert b'"manifest.json":' in body
        body = body.replace(b'"manifest.json":', f"{json.dumps(name)}:".encode())
        path.write_bytes(body + b',"check":"' + digests.of(body).encode() + b'"}')
        said = carried.fails(40, "verify", "b").stderr
        assert re.search(r"has no place in a bundle|is not allowed in a bundle", said)

    def test_no_bundle(self, carried: Airgap) -> None:
        (carried.folder / "b/airgap/bundle.json").unlink()
        assert "airgap export --from oci:b -o bundle.tar" in carried.fails(40, "verify", "b").stderr


class TestSigning:
    @pytest.fixture
    def signed(self, carried: Airgap) -> Airgap:
        """``b`` signed after it was made."""
        carried.run("keygen", "-o", "maker", "--no-passphrase")
        carried.run("sign", "b", "--key", "maker.key")
        return carried

    def test_signing_while_or_after_it_is_made_gives_the_same_files(self, signed: Airgap) -> None:
        export(signed, "--sign", "maker.key", "-o", "c")
        assert tree(signed.folder / "b") == tree(signed.folder / "c")
        signed.run("verify", "b", "--key", "maker.pub")
        for name in ("sha256", "sha256.csv"):
            assert (signed.folder / f"b.{name}").read_text().replace("b/", "c/") == (
                signed.folder / f"c.{name}"
            ).read_text()

    def test_a_signature_beside_it(self, carried: Airgap) -> None:
        carried.run("keygen", "-o", "maker", "--no-passphrase")
        export(carried, "--sign", "maker.key", "--signature", "c.minisig", "-o", "c")
        assert not (carried.folder / "c/airgap/signatures").exists()
        carried.run("verify", "c", "--key", "maker.pub")

    @pytest.mark.parametrize("name", ["Thumbs.db", "blobs/sha256/more", "airgap/resources/0002.yaml", "deep/er/x"])
    def test_what_was_added_later_is_named(self, signed: Airgap, name: str) -> None:
        signed.write(f"b/{name}", "x")
        result = signed.fails(43, "verify", "b", "--key", "maker.pub")
        assert f"b/{name}: this was added after the bundle was signed" in result.stderr

    def test_another_root_is_no_signed_bundle(self, signed: Airgap, shelf: Path) -> None:
        export(signed, "-o", "c", "--platform", "linux/amd64", "--lock", "other.lock")
        shutil.copytree(signed.folder / "b/airgap/signatures", signed.folder / "c/airgap/signatures")
        signed.fails(43, "verify", "c", "--key", "maker.pub")


def test_it_is_served_to_pull_from_alone(shelf: Path) -> None:
    server = create_server(shelf / "b", "127.0.0.1", 0)
    server.start()
    try:
        for name in ("quay.io/jetstack", "jetstack"):
            answer = httpx.get(f"{server.url}/v2/{name}/cert-manager-webhook/manifests/v1.14.4")
            assert answer.status_code == 200
            blob = largest(shelf / "b")
            answer = httpx.get(f"{server.url}/v2/{name}/cert-manager-webhook/blobs/sha256:{blob.name}")
            assert answer.content == blob.read_bytes()
    finally:
        server.stop()
    with pytest.raises(UsageError, match="a bundle takes no pushes"):
        create_server(shelf / "b", "127.0.0.1", 0, writable=True)
    with pytest.raises(UsageError, match="this is a bundle"):
        collect_layout_garbage(shelf / "b")
