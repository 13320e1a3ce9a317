# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite CHART`` on one chart of each shape (tests/charts/shapes.py), with helm 3 and helm 4: what the values
file moves, what the post-renderer moves, and which images are named because neither does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from airgap.kube import scan
from tests.charts.shapes import SHAPES, ChartShape, pages, with_table
from tests.cli.command import ROOT, Airgap
from tests.parts.helm import helm, path_with

TARGET = "10.100.0.102:32415/shop"
HELMS = {3: "helm3", 4: "helm4"}


class Charts:
    """A copy of tests/charts, and a helm of one major version on airgap's PATH."""

    def __init__(self, airgap: Airgap, major: int) -> None:
        self.airgap, self.major, self.program = airgap, major, helm(major)
        airgap.environment["PATH"] = path_with(self.program.parent)
        shutil.copytree(ROOT / "tests/charts", airgap.folder, symlinks=True, dirs_exist_ok=True)

    def helm(self, *arguments: str) -> bytes:
        """What helm prints."""
        home = str(self.airgap.home)
        plugins = str(self.airgap.folder / "plugins")
        homes = {"HOME": home, "HELM_CONFIG_HOME": home, "HELM_CACHE_HOME": home, "HELM_DATA_HOME": home}
        environment = {**os.environ, **homes, "HELM_PLUGINS": plugins}
        command = [str(self.program), *arguments]
        done = subprocess.run(command, capture_output=True, cwd=self.airgap.folder, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rendered(self, name: str, *options: str) -> bytes:
        """What helm installs: what it renders, and the CRDs as they are."""
        return self.helm("template", name, name, *options) + b"\n---\n" + self.helm("show", "crds", name)

    def post_renderer(self, name: str) -> str:
        """The option that uses the post-renderer in plugins/p/."""
        return "--post-renderer=" + ("./plugins/p/rewrite-images" if self.major == 3 else f"{name}-images")


#: Where both run the same way; the second is then one of the long tests. They differ by how a post-renderer is called
#: and by what it is given.
ALIKE = [pytest.param(3, id=HELMS[3]), pytest.param(4, id=HELMS[4], marks=pytest.mark.long)]
BOTH = pytest.mark.parametrize("charts", HELMS, ids=HELMS.values(), indirect=True)


@pytest.fixture(params=ALIKE)
def charts(request: pytest.FixtureRequest, airgap: Airgap) -> Charts:
    return Charts(airgap, request.param)


def base_python() -> str:
    """The interpreter that the virtual environment of the tests was made with."""
    return str(getattr(sys, "_base_executable", sys.executable))


def left_in(content: bytes) -> list[str]:
    """The images that are not at the target."""
    images = {str(site.reference) for site in scan(content, "x").sites}
    return sorted(image for image in images if not image.startswith(f"{TARGET}/"))


def shapes_of_each_helm() -> list[object]:
    """Every shape with helm 3, and one that the post-renderer completes with helm 4; others there are long tests."""
    return [
        pytest.param(
            major, shape, id=f"{HELMS[major]}-{shape.name}",
            marks=() if major == 3 or shape.name == "spelled-out" else pytest.mark.long,
        )
        for major in HELMS for shape in SHAPES
    ]  # fmt: skip


@pytest.mark.parametrize(("charts", "shape"), shapes_of_each_helm(), indirect=["charts"])
def test_a_chart_of_each_shape(charts: Charts, shape: ChartShape) -> None:
    name, airgap = shape.name, charts.airgap
    assert len(airgap.run("images", name, "--refs").text.split()) == shape.images
    said = airgap.run("rewrite", name, "--to", TARGET, "-o", "v.yaml", code=shape.code)
    assert left_in(charts.rendered(name, "-f", "v.yaml")) == sorted(shape.left)
    assert all(reference in said.stderr for reference in shape.left)

    if shape.left:
        check_post_renderer(charts, shape)


#: Where the values file alone moves every image, the post-renderer finds nothing to do.
@pytest.mark.long
@BOTH
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if not shape.left], ids=lambda shape: shape.name)
def test_a_chart_that_needs_no_post_renderer(charts: Charts, shape: ChartShape) -> None:
    charts.airgap.run("rewrite", shape.name, "--to", TARGET, "-o", "v.yaml")
    check_post_renderer(charts, shape)


