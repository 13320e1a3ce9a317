# SPDX-License-Identifier: Apache-2.0
"""Charts by the real helm: what is rendered is what is listed, exported and carried; and the values file that moves
the images does so when helm renders with it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from airgap.kube import scan
from tests.cli.command import ROOT, Airgap, Registry, pod, settings
from tests.parts.helm import helm, path_with
from tests.parts.images import Images

SHOP = ROOT / "tests/charts/shop"
TARGET = "10.100.0.102:32415/shop"
DIGEST = f"sha256:{'1' * 64}"
REFERENCES = [
    "docker.io/library/busybox:1.36",
    "docker.io/library/cache:7.2",
    "docker.io/library/cache:7.4",
    "docker.io/proxies/edge:1.21.0",
    f"quay.example/shop/pinned@{DIGEST}",
    "quay.example/shop/reloader:v3",
    "quay.example/shop/web:2.7.1",
    "registry.example:5000/shop/worker:2.7.1",
]
MOVED = sorted(f"{TARGET}/{reference.rpartition('/')[2]}" for reference in REFERENCES)


@pytest.fixture
def charted(airgap: Airgap) -> Airgap:
    """A folder with the chart, and helm on the PATH."""
    airgap.environment["PATH"] = path_with(helm().parent)
    shutil.copytree(SHOP, airgap.folder / "shop")
    return airgap


def helm_says(charted: Airgap, *arguments: str | Path) -> bytes:
    """What helm itself renders, by hand."""
    command = [str(helm()), "template", "shop", str(charted.folder / "shop"), "--include-crds", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True, cwd=charted.folder).stdout


def images(content: bytes) -> list[str]:
    return sorted({str(site.reference) for site in scan(content, "x").sites})


def archive(folder: Path) -> Path:
    path = folder.parent / "shop-1.4.2.tgz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, "shop")
    return path


def test_a_folder_and_an_archive_are_rendered(charted: Airgap) -> None:
    before = charted.files()
    assert charted.run("images", "shop", "--refs").text.split() == REFERENCES
    assert charted.files() == before
    archive(charted.folder / "shop")
    assert charted.run("images", "shop-1.4.2.tgz", "--refs").text.split() == REFERENCES


def test_places_are_lines_of_what_helm_renders(charted: Airgap) -> None:
    lines = helm_says(charted).decode().splitlines()
    sites = charted.run("images", "shop", "--json").json
    assert len(sites) == 9
    for site in sites:
        assert site["file"] == "shop (rendered)"
        assert lines[site["line"] - 1][site["column"] - 1 :].startswith(site["text"])


def test_values_are_passed_on(charted: Airgap) -> None:
    charted.write("more.yaml", "pages: {enabled: false}\nworker: {image: r.example/w:1}\n")
    found = charted.run("images", "shop", "--refs", "-f", "more.yaml", "--set", "legacy=true").text.split()
    assert "quay.example/shop/legacy:0.9" in found
    assert "r.example/w:1" in found
    assert "docker.io/library/cache:7.4" not in found
    found = charted.run("images", "shop", "--refs", "--set-string", "upgrade.image.tag=1.10").text.split()
    assert "docker.io/library/busybox:1.10" in found


def test_values_without_a_chart_or_for_two(charted: Airgap) -> None:
    charted.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: a:1}]}\n")
    for verb in (("images",), ("export", "-o", "b.tar"), ("rewrite", "--to", TARGET)):
        said = charted.fails(2, *verb, "pod.yaml", "--set", "a=b")
        assert "no PATH is one" in said.errors[0]
    shutil.copytree(SHOP, charted.folder / "other")
    assert "2 charts are given" in charted.fails(2, "images", "shop", "other", "--set", "a=b").errors[0]
    assert "gone.yaml" in charted.fails(2, "images", "shop", "-f", "gone.yaml").errors[0]


def test_what_helm_refuses(charted: Airgap) -> None:
    charted.write("shop/templates/bad.yaml", '{{ fail "no, not like this" }}\n')
    said = charted.fails(10, "images", "shop")
    assert re.match(r"shop: helm v[0-9.]+ says: .*bad\.yaml.*no, not like this", said.errors[0])
    shutil.rmtree(charted.folder / "shop/charts")
    said = charted.fails(10, "images", "shop")
    assert "common" in said.errors[0]
    assert "helm dependency build shop" in said.stderr


def test_without_helm(airgap: Airgap, tmp_path: Path) -> None:
    shutil.copytree(SHOP, airgap.folder / "shop")
    for verb in (("images",), ("export", "-o", "b.tar"), ("rewrite", "--to", TARGET)):
        said = airgap.fails(10, *verb, "shop", environment={"PATH": str(tmp_path)})
        assert "helm is not on the PATH" in said.errors[0]
        assert "helm template NAME shop --include-crds | airgap images -" in said.stderr


def test_a_template_by_itself_says_what_to_run(airgap: Airgap) -> None:
    shutil.copytree(SHOP, airgap.folder / "shop")
    said = airgap.fails(10, "images", "shop/templates/web.yaml")
    assert re.match(r"shop/templates/web\.yaml:\d+: this is a template of a Helm chart", said.errors[0])
    assert "airgap images shop\n" in said.stderr
    airgap.write("quoted.yaml", 'apiVersion: v1\nkind: Pod\nspec: {containers: [{image: "{{ .Values.image }}"}]}\n')
    said = airgap.fails(10, "images", "quoted.yaml")
    assert "helm" not in said.stderr  # it is below no chart
    airgap.write("other.yaml", "a: [\n")
    assert "not valid YAML" in airgap.fails(10, "images", "other.yaml").errors[0]


def test_what_was_rendered_is_carried(charted: Airgap) -> None:
    with Registry() as registry:
        made = Images(3)
        registry.fill(made, {"shop/web:2.7.1": made.image(), "shop/worker:2.7.1": made.image()})
        charted.write("airgap.yaml", settings({"quay.example": {"mirror": registry.url}}))
        (charted.folder / "shop/templates/upgrade.yaml").unlink()
        image = "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Chart.AppVersion }}"
        charted.write("shop/templates/web.yaml", pod(f"'{image}'"))
        shutil.rmtree(charted.folder / "shop/charts")
        charted.write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.4.2\nappVersion: '2.7.1'\n")
        charted.run("export", "shop", "-o", "b.tar")
        with tarfile.open(charted.folder / "b.tar") as tar:
            carried = tar.extractfile("airgap/resources/0001.yaml")
            assert carried is not None
            assert carried.read() == helm_says(charted)
    with Registry() as nexus:
        charted.run("import", "b.tar", "--to", f"{nexus.url}/pre", "--output", "out")
        assert nexus.names() == ["pre/web:2.7.1"]
        written = (charted.folder / "out/shop.yaml").read_bytes()
        assert images(written) == [f"{nexus.address}/pre/web:2.7.1"]


def test_a_values_file_moves_every_image(charted: Airgap) -> None:
    before = charted.files()
    said = charted.run("rewrite", "shop", "--to", TARGET, "--output", "airgap-values.yaml")
    assert "8 images, proven by rendering with it" in said.stderr
    assert images(helm_says(charted, "-f", "airgap-values.yaml")) == MOVED
    after = charted.files()
    assert after.pop("airgap-values.yaml") == charted.run("rewrite", "shop", "--to", TARGET).stdout
    assert after == before
    written = yaml.safe_load((charted.folder / "airgap-values.yaml").read_bytes())
    # Only what differs (shop/web is called so there too); the tag of appVersion stays the chart's own.
    assert written == {
        "image": {"registry": "10.100.0.102:32415"},
        "pages": {"image": {"registry": "10.100.0.102:32415", "repository": "shop/cache"}},
        "pinned": {"image": {"repository": f"{TARGET}/pinned"}},
        "proxy": {"hub": TARGET},
        "reloader": {"args": ["--log=info", f"--image={TARGET}/reloader:v3", "--level=2"]},
        "sessions": {"image": {"registry": "10.100.0.102:32415", "repository": "shop/cache"}},
        "upgrade": {"image": {"repository": f"{TARGET}/busybox"}},
        "worker": {"image": f"{TARGET}/worker:2.7.1"},
    }


@pytest.mark.parametrize("policy", ["path", "full"])
def test_other_policies_and_an_archive(charted: Airgap, policy: str) -> None:
    path = archive(charted.folder / "shop")
    charted.run("rewrite", path.name, "--to", TARGET, "--mapping", policy, "--output", "v.yaml")
    moved = images(helm_says(charted, "-f", "v.yaml"))
    host = {"path": "", "full": "quay.example/"}[policy]
    assert len(moved) == len(REFERENCES)
    assert f"{TARGET}/{host}shop/web:2.7.1" in moved
    assert all(image.startswith(f"{TARGET}/") for image in moved)


def test_the_users_own_values_are_under_it(charted: Airgap) -> None:
    charted.write("own.yaml", "image: {tag: '9'}\nglobal: {imageRegistry: mirror.example}\n")
    charted.run("rewrite", "shop", "-f", "own.yaml", "--to", TARGET, "--output", "v.yaml")
    moved = images(helm_says(charted, "-f", "own.yaml", "-f", "v.yaml"))
    assert f"{TARGET}/web:9" in moved
    assert all(image.startswith(f"{TARGET}/") for image in moved)
    assert yaml.safe_load((charted.folder / "v.yaml").read_bytes())["global"] == {"imageRegistry": "10.100.0.102:32415"}


def test_a_set_that_wins_over_files_is_told(charted: Airgap) -> None:
    arguments = ("rewrite", "shop", "--to", TARGET, "--set", "worker.image=r.example/w:1", "--output", "v.yaml")
    said = charted.run(*arguments, code=3)
    assert len(said.errors) == 1
    assert "r.example/w:1 stays" in said.errors[0]


def test_a_hard_coded_image_is_named_and_the_rest_moves(charted: Airgap) -> None:
    said = charted.run("rewrite", "shop", "--to", TARGET, "--set", "legacy=true", "--output", "v.yaml", code=3)
    (error,) = said.errors
    assert "quay.example/shop/legacy:0.9 stays (shop/templates/web.yaml, spec.template.spec.containers[5]" in error
    rendered = helm_says(charted, "--set", "legacy=true", "-f", "v.yaml")
    line = int(re.match(r"shop \(rendered\):(\d+): ", error)[1])  # type: ignore[index] # fails the test if it is none
    assert "legacy:0.9" in rendered.decode().splitlines()[line - 1]
    assert images(rendered) == sorted([*MOVED, "quay.example/shop/legacy:0.9"])


def test_a_chart_that_checks_its_values(charted: Airgap) -> None:
    """A schema that takes one registry only: nothing moves there, and helm's words say why."""
    schema = '{"properties": {"worker": {"properties": {"image": {"pattern": "^registry\\\\.example:"}}}}}'
    charted.write("shop/values.schema.json", schema)
    said = charted.run("rewrite", "shop", "--to", TARGET, "--output", "v.yaml", code=3)
    (error,) = said.errors
    assert "registry.example:5000/shop/worker:2.7.1 stays" in error
    assert "does not match pattern" in said.stderr.lower()
    assert len(images(helm_says(charted, "-f", "v.yaml"))) == len(REFERENCES)


