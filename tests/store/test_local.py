# SPDX-License-Identifier: Apache-2.0
"""Archives of other programs: what is found in them, and what hostile ones are refused for."""

from __future__ import annotations

import contextlib
import gzip
import json
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import AirgapError, ContentError, ContentMissing, NotFound, UsageError
from airgap.oci import Descriptor, Reference
from airgap.oci import manifest as manifests
from airgap.store import fetch
from airgap.store.local import tar_index
from airgap.store.local.base import LocalImages
from airgap.store.local.locations import open_images
from airgap.store.local.tar_index import TarIndex
from tests.parts.archives import LAYERS, archive, docker_members, layout, write_tar
from tests.parts.images import Images, tar_of

WEB = "docker.io/library/web:1"
#: A name that ustar splits, and that GNU and pax write into a member of its own.
LONG = f"{'a' * 90}/{'b' * 90}"


def everything(images: LocalImages, name: str) -> list[bytes]:
    """Manifest, config and layers, each verified by its digest."""
    descriptor = images.resolve(name)
    content = fetch(images, descriptor, limit=1 << 20)
    manifest = manifests.parse(content, descriptor.media_type)
    return [content, *(fetch(images, blob, limit=1 << 20) for blob in manifest.blobs)]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_docker_archive_gets_one_and_the_same_manifest(tmp_path: Path, form: int) -> None:
    names = [f"{'x' * 120}/{number}/layer.tar" for number in range(2)] if form != tarfile.USTAR_FORMAT else None
    path = write_tar(tmp_path / "a.tar", docker_members(LAYERS, ["web:1", "quay.io/e/web:2"], names), form=form)
    images = open_images(f"docker-archive:{path}")
    assert sorted(images.named) == [WEB, "quay.io/e/web:2"]
    content, _config, *layers = everything(images, WEB)
    assert layers == LAYERS
    other = write_tar(tmp_path / "b.tar", docker_members(LAYERS, ["other:1"]))
    assert everything(open_images(f"docker-archive:{other}"), "docker.io/library/other:1")[0] == content
    assert [layer["mediaType"] for layer in json.loads(content)["layers"]] == [
        "application/vnd.oci.image.layer.v1.tar"
    ] * 2
    assert not images.keeps_digests
    assert images.find(Reference.parse("web:3")) is None
    assert images.find(Reference.parse(f"web@sha256:{'0' * 64}")) is None
    with pytest.raises(NotFound):
        images.resolve("docker.io/library/web:3")
    with pytest.raises(ContentMissing):
        images.open(Descriptor("", f"sha256:{'0' * 64}", 1))


def test_layers_may_be_compressed_or_links(tmp_path: Path) -> None:
    packed = gzip.compress(LAYERS[0])
    path = write_tar(tmp_path / "a.tar", docker_members([packed, LAYERS[1]], ["web:1"]))
    assert everything(open_images(f"docker-archive:{path}"), WEB)[2:] == [packed, LAYERS[1]]
    members = docker_members(LAYERS, ["web:1"])
    members["real/one.tar"], members["two.tar"] = members.pop("0/layer.tar"), members.pop("1/layer.tar")
    links = [("0/layer.tar", tarfile.SYMTYPE, "../real/one.tar"), ("1/layer.tar", tarfile.LNKTYPE, "two.tar")]
    path = write_tar(tmp_path / "b.tar", members, links=links)
    assert everything(open_images(f"docker-archive:{path}"), WEB)[2:] == LAYERS


def test_images_share_configs_and_layers(tmp_path: Path) -> None:
    packed = gzip.compress(LAYERS[0])
    members = docker_members([packed, LAYERS[1]], ["web:1"])
    (entry,) = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps([entry, {**entry, "RepoTags": ["other:1"]}]).encode()
    images = open_images(f"docker-archive:{write_tar(tmp_path / 'a.tar', members)}")
    assert everything(images, WEB) == everything(images, "docker.io/library/other:1")
    assert everything(images, WEB)[2:] == [packed, LAYERS[1]]