def check_post_renderer(charts: Charts, shape: ChartShape) -> None:
    """The values file is the same with a post-renderer; what both leave is what the table says, and is named."""
    name, airgap = shape.name, charts.airgap
    said = airgap.run("rewrite", name, "--to", TARGET, "--post-renderer", "plugins/p/", "-o", "again.yaml")
    assert (airgap.folder / "again.yaml").read_bytes() == (airgap.folder / "v.yaml").read_bytes()
    by_both = charts.rendered(name, "-f", "v.yaml", charts.post_renderer(name))
    assert left_in(by_both) == sorted(shape.helm3 if charts.major == 3 else shape.helm4)
    assert all(f"warning: {reference} stays" in said.stderr for reference in shape.helm3)


def test_the_pages_have_these_rows() -> None:
    for path, is_korean in pages().items():
        page = path.read_text("utf-8")
        assert page == with_table(page, korean=is_korean), f"run: python -m tests.charts.shapes ({path})"
        assert all(f"| `{shape.name}` |" in page for shape in SHAPES)


@pytest.mark.parametrize("enterprise", ["true", "false"])
def test_both_positions_of_a_boolean(charts: Charts, enterprise: str) -> None:
    switch = f"--set=enterprise={enterprise}"
    charts.airgap.run("rewrite", "switched", "--to", TARGET, switch, "-o", "v.yaml")
    assert left_in(charts.rendered("switched", switch, "-f", "v.yaml")) == []


@BOTH
def test_what_an_operator_joins_is_at_the_target(charts: Charts) -> None:
    """Not as a scan reads it, but as an operator does that joins repository, image and version."""
    charts.airgap.run("rewrite", "operator", "--to", TARGET, "-o", "v.yaml")
    spec = yaml.safe_load(charts.helm("template", "x", "operator", "-f", "v.yaml"))["spec"]
    joined = ["{repository}/{image}:{version}".format(**part) for part in spec.values()]
    assert joined == [f"{TARGET}/driver:550.1", f"{TARGET}/toolkit:v1.17"]
    said = charts.airgap.run("rewrite", "operator-fixed", "--to", TARGET, "--post-renderer", "plugins/p/")
    assert yaml.safe_load(said.stdout) == {"toolkit": {"repository": TARGET}}
    (charts.airgap.folder / "v.yaml").write_bytes(said.stdout)
    option = charts.post_renderer("operator-fixed")
    spec = yaml.safe_load(charts.helm("template", "x", "operator-fixed", "-f", "v.yaml", option))["spec"]
    assert ["{repository}/{image}:{version}".format(**part) for part in spec.values()] == joined


def test_no_tests(charts: Charts) -> None:
    airgap = charts.airgap
    assert "busybox" in airgap.run("images", "test-fixed", "--refs").text
    assert airgap.run("images", "test-fixed", "--no-tests", "--refs").text.split() == ["quay.example/shop/web:2.7"]
    assert "busybox" not in airgap.run("rewrite", "test-fixed", "--to", TARGET, "--no-tests", "-o", "v.yaml").stderr
    said = airgap.run("rewrite", "test-value", "--to", TARGET, "--no-tests")
    assert yaml.safe_load(said.stdout) == {"image": {"repository": f"{TARGET}/web"}}
    assert "quay.example/shop/wait:1.0" in airgap.run("images", "hook-fixed", "--no-tests", "--refs").text
    shutil.copytree(airgap.folder / "test-value", airgap.folder / "more/test-value")
    airgap.run("images", "test-fixed", "more/test-value", "--no-tests", "--refs")
    airgap.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: a:1}]}\n")
    assert "no PATH is one" in airgap.fails(2, "images", "pod.yaml", "--no-tests").errors[0]


