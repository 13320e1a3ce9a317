# SPDX-License-Identifier: Apache-2.0
"""Pipes, devices and links where a client command expects files that a stranger made: one error, and no waiting."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.command import Airgap
from tests.parts.archives import layout
from tests.parts.images import Images

TO = "127.0.0.1:1/p"
#: Seconds: far more than any of these commands takes, far less than for ever.
PATIENCE = 30
READERS = {
    "inspect": ("inspect", "FILE"),
    "verify": ("verify", "FILE"),
    "import": ("import", "FILE", "--to", TO),
    "serve": ("serve", "FILE", "--listen", "127.0.0.1:0"),
    "diff": ("diff", "FILE", "FILE"),
    "base": ("export", "--image", "127.0.0.1:1/a:1", "--base", "FILE", "-o", "new.tar"),
    "rewrite": ("rewrite", "pod.yaml", "--to", TO, "--from", "FILE"),
    "lock": ("export", "--image", "127.0.0.1:1/a:1", "--lock", "FILE", "-o", "new.tar"),
    "oci archive": ("export", "--from", "oci-archive:FILE", "-o", "new.tar"),
    "docker archive": ("export", "--from", "docker-archive:FILE", "-o", "new.tar"),
}


def put(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "/etc/passwd")


def refused(airgap: Airgap, *command: str) -> str:
    """The one error of a command that must fail."""
    said = airgap.run(*command, code=None, timeout=PATIENCE)
    assert said.code in (2, 30, 32, 40), said.stderr
    assert len(said.errors) == 1, said.stderr
    assert not (airgap.folder / "new.tar").exists()
    return said.errors[0]


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_none(airgap: Airgap, reader: str, kind: str) -> None:
    airgap.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: quay.io/a/b:1}]}\n")
    put(airgap.folder / "stranger.tar", kind)
    assert "stranger.tar" in refused(airgap, *(word.replace("FILE", "stranger.tar") for word in READERS[reader]))


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_checksums_that_are_no_file(airgap: Airgap, bundle: Path, kind: str) -> None:
    """Every ``.sha256`` file beside a bundle is looked into."""
    shutil.copy(bundle, airgap.folder / "b.tar")
    put(airgap.folder / "a.sha256", kind)
    airgap.run("verify", "b.tar", timeout=PATIENCE)
    airgap.run("inspect", "b.tar", timeout=PATIENCE)


@pytest.mark.parametrize("kind", ["pipe", "device", "link"])
def test_a_volume_that_is_no_file(airgap: Airgap, bundle: Path, kind: str) -> None:
    content = bundle.read_bytes()
    airgap.write("b.tar.001", content[: len(content) // 2])
    put(airgap.folder / "b.tar.002", kind)
    for command in ("verify", "inspect"):
        assert "b.tar" in refused(airgap, command, "b.tar.001")


@pytest.mark.parametrize("number", ["99999999", "9" * 200])
def test_a_number_that_no_volume_has(airgap: Airgap, bundle: Path, number: str) -> None:
    """The volumes before it would be listed, and named as missing."""
    shutil.copy(bundle, airgap.folder / f"b.tar.{number}")
    airgap.run("verify", f"b.tar.{number}", timeout=PATIENCE)


def test_very_many_missing_volumes_are_not_all_named(airgap: Airgap, bundle: Path) -> None:
    shutil.copy(bundle, airgap.folder / "b.tar.99999")
    error = refused(airgap, "verify", "b.tar.99999")
    assert "99998 of 99999 volumes are missing" in error
    assert len(error) < 3000


@pytest.mark.parametrize("name", ["index.json", "oci-layout", "blobs", "a blob"])
@pytest.mark.parametrize("kind", ["pipe", "device", "link"])
def test_a_layout_folder(airgap: Airgap, name: str, kind: str) -> None:
    images = Images(5)
    image = images.image()
    folder = layout(airgap.folder, {"quay.io/a/b:1": image}, images)
    if name == "blobs":
        shutil.move(folder / "blobs", airgap.folder / "elsewhere")
    digest = json.loads((folder / "index.json").read_bytes())["manifests"][0]["digest"] if name == "a blob" else ""
    put(folder / (f"blobs/sha256/{digest.partition(':')[2]}" if name == "a blob" else name), kind)
    refused(airgap, "export", "--from", f"oci:{folder}", "-o", "new.tar")
