# SPDX-License-Identifier: Apache-2.0
"""The post-renderer's file: what is packed into it, and which tables are refused. tests/flows/test_chart_shapes.py runs
it under helm."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from airgap.bundle.zipapp import build_zipapp
from airgap.errors import TargetError
from airgap.kube.render.post_renderer import plugin_manifest, plugin_name, post_renderer
from airgap.oci import Reference

X, Y, Z = (Reference.parse(f"r.example/{name}:1") for name in "xyz")
_PACK = (
    "import sys\n"
    "from airgap.oci import Reference\n"
    "from airgap.kube.render.post_renderer import post_renderer\n"
    "source, target = map(Reference.parse, sys.argv[1:])\n"
    "sys.stdout.buffer.write(post_renderer('shop', {source: target}))\n"
)


def test_what_is_in_it() -> None:
    with zipfile.ZipFile(io.BytesIO(post_renderer("shop", {X: Y, Z: Z}))) as archive:
        names = archive.namelist()
        assert archive.read("references.json") == b'{\n "r.example/x:1": "r.example/y:1"\n}\n'
    assert "yaml/scanner.py" in names
    assert any(name.endswith("LICENSE") for name in names)
    # What speaks to registries, runs helm or prints has no place in it.
    rooms = {name.split("/")[1] for name in names if name.startswith("airgap/") and name.count("/") > 1}
    assert not rooms & {"cli", "flows", "registry", "transfer", "targets", "server", "store", "bundle"}
    assert not any(name.startswith("airgap/kube/render") for name in names)


def test_the_zipapp_of_airgap_makes_the_same(tmp_path: Path) -> None:
    """A far side that has only airgap.pyz: the modules are taken out of it."""
    path = tmp_path / "airgap.pyz"
    path.write_bytes(build_zipapp())
    command = [sys.executable, "-c", _PACK, str(X), str(Y)]
    done = subprocess.run(command, capture_output=True, check=False, env={"PYTHONPATH": str(path)}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == post_renderer("shop", {X: Y})


def test_a_second_run_would_move_an_image_again() -> None:
    with pytest.raises(TargetError, match=r"x:1 would become r\.example/y:1, which itself would become r\.example/z:1"):
        post_renderer("shop", {X: Y, Y: Z})


def test_the_plugin_has_a_name_that_helm_takes() -> None:
    assert plugin_name("my.shop+1") == "my-shop-1-images"
    assert b"\nname: my-shop-images\n" in plugin_manifest("my.shop")


@pytest.mark.parametrize("named", [True, False])
def test_a_python_is_looked_for(tmp_path: Path, named: bool) -> None:
    """The first one is too old, or there is none at all."""
    program = tmp_path / "rewrite-images"
    program.write_bytes(post_renderer("shop", {X: Y}))
    program.chmod(0o755)
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    environment = {"PATH": str(tmp_path)} | ({"AIRGAP_PYTHON": sys.executable} if named else {})
    content = b"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'r.example/x:1'}]}\n"
    done = subprocess.run([program], input=content, capture_output=True, env=environment, check=False)
    if named:
        assert (done.returncode, done.stdout) == (0, content.replace(b"/x:1", b"/y:1"))
    else:
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"this needs Python 3.10 or later" in done.stderr
        assert b"AIRGAP_PYTHON=/PATH/TO/python3" in done.stderr
