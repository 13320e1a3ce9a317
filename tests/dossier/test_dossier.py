# SPDX-License-Identifier: Apache-2.0
"""``airgap dossier`` and its files: what they say, for whom, and that they are the same for the same bundle."""

from __future__ import annotations

import csv
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from airgap.oci import digest as digests
from tests.cli.command import Airgap, Registry
from tests.dossier.samples import HOSTILE, NOTES, PURPOSE, Office, prepare

BOM = b"\xef\xbb\xbf"


def document(office: Office, folder: str = "dossier") -> dict[str, Any]:
    read: dict[str, Any] = json.loads((office.airgap.folder / folder / "bundle.json").read_text())
    return read


def image(office: Office, name: str) -> dict[str, Any]:
    return next(one for one in document(office)["images"] if name in one["reference"])


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table, by the English name of each column."""
    content = path.read_bytes()
    assert content.startswith(BOM)
    table = list(csv.reader(content.decode("utf-8-sig").splitlines()))
    names = [name.rpartition("(")[2].rstrip(")") for name in table[0]]
    return [dict(zip(names, row, strict=True)) for row in table[1:]]


def _documents(office: Office, image: dict[str, Any]) -> int:
    """The bytes of an image's manifest and config."""
    with tarfile.open(office.bundle) as tar:
        manifest = tar.extractfile(f"blobs/{image['digest'].replace(':', '/')}").read()  # type: ignore[union-attr]
    return len(manifest) + int(json.loads(manifest)["config"]["size"])


def test_the_folder_has_four_files(office: Office) -> None:
    names = sorted(path.name for path in office.folder.iterdir())
    assert names == ["bundle.cdx.json", "bundle.csv", "bundle.html", "bundle.json"]


def test_it_names_the_bundle_by_its_root_and_its_files_by_their_hash(office: Office) -> None:
    with tarfile.open(office.bundle) as tar:
        inventory = tar.extractfile("airgap/bundle.json").read()  # type: ignore[union-attr] # a file
    said = document(office)["bundle"]
    content = office.bundle.read_bytes()
    assert said["root"] == f"sha256:{hashlib.sha256(inventory).hexdigest()}"
    assert said["sha256"] == hashlib.sha256(content).hexdigest()
    assert said["size"] == len(content)
    assert said["files"] == [{"name": "bundle.tar", "sha256": said["sha256"], "size": len(content)}]
    assert (said["name"], said["version"]) == ("platform", "1.10")
    for name in ("bundle.html", "bundle.csv"):
        assert said["root"] in (office.folder / name).read_text()
        assert said["sha256"] in (office.folder / name).read_text()


