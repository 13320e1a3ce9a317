# SPDX-License-Identifier: Apache-2.0
"""Reading: a source like any other, straight from the tar, at any offset."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle import BundleReader, Extras, Inventory, Resource, open_bundle
from airgap.bundle.tar import END, header
from airgap.errors import BundleError, ContentMissing, DigestMismatch, NotFound
from airgap.oci import Descriptor, Platform
from airgap.oci import manifest as manifests
from airgap.records import replace
from airgap.store import FileRange, Source, SupportsNames
from tests.bundle.bundles import YAML, Content, TarMember, check, extras, flipped, usual
from tests.parts.images import Images
from tests.suites.store_suite import Fill, SourceSuite, read_all


class ByTag:
    """A bundle's names are full references; the suite's are tags of one repository."""

    def __init__(self, bundle: BundleReader) -> None:
        self._bundle = bundle
        self.exists, self.open = bundle.exists, bundle.open

    def resolve(self, name: str) -> Descriptor:
        return self._bundle.resolve(name if ":" in name else f"quay.io/suite/x:{name}")


class TestReading(SourceSuite):
    @pytest.fixture
    def fill(self, tmp_path: Path) -> Fill:
        def filled(images: Images, names: Mapping[str, Descriptor]) -> Source:
            content = Content(images, {f"quay.io/suite/x:{name}": root for name, root in names.items()})
            content.write(tmp_path / "b.tar")
            return ByTag(open_bundle(tmp_path / "b.tar"))

        return filled


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reader") / "b.tar"
    usual().write(made, extras())
    return made


@pytest.fixture(scope="module")
def content() -> Content:
    return usual()


def test_it_is_a_listing_source_of_file_ranges(path: Path, content: Content) -> None:
    with open_bundle(path) as reader:
        assert isinstance(reader, SupportsNames)
        root = content.names["quay.io/a/x:v1"]
        assert reader.names()["quay.io/a/x:v1"] == root
        opened = reader.open(root, 3)
        assert isinstance(opened, FileRange)
        assert os.pread(opened.fd, opened.length, opened.offset) == content.images.content[root.digest][3:]


@given(st.data())
def test_any_blob_at_any_offset(path: Path, content: Content, data: st.DataObject) -> None:
    with open_bundle(path) as reader:
        blob = data.draw(st.sampled_from(reader.inventory.blobs))
        offset = data.draw(st.integers(0, blob.size))
        step = data.draw(st.integers(1, 5000))
        assert read_all(reader.open(blob, offset), step) == content.images.content[blob.digest][offset:]


def test_every_blob_at_once(path: Path, content: Content) -> None:
    with open_bundle(path) as reader, ThreadPoolExecutor(6) as pool:
        found = pool.map(lambda blob: read_all(reader.open(blob)), reader.inventory.blobs)
        for blob, whole in zip(reader.inventory.blobs, found, strict=True):
            assert whole == content.images.content[blob.digest]


def test_manifests_by_name_and_digest(path: Path, content: Content) -> None:
    with open_bundle(path) as reader:
        root = content.names["docker.io/library/redis:7"]
        for name in ("docker.io/library/redis:7", root.digest):
            assert reader.manifest(name).content == content.images.content[root.digest]
            assert reader.manifest(name).descriptor.media_type == root.media_type
        for name in ("docker.io/library/redis:8", "redis:7", "sha256:" + "0" * 64):
            with pytest.raises(NotFound, match="is not in this bundle"):
                reader.manifest(name)


def test_another_size_is_another_blob(path: Path, content: Content) -> None:
    blob = content.names["quay.io/a/x:v1"]
    with open_bundle(path) as reader:
        assert reader.exists(blob)
        assert not reader.exists(Descriptor(blob.media_type, blob.digest, blob.size + 1))


def test_resource_files(path: Path) -> None:
    with open_bundle(path) as reader:
        assert [(one.name, reader.member(one.member)) for one in reader.inventory.resources] == [
            ("deploy/a.yaml", YAML),
            ("한글/b.yaml", YAML * 20),
        ]
        with pytest.raises(BundleError, match=r"airgap/bundle\.json is not in its inventory"):
            reader.member("airgap/bundle.json")


def test_the_inventory_comes_back_as_it_was(tmp_path: Path) -> None:
    made = usual().write(tmp_path / "b.tar", extras())
    with open_bundle(tmp_path / "b.tar") as reader:
        assert reader.inventory == made
        assert reader.size == (tmp_path / "b.tar").stat().st_size
        assert reader.id == hashlib.sha256(made.to_bytes()).hexdigest()
    assert Inventory.from_bytes(made.to_bytes(), where="x") == made


def test_opening_reads_the_head_alone(tmp_path: Path) -> None:
    """A damaged layer stops nobody from looking at the inventory or from taking what is whole."""
    images = Images(3)
    good, bad = images.image(), images.image(layers=1, size=100_000)
    Content(images, {"quay.io/a/good:1": good, "quay.io/a/bad:1": bad}).write(tmp_path / "b.tar")
    raw = (tmp_path / "b.tar").read_bytes()
    layer = max(images.needed(bad), key=lambda one: one.size)
    (tmp_path / "b.tar").write_bytes(flipped(raw, raw.index(images.content[layer.digest]) + 50_000))
    with open_bundle(tmp_path / "b.tar") as reader:
        for one in images.needed(good):
            reader.check_blob(one)
        with pytest.raises(DigestMismatch, match=layer.digest):
            reader.check_blob(layer)


def test_closing_twice(path: Path) -> None:
    reader = open_bundle(path)
    reader.close()
    reader.close()


def test_a_bundle_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    usual().write(tmp_path / "b.tar")
    with open_bundle(tmp_path / "b.tar") as reader:
        blob = reader.inventory.blobs[-1]
        opened = reader.open(blob)
        os.truncate(tmp_path / "b.tar", 5000)
        with pytest.raises(BundleError, match="cut short"):
            read_all(opened)
        with pytest.raises(BundleError, match="is damaged"):
            reader.open(blob)


def test_a_medium_that_cannot_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scratched disc answers EIO: said as what it is, by whatever way it is read."""

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with open_bundle(path) as reader:
        blob = reader.inventory.blobs[-1]
        with monkeypatch.context() as patch:
            patch.setattr(os, "preadv", fail)
            with pytest.raises(BundleError, match="Input/output error") as caught:
                reader.check_blob(blob)
            assert str(path) in str(caught.value)
            assert "medium is damaged" in (caught.value.hint or "")
        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", fail)
            for read in (lambda: reader.open(blob), lambda: reader.member("index.json"), lambda: open_bundle(path)):
                with pytest.raises(BundleError, match="Input/output error"):
                    read()


