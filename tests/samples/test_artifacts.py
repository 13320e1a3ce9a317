# SPDX-License-Identifier: Apache-2.0
"""``samples/artifacts``: the commands of its README rows, as they stand there."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.command import SAMPLES, Airgap


def test_the_sample_goes_through(tmp_path: Path) -> None:
    folder, home = tmp_path / "artifacts", tmp_path / "home"
    shutil.copytree(SAMPLES / "artifacts", folder)
    home.mkdir()
    airgap = Airgap(folder, home)
    airgap.run("export", "--only-artifacts")
    listed = airgap.run("inspect", "notice-1.0.0.tar").text
    assert "helm: 1 artifact" in listed
    assert "manuals/install.txt" in listed
    airgap.run("import", "notice-1.0.0.tar", "--only-artifacts")
    assert (folder / "far/charts/notice-1.0.0.tgz").exists()
    assert '"notice"' in (folder / "far/charts/index.yaml").read_text()
    assert (folder / "far/files/manuals/install.txt").read_bytes() == (folder / "files/install.txt").read_bytes()
    assert "0 artifacts uploaded" in airgap.run("import", "notice-1.0.0.tar", "--only-artifacts").stderr
