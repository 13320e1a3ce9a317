# SPDX-License-Identifier: Apache-2.0
"""Differential bundles: what the far side holds stays behind, and nothing is pushed before that was proven."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.formatting import human
from tests.cli.command import Airgap, Registry
from tests.doubles.registry import Shelf, double
from tests.flows.releases import NAME, TARGET, Far, Platform, whole
from tests.flows.test_serve import serving
from tests.parts.dockerregistry import docker_registry
from tests.parts.images import Layer
from tests.parts.need import need


@pytest.fixture
def platform(airgap: Airgap) -> Iterator[Platform]:
    with Registry() as registry:
        yield Platform(airgap, registry)


@contextlib.contextmanager
def docker(folder: Path) -> Iterator[Far]:
    """The real docker-registry, which holds blobs by repository and mounts them."""
    with docker_registry(folder) as registry:
        seen = 0

        def requests() -> list[str]:
            nonlocal seen
            everything = registry.requests()
            seen, new = len(everything), everything[seen:]
            return new

        def delete(repository: str, digest: str) -> None:
            httpx.delete(f"{registry.url}/v2/{repository}/blobs/{digest}").raise_for_status()

        yield Far(registry.url, requests, delete)


@contextlib.contextmanager
def ours() -> Iterator[Far]:
    """Our own server, whose repositories share one store."""
    with Registry() as registry:
        yield Far(
            registry.url,
            lambda: [line.rpartition(" ")[0] for line in registry.requests()],
            lambda repository, digest: None if registry.store.delete(digest) else pytest.fail("not there"),
        )


@pytest.fixture(params=["ours", "docker-registry"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Far]:
    if request.param == "ours":
        with ours() as made:
            yield made
    else:
        need("docker-registry")
        with docker(tmp_path / "far") as made:
            yield made


def forty(platform: Platform) -> tuple[list[str], dict[str, list[Layer]]]:
    """Eight images of five layers each, the first layer shared by all but one."""
    shared = platform.layer(60_000)
    names = [f"team/app{number}" for number in range(8)]
    layers = {name: [shared, *(platform.layer(30_000) for _ in range(4))] for name in names}
    layers[names[0]][0] = platform.layer(60_000)
    return names, layers


def layers_of(inventory: dict[str, object]) -> list[dict[str, object]]:
    blobs = inventory["blobs"]
    assert isinstance(blobs, list)
    return [blob for blob in blobs if "layer" in str(blob["mediaType"])]


BASES = ("1.tar", "1.tar.receipt.json", "held.json", "1.json")


def test_one_changed_layer_of_forty(platform: Platform, far: Far) -> None:
    names, layers = forty(platform)
    platform.offer(layers, "1")
    platform.export("1", *names)
    platform.carry("1", far)
    platform.airgap.run("inventory", TARGET, "--via", far.url, "-o", "held.json")
    one = platform.id("1")
    new = platform.layer(4_000_000)
    layers[names[3]][4] = new
    platform.offer(layers, "2")

    for base in BASES:
        said = platform.export("2", *names, base=base)
        assert f"{base}: skipping 33 layers (" in said.stderr.splitlines()[0]
        assert "that the target already has" in said.stderr.splitlines()[0]
        assert platform.size("2") <= 1.05 * new.descriptor.size
        inventory = platform.inventory("2")
        assert [blob["digest"] for blob in layers_of(inventory)] == [new.descriptor.digest]
        assert inventory["features"] == ["differential"]
        for required in inventory["requires"]:
            assert list(required) == ["digest", "size", "repositories", "from"]
            assert required["from"] == (None if base == "held.json" else one)
        prefix = "quay.io/team/" if base in ("1.json", "1.tar") else f"{NAME}/p/"
        shared = next(r for r in inventory["requires"] if len(r["repositories"]) == 7)
        assert shared["repositories"] == [f"{prefix}app{number}" for number in range(1, 8)]

    far.requests()
    platform.carry("2", far)
    # This registry has the rest in the very repositories: what begins is the upload of the new layer and of configs.
    begun = {line.split()[1] for line in far.changed() if line.startswith("POST") and "?mount=" not in line}
    assert begun == {"/v2/p/app3/blobs/uploads/"}
    for name in names:
        root = platform.registry.store.resolve(f"{name}:2")
        whole(far, platform.images, f"p/{name.rpartition('/')[2]}", "2", root)
    platform.airgap.run("verify", "2.tar", "--against", TARGET, "--via", far.url)


def test_a_missing_base_is_refused_before_anything_is_pushed(platform: Platform, far: Far) -> None:
    names, layers = forty(platform)
    platform.offer(layers, "1")
    platform.export("1", *names)
    platform.offer(layers, "2")
    platform.export("2", *names, base="1.json")
    before = platform.airgap.files()
    far.requests()
    for more in ((), ("--dry-run",)):
        said = platform.carry("2", far, 32, "--verbose", *more)
        assert f"lacks 34 layers that the bundle {platform.id('1')} (platform 1) brings" in said.errors[0]
        for required in platform.inventory("2")["requires"]:
            assert required["digest"] in said.errors[0]
        assert "nothing was pushed" in said.stderr
    assert far.changed() == []
    assert platform.airgap.files() == before


def test_one_blob_is_missing(platform: Platform, far: Far) -> None:
    common, own = platform.layer(), platform.layer()
    platform.offer({"a/x": [common, own], "a/y": [common]}, "1")
    platform.export("1", "a/x", "a/y")
    platform.carry("1", far)
    platform.offer({"a/x": [common, own, platform.layer()], "a/y": [common]}, "2")
    platform.export("2", "a/x", "a/y", base="1.json")
    far.delete("p/x", own.descriptor.digest)
    far.requests()
    said = platform.carry("2", far, 32, "--verbose")
    assert f"lacks 1 layer that the bundle {platform.id('1')} (platform 1) brings" in said.errors[0]
    assert own.descriptor.digest in said.errors[0]
    assert "for quay.io/a/x:2" in said.errors[0]
    assert common.descriptor.digest not in said.errors[0]
    assert far.changed() == []
    # What the message names helps.
    platform.carry("1", far, 0, "--overwrite")


def test_a_chain_of_three(platform: Platform, far: Far) -> None:
    first, second, third = (platform.layer(100_000) for _ in range(3))
    for version, layers in (("1", [first]), ("2", [first, second]), ("3", [first, second, third])):
        platform.offer({"a/x": layers}, version)
    platform.export("1", "a/x")
    platform.export("2", "a/x", base="1.json")
    said = platform.export("3", "a/x", base="2.json")
    assert "2.json: skipping 2 layers" in said.stderr
    required = {r["digest"]: r["from"] for r in platform.inventory("3")["requires"]}
    one, two = platform.id("1"), platform.id("2")
    assert required == {first.descriptor.digest: one, second.descriptor.digest: two}
    assert [(base["id"], base["version"]) for base in platform.inventory("3")["bases"]] == sorted(
        [(one, "1"), (two, "2")]
    )

    refused = platform.airgap.run("import", "3.tar", "--to", TARGET, "--via", far.url, "--verbose", code=32)
    assert len(refused.errors) == 2
    for identity, layer in ((one, first), (two, second)):
        assert any(f"{identity} (platform " in e and layer.descriptor.digest in e for e in refused.errors)
    platform.carry("1", far)
    refused = platform.carry("3", far, 32)
    assert f"the bundle {two} (platform 2)" in refused.errors[0]
    assert one not in refused.stderr
    platform.carry("2", far)
    receipt = json.loads((platform.airgap.folder / "2.tar.receipt.json").read_bytes())
    assert receipt["bundle"] == two
    assert receipt["from"] == {first.descriptor.digest: one}
    # The receipt of a differential import knows the chain too.
    platform.airgap.write("3.yaml", (platform.airgap.folder / "3.yaml").read_bytes())
    platform.export("3", "a/x", base="2.tar.receipt.json")
    assert {r["digest"]: r["from"] for r in platform.inventory("3")["requires"]} == required
    platform.carry("3", far)
    whole(far, platform.images, "p/x", "3", platform.registry.store.resolve("a/x:3"))


@pytest.mark.requires("docker-registry")
def test_a_layer_of_a_sibling_is_mounted(platform: Platform, tmp_path: Path) -> None:
    common = platform.layer(500_000)
    platform.offer({"a/old": [common]}, "1")
    platform.export("1", "a/old")
    with docker(tmp_path / "far") as far:
        platform.carry("1", far)
        platform.offer({"b/new": [common, platform.layer()], "b/other": [common]}, "2")
        platform.export("2", "b/new", "b/other", base="1.json")
        far.requests()
        said = platform.carry("2", far)
        asked = far.changed()
        for name in ("new", "other"):
            whole(far, platform.images, f"p/{name}", "2", platform.registry.store.resolve(f"b/{name}:2"))
    mounts = [line for line in asked if f"mount={common.descriptor.digest}".replace(":", "%3A") in line]
    assert max(line.partition("from=")[2] for line in mounts) == "p%2Fold"
    assert {line.split()[1].partition("/blobs")[0] for line in mounts} == {"/v2/p/new", "/v2/p/other"}
    assert not [line for line in asked if "PUT" in line and common.descriptor.digest.replace(":", "%3A") in line]
    assert re.search(r"2 blobs \(1.0 MB\) mounted", said.stderr)


def test_where_nothing_is_mounted_the_layer_is_copied(platform: Platform) -> None:
    common = platform.layer(500_000)
    platform.offer({"a/old": [common]}, "1")
    platform.export("1", "a/old")
    shelf = Shelf(mounts=False)
    with double(shelf) as registry:
        far = Far(registry.url, list)
        platform.carry("1", far)
        platform.offer({"b/new": [common, platform.layer()]}, "2")
        platform.export("2", "b/new", base="1.json")
        platform.carry("2", far)
        assert registry.count("GET", f"/v2/p/old/blobs/{common.descriptor.digest}") == 1
        whole(far, platform.images, "p/new", "2", platform.registry.store.resolve("b/new:2"))


def test_another_mapping_finds_nothing_and_a_receipt_does(platform: Platform) -> None:
    common = platform.layer(500_000)
    platform.offer({"a/old": [common]}, "1")
    platform.export("1", "a/old")
    with double(Shelf()) as registry:
        far = Far(registry.url, list)
        platform.carry("1", far)
        platform.offer({"b/new": [common]}, "2")
        platform.export("2", "b/new", base="1.json")
        said = platform.carry("2", far, 32, "--mapping", "path", "--verbose")
        assert "asked in p/a/old, p/b/new" in said.errors[0]
        assert "--mapping" in said.stderr
        platform.export("2", "b/new", base="1.tar.receipt.json")
        platform.carry("2", far, 0, "--mapping", "path")
        whole(far, platform.images, "p/b/new", "2", platform.registry.store.resolve("b/new:2"))


@pytest.fixture
def mixed(platform: Platform) -> Platform:
    """A second release in which one image is whole, one lacks a layer, and one is pinned beside the latter's tag."""
    common = platform.layer()
    platform.offer({"a/x": [common]}, "1")
    platform.export("1", "a/x")
    platform.offer({"a/x": [common, platform.layer()], "a/y": [platform.layer()]}, "2")
    pinned = platform.images.image(layers=[platform.layer()])
    platform.images.push_to(platform.registry.store, {f"a/x@{pinned.digest}": pinned})
    platform.export("2", "a/x", "a/y", base="1.json", image=f"quay.io/a/x:2@{pinned.digest}")
    return platform


