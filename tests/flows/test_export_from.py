# SPDX-License-Identifier: Apache-2.0
"""``export --from``: images at hand instead of a registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.oci import manifest as manifests
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.archives import LAYERS, archive, docker_members, layout, write_tar
from tests.parts.images import Images


@pytest.fixture
def quay(airgap: Airgap) -> Iterator[Registry]:
    with Registry() as registry:
        images = Images(2)
        registry.fill(images, {"e/remote:1": images.image(), "e/pinned:1": images.image()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        yield registry


def digests(path: Path) -> dict[str, str]:
    with open_bundle(path) as bundle:
        return {str(image.reference): image.descriptor.digest for image in bundle.inventory.images}


def test_only_what_is_not_at_hand_is_asked_of_a_registry(airgap: Airgap, quay: Registry) -> None:
    made = Images(1)
    index, single = made.two_platforms(), made.image()
    archive(layout(airgap.folder, {"quay.io/e/index:1": index}, made))
    folder = layout(airgap.folder / "second", {"quay.io/e/index:1": single, "quay.io/e/single:1": single}, made)
    airgap.write("k.yaml", pod("quay.io/e/index:1", "quay.io/e/single:1", "quay.io/e/remote:1"))
    command = ("export", "k.yaml", "--from", "oci-archive:layout.tar", "--from", f"oci:{folder}", "-o")
    said = airgap.run(*command, "b.tar")
    assert digests(airgap.folder / "b.tar") == {
        "quay.io/e/index:1": index.digest,
        "quay.io/e/remote:1": quay.digest("e/remote:1"),
        "quay.io/e/single:1": single.digest,
    }
    assert "1 image from oci-archive:layout.tar" in said.stderr
    assert "warning" not in said.stderr
    assert not [line for line in quay.requests() if "e/index" in line or "e/single" in line]
    airgap.run("verify", "b.tar")
    airgap.run(*command, "again.tar")
    assert (airgap.folder / "again.tar").read_bytes() == (airgap.folder / "b.tar").read_bytes()


def test_a_docker_archive_warns_that_its_digests_are_its_own(airgap: Airgap, quay: Registry) -> None:
    write_tar(airgap.folder / "saved.tar", docker_members(LAYERS, ["quay.io/e/saved:1", "quay.io/e/pinned:1"]))
    pinned = f"quay.io/e/pinned@{quay.digest('e/pinned:1')}"
    airgap.write("k.yaml", pod("quay.io/e/saved:1", pinned))
    said = airgap.run("export", "k.yaml", "--from", "docker-archive:saved.tar", "-o", "b.tar")
    (warning,) = [line for line in said.stderr.splitlines() if line.startswith("warning:")]
    assert warning == (
        "warning: docker-archive:saved.tar keeps no digests of 1 image; their digests here are not the registry's, "
        "and references by digest do not find them: quay.io/e/saved:1"
    )
    assert digests(airgap.folder / "b.tar")[pinned] == quay.digest("e/pinned:1")  # asked of the registry
    with Registry() as nexus:
        airgap.run("import", "b.tar", "--to", f"{nexus.address}/p", "--output", "out")
        assert "p/saved:1" in nexus.names()
    assert "/p/saved:1" in (airgap.folder / "out/k.yaml").read_text()


def test_without_paths_every_image_is_taken(airgap: Airgap) -> None:
    write_tar(airgap.folder / "saved.tar", docker_members(LAYERS, ["quay.io/e/a:1", "quay.io/e/b:2"]))
    airgap.run("export", "--from", "docker-archive:saved.tar", "-o", "b.tar")
    assert sorted(digests(airgap.folder / "b.tar")) == ["quay.io/e/a:1", "quay.io/e/b:2"]
    write_tar(airgap.folder / "nameless.tar", docker_members(LAYERS, None))
    said = airgap.fails(2, "export", "--from", "docker-archive:nameless.tar", "-o", "c.tar")
    assert "no image in it has a name" in said.errors[0]
    airgap.run("export", "--from", "docker-archive:nameless.tar:quay.io/e/c:3", "-o", "c.tar")
    assert sorted(digests(airgap.folder / "c.tar")) == ["quay.io/e/c:3"]


def test_an_index_of_which_one_platform_is_there(airgap: Airgap) -> None:
    made = Images(1)
    index = made.two_platforms()
    folder = layout(airgap.folder, {"quay.io/e/x:1": index}, made)
    manifest = manifests.parse(made.content[index.digest], index.media_type)
    amd, arm = manifest.children
    (folder / "blobs/sha256" / arm.digest.partition(":")[2]).unlink()
    airgap.write("k.yaml", pod(f"quay.io/e/x@{index.digest}"))
    said = airgap.run("export", "k.yaml", "--from", "oci:layout", "-o", "b.tar")
    assert (
        "oci:layout holds 1 image only for linux/amd64; the bundle has these under digests of their own" in said.stderr
    )
    with open_bundle(airgap.folder / "b.tar") as bundle:
        (image,) = bundle.inventory.images
    assert (image.descriptor.digest, image.derived_from) == (amd.digest, index.digest)
    said = airgap.run("export", "k.yaml", "--from", "oci:layout", "--platform", "linux/amd64", "-o", "c.tar")
    assert "warning" not in said.stderr


def test_an_image_without_all_layers_is_asked_of_its_registry(airgap: Airgap, quay: Registry) -> None:
    """A containerd may drop the compressed layers that it has unpacked."""
    made = Images(1)
    image = made.image()
    folder = layout(airgap.folder, {"quay.io/e/remote:1": image}, made)
    layer = manifests.parse(made.content[image.digest]).layers[0]
    (folder / "blobs/sha256" / layer.digest.partition(":")[2]).unlink()
    said = airgap.run("export", "--from", "oci:layout", "-o", "b.tar")
    warning = "warning: oci:layout has 1 image without all layers, so their registries are asked: quay.io/e/remote:1"
    assert warning in said.stderr.splitlines()
    assert digests(airgap.folder / "b.tar") == {"quay.io/e/remote:1": quay.digest("e/remote:1")}


def test_a_damaged_manifest_at_hand_is_an_error(airgap: Airgap) -> None:
    made = Images(1)
    image = made.image()
    folder = layout(airgap.folder, {"quay.io/e/remote:1": image}, made)
    path = folder / "blobs/sha256" / image.digest.partition(":")[2]
    path.write_bytes(path.read_bytes().replace(b"config", b"CONFIG"))
    said = airgap.fails(31, "export", "--from", "oci:layout", "-o", "b.tar")
    assert "quay.io/e/remote:1" in said.errors[0]
    assert not (airgap.folder / "b.tar").exists()


def test_a_lock_finds_its_digests_at_hand(airgap: Airgap, quay: Registry) -> None:
    made = Images(1)
    first, second = made.image(), made.image()
    layout(airgap.folder / "1", {"quay.io/e/remote:1": first}, made)
    airgap.run("export", "--from", "oci:1/layout", "-o", "a.tar", "--lock", "airgap.lock")
    layout(airgap.folder / "2", {"quay.io/e/remote:1": second}, made)
    quay.requests()
    command = ("export", "--image", "quay.io/e/remote:1", "--lock", "airgap.lock")
    airgap.run(*command, "--from", "oci:2/layout", "--from", "oci:1/layout", "-o", "b.tar")
    assert digests(airgap.folder / "b.tar") == {"quay.io/e/remote:1": first.digest}
    assert quay.requests() == []


def test_bad_places_are_one_error(airgap: Airgap) -> None:
    said = airgap.fails(2, "export", "--from", "saved.tar", "-o", "b.tar")
    assert "--from takes oci-archive:F" in said.stderr
    airgap.fails(2, "export", "--from", "oci:gone", "-o", "b.tar")
    airgap.write("x.tar", b"x" * 1000)
    airgap.fails(30, "export", "--from", "oci-archive:x.tar", "-o", "b.tar")
    write_tar(airgap.folder / "saved.tar", docker_members(LAYERS, ["quay.io/e/a:1"]))
    twice = ("--from", "docker-archive:saved.tar") * 2
    assert "given twice" in airgap.fails(2, "export", *twice, "-o", "b.tar").errors[0]


def test_a_place_with_nothing_of_it_is_a_warning(airgap: Airgap, quay: Registry) -> None:
    write_tar(airgap.folder / "saved.tar", docker_members(LAYERS, ["quay.io/e/a:1"]))
    said = airgap.run("export", "--image", "quay.io/e/remote:1", "--from", "docker-archive:saved.tar", "-o", "b.tar")
    assert "warning: docker-archive:saved.tar: none of the images is there" in said.stderr
    assert digests(airgap.folder / "b.tar") == {"quay.io/e/remote:1": quay.digest("e/remote:1")}


def test_charts_and_other_artifacts_cross_as_images(airgap: Airgap, quay: Registry) -> None:
    """``--image`` takes whatever a registry keeps under a manifest: charts, artifacts, and what refers to them."""
    made = Images(9)
    helm = "application/vnd.cncf.helm.config.v1+json"
    config = made.json({"name": "shop", "version": "1.4.2"}, helm)
    chart = made.blob(b"chart archive", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    document = {"config": config.to_json(), "layers": [chart.to_json()]}
    content = {"schemaVersion": 2, "mediaType": manifests.OCI_MANIFEST, **document}
    root = made.json(content, manifests.OCI_MANIFEST)
    artifact = made.artifact("application/vnd.example.model")
    quay.fill(made, {"charts/shop:1.4.2": root, "models/small:1": artifact})
    images = ("--image", "quay.io/charts/shop:1.4.2", "--image", "quay.io/models/small:1")
    airgap.run("export", *images, "-o", "b.tar")
    with Registry() as nexus:
        airgap.run("import", "b.tar", "--to", f"{nexus.address}/p")
        assert nexus.digest("p/shop:1.4.2") == root.digest
        assert nexus.digest("p/small:1") == artifact.digest
