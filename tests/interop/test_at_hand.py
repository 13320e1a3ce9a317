# SPDX-License-Identifier: Apache-2.0
"""``export --from`` with what real programs write: skopeo's and podman's archives, and the content of a containerd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.oci import Descriptor
from airgap.oci import manifest as manifests
from tests.cli.command import Airgap, Registry, pod
from tests.cli.fixtures import airgap  # noqa: F401 - a fixture
from tests.parts.clients import Command, podman, skopeo
from tests.parts.containerd import Containerd, containerd
from tests.parts.helm import helm
from tests.parts.images import Images
from tests.parts.service import clean_environment

pytestmark = pytest.mark.interop

INDEX, SINGLE = "quay.io/e/index:1", "quay.io/e/single:1"


class Quay:
    """A registry with an index for two platforms and a single image."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.images = Images(3)
        self.roots = {INDEX: self.images.two_platforms(), SINGLE: self.images.image()}
        registry.fill(self.images, {name.partition("/")[2]: root for name, root in self.roots.items()})

    def source(self, name: str) -> str:
        return f"docker://{self.registry.address}/{name.partition('/')[2]}"

    def child(self, number: int) -> Descriptor:
        root = self.roots[INDEX]
        return manifests.parse(self.images.content[root.digest], root.media_type).children[number]


@pytest.fixture
def quay() -> Iterator[Quay]:
    with Registry() as registry:
        yield Quay(registry)


@pytest.fixture
def copy(tmp_path: Path) -> Command:
    return skopeo(tmp_path / "skopeo")


def digests(path: Path) -> dict[str, str]:
    with open_bundle(path) as bundle:
        return {str(image.reference): image.descriptor.digest for image in bundle.inventory.images}


def test_oci_archives_and_folders_of_skopeo_keep_digests(airgap: Airgap, quay: Quay, copy: Command) -> None:  # noqa: F811
    options = ("copy", "--src-tls-verify=false", "--all")
    copy.run(*options, quay.source(INDEX), f"oci-archive:{airgap.folder}/index.tar:{INDEX}")
    copy.run(*options, quay.source(SINGLE), f"oci:{airgap.folder}/single:{SINGLE}")
    airgap.write("k.yaml", pod(INDEX, SINGLE))
    said = airgap.run("export", "k.yaml", "--from", "oci-archive:index.tar", "--from", "oci:single", "-o", "b.tar")
    assert "warning" not in said.stderr
    assert digests(airgap.folder / "b.tar") == {name: root.digest for name, root in quay.roots.items()}
    # skopeo reads what it wrote, after it has crossed.
    copy.run("copy", "--all", f"oci-archive:{airgap.folder}/b.tar:{INDEX}", f"dir:{airgap.folder}/back")


def test_a_docker_archive_of_skopeo(airgap: Airgap, quay: Quay, copy: Command) -> None:  # noqa: F811
    copy.run(
        "copy", "--src-tls-verify=false", quay.source(SINGLE), f"docker-archive:{airgap.folder}/saved.tar:{SINGLE}"
    )
    said = airgap.run("export", "--from", "docker-archive:saved.tar", "-o", "b.tar")
    assert "warning: docker-archive:saved.tar keeps no digests of 1 image" in said.stderr
    (digest,) = digests(airgap.folder / "b.tar").values()
    assert digest != quay.roots[SINGLE].digest
    original = manifests.parse(quay.images.content[quay.roots[SINGLE].digest])
    with open_bundle(airgap.folder / "b.tar") as bundle:
        found = {blob.digest for blob in bundle.inventory.blobs}
    assert original.config is not None
    assert original.config.digest in found  # the same image by its ID
    airgap.run("verify", "b.tar")
    inspected = copy.json("inspect", f"oci-archive:{airgap.folder}/b.tar:{SINGLE}")
    assert inspected["Digest"] == digest


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_what_podman_saves(airgap: Airgap, quay: Quay, tmp_path: Path, form: str) -> None:  # noqa: F811
    program = podman(tmp_path / "podman")
    local = f"{quay.registry.address}/{SINGLE.partition('/')[2]}"
    program.run("pull", "--tls-verify=false", local)
    program.run("tag", local, SINGLE)
    program.run("save", "--format", form, "--output", airgap.folder / "saved.tar", SINGLE)
    airgap.run("export", "--image", SINGLE, "--from", f"{form}:saved.tar", "-o", "b.tar")
    assert list(digests(airgap.folder / "b.tar")) == [SINGLE]
    airgap.run("verify", "b.tar")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Containerd]:
    with containerd(tmp_path / "containerd", cri=False) as made:
        yield made


@pytest.mark.long
def test_what_a_node_holds(airgap: Airgap, quay: Quay, copy: Command, node: Containerd) -> None:  # noqa: F811
    for number, name in enumerate((INDEX, SINGLE)):
        path = airgap.folder / f"{number}.tar"
        copy.run("copy", "--src-tls-verify=false", "--all", quay.source(name), f"oci-archive:{path}:{name}")
        node.ctr.run("images", "import", "--all-platforms", "--no-unpack", path)
    airgap.environment["PATH"] = node.ctr.environment["PATH"]
    location = f"containerd:{node.socket}"
    said = airgap.run("export", "--from", location, "-o", "b.tar")
    assert "warning" not in said.stderr
    assert digests(airgap.folder / "b.tar") == {name: root.digest for name, root in quay.roots.items()}
    # As a kubelet pulls: one platform of the index.
    node.ctr.run("content", "delete", quay.child(1).digest)
    said = airgap.run("export", "--from", location, "-o", "c.tar")
    assert f"{location} holds 1 image only for linux/amd64" in said.stderr
    assert digests(airgap.folder / "c.tar") == {INDEX: quay.child(0).digest, SINGLE: quay.roots[SINGLE].digest}
    said = airgap.fails(2, "export", "--from", "containerd:/run/nothing.sock", "-o", "d.tar")
    assert "ctr says" in said.errors[0]


def test_a_chart_that_helm_pushed_crosses_by_its_reference(airgap: Airgap, tmp_path: Path) -> None:  # noqa: F811
    program = Command((str(helm()),), clean_environment(tmp_path / "helm"), tmp_path)
    chart = tmp_path / "shop"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.4.2\n")
    program.run("package", chart, "--destination", tmp_path)
    with Registry() as registry, Registry() as nexus:
        program.run("push", "--plain-http", tmp_path / "shop-1.4.2.tgz", f"oci://{registry.address}/charts")
        airgap.run("export", "--image", f"{registry.address}/charts/shop:1.4.2", "-o", "b.tar")
        airgap.run("import", "b.tar", "--to", f"{nexus.address}/k8s")
        program.run(
            "pull", "--plain-http", f"oci://{nexus.address}/k8s/shop", "--version", "1.4.2", "--destination", chart
        )
    assert (chart / "shop-1.4.2.tgz").read_bytes() == (tmp_path / "shop-1.4.2.tgz").read_bytes()
