# SPDX-License-Identifier: Apache-2.0
"""Layers that skopeo, podman, docker and oras compress: one of the exact encoders gives the same bytes."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from airgap.oci import digest as digests
from airgap.recode import detect
from airgap.server import Server
from airgap.store import ImageLayout
from tests.parts.clients import oras, podman, skopeo
from tests.parts.dockerd import dockerd
from tests.parts.images import OCI_LAYER_PLAIN, Images, Layer
from tests.recode.contents import encode, needs_library

pytestmark = [pytest.mark.interop, needs_library]


def layer_tar(size: int) -> bytes:
    """Modules and programs of this machine in a tar of at least ``size`` bytes, as a layer has them."""
    folders = (Path(os.__file__).parent, Path("/usr/bin"))
    files = [
        path for folder in folders for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()
    ]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path in files:
            archive.add(path, str(path).lstrip("/"))
            if made.tell() > size:
                break
    return made.getvalue()


def layout_of(raw: bytes, folder: Path) -> Path:
    """An OCI layout with one image, whose only layer is not compressed."""
    images, layout = Images(), ImageLayout.create(folder)
    layer = Layer(images.blob(raw, OCI_LAYER_PLAIN), digests.of(raw))
    images.push_to(layout, {"one": images.image(layers=[layer])})
    return layout.path


def written_by(folder: Path) -> list[str]:
    """The codecs that give the largest gzip file below ``folder``, out of those that its beginning leaves."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    compressed = max((content for content in contents if content[:2] == b"\x1f\x8b"), key=len)
    raw = gzip.decompress(compressed)
    assert len(raw) > 2_000_000
    found = detect(io.BytesIO(compressed), raw[: 1 << 20], compressed[:10])
    return [codec for codec in found if encode(codec, raw) == compressed]


@pytest.mark.requires("skopeo")
def test_skopeo(tmp_path: Path) -> None:
    source = layout_of(layer_tar(2_300_000), tmp_path / "source")
    skopeo(tmp_path / "skopeo").run("copy", "--dest-compress", f"oci:{source}:one", f"dir:{tmp_path / 'there'}")
    assert written_by(tmp_path / "there")[0].startswith("pgzip/kp-")


@pytest.mark.requires("podman")
def test_podman(tmp_path: Path) -> None:
    command = podman(tmp_path / "podman")
    (tmp_path / "layer.tar").write_bytes(layer_tar(2_300_000))
    with Server(ImageLayout.create(tmp_path / "registry"), writable=True) as server:
        command.run("import", tmp_path / "layer.tar", f"{server.address}/some/app:v1")
        command.run("push", "--tls-verify=false", f"{server.address}/some/app:v1")
    assert written_by(tmp_path / "registry")[0].startswith("pgzip/kp-")


@pytest.mark.requires("oras")
def test_oras(tmp_path: Path) -> None:
    command, folder = oras(tmp_path / "oras"), tmp_path / "oras/files"
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(layer_tar(2_300_000))) as archive:
        archive.extractall(folder, filter="data")
    with Server(ImageLayout.create(tmp_path / "registry"), writable=True) as server:
        command.run("push", "--plain-http", f"{server.address}/some/files:v1", "files")
    assert written_by(tmp_path / "registry")[0].startswith("go1.")


@pytest.mark.long
@pytest.mark.parametrize("containerd_store", [False, True], ids=["classic", "containerd-store"])
def test_docker(tmp_path: Path, containerd_store: bool) -> None:
    (tmp_path / "layer.tar").write_bytes(layer_tar(2_300_000))
    with (
        Server(ImageLayout.create(tmp_path / "registry"), writable=True) as server,
        dockerd(tmp_path / "docker", containerd_store=containerd_store) as daemon,
    ):
        name = f"{server.address}/some/app:v1"
        daemon.docker.run("import", tmp_path / "layer.tar", name)
        daemon.docker.run("push", name)
    assert written_by(tmp_path / "registry")[0] == "go1.8-1.26/6"