def test_other_programs_see_whole_images_alone(mixed: Platform) -> None:
    index = mixed.member("2", "index.json")
    names = [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]]
    pinned = next(i for i in mixed.inventory("2")["images"] if "@" in i["reference"])
    # Not even the tag of the one that is left out goes to the one that was pinned beside it.
    assert names == [f"quay.io/a/x@{pinned['digest']}", "quay.io/a/y:2"]
    tags = [tag for item in mixed.member("2", "manifest.json") for tag in item["RepoTags"]]
    assert len(tags) == 2
    assert "quay.io/a/x:2" not in tags
    assert "quay.io/a/y:2" in tags


def test_verify_and_inspect_say_what_it_builds_on(mixed: Platform) -> None:
    size = human(mixed.inventory("2")["requires"][0]["size"])
    line = f"differential: without 1 layer of {size} that came with the bundle {mixed.id('1')} (platform 1)"
    verified = mixed.airgap.run("verify", "2.tar")
    assert f"2.tar: {line}" in verified.stderr
    inspected = mixed.airgap.run("inspect", "2.tar").text
    assert line in inspected
    assert inspected.count("not whole") == 1
    assert "differential" not in mixed.airgap.run("verify", "1.tar").stderr


def test_serve_serves_what_is_whole(mixed: Platform) -> None:
    with serving(mixed.airgap, "2.tar") as (_, url), httpx.Client(base_url=url) as client:
        assert client.get("/v2/a/y/manifests/2").status_code == 200
        assert client.get("/v2/a/x/manifests/2").status_code == 404
        assert client.get("/v2/_catalog").json()["repositories"] == ["quay.io/a/x", "quay.io/a/y"]


