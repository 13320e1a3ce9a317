# SPDX-License-Identifier: Apache-2.0
"""Which file is which: white space and a byte order mark before a document, what is missing in one, limits."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from airgap import limits
from airgap.bundle import Extras, Lockfile, Receipt, ReceiptImage, open_bundle, read_document
from airgap.errors import AirgapError, BundleError, UsageError
from airgap.oci import digest as digests
from tests.bundle.bundles import usual

DIGEST = digests.of(b"x")
RECEIPT = Receipt("t.example/p", None, (ReceiptImage("a.example/x:1", "t.example/p/x:1", DIGEST),), {DIGEST: ("p/x",)})
BEFORE = (b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", b" " * 60_000)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("documents") / "b.tar"
    usual().write(path, Extras(name="platform", version="1.9"))
    return path


def bundle_json(bundle: Path) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes())) as tar:
        content = tar.extractfile("airgap/bundle.json")
        assert content is not None
        return content.read()


@pytest.mark.parametrize("before", BEFORE, ids=["nothing", "newline", "white space", "BOM", "BOM, newline", "60 kB"])
def test_what_may_stand_before_a_document(before: bytes, bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    lock = Lockfile(base="1" * 64)
    for kind, content, expected in (("receipt", RECEIPT.to_bytes(), RECEIPT), ("lock", lock.to_bytes(), lock)):
        path.write_bytes(before + content)
        found = read_document(path)
        assert (found.kind, found.content) == (kind, expected)
        assert found.id == digests.encoded(digests.of(before + content))
    path.write_bytes(before + bundle_json(bundle))
    found = read_document(path)
    with open_bundle(bundle) as reader:
        assert (found.kind, found.content, found.id, found.exact) == ("bundle.json", reader.inventory, reader.id, True)
    assert read_document(bundle).kind == "bundle"


def without(*keys: str | int) -> bytes:
    """The receipt without the value at this path."""
    document = json.loads(RECEIPT.to_bytes())
    parent: Any = document
    for key in keys[:-1]:
        parent = parent[key]
    del parent[keys[-1]]
    return json.dumps(document).encode()


def with_(key: str, value: object) -> bytes:
    return json.dumps({**json.loads(RECEIPT.to_bytes()), key: value}).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (without("format"), "it has no 'format'"),
        (without("target"), "it has no 'target'"),
        (without("bundle"), "it has no 'bundle'"),
        (without("images"), "it has no 'images'"),
        (without("blobs"), "it has no 'blobs'"),
        (without("images", 0, "source"), "images[0] has no 'source'"),
        (without("images", 0, "target"), "images[0] has no 'target'"),
        (without("images", 0, "digest"), "images[0] has no 'digest'"),
        (with_("images", {}), "'images' is not a list"),
        (with_("images", [None]), "images[0]: "),
        (with_("blobs", []), "'blobs' is not an object"),
        (with_("blobs", {DIGEST: "p/x"}), f"blobs[{DIGEST}]: not a list"),
        (with_("blobs", {DIGEST: ["../x"]}), f"blobs[{DIGEST}]: "),
        (with_("target", 5), "target: not a text"),
    ],
)
def test_a_receipt_with_a_part_that_is_missing_or_wrong(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        read_document(path)
    assert caught.value.exit_code == 40
    assert str(caught.value).startswith(f"{path}: this receipt is unreadable: {says}")


def test_each_document_cut_anywhere_is_refused(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    for content in (RECEIPT.to_bytes(), Lockfile().to_bytes(), bundle_json(bundle)):
        whole = content.rstrip()
        for keep in {*range(0, len(whole), 1 + len(whole) // 40), len(whole) - 1}:
            path.write_bytes(whole[:keep])
            with pytest.raises(BundleError):
                read_document(path)


@pytest.mark.parametrize(
    "content", [b'{"a":' * 200_000, b'{"a": "\\ud800"}', b'{"a": 1}{', b"{\xff}", b'{"a": NaN', b"\xff\xfe{\0}\0"]
)
def test_json_that_is_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        read_document(path)
    assert str(path) in str(caught.value)


def test_a_document_has_a_largest_size(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    content = RECEIPT.to_bytes()
    path.write_bytes(content)
    with limits.changed({"document-bytes": len(content)}):
        assert read_document(path).content == RECEIPT
        path.write_bytes(content + b" ")
        with pytest.raises(BundleError, match=f"more than {len(content)} bytes"):
            read_document(path)


@pytest.mark.parametrize("error", [BundleError, AirgapError])
def test_the_caller_says_which_error_a_file_is_that_cannot_be_read(error: type[AirgapError], tmp_path: Path) -> None:
    # A file that fails like a bad sector when it is read.
    with pytest.raises(AirgapError, match="cannot be read: Input/output error") as caught:
        read_document("/proc/self/mem", unreadable=error)
    assert type(caught.value) is error
    with pytest.raises(UsageError, match="no such file"):
        read_document(tmp_path / "absent", unreadable=error)


def test_a_volume_that_begins_like_a_document_is_a_bundle(bundle: Path, tmp_path: Path) -> None:
    content = bundle.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        starts = [m.offset_data for m in tar if m.name.startswith("blobs/") and content[m.offset_data] == ord("{")]
    size = starts[0]
    for number in range(-(-len(content) // size)):
        (tmp_path / f"b.tar.{number + 1:03}").write_bytes(content[number * size : (number + 1) * size])
    assert (tmp_path / "b.tar.002").read_bytes()[:1] == b"{"
    for name in ("b.tar.001", "b.tar.002"):
        assert read_document(tmp_path / name).content == read_document(bundle).content