class TestPostRenderer:
    """The executable, run by hand."""

    @pytest.fixture
    def program(self, charts: Charts) -> Path:
        options = ("--post-renderer", "rewrite-them", "-o", "v.yaml")
        said = charts.airgap.run("rewrite", "spelled-out", "--to", TARGET, *options)
        assert "rewrite-them: it moves 4 places" in said.stderr
        assert "helm 3: --post-renderer ./rewrite-them\n" in said.stderr
        return charts.airgap.folder / "rewrite-them"

    def run(self, program: Path, content: bytes, code: int = 0) -> bytes:
        """It runs with the Python that this environment was made of, which has no packages, and with nothing else."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "AIRGAP_PYTHON": base_python()}
        done = subprocess.run([program], input=content, capture_output=True, env=environment, check=False)
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr
        return done.stdout

    def test_every_other_byte_stays_and_a_second_run_changes_nothing(self, charts: Charts, program: Path) -> None:
        before = charts.helm("template", "x", "spelled-out")
        after = self.run(program, before)
        expected = before
        for old, new in (
            (b'image: "quay.example/shop/web:2.7"', f'image: "{TARGET}/web:2.7"'.encode()),
            (b"image: 'quay.example/shop/agent:3'", f"image: '{TARGET}/agent:3'".encode()),
            (b'"--helper-image=quay.example/shop/helper:3"', f'"--helper-image={TARGET}/helper:3"'.encode()),
            (b'image: "quay.example/shop/job:1"   # started', f'image: "{TARGET}/job:1"   # started'.encode()),
            (b"HELPER_IMAGE: quay.example/shop/helper:3", f"HELPER_IMAGE: {TARGET}/helper:3".encode()),
        ):
            assert old in expected
            expected = expected.replace(old, new)
        assert after == expected
        assert b"# quay.example/shop/agent:3" in after
        assert self.run(program, after) == after

    def test_line_ends_an_empty_input_and_other_images(self, charts: Charts, program: Path) -> None:
        assert self.run(program, b"") == b""
        other = b"kind: Pod\r\napiVersion: v1\r\nspec: {containers: [{image: other.example/x:1}]}\r\n# end"
        assert self.run(program, other) == other
        assert self.run(program, b"a: [\n", code=10) == b""

    def test_the_same_bytes_again(self, charts: Charts, program: Path) -> None:
        before = program.read_bytes()
        charts.airgap.run("rewrite", "spelled-out", "--to", TARGET, "--post-renderer", "rewrite-them", "-o", "v.yaml")
        assert program.read_bytes() == before


def test_where_the_post_renderer_goes(charts: Charts) -> None:
    airgap = charts.airgap
    arguments = ("rewrite", "spelled-out", "--to", TARGET, "--post-renderer")
    before = airgap.files()
    airgap.run(*arguments, "p/", "-o", "v.yaml", "--dry-run")
    assert airgap.files() == before
    airgap.write("mine", "#!/bin/sh\n")
    assert "mine" in airgap.fails(42, *arguments, "mine", "-o", "v.yaml").errors[0]
    assert not (airgap.folder / "v.yaml").exists()
    airgap.run(*arguments, "mine", "-o", "v.yaml", "--force")
    assert (airgap.folder / "mine").stat().st_mode & 0o777 == 0o755
    assert "the same file" in airgap.fails(2, *arguments, "v.yaml", "-o", "v.yaml", "--force").errors[0]
    airgap.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: a:1}]}\n")
    assert "PATH is none" in airgap.fails(2, "rewrite", "pod.yaml", "--to", TARGET, "--post-renderer", "p").errors[0]