def test_an_image_without_a_name_gets_one_in_the_location(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", docker_members(LAYERS, None))
    assert not open_images(f"docker-archive:{path}").named
    assert list(open_images(f"docker-archive:{path}:web:1").named) == [WEB]
    path = write_tar(tmp_path / "b.tar", docker_members(LAYERS, ["web:1", "web:2"]))
    assert list(open_images(f"docker-archive:{path}:web:2").named) == ["docker.io/library/web:2"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"manifest.json": b"{}"}, "manifest.json is no list"),
        ({"manifest.json": b"[{}]"}, "an image without Config"),
        ({"manifest.json": b"[1]"}, "no list RepoTags"),
        ({"manifest.json": b'[{"Config": "c", "Layers": "x"}]', "c": b"{}"}, "no list Layers"),
        ({"manifest.json": b'[{"Config": "c", "Layers": ["x"]}]', "c": b"{}"}, "lists no layers"),
        ({"manifest.json": b"[" * 100_000}, "manifest.json is no JSON"),
        ({"manifest.json": b'[{"Config": "gone.json", "Layers": []}]'}, "has no gone.json"),
        ({"manifest.json": b"[]" + b" " * (9 << 20)}, "at most"),
        ({"0/layer.tar": None}, "lacks the layer 0/layer.tar"),
    ],
)
def test_damaged_docker_archives(tmp_path: Path, change: dict[str, bytes | None], said: str) -> None:
    members = {**docker_members(LAYERS, ["web:1"]), **change}
    kept = {name: content for name, content in members.items() if content is not None}
    path = write_tar(tmp_path / "a.tar", kept)
    with pytest.raises(AirgapError, match=said) as caught:
        open_images(f"docker-archive:{path}")
    assert caught.value.where == str(path)


def test_a_layer_that_is_not_the_configs_is_found_when_it_is_read(tmp_path: Path) -> None:
    members = docker_members(LAYERS, ["web:1"])
    members["0/layer.tar"] = tar_of({"a": b"other"})
    images = open_images(f"docker-archive:{write_tar(tmp_path / 'a.tar', members)}")
    with pytest.raises(ContentError):
        everything(images, WEB)


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_layouts_keep_their_digests(tmp_path: Path, kind: str) -> None:
    made = Images(1)
    index, single = made.two_platforms(), made.image()
    folder = layout(tmp_path, {"quay.io/e/x:1": index, "web:1": single, "latest": made.image()}, made)
    path = folder if kind == "oci" else archive(folder)
    images = open_images(f"{kind}:{path}")
    assert {name: entry.digest for name, entry in images.named.items()} == {
        "quay.io/e/x:1": index.digest,
        WEB: single.digest,
    }  # "latest" is a tag alone, and names no image
    assert images.keeps_digests
    assert everything(images, WEB)[0] == made.content[single.digest]
    pinned = f"other.example/y@{index.digest}"
    assert images.find(Reference.parse(pinned)) == index.digest
    assert images.find(Reference.parse("web:1"), index.digest) == index.digest
    assert images.find(Reference.parse("web:2")) is None
    assert list(open_images(f"{kind}:{path}:quay.io/e/x:1").named) == ["quay.io/e/x:1"]
    with pytest.raises(UsageError, match="no image z:1"):
        open_images(f"{kind}:{path}:z:1")
    manifest = manifests.parse(made.content[index.digest], index.media_type)
    assert list(images.held_platforms(manifest)) == []
    images.close()


def test_the_platforms_that_are_there_as_a_whole(tmp_path: Path) -> None:
    made = Images(1)
    index = made.two_platforms()
    folder = layout(tmp_path, {"quay.io/e/x:1": index}, made)
    manifest = manifests.parse(made.content[index.digest], index.media_type)
    arm = manifests.parse(made.content[manifest.children[1].digest])
    (folder / "blobs/sha256" / arm.layers[-1].digest.partition(":")[2]).unlink()
    images = open_images(f"oci:{folder}")
    assert [str(platform) for platform in images.held_platforms(manifest)] == ["linux/amd64"]


def test_a_layout_with_one_nameless_image(tmp_path: Path) -> None:
    made = Images(1)
    image = made.image()
    folder = layout(tmp_path, {"latest": image}, made)
    assert not open_images(f"oci:{folder}").named
    assert list(open_images(f"oci:{folder}:web:1").named) == [WEB]


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("x.tar", "is no place with images"),
        ("docker://nginx", "is no place with images"),
        ("oci-archive:", "is no place with images"),
        ("oci-archive:gone.tar", "cannot be read"),
        ("oci:gone", "no OCI image layout"),
        ("docker-archive:folder", "cannot read it"),
    ],
)
def test_places_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AirgapError, match=said):
        open_images(location)