def test_serve_refuses_where_nothing_is_whole(mixed: Platform) -> None:
    mixed.offer({"a/z": [mixed.layer()]}, "1")
    mixed.registry.fill(mixed.images, {"a/x:4": mixed.registry.store.resolve("a/x:2")})
    mixed.export("4", "a/x", base="1.json")
    said = mixed.airgap.fails(32, "serve", "4.tar", "--listen", "127.0.0.1:0")
    assert mixed.id("1") in said.errors[0]


def test_same_inputs_same_bytes(platform: Platform) -> None:
    names, layers = forty(platform)
    platform.offer(layers, "1")
    platform.export("1", *names)
    layers[names[0]].append(platform.layer())
    platform.offer(layers, "2")
    platform.export("2", *names, base="1.json", lock="airgap.lock")
    first = (platform.airgap.folder / "2.tar").read_bytes()
    lock = json.loads((platform.airgap.folder / "airgap.lock").read_bytes())
    assert lock["base"] == platform.id("1")
    # The bundle says of itself what its bundle.json says.
    platform.export("2", *names, base="1.tar", lock="airgap.lock")
    assert (platform.airgap.folder / "2.tar").read_bytes() == first

    airgap = platform.airgap
    for more in ([], ["--base", "2.json"]):
        said = airgap.fails(2, "export", "2.yaml", "-o", "3.tar", "--lock", "airgap.lock", *more)
        assert "the base" in said.errors[0]
        assert "--refresh" in said.stderr
    assert not (airgap.folder / "3.tar").exists()