def test_what_is_missing_is_missing(path: Path) -> None:
    absent = Descriptor("x", "sha256:" + "1" * 64, 5)
    with open_bundle(path) as reader:
        assert not reader.exists(absent)
        for ask in (reader.open, reader.check_blob):
            with pytest.raises(ContentMissing, match=absent.digest):
                ask(absent)


def test_signatures_behind_the_blobs_move_nothing(tmp_path: Path) -> None:
    """The place that the form keeps for them; a reader that knows no signatures reads past."""
    usual().write(tmp_path / "b.tar")
    raw = (tmp_path / "b.tar").read_bytes()[: -len(END)]
    more = [TarMember("airgap/signatures/", header("airgap/signatures/", 0, directory=True), b"")]
    more.append(TarMember("x", header("airgap/signatures/AB.minisig", 5), b"hello"))
    (tmp_path / "b.tar").write_bytes(raw + b"".join(part.bytes for part in more) + END)
    assert check(tmp_path / "b.tar").blobs > 10
    os.truncate(tmp_path / "b.tar", (tmp_path / "b.tar").stat().st_size - 1)
    with pytest.raises(BundleError, match="cut short: its last block is missing"):
        open_bundle(tmp_path / "b.tar")


def test_no_resources_no_folder_for_them(tmp_path: Path) -> None:
    content = usual()
    content.write(tmp_path / "none.tar")
    content.write(tmp_path / "one.tar", Extras([Resource("a.yaml", b"")]))
    with open_bundle(tmp_path / "none.tar") as none, open_bundle(tmp_path / "one.tar") as one:
        assert none.inventory.resources == ()
        assert one.member("airgap/resources/0001.yaml") == b""
        assert none.inventory.blobs == one.inventory.blobs


def test_half_a_platform_is_no_obstacle(tmp_path: Path) -> None:
    """Configs without an architecture, and os.version in odd words, are seen in the wild; their bundle is readable."""
    images = Images(30)
    layer = images.layer()
    config = images.json(
        {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]}}, manifests.OCI_CONFIG
    )
    document = {"schemaVersion": 2, "config": config.to_json(), "layers": [layer.descriptor.to_json()]}
    half = images.json(document, manifests.OCI_MANIFEST)
    odd = replace(images.image(), platform=Platform("linux", "amd64", "", "five point one"))
    Content(images, {"quay.io/a/half:1": half, "quay.io/a/odd:1": images.index([odd])}).write(tmp_path / "b.tar")
    check(tmp_path / "b.tar")
    with open_bundle(tmp_path / "b.tar") as reader:
        assert [image.platforms for image in reader.inventory.images] == [(), ()]


def test_finishing_reads_a_pipe_to_its_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that writes it would otherwise wait, or end with an error."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(path.read_bytes() + bytes(1024 * 1024))

    # A failing test closes the pipe before it waits for the thread.
    with ThreadPoolExecutor(1) as pool, os.fdopen(reading, "rb") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        written = pool.submit(write)
        with open_bundle("-") as reader:
            assert reader.size == path.stat().st_size
            reader.drain()
        assert os.read(reading, 1) == b""
        written.result()


def test_finishing_notices_a_pipe_that_ended_early(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = path.read_bytes()[: -len(END)]
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    with ThreadPoolExecutor(1) as pool, os.fdopen(reading, "rb") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        pool.submit(write)
        with (
            open_bundle("-") as reader,
            pytest.raises(BundleError, match=f"cut short: it ended after {len(content):,}"),
        ):
            reader.drain()


def test_an_error_names_the_bundle_once(tmp_path: Path) -> None:
    """Also where the place in it is named already."""
    path = tmp_path / "b.tar"
    path.write_bytes(b"no tar" * 1000)
    with pytest.raises(BundleError) as caught:
        open_bundle(path)
    assert str(caught.value).count(str(path)) == 1