def test_each_image_is_described(office: Office) -> None:
    api = image(office, "team/api")
    listed = {one["reference"]: one for one in office.airgap.run("inspect", office.bundle, "--json").json["images"]}
    assert api["digest"] == listed[api["reference"]]["digest"]
    assert api["size"] == sum(layer["size"] for layer in api["platforms"][0]["layers"]) + _documents(office, api)
    assert api["own"] + api["shared"] == api["size"]
    assert api["shared"] > 0
    assert api["from"] == "quay.io"
    assert api["usedBy"] == [{"file": "api.yaml", "line": 7}]
    assert [one["kind"] for one in api["attached"]] == ["other"]
    (platform,) = api["platforms"]
    assert (platform["user"], platform["root"]) == ("10001:10001", False)
    assert (platform["entrypoint"], platform["command"]) == (["/app/server"], ["--port", "8080"])
    assert platform["created"] == "1970-01-01T00:00:00Z"
    assert platform["labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert [layer["shared"] for layer in platform["layers"]] == [True, False]
    assert image(office, "team/worker")["platforms"][0]["root"]
    two = image(office, "team/two")
    assert [one["platform"] for one in two["platforms"]] == ["linux/amd64", "linux/arm64"]
    assert {one["kind"] for one in two["attached"]} == {"attestation"}


def test_what_is_in_the_layers(office: Office) -> None:
    contents = image(office, "team/api")["platforms"][0]["contents"]
    assert contents["privilegedFiles"] == [  # passwd was replaced by a later layer
        {"path": "usr/bin/sudo", "mode": "4755"},
        {"path": "usr/bin/wall", "mode": "2755"},
    ]
    assert [(one["name"], one["version"]) for one in contents["packages"]] == [
        ("libc6", "2.36-9+deb12u9"),
        ("zlib1g", "1:1.2.13"),
    ]
    assert contents["system"] == "debian"
    worker = image(office, "team/worker")["platforms"][0]["contents"]
    assert [one["path"] for one in worker["privilegedFiles"]] == ["usr/bin/passwd", "usr/bin/sudo", "usr/bin/wall"]
    cache = image(office, "library/cache")["platforms"][0]["contents"]["packages"]
    assert [(one["kind"], one["name"], one["version"], one["licence"]) for one in cache] == [
        ("apk", "busybox", "1.10", "GPL-2.0-only"),
        ("apk", "musl", "1.2.5-r1", "MIT"),
    ]


def test_what_changed_since_the_last_crossing(office: Office) -> None:
    since = document(office)["since"]
    assert since["name"] == "old.tar"
    changes = {one["reference"]: one["change"] for one in since["images"]}
    assert changes == dict.fromkeys(
        ("quay.io/library/cache:7.4", "quay.io/team/two:1", "quay.io/team/worker:2.4.1"), "added"
    )
    back = office.airgap.run("dossier", "old.tar", "--since", "bundle.tar", "--json").json["since"]
    assert {one["change"] for one in back["images"]} == {"removed"}
    assert len(back["images"]) == 3


def test_purpose_and_notes_are_carried(office: Office) -> None:
    said = document(office)
    assert (said["purpose"], said["notes"]) == (PURPOSE, NOTES)


def test_the_same_bundle_gives_the_same_bytes(office: Office) -> None:
    airgap = office.airgap
    other = airgap.write("elsewhere/deep/bundle.tar", office.bundle.read_bytes())
    korean = {"AIRGAP_LANG": "ko", "TZ": "Asia/Seoul"}
    again = ("dossier", other, "-o", "again", "--since", "old.tar", "--scan", "scan.json")
    airgap.run(*again, environment=korean)
    for path in office.folder.iterdir():
        assert (airgap.folder / "again" / path.name).read_bytes() == path.read_bytes(), path.name
    airgap.run("inspect", office.bundle, "--html", "i.html", "--csv", "i.csv")
    airgap.run("dossier", office.bundle, "-o", "plain", "--config", airgap.write("empty.yaml", ""))
    assert (airgap.folder / "i.html").read_bytes() == (airgap.folder / "plain/bundle.html").read_bytes()
    assert (airgap.folder / "i.csv").read_bytes() == (airgap.folder / "plain/bundle.csv").read_bytes()


def test_the_table_is_for_a_spreadsheet(office: Office) -> None:
    listed = rows(office.folder / "bundle.csv")
    content = (office.folder / "bundle.csv").read_bytes()
    assert content.startswith(BOM + "구분".encode())
    assert b"\r\n" in content
    images = [row["reference"] for row in listed if row["kind"] == "image"]
    assert images == [one["reference"] for one in document(office)["images"]]
    assert [row["name"] for row in listed if row["kind"] == "setuid file" and "api" in row["reference"]] == [
        "usr/bin/sudo",
        "usr/bin/wall",
    ]
    versions = {row["name"]: row["version"] for row in listed if "package" in row["kind"]}
    assert versions["libc6"] == "2.36-9+deb12u9"
    assert versions["busybox"] == "'1.10"  # would become 1.1


def test_no_cell_of_the_table_is_a_formula(office: Office) -> None:
    listed = rows(office.folder / "bundle.csv")
    cells = [cell for row in listed for cell in row.values()]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert any(cell.startswith("'=cmd|") for cell in cells)
    assert not [cell for cell in cells if set(cell) & set("\u202e\u200b\x1b\n\t")]


def test_the_bill_of_materials_is_valid(office: Office) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    for folder in ("dossier", "planned"):
        text = (office.airgap.folder / folder / "bundle.cdx.json").read_text()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads((office.folder / "bundle.cdx.json").read_text())
    assert "timestamp" not in bill["metadata"]
    components = {one["name"]: one for one in bill["components"]}
    for one in document(office)["images"]:
        assert components[one["reference"]]["hashes"] == [{"alg": "SHA-256", "content": digests.encoded(one["digest"])}]
    names = [part["name"] for part in components["quay.io/team/api:2.4.1"]["components"]]
    assert names == ["libc6", "zlib1g"]
    purls = [part["purl"] for part in components["quay.io/team/api:2.4.1"]["components"]]
    assert purls[1] == "pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64"
    assert "externalReferences" not in components["quay.io/library/cache:7.4"]  # its source is no address


def test_before_anything_is_downloaded(office: Office) -> None:
    """The plan has the root digest that the bundle will have, all that configs tell, and "not read yet" for layers."""
    planned, made = document(office, "planned"), document(office)
    assert planned["bundle"]["root"] == made["bundle"]["root"]
    assert planned["bundle"]["size"] == made["bundle"]["size"]
    assert (planned["bundle"]["made"], planned["bundle"]["sha256"]) == (False, None)
    for before, after in zip(planned["images"], made["images"], strict=True):
        assert {key: before[key] for key in before if key != "platforms"} == {
            key: after[key] for key in after if key != "platforms"
        }
        for one, other in zip(before["platforms"], after["platforms"], strict=True):
            assert one["contents"] == {"unread": "not read yet"}
            assert {**one, "contents": None} == {**other, "contents": None}
    assert "아직 읽지 않음" in (office.airgap.folder / "planned/bundle.html").read_text()
    assert "not read yet" in (office.airgap.folder / "planned/bundle.html").read_text()


def test_a_dry_run_with_a_dossier_downloads_no_layer(airgap: Airgap) -> None:
    with Registry() as registry:
        prepare(airgap, registry)
        registry.requests()
        airgap.run("export", "deploy", "-o", "b.tar", "--dossier", "d", "--dry-run")
        asked = registry.requests()
        layers = {layer["digest"] for one in json.loads((airgap.folder / "d/b.json").read_text())["images"]
                  for platform in one["platforms"] for layer in platform["layers"]}  # fmt: skip
        assert layers
        assert not [line for line in asked for digest in layers if digest in line]
        assert not (airgap.folder / "b.tar").exists()


def test_the_export_writes_it_with_the_checksum(airgap: Airgap) -> None:
    with Registry() as registry:
        prepare(airgap, registry)
        airgap.run("export", "deploy", "-o", "b.tar", "--dossier", "d")
    sums = hashlib.sha256((airgap.folder / "b.tar").read_bytes()).hexdigest()
    assert (airgap.folder / "b.tar.sha256").read_text() == f"{sums}  b.tar\n"
    made = {path.name: path.read_bytes() for path in (airgap.folder / "d").iterdir()}
    airgap.run("dossier", "b.tar", "-o", "d2")
    assert made == {path.name: path.read_bytes() for path in (airgap.folder / "d2").iterdir()}
    # A signature that is added later changes the file, and so its checksum.
    airgap.run("keygen", "-o", "maker", "--no-passphrase")
    airgap.run("sign", "b.tar", "--key", "maker.key")
    sums = hashlib.sha256((airgap.folder / "b.tar").read_bytes()).hexdigest()
    assert (airgap.folder / "b.tar.sha256").read_text() == f"{sums}  b.tar\n"
    airgap.run("verify", "b.tar")
    assert "maker" not in airgap.run("dossier", "b.tar", "--json").text
    (signer,) = airgap.run("dossier", "b.tar", "--json").json["bundle"]["signers"]
    assert "airgap bundle sha256:" in signer


def test_sha256_alone(prepared: Airgap) -> None:
    prepared.run("export", "cert-manager.yaml", "-o", "b.tar.zst", "--sha256")
    sums = hashlib.sha256((prepared.folder / "b.tar.zst").read_bytes()).hexdigest()
    assert (prepared.folder / "b.tar.zst.sha256").read_text() == f"{sums}  b.tar.zst\n"
    said = prepared.run("dossier", "b.tar.zst", "--json").json["bundle"]
    assert (said["sha256"], said["file"]) == (sums, "b.tar.zst")


def test_volumes_are_hashed_one_by_one_and_joined(prepared: Airgap) -> None:
    prepared.write("big.bin", b"")
    prepared.run("export", "cert-manager.yaml", "-o", "v.tar", "--volume-size", "1MiB")
    said = prepared.run("dossier", "v.tar.001", "--json").json["bundle"]
    content = (prepared.folder / "v.tar.001").read_bytes()
    assert said["file"] == "v.tar"
    assert said["files"] == [{"name": "v.tar.001", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}]


def test_an_existing_dossier_is_not_replaced(airgap: Airgap, bundle: Path) -> None:
    airgap.run("dossier", bundle, "-o", "d")
    airgap.run("dossier", bundle, "-o", "d")
    airgap.write("d/bundle.csv", "mine")
    airgap.fails(42, "dossier", bundle, "-o", "d")
    assert (airgap.folder / "d/bundle.csv").read_text() == "mine"
    airgap.run("dossier", bundle, "-o", "d", "--force")
    before = airgap.files()
    assert "would write" in airgap.run("dossier", bundle, "-o", "other", "--dry-run").stderr
    assert airgap.files() == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("dossier", "-"), 2),
        (("dossier", "absent.tar"), 2),
        (("export", "--image", "quay.io/x/y:1", "-o", "-", "--dossier", "d"), 2),
        (("export", "--image", "quay.io/x/y:1", "-o", "b.tar.age", "--passphrase", "--dossier", "d"), 2),
        (("export", "--image", "quay.io/x/y:1", "-o", "b.tar", "--dossier", "file"), 42),
    ],
)
def test_what_cannot_be_made_is_refused_first(airgap: Airgap, bundle: Path, words: tuple[str, ...], code: int) -> None:
    airgap.write("file", "")
    before = airgap.files()
    airgap.fails(code, *words, stdin=bundle.read_bytes())
    assert airgap.files() == before


