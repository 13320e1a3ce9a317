# SPDX-License-Identifier: Apache-2.0
"""Bundles with artifacts, read by other commands and by oras."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.artifacts.carrying import bundle_json, export, write_project
from tests.cli.command import Airgap
from tests.parts.need import need


def project(airgap: Airgap) -> None:
    airgap.write("docs/manual.pdf", "the manual\n")
    write_project(airgap, {"raw": [{"path": "docs/manual.pdf", "directory": "manuals"}]})
    export(airgap)


def test_verify_names_the_artifact_that_is_damaged(airgap: Airgap) -> None:
    project(airgap)
    path = airgap.folder / "demo.tar"
    path.write_bytes(path.read_bytes().replace(b"the manual\n", b"the Manual\n"))
    said = airgap.fails(31, "verify", "demo.tar")
    assert "raw manuals/manual.pdf" in said.errors[0]


def test_inspect_and_images_list_artifacts_by_format(airgap: Airgap) -> None:
    project(airgap)
    said = airgap.run("inspect", "demo.tar").text
    assert "raw: 1 artifact, 11 B" in said
    assert "  manuals/manual.pdf" in said
    said = airgap.run("images").text
    assert "raw" in said
    assert "docs/manual.pdf" in said
    assert airgap.fails(2, "images", "--refs").errors
    write_project(airgap, {"pypi": [{"package": "left-pad", "index": "http://u:secret@h/simple"}]})
    said = airgap.run("images").text
    assert "left-pad" in said
    assert "secret" not in said


@pytest.mark.interop
def test_oras_pulls_the_file_from_the_unpacked_bundle(airgap: Airgap, tmp_path: Path) -> None:
    oras = need("oras")
    project(airgap)
    digest = bundle_json(airgap)["artifacts"][0]["digest"]
    with tarfile.open(airgap.folder / "demo.tar") as tar:
        tar.extractall(tmp_path / "layout", filter="data")
    command = [oras, "pull", "--oci-layout", f"{tmp_path}/layout@{digest}", "-o", str(tmp_path / "pulled")]
    subprocess.run(command, check=True, capture_output=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert (tmp_path / "pulled/manual.pdf").read_text() == "the manual\n"
