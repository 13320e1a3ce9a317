# SPDX-License-Identifier: Apache-2.0
"""``export --attach``: documents that ride along in a bundle."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.bundle.attached import AttachedDocument, check_attached
from airgap.bundle.inventory import INVENTORY_MEMBER, Inventory
from airgap.errors import BundleError
from airgap.records import replace
from tests.cli.command import Airgap, Registry

REPORT = b'{"SchemaVersion": 2}\n'
LETTER = bytes(range(256))
EXPORT = ("export", "cert-manager.yaml", "--attach", "trivy.json", "--attach", "letters/반입 신청서", "-o")


@pytest.fixture
def attaching(prepared: Airgap) -> Airgap:
    prepared.write("trivy.json", REPORT)
    prepared.write("letters/반입 신청서", LETTER)
    return prepared


def test_documents_ride_along(attaching: Airgap, nexus: Registry) -> None:
    attaching.run("keygen", "-o", "maker", "--no-passphrase")
    attaching.run(*EXPORT, "b.tar", "--sign", "maker.key")
    attaching.run("verify", "b.tar", "--key", "maker.pub")
    listed = attaching.run("inspect", "b.tar")
    assert "attached document trivy.json\nattached document 반입 신청서\n" in listed.text
    assert attaching.run("inspect", "b.tar", "--attached", "trivy.json").stdout == REPORT
    assert attaching.run("inspect", "b.tar", "--attached", "반입 신청서").stdout == LETTER
    attached = attaching.run("inspect", "b.tar", "--json").json["attached"]
    assert [(entry["name"], entry["member"]) for entry in attached] == [
        ("trivy.json", "airgap/attached/0001.json"), ("반입 신청서", "airgap/attached/0002"),
    ]  # fmt: skip
    command = ["tar", "-xOf", "b.tar", "airgap/attached/0001.json"]
    assert subprocess.run(command, cwd=attaching.folder, capture_output=True, check=True).stdout == REPORT
    attaching.run("import", "b.tar", "--to", f"{nexus.url}/p", "--require-signature", "--key", "maker.pub")
    assert len(nexus.names()) == 4
    wrong = attaching.run("inspect", "b.tar", "--attached", "trivy", code=2)
    assert "no document 'trivy' is attached" in wrong.errors[0]
    assert "'trivy.json', '반입 신청서'" in wrong.stderr


def test_the_same_inputs_give_the_same_bytes(attaching: Airgap) -> None:
    attaching.run(*EXPORT, "b.tar")
    attaching.run(*EXPORT, "c.tar")
    assert (attaching.folder / "b.tar").read_bytes() == (attaching.folder / "c.tar").read_bytes()
    attaching.write("trivy.json", REPORT + b"\n")
    attaching.run(*EXPORT, "d.tar")
    with open_bundle(attaching.folder / "b.tar") as one, open_bundle(attaching.folder / "d.tar") as other:
        assert one.id != other.id
    attaching.run("export", "cert-manager.yaml", "-o", "plain.tar")
    with tarfile.open(attaching.folder / "plain.tar") as tar:
        assert b'"attached"' not in tar.extractfile(INVENTORY_MEMBER).read()  # type: ignore[union-attr]


def test_a_changed_document_is_damage(attaching: Airgap) -> None:
    attaching.run(*EXPORT, "b.tar")
    path = attaching.folder / "b.tar"
    path.write_bytes(path.read_bytes().replace(b"SchemaVersion", b"SchemaVersi0n"))
    for command in (("verify", "b.tar"), ("inspect", "b.tar", "--attached", "trivy.json")):
        assert "airgap/attached/0001.json is damaged" in attaching.run(*command, code=31).errors[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--attach", "trivy.jsn"), "trivy.jsn: there is no such file"),
        (("--attach", "letters"), "letters: is a folder"),
        (("--attach", "pipe"), "pipe: is no regular file"),
        (("--attach", "trivy.json", "--attach", "letters/trivy.json"), "is also called trivy.json"),
        (("--attach", "a\\b"), "the file name is no file name on every system"),
        (("--attach", "trivy.json", "--attach", "letters/반입 신청서"), "together have more than 200 bytes"),
    ],
)
def test_what_cannot_be_attached(attaching: Airgap, arguments: tuple[str, ...], says: str) -> None:
    attaching.write("letters/trivy.json", b"")
    attaching.write("a\\b", b"")
    os.mkfifo(attaching.folder / "pipe")
    limit = {"AIRGAP_LIMITS": "attached-bytes=200"}
    result = attaching.run("export", "cert-manager.yaml", "-o", "b.tar", *arguments, code=2, environment=limit)
    assert says in result.errors[0]
    assert not (attaching.folder / "b.tar").exists()


def test_so_many_files(attaching: Airgap) -> None:
    limit = {"AIRGAP_LIMITS": "attached-files=1"}
    assert "at most 1" in attaching.run(*EXPORT, "b.tar", code=2, environment=limit).errors[0]


def test_inventories_that_contradict_themselves(tmp_path: Path) -> None:
    document = AttachedDocument("x.json", "airgap/attached/0001.json", "a" * 64)
    members = {"airgap/attached/0001.json": f"sha256:{'a' * 64}"}
    check_attached([document], members)
    inventory = Inventory((), (), members=members, attached=(document,))
    assert Inventory.from_bytes(inventory.to_bytes(), where="x") == inventory
    for documents, present in (
        ([document, document], members),
        ([], members),
        ([document], {}),
        ([replace(document, sha256="b" * 64)], members),
        ([replace(document, member="index.json")], {**members, "index.json": f"sha256:{'a' * 64}"}),
    ):
        with pytest.raises(BundleError):
            check_attached(documents, present)
    for name in ("../x", "a/b", "a\\b", "..", "", "x\n", "\u202ex", "x" * 256):
        with pytest.raises(BundleError):
            AttachedDocument.from_json({**document.to_json(), "name": name})