def test_a_damaged_bundle_has_no_dossier(airgap: Airgap, bundle: Path) -> None:
    content = bytearray(bundle.read_bytes())
    with tarfile.open(bundle) as tar:
        content[tar.getmembers()[-1].offset_data + 20] ^= 1  # in the last layer
    airgap.write("bad.tar", bytes(content))
    airgap.run("dossier", "bad.tar", "-o", "d", code=31)
    assert not (airgap.folder / "d").exists()


def test_the_scan_is_in_it(office: Office) -> None:
    content = (office.airgap.folder / "scan.json").read_bytes()
    written = json.loads(content)
    said = document(office)["scan"]
    assert said["sha256"] == hashlib.sha256(content).hexdigest()
    assert (said["findings"], said["omissions"], said["complete"]) == (1, 0, False)
    assert said["files"] == written["files"] > 10
    (found,) = said["found"]
    assert (found["file"], found["of"]) == ("app/server", ["quay.io/team/api:2.4.1"])
    assert "발견됨" in (office.folder / "bundle.html").read_text()
    (row,) = [row for row in rows(office.folder / "bundle.csv") if row["kind"] == "finding"]
    assert (row["reference"], row["name"]) == ("quay.io/team/api:2.4.1", "app/server")
    assert document(office, "planned")["scan"] is None


