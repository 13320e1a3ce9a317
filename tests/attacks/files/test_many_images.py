# SPDX-License-Identifier: Apache-2.0
"""A bundle of thousands of images: every command that reads it does so in the memory that DESIGN allows.

That is 80 MiB, and 2 KiB for each blob beyond 1,000.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airgap.bundle import Extras, open_bundle, read_document
from airgap.oci import manifest
from tests.attacks.files.peak import measured
from tests.bundle.bundles import Content
from tests.cli.command import Airgap, Registry
from tests.parts.images import Images

BLOBS_OF_EACH = 12
FREE = 80 * 1024 * 1024
FOR_EACH = 2 * 1024


def many(count: int) -> Content:
    """Images of a config, and layers of a few bytes that no other image has."""
    images = Images()
    names = {}
    for number in range(count):
        config = images.json({"os": "linux", "architecture": "amd64", "image": number}, manifest.OCI_CONFIG)
        layers = [
            images.blob(f"{number} {layer}".encode(), "application/vnd.oci.image.layer.v1.tar+gzip")
            for layer in range(BLOBS_OF_EACH - 2)
        ]
        document = {
            "schemaVersion": 2, "mediaType": manifest.OCI_MANIFEST, "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }  # fmt: skip
        names[f"registry.example.com/team/component-{number}:v1.2.3"] = images.json(document, manifest.OCI_MANIFEST)
    return Content(images, names)


@pytest.mark.parametrize(
    "count", [20, pytest.param(5_000, marks=pytest.mark.long), pytest.param(10_000, marks=pytest.mark.long)]
)
def test_many_images(airgap: Airgap, count: int) -> None:
    content = many(count)
    content.write(airgap.folder / "one.tar", Extras(name="p", version="1"))
    with open_bundle(airgap.folder / "one.tar") as bundle:
        (airgap.folder / "bundle.json").write_bytes(bundle.inventory_content())
    airgap.write("images.txt", "\n".join(content.names))
    most = FREE + FOR_EACH * max(0, BLOBS_OF_EACH * count - 1_000)

    def run(*arguments: str | Path) -> str:
        done = measured(airgap, *arguments, most=most, seconds=600)
        assert done.code == 0, done.stderr
        return done.stdout

    assert len(json.loads(run("diff", "bundle.json", "one.tar", "--json"))["images"]) == count
    with Registry() as registry:
        run("import", "one.tar", "--to", f"{registry.address}/p", "--dry-run")
        registry.fill(content.images, {name.partition("/")[2]: root for name, root in content.names.items()})
        mirror = json.dumps({"registries": {"registry.example.com": {"mirror": registry.url}}})
        airgap.write("airgap.yaml", mirror)
        if count > 1_000:
            run("verify", "one.tar")
            assert len(json.loads(run("inspect", "one.tar", "--json"))["images"]) == count
            run("export", "images.txt", "-o", "whole.tar", "--dry-run")
        run("export", "images.txt", "-o", "two.tar", "--base", "bundle.json")
    assert len(read_document(airgap.folder / "two.tar").content.requires) == (BLOBS_OF_EACH - 2) * count  # type: ignore[union-attr]
