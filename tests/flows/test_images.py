# SPDX-License-Identifier: Apache-2.0
"""``airgap images``: what is found, in every form in which it can be asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

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


NOT_TAKEN = "---\napiVersion: x.example/v1\nkind: Thing\nspec: {text: 'see q.example/a/b:1'}\n"


def test_what_was_not_taken_is_counted_and_listed_with_place_and_reason(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("nginx") + NOT_TAKEN)
    plain = airgap.run("images", "a.yaml")
    assert "q.example" not in plain.text
    assert plain.stderr.splitlines()[-1] == "1 value not taken; --why shows where and why"
    why = airgap.run("images", "a.yaml", "--why").text
    assert "not taken" in why
    assert "'q.example/a/b:1': it has the shape of a reference" in why
    document = airgap.run("images", "a.yaml", "--json", "--why").json
    assert [site["text"] for site in document["sites"]] == ["nginx"]
    (miss,) = document["not_taken"]
    assert (miss["file"], miss["path"], miss["text"]) == ("a.yaml", "spec.text", "q.example/a/b:1")
    assert miss["reason"]
    assert (
        (airgap.folder / "a.yaml").read_text().splitlines()[miss["line"] - 1][miss["column"] - 1 :].startswith("q.ex")
    )
    assert isinstance(airgap.run("images", "a.yaml", "--json").json, list)
    assert "choose one of" in airgap.run("images", "a.yaml", "--refs", "--why", code=2).stderr


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
    assert (process.returncode, stderr.decode()) == (0, "3000 images at 3000 sites in 1 file\n")


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


def test_a_bundle_is_told_to_be_one(airgap: Airgap, bundle: Path) -> None:
    for command in (["images"], ["rewrite", "--to", "t.example/p"]):
        said = airgap.fails(10, *command, bundle)
        assert said.errors == [f"{bundle}: this is a bundle, not a resource file"]
        assert f"airgap inspect {bundle}" in said.stderr
    said = airgap.run("images", "-", stdin=bundle.read_bytes(), code=10)
    assert "this is a bundle" in said.stderr


@pytest.mark.parametrize(
    "head", [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x5e\x2a\x4d\x18", b"x".ljust(257, b"\0") + b"ustar"]
)
def test_other_archives_are_told_too(airgap: Airgap, head: bytes) -> None:
    airgap.write("k.yaml", head.ljust(1024, b"\0"))
    assert airgap.fails(10, "images", "k.yaml").errors == ["k.yaml: this is an archive, not a resource file"]


def test_what_a_walk_does_not_render_is_named_with_what_does(airgap: Airgap) -> None:
    airgap.write("k/base/pod.yaml", pod("quay.io/e/a:1"))
    airgap.write("k/base/kustomization.yaml", "resources: [pod.yaml]\n")
    airgap.write("k/over/kustomization.yaml", "resources: [../base]\nimages: [{name: quay.io/e/a, newTag: v2}]\n")
    airgap.write("k/other.yaml", pod("quay.io/e/b:1"))
    airgap.write("k/charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n")
    airgap.write("k/charts/c/crds/pod.yaml", pod("quay.io/e/c:1"))
    said = airgap.run("images", "k", "--refs")
    assert "warning" not in said.stderr  # for scripts
    said = airgap.run("images", "k")
    (line,) = [line for line in said.stderr.splitlines() if line.startswith("warning:")]
    assert line == (
        "warning: k/base: inside a folder this kustomization is not rendered but read file by file (and so are "
        "k/charts/c, k/over); for what it makes: airgap images k/base"
    )
    said = airgap.run("rewrite", "k/", "--to", "t.example/p", "--check", code=4)
    assert said.stderr.count("is not rendered but read") == 1
    said = airgap.run("images", "k/base/pod.yaml", "k/other.yaml")
    assert "warning" not in said.stderr
