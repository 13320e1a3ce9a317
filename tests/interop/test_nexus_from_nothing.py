# SPDX-License-Identifier: Apache-2.0
"""The guide "Nexus from nothing", its own lines, as far as no cluster is needed: the export outside, ``ctr`` on a node,
and that a kubelet finds there every image that manifests/nexus names. The Job's part is in tests/manifests."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airgap.oci import Reference
from tests.cli.command import Airgap, Registry, settings
from tests.cli.fixtures import airgap
from tests.manifests.applied import NEXUS, ROOT, images
from tests.parts.containerd import Containerd, containerd
from tests.parts.images import Images
from tests.parts.pages import commands

__all__ = ["airgap"]

pytestmark = [pytest.mark.interop, pytest.mark.requires("ctr", "tar")]

GUIDE = commands(ROOT / "docs" / "nexus.md", "Nexus from nothing")


def line(start: str) -> str:
    """The guide's one command that starts so."""
    (found,) = [one for one in GUIDE if one.startswith(start)]
    return found


def on_node(node: Containerd, folder: Path, command: str) -> str:
    """Run a line as root on the node would; ``ctr`` finds this containerd, and every namespace is its own choice."""
    environment = {**node.ctr.environment, "CONTAINERD_ADDRESS": str(node.socket)}
    done = subprocess.run(["sh", "-euc", command], cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done.stdout.decode()


@pytest.fixture
def exported(airgap: Airgap) -> Path:
    """The folder in which the guide's first line was run, Docker Hub being played on loopback by tiny images."""
    shutil.copytree(NEXUS, airgap.folder / "manifests/nexus")
    made = Images(83)
    with Registry() as internet:
        names = [Reference.parse(name) for name in sorted(images())]
        assert {name.registry for name in names} == {"docker.io"}
        internet.fill(made, {f"{name.repository}:{name.tag}": made.two_platforms() for name in names})
        airgap.write("airgap.yaml", settings({"docker.io": {"mirror": internet.url}}))
        airgap.run(*shlex.split(line("airgap export"))[1:])
    return airgap.folder


def test_a_kubelet_finds_every_image_after_the_guides_import_and_not_without_its_namespace(
    exported: Path, tmp_path: Path
) -> None:
    importing, listing = line("ctr -n k8s.io images import"), line("ctr -n k8s.io images ls")
    with containerd(tmp_path / "containerd") as node:
        # The trap: it succeeds, and the kubelet sees nothing of it.
        on_node(node, exported, importing.replace(" -n k8s.io", ""))
        assert set(on_node(node, exported, listing.replace(" -n k8s.io", "")).split()) == images()
        assert on_node(node, exported, listing) == ""
        assert [name for name in images() if node.image_status(name) is not None] == []

        on_node(node, exported, importing)
        assert images() <= set(on_node(node, exported, listing).split())
        for name in images():
            found = node.image_status(name)
            assert found is not None, f"{name} would be pulled, and IfNotPresent does not help"
            assert name in found.repo_tags


def test_the_bundle_brings_the_program_that_the_job_waits_for(exported: Path) -> None:
    """By the guide's line; it is what ``kubectl exec`` hands in, and it runs."""
    taking = line("tar xf")
    subprocess.run(shlex.split(taking), cwd=exported, check=True)
    program = exported / taking.split()[-1]
    said = subprocess.run([sys.executable, program, "doctor", "--help"], capture_output=True, text=True, check=True)
    assert "--connector" in said.stdout
