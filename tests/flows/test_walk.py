# SPDX-License-Identifier: Apache-2.0
"""Folders of real repositories: what can be read is listed, and what cannot is told once for each reason."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.helm import helm as helm_program
from tests.parts.images import Images

TEMPLATE = """apiVersion: v1
kind: Pod
spec:
  containers:
  {{- if .Values.enabled }}
  - image: {{ .Values.image }}
  {{- end }}
"""
CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
#: A folder with every shape that a walk meets.
TREE: dict[str, str | bytes] = {
    "charts/shop/Chart.yaml": CHART,
    "charts/shop/values.yaml": "image: {repository: quay.io/e/shop, tag: v1}\n",
    "charts/shop/templates/a.yaml": TEMPLATE,
    "charts/shop/templates/b.yaml": TEMPLATE,
    "charts/shop/templates/plain.yaml": pod("quay.io/e/plain:1"),
    "deploy/pod.yaml": pod("quay.io/e/pod:1"),
    "deploy/patch.yaml": pod("IMAGE_URL", "docker.io/YOUR ID/app", "quay.io/e/patched:1"),
    "deploy/jinja.yaml": "{% if x %}\nimage: {{ image }}\n{% endif %}\n",
    "deploy/placeholder.yaml": "image: %{IMAGE}%\n",
    "deploy/korean.yaml": pod("quay.io/e/korean:1").encode() + "# 한국어\n".encode("cp949"),
    "deploy/windows.yaml": pod("quay.io/e/windows:1").encode("utf-16"),
    "deploy/broken.json": '{"apiVersion": "v1", "kind": "Pod"',
    "tsconfig.json": '// comments\n{"compilerOptions": {"target": "es6",},}\n',
    "package.json": '{"name": "web", "version": "1.0.0", "repository": "e/web", "scripts": {"a": "b"}}',
    "mkdocs.yml": "site_name: Docs\nnav: [index.md]\n",
    "compose.yaml": "services: {web: {image: 'quay.io/e/compose:1'}}\n",
    "prod/settings.yaml": "web:\n  image: {repository: e/by-content, tag: '1'}\n",
}
#: A setting of which only the shape says image.
GUESS = "apiVersion: x.example/v1\nkind: X\nspec:\n  other: quay.io/e/guess:1\n"
READABLE = [
    "docker.io/e/by-content:1",
    "quay.io/e/compose:1",
    "quay.io/e/patched:1",
    "quay.io/e/plain:1",
    "quay.io/e/pod:1",
    "quay.io/e/shop:v1",
]
SKIPPED = [
    "charts/shop/templates/a.yaml",
    "charts/shop/templates/b.yaml",
    "deploy/broken.json",
    "deploy/jinja.yaml",
    "deploy/korean.yaml",
    "deploy/placeholder.yaml",
    "deploy/windows.yaml",
]


@pytest.fixture
def tree(airgap: Airgap) -> Airgap:
    for name, content in TREE.items():
        airgap.write(f"repo/{name}", content)
    return airgap


def warnings(stderr: str) -> list[str]:
    return [line.removeprefix("warning: ") for line in stderr.splitlines() if line.startswith("warning: ")]


def test_everything_readable_is_listed_with_a_warning_for_each_reason(tree: Airgap) -> None:
    tree.folder = tree.folder / "repo"
    said = tree.run("images", ".", "--refs", code=3)
    assert said.text.split() == READABLE
    said = tree.run("images", ".", code=3)
    assert [line for line in said.text.splitlines() if not line.startswith(" ")] == READABLE
    told = warnings(said.stderr)
    assert told[0] == "skipped 2 templates of the chart charts/shop: airgap images charts/shop"
    assert told[1] == "skipped 1 template with {{ }} or {% %}: ./deploy/jinja.yaml"
    assert told[2] == (
        "skipped 1 file in CP949: ./deploy/korean.yaml; convert it: "
        "iconv -f CP949 -t UTF-8 ./deploy/korean.yaml > ./deploy/korean-utf8.yaml"
    )
    assert "iconv -f UTF-16 -t UTF-8 ./deploy/windows.yaml" in told[3]
    assert told[4].startswith("skipped 2 files in which YAML or JSON does not parse: ./deploy/broken.json:1 (")
    assert "./deploy/placeholder.yaml:1 (" in told[4]
    assert told[5].startswith("./deploy/patch.yaml:7: invalid image reference 'IMAGE_URL'")
    assert told[6].startswith("./deploy/patch.yaml:9: invalid image reference 'docker.io/YOUR ID/app'")
    assert len(told) == 7
    (note,) = [line for line in said.stderr.splitlines() if line.startswith("left out")]
    assert note == (
        "left out 3 files with no Kubernetes object, kustomization, values file or compose file: "
        "./mkdocs.yml, ./package.json, ./tsconfig.json"
    )
    assert said.errors == ["7 files could not be read and may name more images"]


@pytest.mark.parametrize("name", SKIPPED)
def test_each_of_these_files_is_refused_if_it_is_named(tree: Airgap, name: str) -> None:
    tree.fails(10, "images", f"repo/{name}")


def test_an_invalid_reference_in_a_named_file_is_an_error(tree: Airgap) -> None:
    said = tree.run("images", "repo/deploy/patch.yaml", code=10)
    assert [error.partition(": ")[0] for error in said.errors] == [
        "repo/deploy/patch.yaml:7",
        "repo/deploy/patch.yaml:9",
    ]
    tree.run("images", "repo/deploy", "repo/deploy/patch.yaml", code=10)  # it is named, wherever else it is found


def test_files_of_other_programs_alone_change_no_exit_code(airgap: Airgap) -> None:
    airgap.write("k/pod.yaml", pod("quay.io/e/pod:1"))
    for name in ("tsconfig.json", "package.json", "mkdocs.yml"):
        airgap.write(f"k/{name}", TREE[name])
    said = airgap.run("images", "k")
    assert "left out 3 files" in said.stderr
    assert "warning" not in said.stderr
    for name in "abcd":
        airgap.write(f"k/{name}.yaml", "site_name: x\n")
    assert "k/a.yaml, k/b.yaml, k/c.yaml, …" in airgap.run("images", "k").stderr
    assert "k/package.json, k/tsconfig.json" in airgap.run("images", "k", "--strict").stderr


def test_strict_prints_the_list_and_names_every_file(tree: Airgap) -> None:
    said = tree.run("images", "repo", "--refs", "--strict", code=10)
    assert said.text.split() == READABLE
    named = sorted(error.partition(": ")[0].partition(":")[0] for error in said.errors)
    assert named == [f"repo/{name}" for name in SKIPPED]
    said = tree.run("export", "repo", "-o", "b.tar", "--strict", code=10)
    assert len(said.errors) == len(SKIPPED)
    assert not (tree.folder / "b.tar").exists()


@pytest.fixture
def quay(tree: Airgap) -> Registry:  # type: ignore[misc] # a generator
    with Registry() as registry:
        images = Images(4)
        names = [name.partition("/")[2] for name in READABLE]
        registry.fill(images, {name: images.image() for name in names})
        hosts = {"quay.io": {"mirror": registry.url}, "docker.io": {"mirror": registry.url}}
        tree.write("airgap.yaml", settings(hosts))
        yield registry


@pytest.mark.usefixtures("quay")
def test_export_writes_the_bundle_with_the_list_and_ends_with_3(tree: Airgap) -> None:
    said = tree.run("export", "repo", "-o", "b.tar", code=3)
    assert "skipped 2 templates of the chart repo/charts/shop" in said.stderr
    assert said.errors == ["7 files could not be read and may name more images"]
    with open_bundle(tree.folder / "b.tar") as bundle:
        document = bundle.inventory.to_json()
    assert [entry["name"] for entry in document["skipped"]] == SKIPPED
    assert document["skipped"][4]["why"] == "this file is not UTF-8, but CP949 (Korean Windows)"
    assert not any("repo/" in entry["why"] for entry in document["skipped"])
    assert [image["reference"] for image in document["images"]] == READABLE
    assert "not read for images: deploy/jinja.yaml: " in tree.run("inspect", "b.tar").text
    tree.run("export", "repo", "-o", "again.tar", code=3)
    assert (tree.folder / "again.tar").read_bytes() == (tree.folder / "b.tar").read_bytes()


@pytest.mark.usefixtures("quay")
def test_without_skipped_files_the_inventory_has_no_such_key(tree: Airgap) -> None:
    tree.run("export", "repo/deploy/pod.yaml", "-o", "b.tar")
    with open_bundle(tree.folder / "b.tar") as bundle:
        assert b"skipped" not in bundle.inventory.to_bytes()


def test_rewrite_writes_what_it_can_read_and_ends_with_3(tree: Airgap) -> None:
    said = tree.run("rewrite", "repo", "--to", "t.example/p", "-o", "out", code=3)
    assert "7 files could not be read" in said.stderr
    assert "t.example/p/pod:1" in (tree.folder / "out/deploy/pod.yaml").read_text()
    assert not (tree.folder / "out/package.json").exists()
    tree.run("rewrite", "repo", "--to", "t.example/p", "--check", code=4)


def test_rewrite_names_what_it_left_beside_what_it_could_not_read(airgap: Airgap) -> None:
    settings_file = airgap.write("k/a.yaml", pod("quay.io/e/a:1") + "---\n" + GUESS)
    airgap.write("k/windows.yaml", pod("quay.io/e/windows:1").encode("utf-16"))
    before = settings_file.read_bytes()
    said = airgap.run("rewrite", "k", "--to", "t.example/p", "-o", "out", code=3)
    unread, left = warnings(said.stderr)
    assert "k/windows.yaml" in unread
    assert "quay.io/e/guess:1" in left
    assert said.errors == [
        "1 image reference left: only the shape says image: quay.io/e/guess:1 (k/a.yaml:12)",
        "1 file could not be read and may name more images",
    ]
    written = (airgap.folder / "out/a.yaml").read_bytes()
    assert written == before.replace(b"quay.io/e/a:1", b"t.example/p/a:1")
    said = airgap.run("rewrite", "k", "--to", "t.example/p", "-o", "all", "--take-possible", code=3)
    assert said.errors == ["1 file could not be read and may name more images"]
    assert (airgap.folder / "all/a.yaml").read_bytes() == written.replace(b"quay.io/e/guess:1", b"t.example/p/guess:1")


def test_a_strict_rewrite_names_every_file_and_writes_nothing(tree: Airgap) -> None:
    before = (tree.folder / "repo/deploy/pod.yaml").read_bytes()
    for arguments in (["-o", "out"], ["--in-place"], ["--diff"]):
        said = tree.run("rewrite", "repo", "--strict", "--to", "t.example/p", *arguments, code=10)
        assert all(name in said.stderr for name in SKIPPED)
        assert said.stdout == b""
    assert not (tree.folder / "out").exists()
    assert (tree.folder / "repo/deploy/pod.yaml").read_bytes() == before


def test_a_file_with_a_json_patch_is_a_resource_file(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("quay.io/e/a:1"))
    airgap.write("k/patch.yaml", "- op: add\n  path: /spec/containers/-\n  value: {image: busybox, command: [sh]}\n")
    said = airgap.run("images", "k", "--refs")
    assert said.text.split() == ["docker.io/library/busybox:latest", "quay.io/e/a:1"]


def test_many_fields_without_a_reference_are_one_warning(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod(*(f"IMAGE_{number}" for number in range(9)), "quay.io/e/a:1"))
    (warning,) = warnings(airgap.run("images", "k").stderr)
    assert warning.startswith("9 image fields with no reference in them are neither carried nor rewritten: k/a.yaml:7")
    assert warning.endswith("and 4 more (airgap images --why lists all)")
    assert airgap.run("images", "k", "--why").text.count("invalid image reference") == 9


def test_another_encoding_is_not_called_korean(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("quay.io/e/a:1"))
    airgap.write("k/chinese.yaml", "# 这是一个用于部署应用程序的配置文件\n".encode("gbk"))
    airgap.write("k/french.yaml", "# déployé\n".encode("latin-1"))
    (warning,) = warnings(airgap.run("images", "k", code=3).stderr)
    assert warning.startswith(
        "skipped 2 files in another encoding: k/chinese.yaml, k/french.yaml; convert it: iconv -f"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_the_right_to_read_it_is_skipped(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("quay.io/e/a:1"))
    airgap.write("k/b.yaml", pod("quay.io/e/b:1")).chmod(0)
    (warning,) = warnings(airgap.run("images", "k", code=3).stderr)
    assert warning.startswith("skipped 1 file that cannot be read: k/b.yaml (")


def test_an_archive_in_a_folder_is_skipped(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("quay.io/e/a:1"))
    airgap.write("k/b.json", b"\x1f\x8b\x08" + bytes(600))
    (warning,) = warnings(airgap.run("images", "k", code=3).stderr)
    assert warning.startswith("skipped 1 file that cannot be read: k/b.json (this is an archive")


def test_several_charts_are_one_warning(airgap: Airgap) -> None:
    for name in "abcde":
        airgap.write(f"k/{name} x/Chart.yaml", CHART)
        airgap.write(f"k/{name} x/templates/a.yaml", TEMPLATE)
    airgap.write("k/pod.yaml", pod("quay.io/e/a:1"))
    (warning,) = warnings(airgap.run("images", "k", code=3).stderr)
    assert warning == (
        "skipped 1 template of the chart k/a x: airgap images 'k/a x'; also 1 of k/b x, 1 of k/c x, 1 of k/d x and "
        "those of 1 more chart; --render renders every chart"
    )


# Folders that are rendered


def test_what_a_kustomization_does_not_reach_is_counted(airgap: Airgap) -> None:
    airgap.write("k/kustomization.yaml", "resources: [base, one.yaml]\npatches: [{path: patch.yaml}]\n")
    airgap.write("k/base/kustomization.yaml", "resources: [two.yaml]\n")
    airgap.write("k/one.yaml", pod("quay.io/e/one:1").replace("name: p", "name: one"))
    airgap.write("k/base/two.yaml", pod("quay.io/e/two:1"))
    airgap.write("k/patch.yaml", pod("quay.io/e/patched:1"))
    airgap.write("k/resources/three.yaml", pod("quay.io/e/three:1"))  # "resources" is a key above, and no path
    airgap.write("k/four.yaml", pod("quay.io/e/four:1"))
    airgap.write("k/empty.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n")
    if shutil.which("kubectl") is None and shutil.which("kustomize") is None:
        pytest.skip("neither kubectl nor kustomize is installed")
    (warning,) = warnings(airgap.run("images", "k").stderr)
    assert warning == (
        "k: rendering this kustomization does not reach 2 files with images, such as k/four.yaml; "
        "to read all files: airgap images --walk k"
    )
    said = airgap.run("images", "--walk", "k", "--refs")
    assert said.text.split() == [f"quay.io/e/{name}:1" for name in ("four", "one", "patched", "three", "two")]


def test_walk_rewrites_the_files_of_a_kustomization(airgap: Airgap) -> None:
    airgap.write(
        "k/kustomization.yaml", "resources: [one.yaml]\nimages: [{name: x, newName: quay.io/e/x, newTag: '2'}]\n"
    )
    files = [airgap.write(f"k/{name}.yaml", pod(f"quay.io/e/{name}:1")) for name in ("one", "two")]
    before = [file.read_bytes() for file in files]
    airgap.run("rewrite", "k", "--walk", "--to", "t.example/p", "--in-place")
    assert [file.read_bytes() for file in files] == [
        content.replace(b"quay.io/e/", b"t.example/p/") for content in before
    ]
    assert "newName: t.example/p/x" in (airgap.folder / "k/kustomization.yaml").read_text()
    airgap.run("rewrite", "k", "--walk", "--to", "t.example/p", "--check")
    airgap.run("rewrite", "k", "--revert", "--in-place")
    assert [file.read_bytes() for file in files] == before


def test_rewrite_counts_what_the_overlay_of_a_kustomization_does_not_reach(airgap: Airgap) -> None:
    if shutil.which("kubectl") is None and shutil.which("kustomize") is None:
        pytest.skip("neither kubectl nor kustomize is installed")
    airgap.write("k/kustomization.yaml", "resources: [one.yaml]\n")
    airgap.write("k/one.yaml", pod("quay.io/e/one:1"))
    airgap.write("k/two.yaml", pod("quay.io/e/two:1"))
    (warning,) = warnings(airgap.run("rewrite", "k", "--to", "t.example/p", "-o", "overlay").stderr)
    assert warning.startswith("k: rendering this kustomization does not reach 1 file with images, such as k/two.yaml;")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--render", "--in-place"], "--render goes with --output: there is no file of a chart's rendering to change"),
        (["--walk", "--revert"], "--revert goes by the record alone"),
        (["--strict", "--revert"], "--revert goes by the record alone"),
    ],
)
def test_options_about_folders_that_contradict_others(airgap: Airgap, arguments: list[str], message: str) -> None:
    airgap.write("k/pod.yaml", pod("quay.io/e/pod:1"))
    target = [] if "--revert" in arguments else ["--to", "t.example/p"]
    assert message in airgap.run("rewrite", "k", *arguments, *target, code=2).stderr


#: A helm that prints a Pod with the image ``quay.io/e/rendered-<folder>:1``, and fails for a chart called broken.
HELM = """#!/bin/sh
chart=$(basename "$PWD/$3")
case "$chart" in broken) echo "Error: values are wrong" >&2; exit 1;; esac
case "$1" in
  show) echo "name: $chart";;
  template) printf 'apiVersion: v1\\nkind: Pod\\nspec: {containers: [{image: "quay.io/e/rendered-%s:1"}]}\\n' "$chart"
    echo "$chart" >> "$HELM_LOG";;
