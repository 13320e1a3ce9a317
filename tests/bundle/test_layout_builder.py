# SPDX-License-Identifier: Apache-2.0
"""The exact form: every byte of the file is known beforehand, and other readers of tar agree on it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airgap.bundle import Extras, Resource, build_layout, open_bundle
from airgap.bundle.tar import BLOCK, header, lay_out, padded_size, read_member
from airgap.errors import ResourceError
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from tests.bundle.bundles import INVENTORY, Content, check, extras, members_of, shuffled, usual
from tests.parts.images import Images
from tests.parts.need import need

GIB = 1024**3
NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("form") / "b.tar"
    usual().write(path, extras())
    return path


def document(bundle: Path, name: str) -> Any:
    with tarfile.open(bundle) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return json.load(file)


def test_the_order_of_members(bundle: Path) -> None:
    content = usual()
    with tarfile.open(bundle) as tar:
        names = [member.name + "/" * member.isdir() for member in tar]
    blobs = names.index("blobs/sha256/")
    assert names[: blobs + 1] == [
        *("oci-layout", "index.json", "manifest.json", "airgap/", INVENTORY, "airgap/resources/"),
        *("airgap/resources/0001.yaml", "airgap/resources/0002.yaml", "airgap/notes", "airgap/airgap.pyz"),
        *("blobs/", "blobs/sha256/"),
    ]
    digests_ = [f"sha256:{name.rpartition('/')[2]}" for name in names[blobs + 1 :]]
    assert sorted(digests_) == sorted(
        {one.digest for root in content.names.values() for one in content.images.needed(root)}
    )
    types = [content.images.descriptors[digest].media_type for digest in digests_]
    kinds = [
        0 if manifests.is_manifest_type(kind) else 1 if "config" in kind or "image.v1+json" in kind else 2
        for kind in types
    ]
    empty = types.index(manifests.OCI_EMPTY)
    kinds[empty] = 1
    assert kinds == sorted(kinds)
    sizes = [content.images.descriptors[digest].size for digest, kind in zip(digests_, kinds, strict=True) if kind == 2]
    assert sizes == sorted(sizes, reverse=True)


def test_every_header_field(bundle: Path) -> None:
    raw = bundle.read_bytes()
    with tarfile.open(bundle) as tar:
        for member in tar:
            block = raw[member.offset : member.offset + BLOCK]
            assert block[257:265] == b"ustar\x0000"
            assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "", "", 0)
            assert member.mode == (0o755 if member.isdir() else 0o644)
            assert block[156:157] == (b"5" if member.isdir() else b"0")
            assert member.offset_data - member.offset == BLOCK
            padding = raw[member.offset_data + member.size : member.offset_data + padded_size(member.size)]
            assert not any(padding)
            whole = bytearray(block)
            whole[148:156] = b" " * 8
            assert block[148:156] == b"%06o\0 " % sum(whole)


def test_the_same_bytes_as_tarfile_writes(bundle: Path) -> None:
    """Header by header what Python's own USTAR writer makes of the same fields; device numbers mean nothing here."""
    for part in members_of(bundle.read_bytes()):
        expected = tarfile.TarInfo(part.name)
        expected.size, expected.mode = len(part.content), 0o644
        if part.name.endswith("/"):
            expected.type, expected.mode = tarfile.DIRTYPE, 0o755
        block = expected.tobuf(tarfile.USTAR_FORMAT)
        assert (part.header[:148], part.header[156:329]) == (block[:148], block[156:329])
        assert (part.header[329:345], part.header[345:]) == (b"0000000\0" * 2, bytes(BLOCK - 345))


def test_the_end_and_the_whole_size(bundle: Path) -> None:
    raw = bundle.read_bytes()
    assert len(raw) == sum(len(part.bytes) for part in members_of(raw)) + 2 * BLOCK
    assert raw[-2 * BLOCK :] == bytes(2 * BLOCK)
    planned, _ = usual().planned()
    assert build_layout(planned, extras())[1].total == len(raw)


