# SPDX-License-Identifier: Apache-2.0
"""Running helm, kubectl and kustomize: what they are told, and what is said when they are missing, refuse or hang.
The programs are played by scripts here; tests/flows/test_charts.py runs the real ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airgap.errors import ResourceError
from airgap.kube.render import programs as render
from airgap.kube.render.programs import Rendering


class Programs:
    """Scripts on a PATH that holds nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    return Programs(folder)


ECHO = 'for one in "$@"; do echo "$one"; done'


def test_what_a_path_is(tmp_path: Path) -> None:
    for name in ("chart/Chart.yaml", "k/kustomization.yml", "both/Chart.yaml", "both/kustomization.yaml", "no/a.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "c-1.tgz").write_text("")
    found = {
        name: render.renderable_kind(str(tmp_path / name)) for name in ("chart", "k", "both", "no", "c-1.tgz", "d.tgz")
    }
    assert found == {
        "chart": render.CHART,
        "k": render.KUSTOMIZATION,
        "both": render.CHART,
        "no": "",
        "c-1.tgz": render.CHART,
        "d.tgz": "",
    }
    assert render.renderable_kind("oci://r.example/c") == render.CHART
    assert render.renderable_kind("-") == ""
    assert render.renderable_kind(str(tmp_path / "chart/Chart.yaml")) == ""


def test_everything_is_passed_on_to_helm(programs: Programs) -> None:
    programs.add("helm", ECHO)
    rendering = Rendering(
        ("a.yaml", "-b.yaml"), ("x=1,y=2",), ("z=1",), "prod", "1.29", ("a/v1", "b/v1"), no_tests=True
    )
    said = render.template("-chart", "My_Chart", rendering.over("c.yaml"), only="templates/x.yaml").decode().split("\n")
    assert said == [
        "template",
        "my-chart",
        "./-chart",
        "--include-crds",
        "--values=a.yaml",
        "--values=-b.yaml",
        "--values=c.yaml",
        "--set=x=1,y=2",
        "--set-string=z=1",
        "--api-versions=a/v1",
        "--api-versions=b/v1",
        "--namespace=prod",
        "--kube-version=1.29",
        "--skip-tests",
        "--show-only=templates/x.yaml",
        "",
    ]


def test_helm_is_missing(programs: Programs) -> None:
    with pytest.raises(ResourceError, match="helm is not on the PATH") as caught:
        render.template("shop", "shop", Rendering())
    assert caught.value.where == "shop"
    assert "helm template NAME shop --include-crds | airgap images -" in (caught.value.hint or "")


def test_kustomize_stands_in_for_kubectl(programs: Programs) -> None:
    with pytest.raises(ResourceError, match="neither kubectl nor kustomize") as caught:
        render.kustomize("k")
    assert "kubectl kustomize k | airgap images -" in (caught.value.hint or "")
    programs.add("kustomize", ECHO)
    assert render.kustomize("k") == b"build\n./k\n"
    programs.add("kubectl", ECHO)
    assert render.kustomize("k") == b"kustomize\n./k\n"


def test_what_helm_refuses_is_said_in_its_words(programs: Programs) -> None:
    programs.add(
        "helm",
        'if [ "$1" = version ]; then echo v3.17.2+gcc0bbbd; exit; fi\n'
        "/bin/cat >&2 <<'END'\n"
        "WARNING: nobody reads this\n"
        "Error: values don't meet the specifications of the schema(s) in the following chart(s):\n"
        "shop:\n"
        "- image.tag: Invalid type\n"
        "\n"
        "Use --debug flag to render out invalid YAML\n"
        "END\n"
        "exit 1",
    )
    with pytest.raises(ResourceError) as caught:
        render.template("shop", "shop", Rendering())
    assert str(caught.value) == (
        "shop: helm v3.17.2 says: values don't meet the specifications of the schema(s) in the following chart(s): "
        "shop: - image.tag: Invalid type"
    )
    assert caught.value.exit_code == 10


def test_missing_dependencies_have_a_command(programs: Programs) -> None:
    words = "Error: An error occurred: found in Chart.yaml, but missing in charts/ directory: common"
    programs.add("helm", f"echo '{words}' >&2; exit 1")
    with pytest.raises(ResourceError, match="missing in charts/ directory: common") as caught:
        render.template("shop", "shop", Rendering())
    assert caught.value.hint == "helm dependency build shop"


def test_a_silent_failure_and_endless_words(programs: Programs) -> None:
    programs.add("kubectl", "exit 3")
    with pytest.raises(ResourceError, match="kubectl says: it ended with exit code 3"):
        render.kustomize("k")
    programs.add("kubectl", "i=0; while [ $i -lt 999 ]; do echo error: $i-aaaaaaaaaa >&2; i=$((i+1)); done; exit 1")
    with pytest.raises(ResourceError, match=r"says: 998-a+$"):
        render.kustomize("k")


def test_a_program_that_hangs_is_ended(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.add("helm", 'if [ "$1" = version ]; then exit; fi\nexec /bin/sleep 60')
    monkeypatch.setattr(render, "_TIMEOUT_SECONDS", 0.2)
    started = time.monotonic()
    with pytest.raises(ResourceError, match="not done after"):
        render.template("shop", "shop", Rendering())
    assert time.monotonic() - started < 20


def test_a_program_that_cannot_run(programs: Programs) -> None:
    programs.add("helm", "")
    (programs.folder / "helm").write_bytes(b"\x7fELF no program")
    with pytest.raises(ResourceError, match="cannot be run"):
        render.template("shop", "shop", Rendering())


@pytest.mark.parametrize("text", ["name: ../../etc\n", "name: 3\n", "[]\n", "name: .hidden\n", "}{\n"])
def test_a_chart_without_a_name_that_a_file_could_have(programs: Programs, text: str) -> None:
    programs.add("helm", f"printf '{text}'")
    with pytest.raises(ResourceError, match=r"Chart\.yaml"):
        render.chart_name("shop")


def test_pulling(programs: Programs, tmp_path: Path) -> None:
    folder = tmp_path / "pulled"
    folder.mkdir()
    programs.add("helm", f'for one in "$@"; do echo "$one"; done > {tmp_path}/said; : > {folder}/shop-1.4.2.tgz')
    got = render.pull("oci://r.example:5000/charts/shop:1.4.2", str(folder), ["--plain-http"])
    assert got == str(folder / "shop-1.4.2.tgz")
    assert (tmp_path / "said").read_text().split() == [
        "pull",
        "oci://r.example:5000/charts/shop",
        f"--destination={folder}",
        "--plain-http",
        "--version=1.4.2",
    ]
    render.pull("oci://r.example:5000/charts/shop", str(folder), [])
    assert "--version" not in (tmp_path / "said").read_text()
    (folder / "shop-1.4.2.tgz").unlink()
    programs.add("helm", "")
    with pytest.raises(ResourceError, match="brought no chart"):
        render.pull("oci://r.example:5000/charts/shop", str(folder), [])
