# SPDX-License-Identifier: Apache-2.0
"""``airgap init``: an ``airgap.yaml`` that the program itself reads, from what a folder has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airgap.config.airgap_yaml import load_project
from airgap.oci import Platform
from tests.cli.command import SAMPLES, Airgap, Registry, pod, settings


@pytest.fixture
def filled(airgap: Airgap) -> Airgap:
    """A folder with a file, a folder, a chart and much that is no resource."""
    airgap.write("cert-manager.yaml", (SAMPLES / "cert-manager/cert-manager.yaml").read_bytes())
    airgap.write("내 배포/web: 1.yaml", pod("quay.io/a/x:1", "docker.io/library/nginx:1"))
    airgap.write("arm.yaml", pod("quay.io/a/x:1") + "  nodeSelector: {kubernetes.io/arch: arm64}\n")
    airgap.write("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    airgap.write("overlay/kustomization.yaml", "resources: []\n")
    airgap.write("airgap-out/pod.yaml", pod("t.test/a/x:1"))
    airgap.write("airgap-out/.airgap-rewrite.log", "")
    airgap.write("package.json", "{}")
    airgap.write("notes.txt", "image: quay.io/a/b:1\n")
    airgap.write("pictures/cat.png", b"\x89PNG")
    airgap.write(".github/workflow.yaml", pod("quay.io/a/hidden:1"))
    return airgap


def test_it_lists_what_is_there_and_the_program_reads_it(filled: Airgap) -> None:
    before = filled.files()
    said = filled.run("init")
    assert said.stderr.splitlines() == ["wrote airgap.yaml: 5 resources, 6 images", "next: airgap export"]
    assert {name: content for name, content in filled.files().items() if name != "airgap.yaml"} == before
    project = load_project(str(filled.folder / "airgap.yaml"))
    assert [str(Path(path).relative_to(filled.folder)) for path in project.resources] == [
        "arm.yaml",
        "cert-manager.yaml",
        "chart",
        "overlay",
        "내 배포",
    ]
    assert (project.name, project.version, project.target, project.platforms) == ("work", None, None, [])


def test_every_comment_that_is_a_setting_can_be_used(filled: Airgap) -> None:
    filled.run("init")
    path = filled.folder / "airgap.yaml"
    text = path.read_text()
    keys = ("version", "images", "platforms", "target", "mapping", "registries")
    for key in keys:
        assert len(re.findall(rf"^# {key}: ", text, re.MULTILINE)) == 1, key
    path.write_text(re.sub(rf"^# (?=(?:{'|'.join(keys)}): )", "", text, flags=re.MULTILINE))
    project = load_project(str(path))
    assert project.platforms == [Platform.parse("linux/arm64")]
    assert (project.bundle_name, project.policy) == ("work-1.0.tar", "path")
    assert project.target == "http://10.100.0.102:32415/my-docker-image"
    assert list(project.registries) == ["docker.io"]


def test_export_goes_by_it(airgap: Airgap, quay: Registry) -> None:
    airgap.write("pod.yaml", pod("quay.io/jetstack/cert-manager-webhook:v1.14.4"))
    airgap.run("init")
    text = (airgap.folder / "airgap.yaml").read_text()
    registries = settings({"quay.io": {"mirror": quay.url}})[1:-1].replace('"registries"', "registries")
    airgap.write("airgap.yaml", f"{text}{registries}\n")
    assert "1 image" in airgap.run("export").stderr
    assert (airgap.folder / "work.tar").exists()


def test_what_is_there_stays(filled: Airgap) -> None:
    filled.write("airgap.yaml", "name: mine\n")
    before = filled.files()
    said = filled.fails(42, "init")
    assert said.errors == ["airgap.yaml: this file is already there"]
    assert filled.files() == before


def test_an_empty_folder_and_another_one(airgap: Airgap) -> None:
    (airgap.folder / "a b").mkdir()
    assert airgap.run("init", "a b").stderr.splitlines() == ["wrote a b/airgap.yaml: 0 resources, 0 images"]
    project = load_project(str(airgap.folder / "a b/airgap.yaml"))
    assert (project.name, project.resources) == ("a-b", [])
    assert airgap.fails(2, "init", "gone").errors == ["gone: there is no such file or folder"]


def test_a_file_that_cannot_be_read_is_named_and_left_out(airgap: Airgap) -> None:
    airgap.write("bad.yaml", "a: [\n")
    airgap.write("pod.yaml", pod("quay.io/a/x:1"))
    said = airgap.run("init").stderr
    assert "warning: bad.yaml:" in said
    assert "1 resource, 1 image" in said
