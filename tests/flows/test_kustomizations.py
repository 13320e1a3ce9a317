# SPDX-License-Identifier: Apache-2.0
"""Kustomizations by the real kubectl: rendered where one is given, and moved by an overlay."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from airgap.flows.images import find_images
from airgap.kube import scan
from tests.cli.command import Airgap, pod
from tests.parts.need import need

TARGET = "10.100.0.102:32415/shop"
DIGEST = f"sha256:{'2' * 64}"

DEPLOYMENT = f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      initContainers:
      - {{name: i, image: "busybox"}}
      containers:
      - {{name: web, image: "quay.example/shop/web:1"}}
      - {{name: side, image: "quay.example:8443/side@{DIGEST}"}}
"""


@pytest.fixture
def kustomized(airgap: Airgap) -> Airgap:
    """``base`` with a Deployment, and ``prod`` over it with another tag."""
    need("kubectl")
    airgap.write("base/kustomization.yaml", "resources: [web.yaml]\n")
    airgap.write("base/web.yaml", DEPLOYMENT)
    airgap.write(
        "prod/kustomization.yaml",
        "resources: [../base]\nimages: [{name: quay.example/shop/web, newTag: '2'}]\nnamePrefix: prod-\n",
    )
    return airgap


def kubectl_says(folder: Path) -> list[str]:
    command = [shutil.which("kubectl") or "", "kustomize", str(folder)]
    content = subprocess.run(command, capture_output=True, check=True).stdout
    return sorted({str(site.reference) for site in scan(content, "x").sites})


WANTED = sorted([f"{TARGET}/busybox:latest", f"{TARGET}/web:2", f"{TARGET}/side@{DIGEST}"])


def test_a_given_kustomization_is_rendered(kustomized: Airgap) -> None:
    found = kustomized.run("images", "prod", "--refs").text.split()
    assert found == ["docker.io/library/busybox:latest", "quay.example/shop/web:2", f"quay.example:8443/side@{DIGEST}"]
    sites = kustomized.run("images", "prod", "--json").json
    assert {site["file"] for site in sites} == {"prod (rendered)"}


def test_names_stay_apart_in_the_bundle(kustomized: Airgap) -> None:
    kustomized.write("prod.yaml", pod("a.example/a:1"))
    shutil.copytree(kustomized.folder / "prod", kustomized.folder / "more/prod")
    (kustomized.folder / "more/prod/kustomization.yaml").write_text("resources: [w.yaml]\n")
    kustomized.write("more/prod/w.yaml", DEPLOYMENT)
    paths = [str(kustomized.folder / name) for name in ("prod", "more/prod", "prod.yaml")]
    assert [file.name for file, _ in find_images(paths).files] == ["prod.yaml", "prod-2.yaml", "prod-3.yaml"]


def test_inside_a_walk_nothing_is_rendered(kustomized: Airgap) -> None:
    sites = kustomized.run("images", ".", "--json").json
    assert "base/web.yaml" in {site["file"].removeprefix("./") for site in sites}
    assert not any("rendered" in site["file"] for site in sites)


def test_what_kustomize_refuses(kustomized: Airgap) -> None:
    kustomized.write("prod/kustomization.yaml", "resources: [gone.yaml]\n")
    said = kustomized.fails(10, "images", "prod")
    assert said.errors[0].startswith("prod: kubectl v1")
    assert "gone.yaml" in said.errors[0]


def test_without_kubectl(kustomized: Airgap, tmp_path: Path) -> None:
    said = kustomized.fails(10, "images", "prod", environment={"PATH": str(tmp_path)})
    assert "neither kubectl nor kustomize" in said.errors[0]
    assert "kubectl kustomize prod | airgap images -" in said.stderr


@pytest.mark.parametrize("output", ["moved", "deep/er/moved"])
def test_an_overlay_moves_every_image(kustomized: Airgap, output: str) -> None:
    before = kustomized.files()
    said = kustomized.run("rewrite", "prod", "--to", TARGET, "--output", output)
    assert "3 images, proven by rendering with it" in said.stderr
    assert kubectl_says(kustomized.folder / output) == WANTED
    after = kustomized.files()
    overlay = yaml.safe_load(after.pop(f"{output}/kustomization.yaml"))
    assert after == before
    assert not list(kustomized.folder.rglob(".airgap*"))
    assert overlay["resources"] == ["/".join([".."] * (output.count("/") + 1) + ["prod"])]
    assert {entry["name"] for entry in overlay["images"]} == {
        "busybox",
        "quay.example/shop/web",
        "quay.example:8443/side",
    }


def test_the_overlay_of_an_overlay_changes_nothing(kustomized: Airgap) -> None:
    kustomized.run("rewrite", "prod", "--to", TARGET, "--output", "moved")
    kustomized.run("rewrite", "moved", "--to", TARGET, "--output", "again")
    assert "images" not in yaml.safe_load((kustomized.folder / "again/kustomization.yaml").read_bytes())
    assert kubectl_says(kustomized.folder / "again") == WANTED


def test_what_the_transformer_does_not_reach_is_named(kustomized: Airgap) -> None:
    args = "    args: [--helper-image=r.example/h:1]\n    image"
    kustomized.write("base/job.yaml", pod("quay.example/job:1").replace("    image", args))
    own = "apiVersion: a.example/v1\nkind: Own\nmetadata: {name: o}\nspec: {image: r.example/own:1}\n"
    kustomized.write("base/own.yaml", own)
    kustomized.write("base/kustomization.yaml", "resources: [web.yaml, job.yaml, own.yaml]\n")
    said = kustomized.run("rewrite", "prod", "--to", TARGET, "--output", "moved", code=3)
    assert sorted(error.partition(": ")[2].split()[0] for error in said.errors) == ["r.example/h:1", "r.example/own:1"]
    assert all("does not reach it" in error for error in said.errors)
    found = kubectl_says(kustomized.folder / "moved")
    assert {image for image in found if not image.startswith(TARGET)} == {"r.example/h:1", "r.example/own:1"}


def test_an_overlay_has_a_place_of_its_own(kustomized: Airgap) -> None:
    assert "--output DIR" in kustomized.fails(2, "rewrite", "prod", "--to", TARGET).stderr
    before = kustomized.files()
    for output in ("prod", "prod/inside", "."):
        assert (
            "overlay cannot lie" in kustomized.fails(2, "rewrite", "prod", "--to", TARGET, "--output", output).errors[0]
        )
    assert kustomized.files() == before
    kustomized.write("moved/kustomization.yaml", "mine: true\n")
    kustomized.fails(42, "rewrite", "prod", "--to", TARGET, "--output", "moved")
    kustomized.run("rewrite", "prod", "--to", TARGET, "--output", "moved", "--force")


def test_options_of_charts_have_no_place_here(kustomized: Airgap) -> None:
    kustomized.fails(2, "images", "prod", "--set", "a=b")
