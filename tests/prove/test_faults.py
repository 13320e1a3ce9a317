# SPDX-License-Identifier: Apache-2.0
"""What keeps a node from an image is named, all of it in one run, with what mends it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.oci import Descriptor
from tests.cli.command import Airgap
from tests.doubles.registry import Answer, double
from tests.doubles.registry.shelf import asks_basic
from tests.parts.certificates import Authority
from tests.parts.images import Images
from tests.prove.nodes import TARGET, Node, hosts_toml, node, pull_secret, workload

AMD64 = ("--platform", "linux/amd64")


@pytest.fixture
def airgap(tmp_path: Path) -> Airgap:
    folder, home = tmp_path / "work", tmp_path / "user"
    folder.mkdir()
    home.mkdir()
    return Airgap(folder, home)


@pytest.fixture
def plain(airgap: Airgap, tmp_path: Path) -> Iterator[Node]:
    """A node of a registry with plain HTTP, told so by its hosts.toml."""
    with node(airgap, tmp_path / "node") as started:
        started.containerd({TARGET: hosts_toml(started.url)})
        yield started


def test_five_faults_in_one_chain_are_named_in_one_run(airgap: Airgap, tmp_path: Path, authority: Authority) -> None:
    """Each of them hides the next from the kubelet: the certificate, the login, the path, the digest, the platform."""
    images = Images(1)
    index, only_arm = images.two_platforms(), images.index([images.image("linux/arm64")])
    lost = images.two_platforms()
    child = next(d for d in images.needed(lost) if d.platform and str(d.platform) == "linux/amd64")
    with node(airgap, tmp_path / "node", authority.good()) as far:
        far.shelf.put("k8s/jetstack/webhook", images, v1=index)
        far.shelf.put("k8s/shop/web", images, v1=index)
        far.shelf.put("k8s/shop/tool", images, v1=only_arm, v2=lost)
        del far.shelf.manifests["k8s/shop/tool", child.digest]
        far.shelf.guard = asks_basic("puller", "pw")
        far.containerd(
            {
                TARGET: hosts_toml(far.url),
                "quay.io": f'server = "{far.url}/v2/k8s"\n[host."{far.url}/v2/k8s"]\n',
            }
        )
        absent = "sha256:" + "0" * 64
        yaml = (
            pull_secret("nexus", "default", TARGET, "puller", "pw")
            + workload(f"{TARGET}/k8s/shop/web@{absent}", secrets=("nexus",))
            + workload(f"{TARGET}/k8s/shop/tool:v2", secrets=("nexus",), name="tool")
            + workload("quay.io/jetstack/webhook:v1", name="webhook")
        )
        far.options += ["--ca-file", str(authority.ca), "--username", "puller", "--password-stdin"]
        airgap.write("all.yaml", yaml)
        result = airgap.run(
            "prove", "all.yaml", "--against", f"{TARGET}/k8s", "--root", far.root, *AMD64, *far.options, "--json",
            code=51, stdin=b"pw\n",
        )  # fmt: skip
    found = {cause["kind"]: cause for cause in result.json["causes"]}
    assert set(found) >= {
        "untrusted-certificate", "pull-secret-elsewhere", "mirror-path", "missing-digest", "missing-child",
    }, found  # fmt: skip
    assert [one["detail"] for one in found["missing-child"]["images"]] == [child.digest]
    assert found["mirror-path"]["fix"][1].endswith(f'[host."{far.url}/v2/k8s"] with override_path = true')
    assert found["untrusted-certificate"]["fix"] == [
        f"airgap hosts https://{TARGET}/k8s --for containerd --ca-file {authority.ca} --root /"
    ]
    assert "sed 's/^  namespace: .*/  namespace: shop/'" in found["pull-secret-elsewhere"]["fix"][0]


def put(far: Node, **tags: Descriptor) -> None:
    far.shelf.put("shop/web", IMAGES, **tags)


IMAGES = Images(2)
INDEX, ARM, SINGLE_ARM = (
    IMAGES.two_platforms(),
    IMAGES.index([IMAGES.image("linux/arm64")]),
    IMAGES.image("linux/arm64"),
)
WEB = f"{TARGET}/shop/web"


def test_what_is_all_there_is_ready(plain: Node) -> None:
    put(plain, v1=INDEX)
    answer = plain.prove(workload(f"{WEB}:v1"), code=0)
    assert answer["causes"] == answer["warnings"] == []
    assert answer["images"][0]["places"] == ["all.yaml:10"]


def test_a_cause_that_hits_forty_images_is_one_entry(plain: Node) -> None:
    put(plain, v1=INDEX)
    yaml = "".join(workload(f"{WEB}:missing{number:02}", name=f"w{number}") for number in range(40))
    answer = plain.prove(yaml + workload(f"{WEB}:v1"))
    (cause,) = answer["causes"]
    assert (cause["kind"], len(cause["images"]), cause["fix"][1]) == (
        "missing-image", 40, f"airgap import missing.tar --to {TARGET}",
    )  # fmt: skip
    text = plain.airgap.run("prove", "all.yaml", "--against", TARGET, "--root", plain.root, *AMD64, *plain.options,
                            code=51)  # fmt: skip
    assert text.text.startswith("NOT READY 1 of 41 images would be pulled by containerd")
    assert text.text.count("PROBLEM") == 1
    assert "and 30 more; --json lists all" in text.text
    assert "40 of 41 images would not be pulled" in text.errors[0]


@pytest.mark.parametrize(
    ("tag", "lost", "kind"),
    [
        ("arm", None, "missing-platform"),
        ("v1", "layer", "missing-blob"),
        ("v1", "config", "missing-blob"),
        ("v1", "manifest", "missing-child"),
    ],
)
def test_what_the_registry_lacks_of_an_image(plain: Node, tag: str, lost: str | None, kind: str) -> None:
    put(plain, v1=INDEX, arm=ARM)
    child = next(d for d in IMAGES.needed(INDEX) if d.platform and d.platform.architecture == "amd64")
    parts = [d for d in reversed(IMAGES.needed(child)) if lost and lost in d.media_type.rpartition("image.")[2]]
    digest = parts[0].digest if parts else ""
    plain.shelf.blobs["shop/web"].pop(digest, None)
    plain.shelf.manifests.pop(("shop/web", digest), None)
    (cause,) = plain.prove(workload(f"{WEB}:{tag}"))["causes"]
    assert cause["kind"] == kind
    assert cause["images"][0]["detail"] == (digest or "it has linux/arm64")
    assert plain.kinds(workload(f"{WEB}:{tag}"), "--platform", "linux/arm64") == []


def test_another_tag_or_platform_beside_what_is_pulled_is_a_warning(plain: Node) -> None:
    put(plain, v1=ARM, single=SINGLE_ARM)
    put(plain, v2=INDEX)
    answer = plain.prove(workload(f"{WEB}:v1@{INDEX.digest}") + workload(f"{WEB}:single"), code=0)
    assert {warning["kind"] for warning in answer["warnings"]} == {"moved-tag", "other-platform"}


def test_the_digest_that_the_tag_has_instead_is_said(plain: Node) -> None:
    put(plain, v1=INDEX)
    (cause,) = plain.prove(workload(f"{WEB}:v1@sha256:{'0' * 64}"))["causes"]
    assert (cause["kind"], cause["images"][0]["detail"]) == ("missing-digest", f"the tag v1 is {INDEX.digest} there")


def test_an_image_that_nothing_leads_to_the_target_for(plain: Node) -> None:
    plain.shelf.put("web", IMAGES, v1=INDEX)
    (cause,) = plain.prove(workload("quay.test/shop/web:v1"))["causes"]
    assert (cause["kind"], cause["subject"]) == ("not-mirrored", "quay.test")
    assert cause["fix"][0] == f"airgap rewrite PATH --to {TARGET} --output DIR"
    assert cause["images"][0]["detail"] == f"the target has it as {TARGET}/web:v1"
    assert plain.kinds(workload("quay.test/shop/other:v1")) == ["missing-image", "not-mirrored"]


@pytest.mark.parametrize(
    ("secrets", "yaml", "kind"),
    [
        ((), "", "no-pull-secret"),
        (("nexus",), "", "pull-secret-missing"),
        (("nexus",), pull_secret("nexus", "other", TARGET, "puller", "pw"), "pull-secret-elsewhere"),
        (("nexus",), pull_secret("nexus", "shop", "quay.test", "puller", "pw"), "pull-secret-for-others"),
        (("nexus",), pull_secret("nexus", "shop", TARGET, "puller", "no"), "login-refused"),
        (("nexus",), pull_secret("nexus", "shop", TARGET, "puller", "pw").replace("\ndata:", "\nother:"),
         "pull-secret-damaged"),
        (("nexus",), pull_secret("nexus", "shop", TARGET, "puller", "pw"), ""),
    ],
)  # fmt: skip
def test_why_a_pod_cannot_sign_in(plain: Node, secrets: tuple[str, ...], yaml: str, kind: str) -> None:
    put(plain, v1=INDEX)
    plain.shelf.guard = asks_basic("puller", "pw")
    result = plain.run(yaml + workload(f"{WEB}:v1", secrets=secrets), code=None)
    assert [cause["kind"] for cause in result.json["causes"]] == ([kind] if kind else [])
    assert "pw" not in result.text + result.stderr
    refused = [r for r in plain.registry.requests if r.authorization]
    assert len(refused) <= 1 or not kind  # a wrong password is sent once, to lock no account


def test_both_pods_must_be_able_to_sign_in(plain: Node) -> None:
    put(plain, v1=INDEX)
    plain.shelf.guard = asks_basic("puller", "pw")
    yaml = pull_secret("nexus", "a", TARGET, "puller", "pw") + workload(f"{WEB}:v1", namespace="a", secrets=("nexus",))
    assert plain.kinds(yaml) == []
    assert plain.kinds(yaml + workload(f"{WEB}:v1", namespace="b", secrets=("nexus",))) == ["pull-secret-elsewhere"]


def test_a_login_of_the_node_itself_is_enough(plain: Node) -> None:
    put(plain, v1=INDEX)
    plain.shelf.guard = asks_basic("puller", "pw")
    plain.lay(
        "/var/lib/kubelet/config.json", f'{{"auths": {{"{TARGET}": {{"username": "puller", "password": "pw"}}}}}}'
    )
    assert plain.kinds(workload(f"{WEB}:v1")) == []


def two_mirrors(far: Node) -> None:
    """Two mirrors of quay.test: the first lacks a layer of the image, and the second has it all."""
    for prefix in ("part", "whole"):
        far.shelf.put(f"{prefix}/shop/web", IMAGES, v1=INDEX)
    child = next(d for d in IMAGES.needed(INDEX) if d.platform and d.platform.architecture == "amd64")
    layer = next(d for d in IMAGES.needed(child) if "layer" in d.media_type)
    del far.shelf.blobs["part/shop/web"][layer.digest]
    text = "".join(hosts_toml(f"{far.url}/v2/{p}", "  override_path = true\n") for p in ("part", "whole"))
    far.containerd({"quay.test": text})
    address = f"127.0.0.1:{far.registry.port}"
    mirrors = "".join(f'[[registry.mirror]]\nlocation = "{address}/{p}"\ninsecure = true\n' for p in ("part", "whole"))
    far.lay("/etc/containers/registries.conf", f'[[registry]]\nlocation = "quay.test"\n{mirrors}')


def test_containerd_takes_pieces_from_several_mirrors_and_podman_stays_at_one(plain: Node) -> None:
    two_mirrors(plain)
    yaml = workload("quay.test/shop/web:v1")
    assert plain.kinds(yaml) == []
    assert plain.kinds(yaml, "--as", "podman") == ["missing-blob"]


def test_crio_keeps_the_login_of_an_image_from_its_mirrors(plain: Node) -> None:
    put(plain, v1=INDEX)
    address = f"127.0.0.1:{plain.registry.port}"
    plain.containerd({"quay.test": hosts_toml(plain.url)})
    mirror = f'[[registry.mirror]]\nlocation = "{address}"\ninsecure = true\n'
    plain.lay("/etc/containers/registries.conf", f'[[registry]]\nlocation = "quay.test"\n{mirror}')
    plain.shelf.guard = asks_basic("puller", "pw")
    secret = pull_secret("quay", "shop", "quay.test", "puller", "pw")
    yaml = secret + workload("quay.test/shop/web:v1", secrets=("quay",))
    assert plain.kinds(yaml) == []
    assert plain.kinds(yaml, "--as", "crio") == ["mirror-login"]
    plain.lay(
        os.path.expanduser("~root/.config/containers/auth.json"),
        f'{{"auths": {{"{address}": {{"username": "puller", "password": "pw"}}}}}}',
    )
    assert plain.kinds(yaml, "--as", "crio") == []


def test_headers_of_a_host_go_to_it_and_to_nobody_else(plain: Node) -> None:
    put(plain, v1=INDEX)
    with double(lambda request: Answer(200)) as storage:
        layer = next(d for d in IMAGES.needed(INDEX) if "layer" in d.media_type)
        plain.registry.always("HEAD", layer.digest, Answer(307, headers={"Location": f"{storage.url}/x"}))
        plain.shelf.guard = lambda r: None if r.headers.get("X-Site") == "seoul" else Answer(403)
        plain.containerd({TARGET: hosts_toml(plain.url, f'[host."{plain.url}".header]\n  X-Site = "seoul"\n')})
        assert plain.kinds(workload(f"{WEB}:v1")) == []
        assert [request.headers.get("X-Site") for request in storage.requests] == [None]
        plain.containerd({TARGET: hosts_toml(plain.url)})
        assert plain.kinds(workload(f"{WEB}:v1")) != []


def test_events_tell_each_image(plain: Node) -> None:
    put(plain, v1=INDEX)
    events = plain.run(workload(f"{WEB}:v1") + workload(f"{WEB}:v2"), "--progress", "json", code=51).events
    checked = {event["reference"]: event["ready"] for event in events if event["event"] == "image-checked"}
    assert checked == {f"{WEB}:v1": True, f"{WEB}:v2": False}
    assert events[-1]["code"] == 51


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--root", "/nowhere"), 2),
        (("--from-node", "n"), 2),
        (("--image", "busybox"), 2),
        (("--from-node", "n", "--image", "busybox", "--on-nodes", "x"), 2),
        (("--dry-run",), 2),
        (("--platform", "amd64"), 2),
    ],
)
def test_options_that_make_no_sense(airgap: Airgap, words: tuple[str, ...], code: int) -> None:
    airgap.write("a.yaml", workload(f"{WEB}:v1"))
    airgap.fails(code, "prove", "a.yaml", "--against", TARGET, *words)
