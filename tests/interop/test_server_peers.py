# SPDX-License-Identifier: Apache-2.0
"""skopeo, podman and oras push to the embedded registry and pull from it; digests must not change."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.oci import digest as digests
from airgap.server import MirrorNaming, Server
from airgap.store import ImageLayout, MemoryStore
from tests.parts.certificates import Authority
from tests.parts.clients import CommandFailed, oras, podman, skopeo
from tests.parts.containerd import containerd
from tests.parts.images import Images

pytestmark = pytest.mark.interop


@pytest.fixture(params=["memory", "layout"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    store = MemoryStore() if request.param == "memory" else ImageLayout.create(tmp_path / "registry")
    with Server(store, writable=True) as server:
        yield server


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An OCI layout with an image of two platforms under the tag ``multi`` and a single one under ``one``."""
    images, layout = Images(7), ImageLayout.create(tmp_path / "source")
    base = images.layer(size=3_000_000)
    children = [images.image(name, layers=[base, images.layer()]) for name in ("linux/amd64", "linux/arm64")]
    index = images.index(children)
    images.push_to(layout, {"multi": index, "one": children[0]})
    return layout.path


@pytest.mark.requires("skopeo")
def test_skopeo(registry: Server, layout: Path, tmp_path: Path) -> None:
    command = skopeo(tmp_path / "skopeo")
    there = f"docker://{registry.address}/some/app"
    command.run("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}:multi", f"{there}:v1")
    raw = command.run("inspect", "--raw", "--tls-verify=false", f"{there}:v1")
    assert digests.of(raw) == ImageLayout(layout).resolve("multi").digest
    command.run("copy", "--all", "--src-tls-verify=false", f"{there}:v1", f"oci:{tmp_path / 'back'}:v1")
    assert ImageLayout(tmp_path / "back").names()["v1"].digest == digests.of(raw)
    # The second repository mounts what the first one has.
    command.run("copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:multi", f"{there}-too:v1")
    assert command.json("list-tags", "--tls-verify=false", f"{there}-too")["Tags"] == ["v1"]
    command.run("delete", "--tls-verify=false", f"{there}:v1")
    with pytest.raises(CommandFailed, match="manifest unknown"):
        command.run("inspect", "--raw", "--tls-verify=false", f"{there}:v1")


@pytest.mark.requires("skopeo")
def test_skopeo_with_credentials_over_tls(layout: Path, tmp_path: Path, authority: Authority) -> None:
    pair, folder = authority.good(), tmp_path / "certificates"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(authority.ca.read_bytes())
    command = skopeo(tmp_path / "skopeo")
    with Server(
        MemoryStore(), writable=True, credentials=("carrier", "word"), tls=(pair.certificate, pair.key)
    ) as server:
        there = f"docker://{server.address}/some/app:v1"
        copy = ["copy", "--all", "--dest-cert-dir", folder, f"oci:{layout}:multi", there]
        with pytest.raises(CommandFailed, match=r"authentication required|unauthorized"):
            command.run(*copy)
        command.run(*copy[:-2], "--dest-creds", "carrier:word", *copy[-2:])
        command.run("inspect", "--raw", "--cert-dir", folder, "--creds", "carrier:word", there)


@pytest.mark.requires("skopeo", "podman")
def test_podman(registry: Server, layout: Path, tmp_path: Path) -> None:
    command = podman(tmp_path / "podman")
    there = f"{registry.address}/some/app"
    skopeo(tmp_path / "skopeo").run(
        "copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:multi", f"docker://{there}:v1"
    )
    command.run("pull", "--tls-verify=false", f"{there}:v1")
    command.run("tag", f"{there}:v1", f"{there}:v2")
    command.run("push", "--tls-verify=false", f"{there}:v2")
    command.run("rmi", "--all", "--force")
    command.run("pull", "--tls-verify=false", f"{there}:v2")
    [listed] = command.json("images", "--format", "json")
    assert listed["Names"] == [f"{there}:v2"]


