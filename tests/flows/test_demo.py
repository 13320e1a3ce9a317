# SPDX-License-Identifier: Apache-2.0
"""``airgap demo``: the whole journey on loopback, kept in a folder."""

from __future__ import annotations

from airgap.bundle import open_bundle
from tests.cli.command import Airgap


def test_the_demo(airgap: Airgap) -> None:
    airgap.fresh = True
    said = airgap.run("demo", "--output", "kept")
    assert said.stdout.count(b"$ airgap ") == 2
    changed = [(line[0], line[1:].strip()) for line in said.text.splitlines() if line.startswith(("-", "+"))]
    assert ("-", 'image: "quay.io/jetstack/cert-manager-cainjector:v1.14.4"') in changed
    assert ("+", 'image: "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4"') in changed
    assert "kept/" in said.text
    kept = airgap.folder / "kept"
    assert {path.name for path in kept.iterdir()} == {
        "airgap-out",
        "bundle.tar",
        "bundle.tar.receipt.json",
        "cert-manager.yaml",
    }
    assert (kept / "airgap-out/cert-manager.yaml").read_bytes() != (kept / "cert-manager.yaml").read_bytes()
    with open_bundle(kept / "bundle.tar") as opened:
        assert [len(image.platforms) for image in opened.inventory.images] == [2, 2, 2, 2]
    # It can be shown again.
    airgap.run("demo", "--output", "kept")
