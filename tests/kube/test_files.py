# SPDX-License-Identifier: Apache-2.0
"""Reading inputs: files, folders and standard input, their names, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap.errors import ResourceError, UsageError
from airgap.kube import load
from tests.kube.support import pod

POD = pod(b"  - image: nginx\n")


def write(folder: Path, *names: str, content: bytes = POD) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(*paths: object) -> list[str]:
    return [file.name for file in load([str(path) for path in paths])]


def test_one_file(tmp_path: Path) -> None:
    write(tmp_path, "a/cert-manager.yaml")
    (file,) = load([str(tmp_path / "a/cert-manager.yaml")])
    assert (file.name, file.path, file.content) == ("cert-manager.yaml", str(tmp_path / "a/cert-manager.yaml"), POD)


def test_paths_are_said_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "deploy/x.yaml", "top.yaml")
    monkeypatch.chdir(tmp_path)
    assert [(file.name, file.path) for file in load(["./top.yaml", "deploy/"])] == [
        ("top.yaml", "./top.yaml"),
        ("deploy/x.yaml", "deploy/x.yaml"),
    ]


def test_a_folder_is_walked_in_order(tmp_path: Path) -> None:
    write(tmp_path, "b.yml", "a/z.json", "a/B.YAML", "c.yaml", "README.md", "x.txt", ".hidden.yaml", ".git/x.yaml")
    write(tmp_path, "image-references", "notes", content=b"just text\n")
    write(tmp_path, "image-references")
    write(tmp_path, "listing", content=b"kind: x\nspec: {apiVersion: y}\n")
    write(tmp_path, "broken", content=POD + b"\t[")
    write(tmp_path, "binary", content=POD + b"\0")
    write(tmp_path, "json", content=b'[1]\n{"kind": "List", "apiVersion": "v1", "items": []}')
    assert names(tmp_path) == ["a/B.YAML", "a/z.json", "b.yml", "c.yaml", "image-references", "json"]


def test_the_same_file_is_read_once_and_equal_names_stay_apart(tmp_path: Path) -> None:
    write(tmp_path, "x/a.yaml", "y/a.yaml", "y/stdin.yaml")
    assert names(tmp_path / "x/a.yaml", tmp_path / "y", tmp_path / "x") == ["x/a.yaml", "y/a.yaml", "y/stdin.yaml"]
    found = load(["-", str(tmp_path / "y"), "-"], lambda: POD)
    assert [file.name for file in found] == ["stdin.yaml", "a.yaml", "stdin-2.yaml"]


def test_standard_input() -> None:
    (file,) = load(["-"], lambda: b' {"kind": "List"}')
    assert (file.name, file.path) == ("stdin.json", "-")
    with pytest.raises(ResourceError, match="standard input"):
        load(["-"])


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path, "in/a.yaml", "out/b.yaml")
    (tmp_path / "in/again").symlink_to(".")
    (tmp_path / "in/other").symlink_to("../out")
    (tmp_path / "in/self.yaml").symlink_to("self.yaml")
    (tmp_path / "in/gone.yaml").symlink_to("nowhere")
    (tmp_path / "in/link.yaml").symlink_to("../out/b.yaml")
    assert names(tmp_path / "in") == ["a.yaml", "link.yaml", "other/b.yaml"]


def test_what_is_no_file_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    assert names(tmp_path) == ["a.yaml"]


def test_nothing_there(tmp_path: Path) -> None:
    missing = tmp_path / "gone.yaml"
    with pytest.raises(UsageError, match="no such file") as caught:
        load([str(missing)])
    assert caught.value.where == str(missing)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResourceError, match="no resource files"):
        load([str(tmp_path / "empty")])
    assert load([]) == []


def test_a_chart_is_refused_with_what_to_run(tmp_path: Path) -> None:
    write(tmp_path, "chart/Chart.yaml", "chart/templates/x.yaml")
    with pytest.raises(ResourceError, match="Helm chart") as caught:
        load([str(tmp_path / "chart")])
    assert "helm template" in (caught.value.hint or "")
    # Inside a walk nothing is rendered, and nothing refused before it is scanned.
    assert names(tmp_path) == ["chart/Chart.yaml", "chart/templates/x.yaml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    (tmp_path / "a.yaml").chmod(0)
    with pytest.raises(ResourceError, match="cannot be read"):
        load([str(tmp_path)])


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.yaml")
    real = os.listdir

    def refused(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(ResourceError, match="cannot be read: Permission denied"):
        load([str(tmp_path)])
    monkeypatch.setattr(os, "listdir", real)
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(ResourceError, match="cannot be read"):
        load([str(tmp_path / "loop.yaml")])
