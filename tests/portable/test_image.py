# SPDX-License-Identifier: Apache-2.0
"""The container image of airgap: other programs read it, and it runs as it says with nothing but its layer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import airgap
from tests.cli.command import Airgap, Registry
from tests.parts import chroots
from tests.parts.need import need, need_privilege

pytestmark = [pytest.mark.long, pytest.mark.interop]

ROOT = Path(__file__).resolve().parents[2]
NAME = f"localhost/airgap:{airgap.__version__}"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("apt-get")
    folder = tmp_path_factory.mktemp("image")
    command = [sys.executable, "-m", "tools.portable.image", "--output", folder / "dist", "--work", folder / "work"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    made = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.splitlines()[-1])


def read(archive: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Manifest, config and layer, by a tar reader of the standard library."""
    with tarfile.open(archive) as tar:

        def content(name: str) -> bytes:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

        def blob(descriptor: dict[str, Any]) -> bytes:
            return content(f"blobs/{descriptor['digest'].replace(':', '/')}")

        (entry,) = json.loads(content("index.json"))["manifests"]
        manifest = json.loads(blob(entry))
        (layer,) = manifest["layers"]
        return manifest, json.loads(blob(manifest["config"])), blob(layer)


def test_skopeo_and_podman_read_it(archive: Path, tmp_path: Path) -> None:
    said = subprocess.run(
        [need("skopeo"), "inspect", "--config", f"oci-archive:{archive}:{NAME}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(said.stdout)["config"]["User"] == "10001:10001"
    need_privilege("run podman as root")
    podman = [need("podman"), "--root", tmp_path / "root", "--runroot", tmp_path / "run", "--tmpdir", tmp_path / "tmp"]
    podman += ["--storage-driver", "vfs", "--events-backend", "none", "--cgroup-manager", "cgroupfs"]
    subprocess.run([*podman, "pull", "-q", f"oci-archive:{archive}:{NAME}"], capture_output=True, check=True)
    shown = subprocess.run([*podman, "image", "inspect", NAME], capture_output=True, text=True, check=True)
    (image,) = json.loads(shown.stdout)
    assert image["Labels"]["org.opencontainers.image.version"] == airgap.__version__
    assert (image["Architecture"], image["Os"]) == ("amd64", "linux")


def test_its_entrypoint_runs_with_its_layer_alone(archive: Path, tmp_path: Path) -> None:
    root = chroots.empty(tmp_path / "root")
    _, config, layer = read(archive)
    (tmp_path / "layer.tar.gz").write_bytes(layer)
    subprocess.run(["tar", "xpzf", tmp_path / "layer.tar.gz", "-C", root.path, "--numeric-owner"], check=True)
    settings = config["config"]
    user = int(settings["User"].partition(":")[0])
    environment = dict(entry.split("=", 1) for entry in settings["Env"])

    def run(*arguments: str) -> str:
        where = {"folder": settings["WorkingDir"], "environment": environment, "user": user}
        return root.run(*settings["Entrypoint"], *arguments, **where).stdout

    assert run("--version") == f"airgap {airgap.__version__}\n"
    versions = run("--version", "--verbose")
    assert "\n  busybox-static " in versions
    assert "\n  ca-certificates " in versions
    assert "all files are kept in airgap-demo" in run("demo")
    assert (root.path / "data/airgap-demo").stat().st_uid == user
    # What kubectl cp and kubectl exec need.
    for command in (["sh", "-c", "airgap --version"], ["tar", "cf", "x.tar", "/etc/passwd"], ["sleep", "0"]):
        root.run(*command, folder="/data", environment=environment, user=user)
    assert (root.path / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 100


def test_airgap_imports_it(archive: Path, airgap: Airgap, nexus: Registry) -> None:
    airgap.run("import", archive, "--to", f"{nexus.address}/tools")
    assert nexus.names() == [f"tools/airgap:{NAME.rpartition(':')[2]}"]
