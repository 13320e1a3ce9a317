# SPDX-License-Identifier: Apache-2.0
"""``airgap import``: nothing is written before everything is there, and nothing is sent twice."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from pathlib import Path

import pytest

from airgap.kube import Edit, revert_content
from airgap.kube.rewrite import log as rewrite_log
from tests.cli.command import SAMPLES, Airgap, Registry, pod, settings
from tests.cli.fixtures import CERT_MANAGER
from tests.parts.images import Images

NAME = "10.100.0.102:32415"
TARGET = f"http://{NAME}/my-docker-image"
REWRITTEN = (SAMPLES / "cert-manager/rewritten/cert-manager.yaml").read_bytes()
ORIGINAL = (SAMPLES / "cert-manager/cert-manager.yaml").read_bytes()


def changes(log: Path) -> list[Edit]:
    return [entry.edit for entry in rewrite_log.read_log(log)]


def test_the_example(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    said = airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url)
    assert said.stdout == b""
    assert airgap.files().keys() == {
        "airgap-out/.airgap-rewrite.log",
        "bundle.tar.receipt.json",
        "airgap-out/cert-manager.yaml",
    }
    written = (airgap.folder / "airgap-out/cert-manager.yaml").read_bytes()
    assert written == REWRITTEN
    assert b'image: "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4"' in written
    images = Images(7)
    from tests.cli.fixtures import cert_manager

    for name, index in cert_manager(images).items():
        assert nexus.digest(name.replace("jetstack/", "my-docker-image/")) == index.digest
        for descriptor in images.needed(index):
            assert nexus.store.exists(descriptor)


def test_the_record_turns_it_back(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url)
    out = airgap.folder / "airgap-out"
    assert revert_content((out / "cert-manager.yaml").read_bytes(), changes(out / ".airgap-rewrite.log")) == ORIGINAL


def test_the_receipt(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url, "--receipt", "kept/receipt.json")
    receipt = json.loads((airgap.folder / "kept/receipt.json").read_bytes())
    assert list(receipt) == ["format", "target", "bundle", "images", "blobs"]
    assert receipt["format"] == 1
    assert receipt["target"] == f"{NAME}/my-docker-image"
    with tarfile.open(bundle) as tar:
        inventory = tar.extractfile("airgap/bundle.json").read()  # type: ignore[union-attr] # it is a regular file
    inspected = json.loads(inventory)
    assert receipt["bundle"] == hashlib.sha256(inventory).hexdigest()
    assert receipt["images"] == [
        {
            "source": f"quay.io/jetstack/cert-manager-{name}:v1.14.4",
            "target": f"{NAME}/my-docker-image/cert-manager-{name}:v1.14.4",
            "digest": nexus.digest(f"my-docker-image/cert-manager-{name}:v1.14.4"),
        }
        for name in sorted(CERT_MANAGER)
    ]
    manifests = {image["digest"] for image in receipt["images"]}
    assert set(receipt["blobs"]) < {blob["digest"] for blob in inspected["blobs"]}
    assert not set(receipt["blobs"]) & manifests
    assert all(repository.startswith("my-docker-image/") for held in receipt["blobs"].values() for repository in held)


def test_a_second_import_asks_one_question_a_tag_and_sends_nothing(
    airgap: Airgap, nexus: Registry, bundle: Path
) -> None:
    airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url)
    nexus.requests()
    before = airgap.files()
    said = airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url)
    asked = nexus.requests()
    assert sorted(asked) == [
        "GET /v2/ 200",
        *sorted(f"HEAD /v2/my-docker-image/cert-manager-{name}/manifests/v1.14.4 200" for name in CERT_MANAGER),
    ]
    assert "0 images pushed, 4 already there" in said.stderr
    assert airgap.files() == before


def test_shared_blobs_travel_once(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url)
    finished = [re.search(r"digest=|uploads/[^ ]+ 201", line) for line in nexus.requests() if line.startswith("PUT")]
    blobs = airgap.run("inspect", bundle, "--json").json["blobs"]
    manifests = [blob for blob in blobs if "manifest" in blob["mediaType"] or "index" in blob["mediaType"]]
    assert len([line for line in finished if line]) <= len(blobs) - len(manifests)


def test_a_dry_run_writes_nothing_anywhere(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    said = airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url, "--dry-run")
    assert "10.100.0.102:32415/my-docker-image: 4 images to push" in said.stderr
    assert airgap.files() == {}
    assert list(airgap.folder.iterdir()) == []
    assert nexus.names() == []
    assert {line.split()[0] for line in nexus.requests()} <= {"GET", "HEAD"}


@pytest.fixture
def other(airgap: Airgap, nexus: Registry) -> str:
    """The target holds another image under one of the tags; its digest."""
    images = Images(99)
    nexus.fill(images, {"my-docker-image/cert-manager-webhook:v1.14.4": images.image()})
    nexus.requests()
    return nexus.digest("my-docker-image/cert-manager-webhook:v1.14.4")


def test_a_tag_with_another_digest_is_refused_before_anything_is_sent(
    airgap: Airgap, nexus: Registry, bundle: Path, other: str
) -> None:
    said = airgap.fails(50, "import", bundle, "--to", TARGET, "--via", nexus.url)
    inventory = airgap.run("inspect", bundle, "--json").json
    mine = next(image["digest"] for image in inventory["images"] if "webhook" in image["reference"])
    assert other in said.errors[0]
    assert mine in said.errors[0]
    assert "cert-manager-webhook:v1.14.4" in said.errors[0]
    assert "--overwrite" in said.stderr
    assert airgap.files() == {}
    assert nexus.names() == ["my-docker-image/cert-manager-webhook:v1.14.4"]
    assert {line.split()[0] for line in nexus.requests()} <= {"GET", "HEAD"}


def test_overwrite_moves_the_tag(airgap: Airgap, nexus: Registry, bundle: Path, other: str) -> None:
    airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url, "--overwrite")
    assert nexus.digest("my-docker-image/cert-manager-webhook:v1.14.4") != other
    assert (airgap.folder / "airgap-out/cert-manager.yaml").read_bytes() == REWRITTEN


def test_an_output_file_with_other_content_is_refused_before_anything_is_sent(
    airgap: Airgap, nexus: Registry, bundle: Path
) -> None:
    airgap.write("airgap-out/cert-manager.yaml", "edited by hand")
    said = airgap.fails(42, "import", bundle, "--to", TARGET, "--via", nexus.url)
    assert said.errors[0].startswith("airgap-out/cert-manager.yaml: ")
    assert "--force" in said.stderr
    assert nexus.requests() == []
    airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url, "--force")
    assert (airgap.folder / "airgap-out/cert-manager.yaml").read_bytes() == REWRITTEN


def test_a_link_out_of_the_output_folder_is_not_followed(
    airgap: Airgap, nexus: Registry, bundle: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("precious")
    (airgap.folder / "airgap-out").mkdir()
    (airgap.folder / "airgap-out/cert-manager.yaml").symlink_to(outside)
    said = airgap.fails(42, "import", bundle, "--to", TARGET, "--via", nexus.url, "--force")
    assert "link" in said.errors[0]
    assert outside.read_text() == "precious"


@pytest.mark.parametrize(
    ("policy", "repository"),
    [("path", "p/jetstack/cert-manager-webhook"), ("full", "p/quay.io/jetstack/cert-manager-webhook")],
)
def test_mapping(airgap: Airgap, nexus: Registry, bundle: Path, policy: str, repository: str) -> None:
    airgap.run("import", bundle, "--to", f"{nexus.address}/p", "--mapping", policy, "--output", "o")
    assert f"{repository}:v1.14.4" in nexus.names()
    written = (airgap.folder / "o/cert-manager.yaml").read_text()
    assert f"'{nexus.address}/{repository}:v1.14.4'" in written


def test_target_mapping_and_endpoint_from_the_project(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    mapping = {"policy": "path", "overrides": {"ghcr.io/jetstack/*": "never", "quay.io/jetstack/*": "c/*"}}
    airgap.write(
        "airgap.yaml",
        settings({NAME: {"plain_http": "true", "endpoint": nexus.url}}, target=f"{NAME}/p", mapping=mapping),
    )
    airgap.run("import", bundle)
    assert "p/c/cert-manager-webhook:v1.14.4" in nexus.names()
    # A flag wins over the file's policy, and overrides are exceptions to every policy.
    airgap.run("import", bundle, "--mapping", "full", "--output", "o", "--to", f"{NAME}/q")
    assert "q/c/cert-manager-webhook:v1.14.4" in nexus.names()


def test_json_events(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    said = airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url, "--progress", "json")
    events = said.events
    done = [event for event in events if event["event"] == "blob-done"]
    assert {event["how"] for event in done} <= {"pushed", "mounted", "skipped"}
    tagged = {event["name"] for event in events if event["event"] == "manifest-done" and event["how"] == "pushed"}
    assert "v1.14.4" in tagged
    again = airgap.run("import", bundle, "--to", TARGET, "--via", nexus.url, "--progress", "json")
    assert {e["how"] for e in again.events if e["event"] == "manifest-done"} == {"skipped"}


def test_a_collision_is_refused_before_the_target_is_asked(airgap: Airgap, nexus: Registry, quay: Registry) -> None:
    images = Images(3)
    quay.fill(images, {"one/x:1": images.image(), "two/x:1": images.image()})
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    airgap.run("export", "--image", "quay.io/one/x:1", "--image", "quay.io/two/x:1", "-o", "b.tar")
    before = airgap.files()
    said = airgap.fails(50, "import", "b.tar", "--to", f"{nexus.address}/p")
    assert "quay.io/one/x:1" in said.errors[0]
    assert "quay.io/two/x:1" in said.errors[0]
    assert "--mapping path" in said.stderr
    assert nexus.requests() == []
    assert airgap.files() == before
    airgap.run("import", "b.tar", "--to", f"{nexus.address}/p", "--mapping", "path")
    assert nexus.names() == ["p/one/x:1", "p/two/x:1"]


def test_digest_references_and_platforms(airgap: Airgap, nexus: Registry, quay: Registry) -> None:
    """The tag of a digest-only image, the derived digest in the YAML, and both said in the receipt."""
    images = Images(5)
    index = images.two_platforms()
    quay.fill(images, {"a/x:1": index})
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    airgap.write("pod.yaml", pod(f"quay.io/a/x@{index.digest}", f"quay.io/a/x:1@{index.digest}"))
    airgap.run("export", "pod.yaml", "-o", "b.tar", "--platform", "linux/arm64")
    airgap.run("import", "b.tar", "--to", f"{nexus.address}/p")
    derived = nexus.digest("p/x:1")
    assert derived != index.digest
    tag = f"digest-{derived.removeprefix('sha256:')[:12]}"
    assert nexus.digest(f"p/x:{tag}") == derived
    written = (airgap.folder / "airgap-out/pod.yaml").read_text()
    assert written == pod(f"{nexus.address}/p/x@{derived}", f"{nexus.address}/p/x:1@{derived}")
    receipt = json.loads((airgap.folder / "b.tar.receipt.json").read_bytes())
    assert {image["digest"] for image in receipt["images"]} == {derived}


def test_keep_going_pushes_the_rest_and_writes_only_what_is_whole(
    airgap: Airgap, nexus: Registry, quay: Registry
) -> None:
    images = Images(6)
    quay.fill(images, {"a/good:1": images.image(size=5000), "a/bad:1": images.image(size=9000)})
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    airgap.write("k/good.yaml", pod("quay.io/a/good:1"))
    airgap.write("k/bad.yaml", pod("quay.io/a/bad:1"))
    airgap.run("export", "k", "-o", "b.tar")
    bad = max((d for d in images.descriptors.values() if "layer" in d.media_type), key=lambda d: d.size)
    content = (airgap.folder / "b.tar").read_bytes()
    at = content.index(images.content[bad.digest])
    airgap.write("b.tar", content[: at + 100] + bytes([content[at + 100] ^ 1]) + content[at + 101 :])
    said = airgap.run("import", "b.tar", "--to", f"{nexus.address}/p", "--keep-going", code=3)
    assert nexus.names() == ["p/good:1"]
    assert "quay.io/a/bad:1" in said.errors[-1]
    assert (airgap.folder / "airgap-out/good.yaml").exists()
    assert not (airgap.folder / "airgap-out/bad.yaml").exists()
    receipt = json.loads((airgap.folder / "b.tar.receipt.json").read_bytes())
    assert [image["source"] for image in receipt["images"]] == ["quay.io/a/good:1"]
    # Without it the first failure ends the run: no file, no tag of the damaged image.
    said = airgap.fails(31, "import", "b.tar", "--to", f"{nexus.address}/q", "--output", "o")
    assert bad.digest in said.errors[0]
    assert not (airgap.folder / "o/good.yaml").exists()
    assert "q/bad:1" not in nexus.names()


def test_the_target_of_a_user(airgap: Airgap, bundle: Path) -> None:
    with Registry(credentials=("admin", "s3cret")) as nexus:
        to = ("import", bundle, "--to", f"{nexus.address}/p")
        said = airgap.fails(21, *to)
        assert "airgap login" in said.stderr
        said = airgap.fails(21, *to, "--username", "admin", "--password-stdin", stdin=b"wr0ng\n")
        assert "wr0ng" not in said.stderr
        assert nexus.requests().count("GET /v2/ 401") <= 4
        airgap.run(*to, "--username", "admin", "--password-stdin", stdin=b"s3cret\n")
        mine = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "s3cret"}
        airgap.run(*to, environment=mine)
        assert "password" in airgap.fails(2, *to, "--username", "admin").stderr
        airgap.fails(2, *to, environment={"AIRGAP_PASSWORD": "s3cret"})
        for content in airgap.files().values():
            assert b"s3cret" not in content


def test_a_receipt_replaces_nothing_else(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    airgap.write("keep.txt", "mine")
    said = airgap.fails(42, "import", bundle, "--to", TARGET, "--via", nexus.url, "--receipt", "keep.txt")
    assert "no receipt" in said.errors[0]
    said = airgap.fails(
        42, "import", bundle, "--to", TARGET, "--via", nexus.url, "--receipt", "airgap-out/cert-manager.yaml"
    )
    assert "would replace a rewritten file" in said.errors[0]
    assert airgap.files() == {"keep.txt": b"mine"}
    assert nexus.names() == []


def test_a_folder_where_a_file_would_go(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    (airgap.folder / "airgap-out" / "cert-manager.yaml").mkdir(parents=True)
    said = airgap.fails(42, "import", bundle, "--to", TARGET, "--via", nexus.url)
    assert "airgap-out/cert-manager.yaml" in said.errors[0]
    assert nexus.names() == []


def test_a_signature_is_not_counted_as_an_image(airgap: Airgap, nexus: Registry) -> None:
    images = Images(31)
    with Registry() as internet:
        internet.fill(images, {"x/a:1": images.image()})
        internet.refer("x/a:1")
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        airgap.run("export", "--image", "quay.io/x/a:1", "-o", "signed.tar")
    said = airgap.run("import", "signed.tar", "--to", TARGET, "--via", nexus.url)
    assert "1 image pushed" in said.stderr
    again = airgap.run("import", "signed.tar", "--to", TARGET, "--via", nexus.url)
    assert "0 images pushed, 1 already there" in again.stderr


def test_a_new_tag_of_an_image_that_is_there_sends_its_manifest_alone(airgap: Airgap, nexus: Registry) -> None:
    images = Images(32)
    whole = images.two_platforms(size=9000)
    with Registry() as internet:
        internet.fill(images, {"x/a:1": whole, "x/a:2": whole})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        airgap.run("export", "--image", "quay.io/x/a:1", "-o", "one.tar")
        airgap.run("export", "--image", "quay.io/x/a:2", "-o", "two.tar")
    airgap.run("import", "one.tar", "--to", f"{nexus.address}/p")
    nexus.requests()
    said = airgap.run("import", "two.tar", "--to", f"{nexus.address}/p", "--output", "o")
    assert sorted(nexus.requests()) == [
        "GET /v2/ 200",
        "HEAD /v2/p/a/manifests/2 200",
        "HEAD /v2/p/a/manifests/2 404",
        f"HEAD /v2/p/a/manifests/{whole.digest} 200",
        "PUT /v2/p/a/manifests/2 201",
    ]
    assert "1 image pushed, 0 already there" in said.stderr
    assert nexus.digest("p/a:2") == whole.digest
