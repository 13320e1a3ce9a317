# SPDX-License-Identifier: Apache-2.0
"""``airgap images``: what is found, in every form in which it can be asked for."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.images import Images

REFERENCES = [
    f"quay.io/jetstack/cert-manager-{name}:v1.14.4" for name in ["acmesolver", "cainjector", "controller", "webhook"]
]


def test_json_has_the_documented_shape(prepared: Airgap) -> None:
    sites = prepared.run("images", "cert-manager.yaml", "--json").json
    for site in sites:
        assert list(site) == (
            ["file", "document", "path", "line", "column", "text", "image", "kind", "rule", "confidence"]
        )
        assert site["kind"] in ["field", "crd", "arg", "env", "embedded", "kustomize", "helm-values", "compose"]
        assert site["confidence"] in ("certain", "likely", "possible")
    assert sorted(site["image"] for site in sites) == REFERENCES
    lines = (prepared.folder / "cert-manager.yaml").read_text().splitlines()
    for site in sites:
        line = lines[site["line"] - 1]
        assert line[site["column"] - 1 :].startswith(site["text"])
    solver = next(site for site in sites if "acmesolver" in site["image"])
    assert (solver["kind"], solver["file"]) == ("arg", "cert-manager.yaml")


def test_text_is_as_written_and_the_image_is_normalised(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("nginx"))
    (site,) = airgap.run("images", "a.yaml", "--json").json
    assert (site["text"], site["image"]) == ("nginx", "docker.io/library/nginx:latest")


def test_refs_is_one_sorted_reference_a_line(prepared: Airgap) -> None:
    said = prepared.run("images", "cert-manager.yaml", "--refs")
    assert said.text.splitlines() == REFERENCES
    assert said.stderr == ""


def test_the_table_names_file_and_line_and_says_how_many(prepared: Airgap) -> None:
    said = prepared.run("images", "cert-manager.yaml")
    lines = said.text.splitlines()
    assert lines[0] == REFERENCES[0]
    assert lines[1].strip() == "cert-manager.yaml:370"
    assert said.stderr == "4 images at 4 sites in 1 file\n"


def test_why_names_the_rule_and_what_was_not_taken(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("nginx") + "---\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: ''}]}\n")
    said = airgap.run("images", "a.yaml", "--why").text
    assert "certain: spec.containers[0].image" in said


def test_standard_input(airgap: Airgap) -> None:
    text = pod("nginx:1", "nginx:2").encode()
    assert airgap.run("images", "-", "--refs", stdin=text).text.split() == [
        "docker.io/library/nginx:1",
        "docker.io/library/nginx:2",
    ]
    (site, _) = airgap.run("images", "-", "--json", stdin=text).json
    assert site["file"] == "-"


def test_several_files_and_folders_in_order(airgap: Airgap) -> None:
    airgap.write("b.yaml", pod("b:1"))
    airgap.write("deploy/z.yml", pod("z:1"))
    airgap.write("deploy/a/x.json", '{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"x:1"}]}}')
    airgap.write("deploy/.hidden.yaml", pod("hidden:1"))
    airgap.write("deploy/notes.txt", pod("notes:1"))
    sites = airgap.run("images", "b.yaml", "deploy", "--json").json
    assert [(site["file"], site["text"]) for site in sites] == [
        ("b.yaml", "b:1"),
        ("deploy/a/x.json", "x:1"),
        ("deploy/z.yml", "z:1"),
    ]


def test_without_paths_the_resources_of_the_project(airgap: Airgap) -> None:
    airgap.write("k8s/a.yaml", pod("a:1"))
    airgap.write("airgap.yaml", "resources: [k8s]\nimages: [quay.io/x/extra:2]\n")
    assert airgap.run("images", "--refs").text.split() == ["docker.io/library/a:1", "quay.io/x/extra:2"]
    assert "named in airgap.yaml" in airgap.run("images").text


def test_sizes_count_each_platform_and_pull_nothing(prepared: Airgap, quay: Registry) -> None:
    said = prepared.run("images", "cert-manager.yaml", "--sizes")
    rows = [line.split() for line in said.text.splitlines()]
    assert [row[-1] for row in rows] == ["linux/amd64", "linux/arm64", "everything"]
    configs_and_manifests = [line for line in quay.requests() if "/blobs/" in line and line.startswith("GET")]
    layers = {d.digest for d in _layers()}
    assert not [line for line in configs_and_manifests if any(digest in line for digest in layers)]
    assert prepared.files().keys() == {"airgap.yaml", "cert-manager.yaml"}


def _layers() -> list:  # type: ignore[type-arg] # of descriptors
    from tests.cli.fixtures import cert_manager

    images = Images(7)
    cert_manager(images)
    return [d for d in images.descriptors.values() if "layer" in d.media_type]


def test_a_reader_that_has_had_enough_is_no_error(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod(*(f"registry.example/a/image-{number}:v1" for number in range(3000))))
    reading, writing = os.pipe()
    process = subprocess.Popen(
        airgap.command("images", "a.yaml", "--why"),
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=airgap.folder,
        env=airgap.whole_environment(),
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.readline().startswith(b"registry.example/")
    _, stderr = process.communicate(timeout=30)
    assert stderr.decode() == ""


@pytest.mark.parametrize("command", ["images", "rewrite"])
def test_an_address_is_for_export_alone(airgap: Airgap, command: str) -> None:
    more = ("--to", "t.example/p") if command == "rewrite" else ()
    said = airgap.fails(10, command, "https://example.com/x.yaml", *more)
    assert "airgap export" in said.errors[0]


def test_the_same_file_twice_is_read_once(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("nginx"))
    assert len(airgap.run("images", "a.yaml", "./a.yaml", "--json").json) == 1


def test_sizes_of_what_no_registry_has(airgap: Airgap, nexus: Registry) -> None:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": nexus.url}}))
    airgap.write("a.yaml", pod("quay.io/a/x:1", "quay.io/a/y:1"))
    said = airgap.run("images", "a.yaml", "--sizes", code=22)
    assert len(said.errors) == 2


def test_a_placeholder_is_warned_of_everywhere(airgap: Airgap) -> None:
    airgap.write("mix.yaml", pod("quay.io/a/x:1", "'{{ .Values.image }}:1'", "'${IMAGE}'"))
    for command in (
        ("images", "mix.yaml"),
        ("rewrite", "mix.yaml", "--to", "r.example/p"),
    ):
        said = airgap.run(*command).stderr
        assert said.count("is a placeholder") == 2, command
        assert "mix.yaml:" in said