def test_the_scan_of_another_bundle_is_left_out(airgap: Airgap, bundle: Path, office: Office) -> None:
    scan = office.airgap.folder / "scan.json"
    airgap.write("scan.json", scan.read_bytes())
    said = airgap.run("dossier", bundle, "--json")
    assert said.json["scan"] is None
    assert "another bundle" in said.stderr
    airgap.fails(40, "dossier", bundle, "--scan", scan, "-o", "d")
    airgap.write("scan.json", "{}")
    assert "no result of a scan" in airgap.run("dossier", bundle, "--json").stderr


def test_what_was_scanned_can_be_approved(airgap: Airgap, bundle: Path) -> None:
    airgap.run("keygen", "-o", "office", "--no-passphrase")
    airgap.run("scan", bundle, "--command", "true {}")
    airgap.run("dossier", bundle, "-o", "d")
    airgap.run("approve", "d", "--key", "office.key")
    airgap.run("scan", bundle, "--command", "false {}", "--force", code=44)
    airgap.run("dossier", bundle, "-o", "d", "--force")
    airgap.fails(44, "approve", "d", "--key", "office.key")


def test_attached_documents_are_listed_with_what_they_count(office: Office) -> None:
    trivy, letter = document(office)["documents"]
    assert (trivy["name"], trivy["kind"], trivy["about"]) == ("trivy <i>.json", "trivy", "quay.io/team/api:2.4.1")
    assert trivy["vulnerabilities"] == {"critical": 1, "high": 2}
    assert trivy["sha256"] == hashlib.sha256((office.airgap.folder / "trivy <i>.json").read_bytes()).hexdigest()
    assert (letter["name"], letter["kind"]) == ("공문.txt", None)
    assert document(office, "planned")["documents"] == [trivy, letter]
    page = (office.folder / "bundle.html").read_text()
    assert "trivy &lt;i&gt;.json" in page
    assert "critical 1, high 2" in page


def test_the_table_has_all_of_it(office: Office) -> None:
    kinds = {row["kind"] for row in rows(office.folder / "bundle.csv")}
    assert kinds == {
        *("bundle", "bundle.json", "scan", "finding", "image", "image of a platform", "layer", "label", "setuid file"),
        *("deb package", "apk package", "resource file", "attached document", "release notes"),
    }


def test_hostile_labels_are_whole_in_the_json(office: Office) -> None:
    assert image(office, "library/cache")["platforms"][0]["labels"] == dict(sorted(HOSTILE.items()))