def test_gnu_tar_unpacks_the_content(bundle: Path, tmp_path: Path) -> None:
    subprocess.run([need("tar"), "-C", tmp_path, "-xf", bundle], check=True)
    for path in (tmp_path / "blobs/sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    program = extras().program
    assert program is not None
    assert (tmp_path / "airgap/airgap.pyz").read_bytes() == program.content
    assert (tmp_path / "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'


def test_the_index_names_everything_in_both_ways(bundle: Path) -> None:
    names = usual().names
    found = document(bundle, "index.json")
    assert found["schemaVersion"] == 2
    assert found["mediaType"] == manifests.OCI_INDEX
    entries = found["manifests"]
    assert isinstance(entries, list)
    by_name = {}
    for entry in entries:
        assert {entry["annotations"][key] for key in NAMES} == {entry["annotations"][NAMES[0]]}
        assert set(entry) == {"mediaType", "digest", "size", "annotations"}
        by_name[entry["annotations"][NAMES[0]]] = entry
    assert len(by_name) == len(entries)
    single, pinned = (
        names["quay.io/a/single:1.0"],
        next(d for n, d in names.items() if n.startswith("quay.io/a/single:1.0@")),
    )
    older = next(d for n, d in names.items() if n.startswith("quay.io/a/known@"))
    assert {name: entry["digest"] for name, entry in by_name.items()} == {
        "quay.io/a/x:v1": names["quay.io/a/x:v1"].digest,
        "docker.io/library/redis:7": names["docker.io/library/redis:7"].digest,
        "ghcr.io/c/chart:0.1": names["ghcr.io/c/chart:0.1"].digest,
        f"quay.io/a/known@{older.digest}": older.digest,
        # The plain reference owns the tag; the pinned one is found by its digest.
        "quay.io/a/single:1.0": single.digest,
        f"quay.io/a/single@{pinned.digest}": pinned.digest,
        # A tag with a digest is found in both ways.
        "10.100.0.102:32415/b/both:2": single.digest,
        f"10.100.0.102:32415/b/both@{single.digest}": single.digest,
    }
    for name, entry in by_name.items():
        described = usual().images.descriptors[entry["digest"]]
        assert (entry["mediaType"], entry["size"]) == (described.media_type, described.size), name


def test_docker_gets_one_platform_of_each_container_image(bundle: Path) -> None:
    content = usual()
    items = document(bundle, "manifest.json")
    assert isinstance(items, list)
    tags = {tag: item for item in items for tag in item["RepoTags"]}
    pinned = next(d for n, d in content.names.items() if n.startswith("quay.io/a/single:1.0@"))
    older = next(d for n, d in content.names.items() if n.startswith("quay.io/a/known@"))
    assert set(tags) == {
        "quay.io/a/x:v1",
        "quay.io/a/single:1.0",
        "docker.io/library/redis:7",
        f"quay.io/a/known:digest-{older.digest[7:19]}",
        f"quay.io/a/single:digest-{pinned.digest[7:19]}",
        "10.100.0.102:32415/b/both:2",
    }
    members = {part.name for part in members_of(bundle.read_bytes())}
    for tag, item in tags.items():
        assert list(item) == ["Config", "RepoTags", "Layers"]
        assert {item["Config"], *item["Layers"]} <= members
        config = json.loads(content.images.content[f"sha256:{item['Config'].rpartition('/')[2]}"])
        assert (config["os"], config["architecture"]) == ("linux", "amd64"), tag
    assert tags["quay.io/a/single:1.0"] is tags["10.100.0.102:32415/b/both:2"]
    assert all(item["RepoTags"] for item in items)


def test_docker_gets_the_first_platform_where_amd64_is_not_there(tmp_path: Path) -> None:
    images = Images(4)
    index = images.index([images.image("linux/s390x"), images.image("linux/arm64")])
    Content(images, {"quay.io/a/x:1": index}).write(tmp_path / "b")
    item = json.loads(next(p.content for p in members_of((tmp_path / "b").read_bytes()) if p.name == "manifest.json"))[
        0
    ]
    assert json.loads(images.content[f"sha256:{item['Config'][13:]}"])["architecture"] == "s390x"


def test_the_inventory(bundle: Path) -> None:
    found, content = document(bundle, INVENTORY), usual()
    raw = bundle.read_bytes()
    assert list(found)[:5] == ["format", "features", "name", "version", "tool"]
    assert (found["format"], found["features"], found["name"], found["version"]) == (1, [], "platform", "1.10")
    assert found["tool"] == "airgap 0.1.0", "the oldest that reads it: later versions write the same bytes"
    assert found["requires"] == []
    images = {image["reference"]: image for image in found["images"]}
    assert set(images) == set(content.names)
    for name, image in images.items():
        root = content.names[name]
        assert (image["digest"], image["mediaType"], image["size"]) == (root.digest, root.media_type, root.size)
        assert image["derivedFrom"] is None
    assert images["quay.io/a/x:v1"]["platforms"] == ["linux/amd64", "linux/arm64"]
    assert images["quay.io/a/single:1.0"]["platforms"] == ["linux/amd64"]
    assert images["ghcr.io/c/chart:0.1"]["platforms"] == []
    parts = {part.name: part for part in members_of(raw)}
    order = [name for name in parts if name.startswith("blobs/sha256/") and not name.endswith("/")]
    blobs = found["blobs"]
    assert isinstance(blobs, list)
    assert [f"blobs/sha256/{blob['digest'][7:]}" for blob in blobs] == order
    assert all(
        blob["form"] == "plain" and blob["size"] == len(parts[name].content)
        for blob, name in zip(blobs, order, strict=True)
    )
    files = [name for name in parts if not name.endswith("/") and name not in order and name != INVENTORY]
    assert found["members"] == {name: digests.of(parts[name].content) for name in files}
    resources = found["resources"]
    assert [(one["name"], one["member"]) for one in resources] == [
        ("deploy/a.yaml", "airgap/resources/0001.yaml"),
        ("한글/b.yaml", "airgap/resources/0002.yaml"),
    ]
    assert "/tmp" not in raw.decode("latin-1")


def test_the_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    """Another folder, another name, references in another order, one worker or many."""
    content, made = usual(), set[bytes]()
    for seed, jobs in ((0, 1), (1, 2), (2, 6)):
        path = tmp_path / f"{seed}" / f"bundle-{seed}.tar"
        path.parent.mkdir()
        usual().write(path, extras(), order=shuffled(content.names, seed), jobs=jobs)
        made.add(path.read_bytes())
    assert len(made) == 1


def test_referrers_cross_without_a_name(tmp_path: Path) -> None:
    images = Images(5)
    root = images.two_platforms()
    signature = images.artifact("application/vnd.example.signature", subject=root)
    content = Content(images, {"quay.io/a/x:v1": root})
    inventory = content.write(tmp_path / "b", referrers={root.digest: [signature]})
    entries = document(tmp_path / "b", "index.json")["manifests"]
    assert isinstance(entries, list)
    assert entries[-1] == {"mediaType": signature.media_type, "digest": signature.digest, "size": signature.size}
    assert [entry["digest"] for entry in entries[:-1]] == [root.digest]
    assert inventory.referrers == {signature.digest: root.digest}
    assert "signature" not in json.dumps(document(tmp_path / "b", "manifest.json"))
    assert check(tmp_path / "b").blobs == len(inventory.blobs)


def test_long_digests_go_by_pax(tmp_path: Path) -> None:
    images = Images(6, algorithm="sha512")
    root = images.image()
    Content(images, {f"quay.io/a/x@{root.digest}": root}).write(tmp_path / "b")
    with tarfile.open(tmp_path / "b") as tar:
        names = tar.getnames()
        blobs = [member for member in tar if member.name.startswith("blobs/sha512/")]
    assert names.index("blobs/sha512") == names.index("blobs/sha256") + 1
    assert {f"sha512:{blob.name.rpartition('/')[2]}" for blob in blobs} == {one.digest for one in images.needed(root)}
    assert all(blob.pax_headers == {"path": blob.name} for blob in blobs)
    listed = subprocess.run([need("tar"), "-tf", tmp_path / "b"], check=True, capture_output=True, text=True).stdout
    assert listed.split()[-len(blobs) :] == [blob.name for blob in blobs]
    check(tmp_path / "b")


@pytest.mark.parametrize("size", [8 * GIB - 1, 8 * GIB, 20 * GIB + 5, (1 << 62) - 1])
def test_large_sizes_in_one_block(size: int) -> None:
    block = header("blobs/sha256/" + "a" * 64, size)
    assert len(block) == BLOCK
    assert block[124:136] == (b"%011o\0" % size if size < 8 * GIB else b"\x80" + size.to_bytes(11, "big"))
    assert block[257:265] == b"ustar\x0000"
    assert tarfile.TarInfo.frombuf(block, "utf-8", "strict").size == size


def test_places_behind_a_large_blob(tmp_path: Path) -> None:
    """The arithmetic alone, and GNU tar's and Python's over a sparse file of that form."""
    blobs = [Descriptor("x", digests.of(bytes([number])), size) for number, size in enumerate((9 * GIB + 1, 0, 513))]
    layout = lay_out([("oci-layout", b"{}")], blobs)
    places = [layout.places[blob.digest] for blob in blobs]
    assert places[1].header_offset == places[0].content_offset + 9 * GIB + 512
    assert places[2].header_offset == places[1].header_offset + BLOCK
    assert layout.total == places[2].content_offset + 1024 + 1024
    with (tmp_path / "b").open("wb") as file:
        for member, content in layout.head:
            file.seek(member.header_offset)
            file.write(header(member.name, member.size, directory=member.directory) + content)
        for place in places:
            file.seek(place.header_offset)
            file.write(header(place.name, place.size))
        file.truncate(layout.total)
        with tarfile.open(tmp_path / "b") as tar:
            found = [(member.name, member.size, member.offset_data) for member in tar if member.isfile()][1:]
        assert found == [(place.name, place.size, place.content_offset) for place in places]
        listed = subprocess.run(
            [need("tar"), "-tvf", tmp_path / "b"], check=True, capture_output=True, text=True
        ).stdout
    assert [int(line.split()[2]) for line in listed.splitlines()[-3:]] == [place.size for place in places]


def test_our_reader_agrees_with_tarfile(bundle: Path) -> None:
    with bundle.open("rb") as file, tarfile.open(bundle) as tar:
        offset, size, pread = 0, bundle.stat().st_size, partial(os.pread, file.fileno())
        for expected in tar:
            found = read_member(pread, offset, size)
            assert found is not None
            assert (found.name.rstrip("/"), found.size) == (expected.name, expected.size)
            assert (found.header_offset, found.content_offset) == (expected.offset, expected.offset_data)
            assert found.directory == expected.isdir()
            offset = found.end
        assert read_member(pread, offset, size) is None


@pytest.mark.parametrize("name", ["../x.yaml", "/etc/x.yaml", "a\\b.yaml", "a//b.yaml", "", "\udcff.yaml"])
def test_a_file_name_that_no_reader_takes_is_refused_before_anything_is_written(name: str) -> None:
    planned, _ = usual().planned()
    with pytest.raises(ResourceError) as caught:
        build_layout(planned, Extras([Resource(name, b"")]))
    assert repr(name) in str(caught.value)
    assert "--no-resources" in (caught.value.hint or "")


def test_a_manifest_that_is_also_a_layer_lies_there_once(tmp_path: Path) -> None:
    images = Images(11)
    inner = images.image()
    carrier = images.artifact(content=images.content[inner.digest])
    content = Content(images, {"quay.io/a/inner:1": inner, "quay.io/a/carrier:1": carrier})
    inventory = content.write(tmp_path / "b")
    assert [blob.digest for blob in inventory.blobs].count(inner.digest) == 1
    check(tmp_path / "b")


@pytest.mark.parametrize("attested", [True, False])
def test_one_platform_is_the_original_child(tmp_path: Path, attested: bool) -> None:
    images = Images(9)
    index = images.two_platforms(attested=attested)
    inventory = Content(images, {"quay.io/a/x:v1": index}).write(tmp_path / "b", platforms=["linux/arm64"])
    child = next(one for one in images.needed(index) if str(one.platform) == "linux/arm64")
    (image,) = inventory.images
    assert (image.descriptor.digest, image.derived_from) == (child.digest, index.digest)
    assert [str(platform) for platform in image.platforms] == ["linux/arm64"]
    assert {blob.digest for blob in inventory.blobs} == {one.digest for one in images.needed(child)}
    with open_bundle(tmp_path / "b") as reader:
        assert reader.resolve("quay.io/a/x:v1").digest == child.digest
        assert reader.manifest("quay.io/a/x:v1").content == images.content[child.digest]


def test_several_platforms_are_a_new_index_of_fixed_bytes(tmp_path: Path) -> None:
    images = Images(10)
    children = [images.image(platform) for platform in ("linux/s390x", "linux/arm64", "linux/amd64")]
    index = images.index([*children, *(images.attestation(child) for child in children)])
    content = Content(images, {"quay.io/a/x:v1": index})
    wanted = ["linux/amd64", "linux/s390x"]
    inventory = content.write(tmp_path / "b", platforms=wanted)
    (image,) = inventory.images
    assert image.derived_from == index.digest
    with open_bundle(tmp_path / "b") as reader:
        found = reader.manifest("quay.io/a/x:v1")
    original = json.loads(images.content[index.digest])
    kept = [original["manifests"][number] for number in (0, 2, 3, 5)]
    expected = json.dumps({**original, "manifests": kept}, sort_keys=True, separators=(",", ":")).encode()
    assert found.content == expected
    assert found.descriptor.media_type == manifests.OCI_INDEX
    content.write(tmp_path / "again", platforms=wanted[::-1])
    assert (tmp_path / "again").read_bytes() == (tmp_path / "b").read_bytes()
    check(tmp_path / "b")


def test_every_platform_chosen_is_the_index_itself(tmp_path: Path) -> None:
    images = Images(12)
    index = images.two_platforms()
    content = Content(images, {"quay.io/a/x:v1": index})
    inventory = content.write(tmp_path / "b", platforms=["linux/arm64", "linux/amd64"])
    assert (inventory.images[0].descriptor.digest, inventory.images[0].derived_from) == (index.digest, "")


def test_a_layer_that_stays_behind_is_not_offered_to_docker(tmp_path: Path) -> None:
    """A foreign layer that the registry does not hold: the image crosses without it, but docker load would stop."""
    images = Images(13)
    foreign = images.layer(media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    whole, part = images.image(), images.image(layers=[foreign, images.layer()])
    content = Content(images, {"quay.io/a/whole:1": whole, "quay.io/a/part:1": part})
    planned, sources = content.planned()
    sources["source"].delete(foreign.descriptor.digest)
    planned.blobs.pop(foreign.descriptor.digest)
    inventory, layout = build_layout(planned)
    assert foreign.descriptor.digest not in layout.places
    items = json.loads(next(content for member, content in layout.head if member.name == "manifest.json"))
    assert [item["RepoTags"] for item in items] == [["quay.io/a/whole:1"]]
    assert len(inventory.images) == 2


def test_tarfile_streams_it_too(bundle: Path) -> None:
    """A pipe into tar, as ``ctr image import -`` reads it."""
    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes()), mode="r|") as tar:
        assert len(tar.getnames()) == len(members_of(bundle.read_bytes()))
