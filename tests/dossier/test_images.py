# SPDX-License-Identifier: Apache-2.0
"""The facts of images: found in any shape of index, with few reads, and whatever strangers wrote into a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airgap.bundle import BundleReader, open_bundle
from airgap.dossier.facts import Contents, ImageFacts, PlatformFacts
from airgap.dossier.images import ImageReader
from airgap.oci import Descriptor
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from tests.bundle.bundles import Content, usual
from tests.parts.images import Images


class Counted:
    """A bundle that counts how often a manifest is read."""

    def __init__(self, bundle: BundleReader) -> None:
        self._bundle = bundle
        self.reads = 0
        self.resolve, self.exists, self.open = bundle.resolve, bundle.exists, bundle.open

    def manifest(self, name: str, /) -> Manifest:
        self.reads += 1
        return self._bundle.manifest(name)


def facts(folder: Path, images: Images, names: dict[str, Descriptor]) -> tuple[list[ImageFacts], int]:
    """What is said of some images, and how many manifests were read for it."""
    Content(images, names).write(folder / "b.tar")
    with open_bundle(folder / "b.tar") as bundle:
        counted = Counted(bundle)
        return ImageReader(bundle.inventory, counted).facts({}, lambda _: Contents()), counted.reads


def platform(folder: Path, config: Any) -> PlatformFacts:
    """What is said of an image with this as its config's ``config``."""
    images = Images(1)
    made = images.image(layers=1)
    document = {"architecture": "arm64", "os": "linux", "config": config, "created": 7}
    described = images.json(document, manifests.OCI_CONFIG)
    layer = manifests.parse(images.content[made.digest], made.media_type).layers[0]
    content = {"mediaType": manifests.OCI_MANIFEST, "config": described.to_json(), "layers": [layer.to_json()]}
    root = images.json({"schemaVersion": 2, **content}, manifests.OCI_MANIFEST)
    (image,), _ = facts(folder, images, {"quay.io/a/b:1": root})
    return image.platforms[0]


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        "x",
        {"User": 7, "Entrypoint": {}, "Cmd": 3, "Labels": []},
        {"Labels": {"a": {"b": 1}}, "Cmd": "sh -c x"},
    ],
)
def test_a_config_may_say_anything(tmp_path: Path, config: Any) -> None:
    said = platform(tmp_path, config)
    assert (said.user, said.created, said.platform) == ("", "", "linux/arm64")
    assert said.is_root
    assert all(isinstance(text, str) for text in (*said.command, *said.labels.values()))


@pytest.mark.parametrize(
    ("user", "is_root"),
    [("", True), ("0", True), ("root", True), ("root:app", True), ("0:0", True), ("app", False), ("1000:0", False)],
)
def test_who_is_root(tmp_path: Path, user: str, is_root: bool) -> None:
    assert platform(tmp_path, {"User": user}).is_root == is_root


def test_an_index_of_indexes_of_the_same_is_shown_once(tmp_path: Path) -> None:
    images = Images(2)
    inner = images.index([images.image("linux/amd64"), images.image("linux/arm64")])
    for _ in range(5):
        inner = images.index([inner, inner, inner])
    (image,), reads = facts(tmp_path, images, {"quay.io/a/b:1": inner})
    assert [one.platform for one in image.platforms] == ["linux/amd64", "linux/arm64"]
    assert reads < 20


def test_manifests_are_read_a_few_times_however_many_images_there_are(tmp_path: Path) -> None:
    images = Images(3)
    names = {f"quay.io/a/x{number}:1": images.two_platforms(attested=True) for number in range(60)}
    found, reads = facts(tmp_path, images, names)
    assert len(found) == 60
    assert reads <= 60 * 5 * 2


def test_what_is_no_container_is_nobodys(tmp_path: Path) -> None:
    content = usual()
    content.write(tmp_path / "b.tar")
    with open_bundle(tmp_path / "b.tar") as bundle:
        found = ImageReader(bundle.inventory, bundle).facts({}, lambda _: Contents())
        inventory = bundle.inventory
    assert [image.digest for image in found] == [image.descriptor.digest for image in inventory.images]
    platforms = [one for image in found for one in image.platforms]
    assert {one.is_container for one in platforms} == {True, False}
    assert not [one for one in platforms if not one.is_container and one.is_root]
