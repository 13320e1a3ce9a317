# SPDX-License-Identifier: Apache-2.0
"""A folder of resource files in which airgap's own files lie too: they are skipped and named."""

from __future__ import annotations

from tests.cli.command import Airgap, Registry, pod

IMAGE = "quay.io/jetstack/cert-manager-controller:v1.14.4"


def test_a_folder_is_exported_again_and_again(prepared: Airgap, nexus: Registry) -> None:
    """What an export and an import leave in the folder is not carried the next time."""
    prepared.run("export", ".", "-o", "1.tar", "--lock", "lock.json")
    names = prepared.run("inspect", "1.tar", "--json").json["resources"]
    assert [entry["name"] for entry in names] == ["cert-manager.yaml"]
    prepared.run("import", "1.tar", "--to", f"{nexus.address}/p")
    prepared.run("inventory", f"{nexus.address}/p", "-o", "held.json")
    for number in (2, 3):
        said = prepared.run("export", ".", "-o", f"{number}.tar")
        assert prepared.run("inspect", f"{number}.tar", "--json").json["resources"] == names
        (note,) = [line for line in said.stderr.splitlines() if line.startswith("skipped ")]
        for name in ("airgap.yaml", "airgap-out", "1.tar.receipt.json", "held.json", "lock.json"):
            assert f"./{name}" in note
        prepared.run("import", f"{number}.tar", "--to", f"{nexus.address}/p")


def test_the_given_folder_itself_is_read_whatever_wrote_it(prepared: Airgap, nexus: Registry) -> None:
    prepared.run("rewrite", "cert-manager.yaml", "--to", f"{nexus.address}/p", "-o", "out")
    assert nexus.address in prepared.run("images", "out", "--refs").text


def test_a_folder_that_was_rewritten_in_place_stays(airgap: Airgap) -> None:
    airgap.write("deploy/a/pod.yaml", pod(IMAGE))
    airgap.write("deploy/b.yaml", pod("quay.io/x/y:1"))
    airgap.run("rewrite", "deploy", "--to", "nexus.corp:8443/k8s", "--in-place")
    said = airgap.run("images", "deploy", "--refs")
    assert said.text.splitlines() == [
        "nexus.corp:8443/k8s/cert-manager-controller:v1.14.4",
        "nexus.corp:8443/k8s/y:1",
    ]
    assert "skipped" not in said.stderr


def test_a_project_file_of_another_name_and_an_object_called_airgap_yaml(airgap: Airgap) -> None:
    airgap.write("in/project.yaml", "target: nexus.corp:8443/k8s\nimages: [quay.io/x/other:1]\n")
    airgap.write("in/airgap.yaml", pod(IMAGE))
    said = airgap.run("images", "in", "--config", "in/project.yaml")
    assert "skipped in/project.yaml: airgap's own files are no resources" in said.stderr
    assert IMAGE in said.text


def test_a_bundle_under_another_name(prepared: Airgap) -> None:
    prepared.run("export", "cert-manager.yaml", "-o", "b.tar")
    (prepared.folder / "b.tar").rename(prepared.folder / "b.json")
    said = prepared.run("images", ".", "--refs")
    assert "skipped ./airgap.yaml, ./b.json:" in said.stderr


def test_nothing_else_is_there(airgap: Airgap) -> None:
    airgap.write("in/airgap.yaml", "target: nexus.corp:8443/k8s\n")
    assert "airgap's own" in airgap.fails(10, "images", "in").stderr
