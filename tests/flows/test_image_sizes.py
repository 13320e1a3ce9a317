# SPDX-License-Identifier: Apache-2.0
"""``inspect`` and its tables tell what an image takes: all its content, not the bytes of its index."""

from __future__ import annotations

import csv

from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import Images


def test_sizes_are_those_of_the_layers(airgap: Airgap) -> None:
    images = Images(5)
    with Registry() as registry:
        base = images.two_platforms(size=50_000)
        other = images.image(size=20_000)
        registry.fill(images, {"a/one:1": base, "a/two:1": base, "a/three:1": other})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        names = [f"quay.io/a/{name}:1" for name in ("one", "two", "three")]
        airgap.run("export", *(part for name in names for part in ("--image", name)), "-o", "b.tar")
    document = airgap.run("inspect", "b.tar", "--json").json
    total = sum(blob["size"] for blob in document["blobs"])
    airgap.run("inspect", "b.tar", "--csv", "t.csv", "--html", "t.html")
    listed = csv.reader((airgap.folder / "t.csv").read_text(encoding="utf-8-sig").splitlines())
    heading = [name.rpartition("(")[2].rstrip(")") for name in next(listed)]
    table = [dict(zip(heading, row, strict=True)) for row in listed]
    rows = {row["reference"]: row for row in table if row["kind"] == "image"}
    sizes = {name: int(rows[name]["bytes"]) for name in names}
    assert sizes[names[0]] == sizes[names[1]]
    assert sizes[names[0]] + sizes[names[2]] - int(rows[names[2]]["shared bytes"]) == total
    assert all(int(row["own bytes"]) + int(row["shared bytes"]) == int(row["bytes"]) for row in rows.values())
    assert f"({sizes[names[0]]:,} bytes)" in (airgap.folder / "t.html").read_text()
    manifests = {image["reference"]: image["size"] for image in document["images"]}
    assert all(sizes[name] > 10 * manifests[name] for name in names)
    assert f"{sizes[names[2]] / 1000:.1f} kB" in airgap.run("inspect", "b.tar").text
