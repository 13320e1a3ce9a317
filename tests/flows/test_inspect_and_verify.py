# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect`` and ``airgap verify``: what a bundle holds, and whether it is what it says."""

from __future__ import annotations

import csv
import json
import tarfile
from collections import Counter
from pathlib import Path

from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import Images


def test_inspect_json_is_the_inventory_and_three_keys_more(airgap: Airgap, bundle: Path) -> None:
    shown = airgap.run("inspect", bundle, "--json").json
    with tarfile.open(bundle) as tar:
        inventory = json.loads(tar.extractfile("airgap/bundle.json").read())  # type: ignore[union-attr] # a file
    inventory.pop("check", None)  # it speaks of the file's bytes, not of the bundle
    assert {key: shown[key] for key in inventory} == inventory
    assert shown.keys() - inventory.keys() == {"size", "volumes", "signatures"}
    assert shown["size"] == bundle.stat().st_size
    assert (shown["volumes"], shown["signatures"]) == ([], [])
    assert list(inventory)[:6] == ["format", "features", "name", "version", "tool", "images"]
    for image in inventory["images"]:
        assert list(image) == ["reference", "digest", "mediaType", "size", "platforms", "derivedFrom"]
    for resource in inventory["resources"]:
        assert list(resource) == ["name", "member", "sha256"]
    for blob in inventory["blobs"]:
        assert list(blob) == ["digest", "size", "mediaType", "form"]
    assert inventory["requires"] == []


def test_inspect_for_people(airgap: Airgap, bundle: Path) -> None:
    said = airgap.run("inspect", bundle)
    assert "quay.io/jetstack/cert-manager-webhook:v1.14.4\n  sha256:" in said.text
    assert "linux/amd64, linux/arm64" in said.text
    assert "resource file cert-manager.yaml" in said.text
    assert said.stderr == ""


def test_inspect_shows_name_version_and_notes(airgap: Airgap, quay: Registry) -> None:
    airgap.write("NOTES.md", "Mind the webhook.\n")
    airgap.write(
        "airgap.yaml",
        settings({"quay.io": {"mirror": quay.url}}, name="platform", version="1.10", notes="NOTES.md"),
    )
    airgap.run("export", "--image", "quay.io/jetstack/cert-manager-webhook:v1.14.4")
    said = airgap.run("inspect", "platform-1.10.tar").text
    assert "platform 1.10" in said
    assert "Mind the webhook." in said


def test_verify_reads_everything(airgap: Airgap, bundle: Path) -> None:
    said = airgap.run("verify", bundle)
    blobs = airgap.run("inspect", bundle, "--json").json["blobs"]
    assert f"{len(blobs)} blobs" in said.stderr
    events = airgap.run("verify", bundle, "--progress", "json").events
    assert {event["digest"] for event in events if event["event"] == "blob-done"} == {b["digest"] for b in blobs}
    assert {event["how"] for event in events if event["event"] == "blob-done"} == {"verified"}
    read = Counter[str]()
    for event in events:
        if event["event"] == "blob-progress":
            read[event["digest"]] += event["bytes"]
    assert read == {blob["digest"]: blob["size"] for blob in blobs}  # told while it is read, not at its end


def test_one_flipped_bit_names_the_blob_and_the_images(airgap: Airgap, bundle: Path) -> None:
    content = bytearray(bundle.read_bytes())
    images = Images(7)
    from tests.cli.fixtures import cert_manager

    roots = cert_manager(images)
    webhook = roots["jetstack/cert-manager-webhook:v1.14.4"]
    layer = next(d for d in images.needed(webhook) if "layer" in d.media_type)
    content[content.index(images.content[layer.digest]) + 7] ^= 0x10
    airgap.write("bad.tar", bytes(content))
    said = airgap.run("verify", "bad.tar", "--progress", "json", code=31)
    done = {event["digest"]: event["how"] for event in said.events if event["event"] == "blob-done"}
    assert {digest for digest, how in done.items() if how == "failed"} == {layer.digest}
    said = airgap.fails(31, "verify", "bad.tar")
    assert layer.digest in said.errors[0]
    assert "quay.io/jetstack/cert-manager-webhook:v1.14.4" in said.errors[0]
    assert "cainjector" not in said.errors[0]


def test_every_damaged_blob_is_listed(airgap: Airgap, bundle: Path) -> None:
    content = bytearray(bundle.read_bytes())
    for blob in (b for b in airgap.run("inspect", bundle, "--json").json["blobs"][-2:]):
        with tarfile.open(bundle) as tar:
            content[tar.getmember(f"blobs/{blob['digest'].replace(':', '/')}").offset_data] ^= 1
    airgap.write("bad.tar", bytes(content))
    assert len(airgap.run("verify", "bad.tar", code=31).errors) == 2


def test_a_damaged_head_is_found(airgap: Airgap, bundle: Path) -> None:
    content = bundle.read_bytes()
    for member, code in (("index.json", 31), ("manifest.json", 31), ("airgap/resources/0001.yaml", 31)):
        with tarfile.open(bundle) as tar:
            at = tar.getmember(member).offset_data
        airgap.write("bad.tar", content[: at + 9] + bytes([content[at + 9] ^ 1]) + content[at + 10 :])
        said = airgap.run("verify", "bad.tar", code=None)
        assert said.code in (code, 40), (member, said.stderr)
        assert len(said.errors) == 1
        assert member in said.errors[0]


def test_against_a_target(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    to = f"{nexus.address}/p"
    said = airgap.run("verify", bundle, "--against", to, code=32)
    assert said.errors[0].startswith("4 failures of one cause; the first: ")
    assert len(airgap.run("verify", bundle, "--against", to, "--verbose", code=32).errors) == 4
    assert "airgap import" in said.stderr
    airgap.run("import", bundle, "--to", to)
    assert "4 tags" in airgap.run("verify", bundle, "--against", to).stderr
    images = Images(1)
    nexus.fill(images, {"p/cert-manager-webhook:v1.14.4": images.image()})
    said = airgap.fails(30, "verify", bundle, "--against", to)
    assert nexus.digest("p/cert-manager-webhook:v1.14.4") in said.errors[0]
    assert f"{to}/cert-manager-webhook:v1.14.4" in said.errors[0]


def test_a_page_and_a_table(airgap: Airgap, bundle: Path) -> None:
    airgap.run("inspect", bundle, "--html", "b.html", "--csv", "b.csv")
    images = airgap.run("inspect", bundle, "--json").json["images"]
    rows = list(csv.reader((airgap.folder / "b.csv").read_text(encoding="utf-8-sig").splitlines()))
    listed = [(row[1], row[5]) for row in rows if row[0] == "image"]
    assert listed == [(image["reference"], image["digest"]) for image in images]
    page = (airgap.folder / "b.html").read_text()
    assert all(image["reference"] in page and image["digest"] in page for image in images)
    assert "b.csv" in airgap.fails(42, "inspect", bundle, "--csv", "b.csv").errors[0]
    airgap.run("inspect", bundle, "--csv", "b.csv", "--force")


def test_what_is_said_of_a_target_needs_one(airgap: Airgap, bundle: Path) -> None:
    assert "--against" in airgap.run("verify", bundle, "--mapping", "path", code=2).stderr