def test_output_is_not_overwritten_and_may_be_a_folder(charted: Airgap) -> None:
    charted.write("v.yaml", "mine: true\n")
    assert "v.yaml" in charted.fails(42, "rewrite", "shop", "--to", TARGET, "--output", "v.yaml").errors[0]
    charted.run("rewrite", "shop", "--to", TARGET, "--output", "v.yaml", "--force")
    charted.run("rewrite", "shop", "--to", TARGET, "--output", "out/")
    assert (charted.folder / "out/shop-values.yaml").read_bytes() == (charted.folder / "v.yaml").read_bytes()


def test_a_chart_is_rewritten_by_itself(charted: Airgap) -> None:
    charted.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: a:1}]}\n")
    assert "by itself" in charted.fails(2, "rewrite", "shop", "pod.yaml", "--to", TARGET).errors[0]
    for option in ("--in-place", "--diff", "--check"):
        assert "not changed itself" in charted.fails(2, "rewrite", "shop", "--to", TARGET, option).errors[0]


def test_only_what_the_bundle_holds(charted: Airgap, bundle: Path) -> None:
    said = charted.run("rewrite", "shop", "--to", TARGET, "--from", bundle, code=32)
    assert len(said.errors) == 9
    assert said.stdout == b""
    said = charted.run("rewrite", "shop", "--to", TARGET, "--from", bundle, "--keep-unknown")
    assert yaml.safe_load(said.stdout) == {}


def test_a_chart_in_a_registry(charted: Airgap) -> None:
    """Pushed by helm into the embedded registry, and rendered out of it."""
    with Registry() as registry:
        path = archive(charted.folder / "shop")
        environment = {**os.environ, "HELM_CONFIG_HOME": str(charted.home), "HELM_CACHE_HOME": str(charted.home)}
        push = [str(helm()), "push", str(path), f"oci://{registry.address}/charts", "--plain-http"]
        subprocess.run(push, check=True, capture_output=True, env=environment)
        shutil.rmtree(charted.folder / "shop")
        path.unlink()
        address = f"oci://{registry.address}/charts/shop"
        assert charted.run("images", address, "--refs").text.split() == REFERENCES
        assert charted.run("images", f"{address}:1.4.2", "--refs").text.split() == REFERENCES
        assert "not found" in charted.fails(10, "images", f"{address}:9.9.9").errors[0]
        said = charted.run("rewrite", address, "--to", TARGET)
        assert yaml.safe_load(said.stdout)["proxy"] == {"hub": TARGET}
    assert charted.files() == {}
