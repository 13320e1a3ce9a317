# SPDX-License-Identifier: Apache-2.0
"""JSON that strangers made: bundle.json, receipts and locks whose objects would take hundreds of megabytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from airgap import limits
from airgap.bundle import Inventory, Receipt, read_document
from airgap.errors import BundleError
from tests.attacks.files.peak import measured
from tests.cli.command import Airgap

#: An entry's number is put in place of this.
NUMBER = "%"
SHA = f"sha256:{'0' * 57}{NUMBER}"
IMAGE = f'"reference":"a.b/x{NUMBER}:1","digest":"{SHA}","mediaType":"a/b","size":1'
RECEIPT = '"format":1,"target":"a","bundle":null,"images":[]'


def filled(begin: str, entry: str, end: str, size: int = 20_000_000) -> Callable[[], str]:
    """A document of about ``size`` bytes, all of it numbered entries."""
    return lambda: begin + ",".join(entry.replace(NUMBER, f"{number:07}") for number in range(size // len(entry))) + end


BOMBS: Mapping[str, Callable[[], str]] = {
    "lists": filled('{"format":1,"members":[', "[]", "]}", 6_000_000),
    "bytes": filled('{"format":1,"members":{"a":"', "a" * 40_000_000, '"}}', 40_000_000),
    "depth": lambda: '{"format":1,"members":' + "[" * 1_000_000 + "]" * 1_000_000 + "}",
    "escapes": lambda: '{"format":1,"members":"' + "[" * 40 + "\\n" * 3_900_000 + '"}',
    # Each character takes four bytes as soon as one of the string is no ASCII.
    "wide": filled('{"members":{},"skipped":[', f'{{"name":"{"a" * 1_000_000}😀","why":""}}', "]}"),
    "escaped": filled('{"members":{},"skipped":[', f'{{"name":"{"a" * 1_000_000}\\ud83d\\ude00","why":""}}', "]}"),
    "platforms": filled(f'{{"members":{{}},"images":[{{{IMAGE},"platforms":[', f'"a/b{NUMBER}"', "]}]}", 1_000_000),
}
#: Those that take a command seconds.
LONG: Mapping[str, Callable[[], str]] = {
    "media types": filled('{"blobs":[', f'{{"digest":"{SHA}","size":1,"mediaType":"{NUMBER}"}}', "]}"),
    "members": filled('{"format":1,"members":{', f'"{NUMBER}{"x" * 16}":""', "}}"),
    "unknown keys": filled('{"members":{},', f'"{NUMBER}":1', "}", 5_000_000),
    "images": filled('{"members":{},"images":[', f"{{{IMAGE}}}", "]}"),
    "uses": filled('{"members":{},"uses":{', f'"{SHA}":[{",".join("0" * 100_000)}]', "}}"),
    "blobs": filled('{"members":{},"blobs":[', f'{{"digest":"{SHA}","size":1}}', "]}", 33_000_000),
    "long digests": filled('{"blobs":[', f'{{"digest":"sha512:{"0" * 121}{NUMBER}","size":1}}', "]}", 33_000_000),
    "repositories": filled(f'{{{RECEIPT},"blobs":{{', f'"{SHA}":["r{NUMBER}"]', "}}"),
    "one repository": filled(f'{{{RECEIPT},"blobs":{{', f'"{SHA}":["r"]', "}}", 33_000_000),
    "lock": filled('{"platforms":[],"images":{', f'"a.b/x{NUMBER}:1":{{"digest":"{SHA}","size":1}}', "}}"),
}


def sha(number: int) -> str:
    return f"sha256:{number:064x}"


@pytest.mark.parametrize("name", BOMBS)
def test_a_document_is_bounded(airgap: Airgap, name: str) -> None:
    airgap.write("bomb.json", BOMBS[name]())
    assert measured(airgap, "diff", "bomb.json", "bomb.json").code == 40


@pytest.mark.long
@pytest.mark.parametrize("name", LONG)
def test_a_document_at_the_limits_is_bounded(airgap: Airgap, name: str) -> None:
    airgap.write("bomb.json", LONG[name]())
    airgap.write("a.yaml", "image: q.io/a/b:1\n")
    for command in (("diff", "bomb.json"), ("rewrite", "a.yaml", "--to", "a.example", "--from")):
        measured(airgap, *command, "bomb.json")


def document(blobs: int, **more: object) -> bytes:
    entries = [{"digest": sha(number), "size": 1, "mediaType": "a/b"} for number in range(blobs)]
    members = {name: sha(0) for name in ("oci-layout", "index.json", "manifest.json")}
    return json.dumps(
        {"format": 1, "images": [], "resources": [], "members": members, "blobs": entries, **more}
    ).encode()


def count(content: bytes) -> int:
    return sum(map(content.count, (b",", b"{", b"[")))


AT: Mapping[str, Callable[[bytes], int]] = {
    "document-bytes": len,
    "document-values": count,
    "document-entry-bytes": lambda _: len(f'{{"digest": "{sha(0)}", "size": 1, "mediaType": "a/b"}}'),
    # Three members of 150 bytes and their characters, 20 blobs of 60, and their one media type.
    "document-memory": lambda content: (
        3 * 150 + sum(len(f'"{name}""{sha(0)}"') for name in ("oci-layout", "index.json", "manifest.json"))
        + 20 * 60 + 150 + 4 * len("a/b") + len("1")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AT)
def test_the_limits_of_a_document(name: str) -> None:
    content = document(20)
    at = AT[name](content)
    with limits.changed({name: at}):
        assert len(Inventory.from_bytes(content, where="x").blobs) == 20
    with limits.changed({name: at - 1}), pytest.raises(BundleError) as caught:
        Inventory.from_bytes(content, where="x")
    assert name in (caught.value.hint or "")


def test_the_limits_of_an_entry() -> None:
    """An entry with as many values as there may be is read; the index of 3 blobs has 2 commas and a bracket."""
    content = document(3, uses={sha(0): [0, 1, 2]})
    with limits.changed({"document-entry-values": 3}):
        assert list(Inventory.from_bytes(content, where="x").uses[sha(0)]) == [0, 1, 2]
    with limits.changed({"document-entry-values": 2}), pytest.raises(BundleError) as caught:
        Inventory.from_bytes(content, where="x")
    assert "document-entry-values" in (caught.value.hint or "")


@pytest.mark.long
def test_documents_of_real_size_are_read(tmp_path: Path) -> None:
    """5,000 images have some 60,000 blobs; twice that is read as well."""
    assert len(Inventory.from_bytes(document(120_000), where="x").blobs) == 120_000
    receipt = Receipt("a.example", None, (), {sha(number): ("some/repository",) for number in range(120_000)})
    (tmp_path / "receipt.json").write_bytes(receipt.to_bytes())
    assert read_document(tmp_path / "receipt.json").content == receipt
