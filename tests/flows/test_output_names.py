# SPDX-License-Identifier: Apache-2.0
"""The names that outputs get: of volumes, of the second receipt, and those that are refused."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, pod


def export_volumes(prepared: Airgap) -> str:
    prepared.write("notes.md", "x" * 3_000_000)
    prepared.write("project.yaml", (prepared.folder / "airgap.yaml").read_bytes())
    document = json.loads((prepared.folder / "airgap.yaml").read_bytes())
    prepared.write("airgap.yaml", json.dumps({**document, "notes": "notes.md"}))
    return prepared.run("export", "cert-manager.yaml", "-o", "v.tar", "--volume-size", "1MiB").stderr


def test_volumes_are_announced_by_names_that_exist_and_found_by_the_bundles(prepared: Airgap, nexus: Registry) -> None:
    said = export_volumes(prepared)
    match = re.search(r"^bundle +(v\.tar\.\d+) … (v\.tar\.\d+)$", said, re.MULTILINE)
    assert match, said
    volumes = sorted(path.name for path in prepared.folder.glob("v.tar.0*"))
    assert (volumes[0], volumes[-1]) == match.groups()
    for command in (("inspect", "v.tar"), ("verify", "v.tar"), ("diff", "v.tar", volumes[0])):
        prepared.run(*command)
    prepared.run("import", "v.tar", "--to", f"{nexus.address}/p")
    assert (prepared.folder / "v.tar.receipt.json").is_file()
    (prepared.folder / "v.tar.sha256").unlink()
    prepared.run("inspect", "v.tar")
    (prepared.folder / volumes[1]).unlink()
    assert f"1 of {len(volumes)} volumes are missing" in prepared.fails(40, "inspect", "v.tar").stderr


def test_a_file_of_that_name_is_the_bundle(prepared: Airgap) -> None:
    export_volumes(prepared)
    prepared.run("export", "cert-manager.yaml", "-o", "v.tar", "--config", "project.yaml")
    assert "notes" not in str(prepared.run("inspect", "v.tar", "--json").json["members"])


def test_the_receipt_of_another_target_stays(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    with Registry() as other:
        first, second = f"{nexus.address}/p", f"{other.address}/q/r"
        target = {}
        for name in (first, second, first, second):
            said = airgap.run("import", bundle, "--to", name, "--force").stderr
            target[name] = re.search(r"^wrote (\S+\.receipt\.json)$", said, re.MULTILINE)[1]  # type: ignore[index] # found
        assert target[first] == "bundle.tar.receipt.json"
        assert target[second] == f"bundle.tar.{second.replace(':', '_').replace('/', '_')}.receipt.json"
        for name, path in target.items():
            assert json.loads((airgap.folder / path).read_bytes())["target"] == name


def test_the_receipt_is_beside_the_output_folder_whatever_it_is_called(
    airgap: Airgap, nexus: Registry, bundle: Path
) -> None:
    (airgap.folder / "out").mkdir()
    inner = Airgap(airgap.folder / "out", airgap.home)
    inner.run("import", bundle, "--to", f"{nexus.address}/p", "--output", ".")
    assert (airgap.folder / "bundle.tar.receipt.json").is_file()
    assert not list((airgap.folder / "out").glob("*.json"))


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tgz", "x.zip", "x y.TAR.XZ"])
def test_a_bundle_is_no_gzip_and_no_zip(prepared: Airgap, name: str) -> None:
    said = prepared.fails(2, "export", "cert-manager.yaml", "-o", name)
    names = [shlex.split(text)[0] for text in re.findall(r"-o ('[^']+'|[^\s,]+)", said.stderr)]
    assert [Path(text).suffixes[-1] for text in names] == [".tar", ".zst"]
    for text in names:
        prepared.run("export", "cert-manager.yaml", "-o", text, "--dry-run")


@pytest.mark.parametrize("name", [".", "/", "..", "folder", "new/"])
@pytest.mark.parametrize("more", [(), ("--volume-size", "1MiB"), ("--dry-run",), ("--refresh", "--lock", "l")])
def test_a_folder_is_no_bundle(prepared: Airgap, name: str, more: tuple[str, ...]) -> None:
    (prepared.folder / "folder").mkdir()
    before = prepared.files()
    said = prepared.run("export", "cert-manager.yaml", "-o", name, *more, code=None)
    assert said.code in (2, 42)
    assert "file" in said.stderr
    assert prepared.files() == before


@pytest.mark.parametrize("name", [".", "/", "folder"])
def test_other_outputs_are_no_folders(airgap: Airgap, nexus: Registry, bundle: Path, name: str) -> None:
    (airgap.folder / "folder").mkdir()
    for command in (
        ("inventory", nexus.address, "-o", name),
        ("inspect", str(bundle), "--csv", name),
        ("import", str(bundle), "--to", nexus.address, "--receipt", name),
        ("migrate", nexus.address, f"{nexus.address}/p", "--report", name),
        ("export", "--image", "quay.io/x/y:1", "-o", "b.tar", "--lock", name),
    ):
        airgap.fails(42, *command)


def test_rewrite_writes_one_file_to_a_name_of_one(airgap: Airgap) -> None:
    airgap.write("in.yaml", pod("quay.io/x/y:1"))
    airgap.write("two/a.yaml", pod("quay.io/x/y:1"))
    airgap.write("two/b.yaml", pod("quay.io/x/z:1"))
    to = ("--to", "nexus.corp:8443/k8s")
    for name in ("out.yaml", "deep/out.yml", "한글 폴더/o.json"):
        assert f"would write {name}:" in airgap.run("rewrite", "in.yaml", *to, "-o", name, "--dry-run").stderr
        airgap.run("rewrite", "in.yaml", *to, "-o", name)
        assert b"nexus.corp:8443/k8s/y:1" in (airgap.folder / name).read_bytes()
    airgap.write("out.yaml", "other")
    airgap.fails(42, "rewrite", "in.yaml", *to, "-o", "out.yaml")
    airgap.run("rewrite", "in.yaml", *to, "-o", "out.yaml", "--force")
    assert "2 files" in airgap.fails(2, "rewrite", "two", *to, "-o", "new.yaml").errors[0]
    airgap.run("rewrite", "in.yaml", *to, "-o", "folder")
    assert (airgap.folder / "folder/in.yaml").is_file()
    (airgap.folder / "kept.yaml").mkdir()
    airgap.run("rewrite", "in.yaml", *to, "-o", "kept.yaml")
    assert (airgap.folder / "kept.yaml/in.yaml").is_file()