@pytest.mark.requires("oras")
def test_oras(registry: Server, tmp_path: Path) -> None:
    command = oras(tmp_path / "oras")
    there = f"{registry.address}/some/artifact:v1"
    (tmp_path / "oras" / "note.txt").write_text("carried")
    kind = "application/vnd.example.note"
    command.run("push", "--plain-http", there, "--artifact-type", kind, "note.txt:text/plain")
    (tmp_path / "oras" / "sbom.json").write_text("{}")
    command.run("attach", "--plain-http", there, "--artifact-type", "application/vnd.example.sbom", "sbom.json")
    found = command.json("discover", "--plain-http", there, "--format", "json")
    assert [entry["artifactType"] for entry in found["manifests"]] == ["application/vnd.example.sbom"]
    command.run("pull", "--plain-http", there, "-o", "back")
    assert (tmp_path / "oras" / "back" / "note.txt").read_text() == "carried"
    command.run("cp", "-r", "--from-plain-http", "--to-plain-http", there, f"{registry.address}/another/place:v1")
    again = command.json("discover", "--plain-http", f"{registry.address}/another/place:v1", "--format", "json")
    assert len(again["manifests"]) == 1
    assert command.run("repo", "tags", "--plain-http", f"{registry.address}/some/artifact").split()[0] == b"v1"
    assert b"some/artifact" in command.run("repo", "ls", "--plain-http", registry.address)
    command.run("manifest", "delete", "--force", "--plain-http", there)
    with pytest.raises(CommandFailed, match="not found"):
        command.run("manifest", "fetch", "--plain-http", there)


@pytest.mark.requires("skopeo")
def test_a_mirror_read_only(layout: Path, tmp_path: Path) -> None:
    source, store = ImageLayout(layout), ImageLayout(layout)
    store.tag(source.resolve("multi"), "quay.io/jetstack/x:v1")
    command = skopeo(tmp_path / "skopeo")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(store, naming=MirrorNaming(store.names())))
        for name in ("quay.io/jetstack/x", "jetstack/x"):
            back = tmp_path / name.replace("/", "-")
            command.run(
                "copy", "--all", "--src-tls-verify=false", f"docker://{server.address}/{name}:v1", f"oci:{back}:v1"
            )
            assert ImageLayout(back).names()["v1"].digest == source.resolve("multi").digest
        with pytest.raises(CommandFailed, match=r"read-only|405|nsupported"):
            command.run("copy", "--dest-tls-verify=false", f"oci:{layout}:one", f"docker://{server.address}/new/one:v1")
    assert json.loads((layout / "oci-layout").read_text())["imageLayoutVersion"] == "1.0.0"


@pytest.mark.requires("containerd", "ctr")
def test_containerd_takes_it_as_a_mirror_for_two_registries(layout: Path, tmp_path: Path) -> None:
    """Both registries have the same path and tag: only ``?ns=`` tells them apart."""
    store = ImageLayout(layout)
    digest = store.resolve("multi").digest
    store.tag(store.resolve("one"), "ghcr.io/jetstack/x:v1")
    store.tag(store.resolve("multi"), "quay.io/jetstack/x:v1")
    asked: list[tuple[str, str, int]] = []
    with (
        Server(store, naming=MirrorNaming(store.names()), on_request=lambda *seen: asked.append(seen)) as server,
        containerd(tmp_path / "containerd") as node,
    ):
        for registry in ("quay.io", "ghcr.io"):
            (node.certs / registry).mkdir()
            (node.certs / registry / "hosts.toml").write_text(
                f'server = "http://127.0.0.1:1"\n[host."{server.url}"]\ncapabilities = ["pull", "resolve"]\n'
            )
            node.pull(f"{registry}/jetstack/x:v1")
        found = {registry: node.image_status(f"{registry}/jetstack/x:v1") for registry in ("quay.io", "ghcr.io")}
    assert found["quay.io"] is not None
    assert f"quay.io/jetstack/x@{digest}" in found["quay.io"].repo_digests
    assert found["ghcr.io"] is not None
    assert f"ghcr.io/jetstack/x@{store.resolve('one').digest}" in found["ghcr.io"].repo_digests
    assert {status for _, _, status in asked} == {200}
