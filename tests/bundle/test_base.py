# SPDX-License-Identifier: Apache-2.0
"""What a base says is held, and what is refused as one."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from airgap.bundle import (
    BundleIdentity,
    Extras,
    Inventory,
    Lockfile,
    Receipt,
    ReceiptImage,
    open_bundle,
    read_base,
    read_document,
)
from airgap.bundle.layout_builder import build_layout
from airgap.bundle.required_layers import RequiredLayer
from airgap.errors import AirgapError, BundleError
from airgap.oci import digest as digests
from airgap.oci.manifest import is_manifest_type
from tests.bundle.bundles import Content, usual
from tests.parts.images import Images

DIGESTS = [digests.of(bytes([number])) for number in range(4)]
ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "b.tar"
    usual().write(path, Extras(name="platform", version="1.9"))
    return path


def extracted(bundle: Path) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes())) as tar:
        content = tar.extractfile("airgap/bundle.json")
        assert content is not None
        return content.read()


def test_a_bundle_and_its_bundle_json_say_the_same(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(extracted(bundle))
    whole, head = read_base(bundle), read_base(tmp_path / "b.json")
    with open_bundle(bundle) as reader:
        assert whole.id == head.id == reader.id
        assert whole.bundles == {reader.id: BundleIdentity(reader.id, "platform", "1.9")}
        expected = {b.digest: b.size for b in reader.inventory.blobs if not is_manifest_type(b.media_type)}
    assert whole.blobs == head.blobs
    assert {digest: blob.size for digest, blob in whole.blobs.items()} == expected
    assert {blob.origin for blob in whole.blobs.values()} == {whole.id}


def test_each_layer_is_in_the_repositories_of_its_images(bundle: Path) -> None:
    content = usual()
    held = read_base(bundle).blobs
    for digest, found in held.items():
        users = {
            name.partition("@")[0].rpartition(":")[0] if ":" in name.partition("@")[0].rpartition("/")[2]
            else name.partition("@")[0]
            for name, root in content.names.items()
            if digest in {needed.digest for needed in content.images.needed(root)}
        }  # fmt: skip
        assert found.repositories == tuple(sorted(users))


def test_a_bundle_that_does_not_say_what_its_images_use(bundle: Path, tmp_path: Path) -> None:
    """Every repository of it may have the layer."""
    document = json.loads(extracted(bundle))
    inventory = Inventory.from_bytes(json.dumps({**document, "uses": {}}).encode(), where="x")
    (tmp_path / "b.json").write_bytes(inventory.to_bytes())
    every = tuple(sorted({image.reference.name for image in inventory.images}))
    assert {blob.repositories for blob in read_base(tmp_path / "b.json").blobs.values()} == {every}


def test_what_a_base_required_counts_as_held(tmp_path: Path) -> None:
    images = Images(3)
    left, carried = images.layer(), images.layer()
    content = Content(images, {"quay.io/a/x:2": images.image(layers=[left, carried])})
    planned, _ = content.planned()
    del planned.blobs[left.descriptor.digest]
    required = RequiredLayer(left.descriptor.digest, left.descriptor.size, ("quay.io/a/old",), ONE)
    inventory, _ = build_layout(planned, Extras(), [required], [BundleIdentity(ONE, "platform", "1.8")])
    again = Inventory.from_bytes(inventory.to_bytes(), where="x")
    assert (again.requires, again.bases, again.uses) == (inventory.requires, inventory.bases, inventory.uses)
    assert again.incomplete == {inventory.images[0].descriptor.digest}
    (tmp_path / "b.json").write_bytes(inventory.to_bytes())
    base = read_base(tmp_path / "b.json")
    assert base.blobs[left.descriptor.digest].origin == ONE
    assert base.blobs[left.descriptor.digest].repositories == ("quay.io/a/old", "quay.io/a/x")
    assert base.blobs[carried.descriptor.digest].origin == base.id
    assert base.bundles[ONE].version == "1.8"


def receipt() -> Receipt:
    return Receipt(
        "10.0.0.1:5000/p",
        TWO,
        (
            ReceiptImage("quay.io/a/x:1", "10.0.0.1:5000/p/x:1", DIGESTS[0]),
            ReceiptImage("", "t.example/y:1", DIGESTS[1]),
        ),
        {DIGESTS[2]: ("p/x", "p/y"), DIGESTS[3]: ("p/x",)},
        {DIGESTS[3]: ONE},
        (BundleIdentity(ONE, "platform"),),
    )


def test_a_receipt(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(receipt().to_bytes())
    document = read_document(path)
    assert document.content == receipt()
    base = read_base(path)
    assert base.id == digests.encoded(digests.of(path.read_bytes()))
    assert base.blobs[DIGESTS[2]].repositories == ("10.0.0.1:5000/p/x", "10.0.0.1:5000/p/y")
    assert {digest: blob.origin for digest, blob in base.blobs.items()} == {DIGESTS[2]: TWO, DIGESTS[3]: ONE}
    assert base.blobs[DIGESTS[2]].size is None


def test_a_lock_is_a_document_and_no_base(tmp_path: Path) -> None:
    path = tmp_path / "airgap.lock"
    lock = Lockfile(base=ONE)
    path.write_bytes(lock.to_bytes())
    assert read_document(path).content == lock
    with pytest.raises(AirgapError, match="a lock does not say") as caught:
        read_base(path)
    assert caught.value.exit_code == 2


def spoilt(**more: object) -> bytes:
    return json.dumps({**json.loads(receipt().to_bytes()), **more}).encode()


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"{}", 40, "neither a bundle.json, nor"),
        (b"{", 40, "neither a bundle nor"),
        (b"[]", 40, ""),
        (b"", 40, ""),
        (b"no bundle at all", 40, ""),
        (b"{" * 100_000, 40, "neither a bundle nor"),
        (spoilt(format=2), 41, "format 2"),
        (spoilt(bundle="sha256:1"), 40, "no ID"),
        (spoilt(blobs={"sha256:0": []}), 40, "unreadable"),
        (spoilt(blobs={DIGESTS[0]: ["../x"]}), 40, "no repository"),
        (spoilt(images=[{"source": None, "target": "", "digest": DIGESTS[0]}]), 40, "unreadable"),
        (spoilt(target="no registry!/x"), 40, "no registry address"),
        (spoilt(**{"from": {DIGESTS[0]: "x"}}), 40, "no ID"),
    ],
)
def test_nonsense(content: bytes, code: int, word: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=word or None) as caught:
        read_base(path)
    assert caught.value.exit_code == code
    assert str(path) in str(caught.value)


def test_a_bundle_json_that_is_not_as_it_was(bundle: Path, tmp_path: Path) -> None:
    content, path = extracted(bundle), tmp_path / "b.json"
    path.write_bytes(content.replace(b'"platform"', b'"pratform"'))
    with pytest.raises(BundleError, match="not as its bundle has it"):
        read_document(path)
    # Another program has put it into lines: good enough to compare, but its ID is gone.
    path.write_bytes(json.dumps(json.loads(content), indent=1).encode())
    assert isinstance(read_document(path).content, Inventory)
    with pytest.raises(BundleError, match="another program has rewritten"):
        read_base(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for path, says, code in ((tmp_path / "absent", "there is no such file", 2), (tmp_path, "no bundle is in it", 40)):
        with pytest.raises(AirgapError, match=says) as caught:
            read_base(path)
        assert caught.value.exit_code == code