esac
"""


@pytest.fixture
def helm(airgap: Airgap, tmp_path: Path) -> Path:
    """A log with a line for each chart that the helm on the PATH has rendered."""
    program = tmp_path / "bin/helm"
    program.parent.mkdir()
    program.write_text(HELM)
    program.chmod(0o755)
    airgap.environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "HELM_LOG": str(tmp_path / "log")}
    return tmp_path / "log"


def test_render_renders_each_chart_of_a_folder_once(airgap: Airgap, helm: Path) -> None:
    for chart in ("a", "a/charts/inner", "b"):
        airgap.write(f"k/{chart}/Chart.yaml", CHART)
        airgap.write(f"k/{chart}/values.yaml", "image: {repository: quay.io/e/default, tag: v1}\n")
        airgap.write(f"k/{chart}/templates/a.yaml", TEMPLATE)
    airgap.write("k/common/Chart.yaml", CHART + "type: library\n")
    airgap.write("k/pod.yaml", pod("quay.io/e/pod:1"))
    said = airgap.run("images", "k", "--render", "--refs")
    assert said.text.split() == ["quay.io/e/pod:1", "quay.io/e/rendered-a:1", "quay.io/e/rendered-b:1"]
    assert helm.read_text().split() == ["a", "b"]
    assert "skipped" not in said.stderr
    airgap.write("k/broken/Chart.yaml", CHART)
    said = airgap.run("images", "k", "--render", "--refs", code=3)
    (warning,) = warnings(said.stderr)
    assert warning.startswith("skipped 1 chart that could not be rendered: k/broken (helm says: values are wrong")
    assert "rendered-b" in said.text


def test_rewrite_writes_what_helm_renders_of_the_charts_in_a_folder(airgap: Airgap, helm: Path) -> None:
    airgap.write("k/a/Chart.yaml", CHART)
    airgap.write("k/a/templates/a.yaml", TEMPLATE)
    airgap.write("k/pod.yaml", pod("quay.io/e/pod:1"))
    airgap.run("rewrite", "k", "--render", "--to", "t.example/p", "-o", "out")
    assert 'image: "t.example/p/rendered-a:1"' in (airgap.folder / "out/a.yaml").read_text()
    assert "t.example/p/pod:1" in (airgap.folder / "out/pod.yaml").read_text()
    assert (
        '+spec: {containers: [{image: "t.example/p/rendered-a:1"'
        in airgap.run("rewrite", "k/a", "--walk", "--render", "--to", "t.example/p", "--diff").text
    )
    assert helm.read_text().split() == ["a", "a"]


@pytest.mark.usefixtures("helm")
def test_a_chart_at_the_root_says_what_it_hides(airgap: Airgap) -> None:
    airgap.write("k/Chart.yaml", CHART)
    airgap.write("k/values.yaml", "image: {repository: quay.io/e/default, tag: v1}\n")
    airgap.write("k/templates/a.yaml", TEMPLATE)
    airgap.write("k/examples/pod.yaml", pod("quay.io/e/example:1"))
    said = airgap.run("images", "k")
    (warning,) = warnings(said.stderr)
    assert warning.startswith("k: rendering this chart does not reach 1 file with images, such as k/examples/pod.yaml;")
    said = airgap.run("images", "k", "--walk", "--refs", code=3)
    assert said.text.split() == ["quay.io/e/default:v1", "quay.io/e/example:1"]
    said = airgap.run("images", "k", "--walk", "--render", "--refs")
    assert said.text.split() == ["quay.io/e/rendered-k:1"]


def test_render_by_the_real_helm(airgap: Airgap) -> None:
    airgap.environment["PATH"] = f"{helm_program().parent}:{os.environ['PATH']}"
    airgap.write("k/shop/Chart.yaml", CHART)
    airgap.write("k/shop/values.yaml", "enabled: true\nimage: quay.io/e/shop:1\n")
    airgap.write("k/shop/templates/a.yaml", TEMPLATE)
    airgap.write("k/lib/Chart.yaml", CHART.replace("shop", "lib") + "type: library\n")
    airgap.write("k/broken/Chart.yaml", CHART.replace("shop", "broken"))
    airgap.write("k/broken/templates/a.yaml", '{{ required "a name is needed" .Values.name }}\n')
    said = airgap.run("images", "k", "--render", code=3)
    assert said.text.splitlines()[0] == "quay.io/e/shop:1"
    assert "k/shop (rendered):" in said.text
    (warning,) = warnings(said.stderr)
    assert "k/broken (helm v" in warning
    assert "a name is needed" in warning
