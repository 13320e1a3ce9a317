# SPDX-License-Identifier: Apache-2.0
"""``airgap inventory``: what a registry says it holds, as a receipt; nothing is changed there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, settings
from tests.doubles.registry import Shelf, double
from tests.doubles.registry.shelf import asks_basic, error
from tests.flows.releases import NAME, TARGET
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images


@pytest.fixture
def filled() -> Iterator[Registry]:
    """A registry with an index, one image under two tags, and something beside the prefix."""
    images = Images(31)
    with Registry() as registry:
        single = images.image()
        names = {"p/x:1": images.two_platforms(), "p/deep/y:1": single, "p/deep/y:latest": single}
        registry.fill(images, {**names, "other/z:1": images.image(), "pp/x:1": images.image()})
        registry.requests()
        yield registry


def held(airgap: Airgap, name: str = "held.json") -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = json.loads((airgap.folder / name).read_bytes())
    return found


def test_everything_under_the_prefix(airgap: Airgap, filled: Registry) -> None:
    said = airgap.run("inventory", TARGET, "--via", filled.url, "-o", "held.json")
    receipt = held(airgap)
    assert list(receipt) == ["format", "target", "bundle", "images", "blobs"]
    assert (receipt["format"], receipt["target"], receipt["bundle"]) == (1, f"{NAME}/p", None)
    assert receipt["images"] == [
        {"source": None, "target": f"{NAME}/p/{name}", "digest": filled.digest(f"p/{name}")}
        for name in ("deep/y:1", "deep/y:latest", "x:1")
    ]
    images = Images(31)
    single, index = images.image(), images.two_platforms()
    for root, repository in ((index, "p/x"), (single, "p/deep/y")):
        for needed in images.needed(root):
            expected = None if "manifest" in needed.media_type or "index" in needed.media_type else [repository]
            assert receipt["blobs"].get(needed.digest) == expected
    assert len(receipt["blobs"]) == 8
    assert {line.split()[0] for line in filled.requests()} <= {"GET", "HEAD"}
    assert "3 tags in 2 repositories" in said.stderr
    assert "3 images, 8 blobs" in said.stderr


def test_a_whole_registry_and_standard_output(airgap: Airgap, filled: Registry) -> None:
    said = airgap.run("inventory", filled.address, "-o", "-")
    assert len(said.json["images"]) == 5
    assert said.json["target"] == filled.address
    assert airgap.files() == {}


@pytest.mark.parametrize("name", ["x", "p/x"])
def test_named_repositories_need_no_catalog(airgap: Airgap, filled: Registry, name: str) -> None:
    airgap.run("inventory", TARGET, "--via", filled.url, "-o", "held.json", "--repository", name)
    assert [image["target"] for image in held(airgap)["images"]] == [f"{NAME}/p/x:1"]  # type: ignore[index] # a list
    assert not [line for line in filled.requests() if "_catalog" in line]
    said = airgap.fails(22, "inventory", TARGET, "--via", filled.url, "-o", "no.json", "--repository", "nowhere")
    assert said.errors[0].startswith(f"{NAME}/p/nowhere: ")
    assert not (airgap.folder / "no.json").exists()


@pytest.mark.parametrize(("status", "code"), [(401, 21), (403, 21), (404, 22), (405, 23)])
def test_a_catalog_that_is_refused(airgap: Airgap, status: int, code: int) -> None:
    images = Images(32)
    shelf = Shelf()
    shelf.put("p/x", images, one=images.image())
    shelf.guard = lambda request: error(status, "DENIED") if "_catalog" in request.path else None
    with double(shelf) as registry:
        command = ["inventory", TARGET, "--via", registry.url, "-o", "held.json"]
        said = airgap.fails(code, *command)
        assert "does not list its repositories" in said.errors[0]
        assert "--repository NAME" in said.stderr
        airgap.run(*command, "--repository", "x")
        assert len(held(airgap)["images"]) == 1


def test_signing_in(airgap: Airgap) -> None:
    images = Images(33)
    shelf = Shelf(guard=asks_basic("reader", "secret"))
    shelf.put("p/x", images, one=images.image())
    with double(shelf) as registry:
        command = ["inventory", TARGET, "--via", registry.url, "-o", "held.json", "--repository", "x"]
        airgap.fails(21, *command)
        said = airgap.run(*command, "--username", "reader", "--password-stdin", stdin=b"secret\n")
        assert "secret" not in said.stderr


@pytest.mark.requires("docker-registry")
def test_page_after_page(airgap: Airgap, registry: DockerRegistry) -> None:
    """The real docker-registry gives its catalog a hundred at a time."""
    images = Images(34)
    with Registry() as source:
        source.fill(images, {"a/x:1": images.image()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
        airgap.run("export", "--image", "quay.io/a/x:1", "-o", "b.tar")
    airgap.run("import", "b.tar", "--to", f"{registry.address}/p", "--mapping", "basename")
    repositories = registry.data / "docker/registry/v2/repositories/p"
    for number in range(230):
        shutil.copytree(repositories / "x", repositories / f"x{number}")
    airgap.run("inventory", f"{registry.address}/p", "-o", "held.json")
    assert len([line for line in registry.requests() if "_catalog" in line]) == 3
    receipt = held(airgap)
    assert len(receipt["images"]) == 231
    assert all(len(names) == 231 for names in receipt["blobs"].values())


def test_an_image_that_is_broken_is_left_out(airgap: Airgap) -> None:
    images = Images(35)
    shelf = Shelf()
    index = images.two_platforms()
    shelf.put("p/x", images, whole=images.image(), broken=index)
    child = next(d for d in images.needed(index) if "manifest" in d.media_type)
    del shelf.manifests["p/x", child.digest]
    with double(shelf) as registry:
        command = ["inventory", TARGET, "--via", registry.url, "-o", "held.json", "--repository", "x"]
        said = airgap.fails(3, *command)
    assert f"{NAME}/p/x:broken" in said.errors[0]
    assert [i["target"] for i in held(airgap)["images"]] == [f"{NAME}/p/x:whole"]  # type: ignore[index] # a list


def test_a_file_in_the_way(airgap: Airgap, filled: Registry, tmp_path: Path) -> None:
    airgap.write("held.json", "mine")
    airgap.fails(42, "inventory", TARGET, "--via", filled.url, "-o", "held.json")
    assert filled.requests() == []
    assert (airgap.folder / "held.json").read_text() == "mine"
    airgap.run("inventory", TARGET, "--via", filled.url, "-o", "held.json", "--force")
    airgap.fails(42, "inventory", TARGET, "--via", filled.url, "-o", tmp_path / "no/held.json")


def test_a_prefix_that_nothing_is_below(airgap: Airgap, filled: Registry) -> None:
    said = airgap.fails(22, "inventory", f"http://{filled.address}/typo", "-o", "held.json")
    assert said.errors == [f"{filled.address}/typo: the registry has no repository below this prefix"]
    assert not (airgap.folder / "held.json").exists()
    command = said.stderr.rpartition("airgap ")[2].split()
    assert command[1] == f"http://{filled.address}"
    airgap.run(*command)
    assert len(held(airgap)["images"]) == 5
