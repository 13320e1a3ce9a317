# SPDX-License-Identifier: Apache-2.0
"""JSON that strangers made: bundle.json, receipts and locks whose objects would take hundreds of megabytes."""

from __future__ import annotations

import json

import pytest

from airgap import limits
from airgap.bundle import Inventory
from airgap.errors import BundleError
from tests.attacks.files.peak import measured
from tests.cli.command import Airgap

BOMBS = {
    "lists": '{"format":1,"members":[' + ",".join(["[]"] * 2_000_000) + "]}",
    "keys": '{"format":1,"members":{' + ",".join(f'"{number}":1' for number in range(1_000_000)) + "}}",
    "bytes": '{"format":1,"members":{"a":"' + "a" * 30_000_000 + '"}}',
    "depth": '{"format":1,"members":' + "[" * 1_000_000 + "]" * 1_000_000 + "}",
    "escapes": '{"format":1,"members":"' + "[" * 40 + "\\n" * 3_900_000 + '"}',
    "at the limit": '{"format":1,"members":{' + ",".join(f'"{n:08}{"x" * 16}":""' for n in range(262_000)) + "}}",
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("command", [("diff", "bomb.json"), ("rewrite", "a.yaml", "--from")], ids=" ".join)
def test_a_document_is_bounded(airgap: Airgap, name: str, command: tuple[str, ...]) -> None:
    airgap.write("bomb.json", BOMBS[name])
    airgap.write("a.yaml", "image: q.io/a/b:1\n")
    assert measured(airgap, *command, "bomb.json").code == 40


def document(blobs: int) -> bytes:
    entries = [{"digest": f"sha256:{number:064x}", "size": 1, "mediaType": "a/b"} for number in range(blobs)]
    members = {"oci-layout": f"sha256:{0:064x}", "index.json": f"sha256:{0:064x}", "manifest.json": f"sha256:{0:064x}"}
    return json.dumps({"format": 1, "images": [], "blobs": entries, "resources": [], "members": members}).encode()


@pytest.mark.parametrize("name", ["document-bytes", "document-values"])
def test_the_limits_of_a_document(name: str) -> None:
    content = document(20)
    size = len(content) if name == "document-bytes" else content.count(b",") + content.count(b"{") + content.count(b"[")
    with limits.changed({name: size}):
        assert len(Inventory.from_bytes(content, where="x").blobs) == 20
    with limits.changed({name: size - 1}), pytest.raises(BundleError) as caught:
        Inventory.from_bytes(content, where="x")
    assert name in (caught.value.hint or "")


def test_an_inventory_of_real_size_is_read() -> None:
    """5,000 images have some 20,000 blobs."""
    assert len(Inventory.from_bytes(document(20_000), where="x").blobs) == 20_000