def test_a_dry_run_tells_what_would_be_saved(platform: Platform) -> None:
    platform.offer({"a/x": [platform.layer(), platform.layer()]}, "1")
    platform.export("1", "a/x")
    said = platform.airgap.run("export", "1.yaml", "-o", "2.tar", "--base", "1.json", "--dry-run")
    assert "1.json: skipping 2 layers (" in said.stderr
    assert not (platform.airgap.folder / "2.tar").exists()


def test_what_is_no_base_is_said_before_any_registry_is_asked(platform: Platform) -> None:
    platform.offer({"a/x": [platform.layer()]}, "1")
    platform.export("1", "a/x", lock="airgap.lock")
    platform.registry.requests()
    said = platform.airgap.fails(2, "export", "1.yaml", "-o", "2.tar", "--base", "airgap.lock")
    assert said.errors[0] == "airgap.lock: a lock does not say what the far side holds"
    platform.airgap.write("odd", b"no bundle at all")
    assert "odd" in platform.airgap.fails(40, "export", "1.yaml", "-o", "2.tar", "--base", "odd").errors[0]
    assert platform.registry.requests() == []


def test_any_form_of_a_differential_bundle(platform: Platform) -> None:
    """A pipe and frames are read in order, and what is required is in no order at all."""
    common = platform.layer(200_000)
    platform.offer({"a/old": [common]}, "1")
    platform.export("1", "a/old")
    platform.offer({"b/new": [common, platform.layer(1_500_000)]}, "2")
    platform.export("2", "b/new", base="1.json")
    airgap = platform.airgap
    airgap.run("export", "2.yaml", "-o", "2.tar.zst", "--base", "1.tar")
    airgap.run("export", "2.yaml", "-o", "v.tar", "--volume-size", "1.1MB", "--base", "1.tar")
    root = platform.registry.store.resolve("b/new:2")
    piped = (airgap.folder / "2.tar").read_bytes()
    for bundle, stdin in (("2.tar.zst", None), ("v.tar.001", None), ("-", piped)):
        with double(Shelf()) as registry:
            far = Far(registry.url, list)
            command = ["import", bundle, "--to", TARGET, "--via", far.url, "--force", "--verbose"]
            assert common.descriptor.digest in airgap.fails(32, *command, stdin=stdin).errors[0]
            assert not registry.count("POST")
            platform.carry("1", far)
            airgap.run(*command, stdin=stdin)
            whole(far, platform.images, "p/new", "2", root)
