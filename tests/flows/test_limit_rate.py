# SPDX-License-Identifier: Apache-2.0
"""``export --limit-rate`` and ``import --limit-rate``: a transfer is never faster than it was told to be."""

from __future__ import annotations

import time
from pathlib import Path

from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import OCI_LAYER_PLAIN, Images

#: Four layers, so that four connections share the rate.
LAYERS, RATE = 4 * [150_000], 1_000_000
#: The line may use a quarter of a second that passed before.
AT_LEAST = sum(LAYERS) / RATE - 0.25


def test_export_and_import_keep_to_the_rate(airgap: Airgap) -> None:
    images = Images(3)
    root = images.image(layers=[images.layer(size=size, media_type=OCI_LAYER_PLAIN) for size in LAYERS])
    with Registry() as internet, Registry() as nexus:
        internet.fill(images, {"a/x:1": root})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        begun = time.monotonic()
        airgap.run("export", "--image", "quay.io/a/x:1", "-o", "b.tar", "--limit-rate", "8Mbit")
        assert time.monotonic() - begun >= AT_LEAST
        begun = time.monotonic()
        airgap.run("import", "b.tar", "--to", f"{nexus.address}/p", "--limit-rate", "1MB")
        assert time.monotonic() - begun >= AT_LEAST
        assert nexus.digest("p/x:1") == root.digest


def test_what_is_no_rate_is_refused_before_anything_is_sent(airgap: Airgap, bundle: Path) -> None:
    for command in (["export", "--image", "quay.io/a/x:1", "-o", "b.tar"], ["import", bundle, "--to", "127.0.0.1:1"]):
        said = airgap.fails(2, *command, "--limit-rate", "fast")
        assert said.errors == ["'fast' is no rate"]
        assert "such as 2MB" in said.stderr
    assert airgap.files() == {}