def test_each_archive_names_the_other_transport(tmp_path: Path) -> None:
    made = Images(1)
    oci = archive(layout(tmp_path, {"quay.io/e/x:1": made.image()}, made))
    with pytest.raises(ContentError) as caught:
        open_images(f"docker-archive:{oci}")
    assert "oci-archive:" in str(caught.value.hint)
    docker = write_tar(tmp_path / "d.tar", docker_members(LAYERS, ["web:1"]))
    with pytest.raises(ContentError) as caught:
        open_images(f"oci-archive:{docker}")
    assert "docker-archive:" in str(caught.value.hint)


def test_a_compressed_archive_is_named_with_what_unpacks_it(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(write_tar(tmp_path / "a.tar", {"x": b"y"}).read_bytes()))
    with pytest.raises(ContentError, match="is compressed") as caught:
        TarIndex(str(path))
    assert caught.value.hint == f"unpack it first: gunzip --keep {path}"


# Hostile tars


def test_links_in_a_circle_lead_to_no_file(tmp_path: Path) -> None:
    links = [("a", tarfile.SYMTYPE, "b"), ("b", tarfile.SYMTYPE, "a"), ("out", tarfile.SYMTYPE, "/etc/passwd")]
    with TarIndex(str(write_tar(tmp_path / "a.tar", {"x": b"y"}, links=links))) as index:
        assert index.size("a") is None
        assert index.size("out") is None
        assert index.read("./x", 1) == b"y"


def test_a_tar_that_is_cut_short_or_none(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", {"x": b"y" * 2000}).read_bytes()
    for content, said in ((whole[:1500], "cut short"), (b"x" * 2000, "is no tar"), (b"\x01" + whole[1:], "is no tar")):
        (tmp_path / "b.tar").write_bytes(content)
        with pytest.raises(ContentError, match=said):
            TarIndex(str(tmp_path / "b.tar"))


@pytest.mark.parametrize("size", ["9" * 5000, "²", "-1", "9" * 18])
def test_sizes_that_are_no_numbers(tmp_path: Path, size: str) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, pax_headers={}) as tar:
        info = tarfile.TarInfo("x")
        info.pax_headers = {"size": size}
        tar.addfile(info)
    with contextlib.suppress(ContentError), TarIndex(str(path)) as index:
        assert index.size("x") == 0


@given(st.data())
def test_a_damaged_tar_gives_an_error_or_files_of_its_own(data: st.DataObject) -> None:
    """Whatever bytes are changed: no other error, and no byte from outside of the file."""
    with tempfile.TemporaryDirectory() as folder:
        form = data.draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
        links = [("l", tarfile.SYMTYPE, "x"), ("m", tarfile.LNKTYPE, "x")]
        path = write_tar(Path(folder) / "a.tar", {LONG: b"y" * 700, "x": b"z"}, form=form, links=links)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
        with contextlib.suppress(AirgapError), TarIndex(str(path)) as index:
            for name in ("x", "l", "m", LONG):
                if (size := index.size(name)) is not None:
                    assert len(index.read(name, size)) == size


@given(st.recursive(st.none() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["Config", "RepoTags", "Layers", "manifests", "digest", "size", "mediaType"]), inner)))  # fmt: skip
def test_any_json_in_an_archive_gives_an_error_or_images(document: object) -> None:
    content = json.dumps(document).encode()
    with tempfile.TemporaryDirectory() as folder:
        members = {"manifest.json": content, "index.json": content, "oci-layout": b"{}"}
        path = write_tar(Path(folder) / "a.tar", members)
        for transport in ("docker-archive", "oci-archive"):
            with contextlib.suppress(AirgapError):
                open_images(f"{transport}:{path}").close()


def test_too_many_members_and_too_long_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "a.tar", {"x": b"", "y": b"", "z": b""})
    monkeypatch.setattr(tar_index, "MAX_MEMBERS", 2)
    with pytest.raises(ContentError, match="more than 2 files"):
        TarIndex(str(path))
    path = write_tar(tmp_path / "b.tar", {"x" * 70_000: b""}, form=tarfile.PAX_FORMAT)
    with pytest.raises(ContentError, match="an extended header of"):
        TarIndex(str(path))
