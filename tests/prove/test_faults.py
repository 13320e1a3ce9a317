# SPDX-License-Identifier: Apache-2.0
"""What keeps a node from an image is named, all of it in one run, with what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Airgap
from tests.doubles.registry.shelf import asks_basic
from tests.parts.certificates import Authority
from tests.parts.images import Images
from tests.prove.nodes import TARGET, Node, hosts_toml, node, pull_secret, workload

AMD64 = ("--platform", "linux/amd64")


@pytest.fixture
def airgap(tmp_path: Path) -> Airgap:
    folder, home = tmp_path / "work", tmp_path / "user"
    folder.mkdir()
    home.mkdir()
    return Airgap(folder, home)


@pytest.fixture
def plain(airgap: Airgap, tmp_path: Path) -> Iterator[Node]:
    """A node of a registry with plain HTTP, told so by its hosts.toml."""
    with node(airgap, tmp_path / "node") as started:
        started.containerd({TARGET: hosts_toml(started.url)})
        yield started


def test_five_faults_in_one_chain_are_named_in_one_run(airgap: Airgap, tmp_path: Path, authority: Authority) -> None:
    """Each of them hides the next from the kubelet: the certificate, the login, the path, the digest, the platform."""
    images = Images(1)
    index, only_arm = images.two_platforms(), images.index([images.image("linux/arm64")])
    lost = images.two_platforms()
    child = next(d for d in images.needed(lost) if d.platform and str(d.platform) == "linux/amd64")
    with node(airgap, tmp_path / "node", authority.good()) as far:
        far.shelf.put("k8s/jetstack/webhook", images, v1=index)
        far.shelf.put("k8s/shop/web", images, v1=index)
        far.shelf.put("k8s/shop/tool", images, v1=only_arm, v2=lost)
        del far.shelf.manifests["k8s/shop/tool", child.digest]
        far.shelf.guard = asks_basic("puller", "pw")
        far.containerd(
            {
                TARGET: hosts_toml(far.url),
                "quay.io": f'server = "{far.url}/v2/k8s"\n[host."{far.url}/v2/k8s"]\n',
            }
        )
        absent = "sha256:" + "0" * 64
        yaml = (
            pull_secret("nexus", "default", TARGET, "puller", "pw")
            + workload(f"{TARGET}/k8s/shop/web@{absent}", secrets=("nexus",))
            + workload(f"{TARGET}/k8s/shop/tool:v2", secrets=("nexus",), name="tool")
            + workload("quay.io/jetstack/webhook:v1", name="webhook")
        )
        far.options += ["--ca-file", str(authority.ca), "--username", "puller", "--password-stdin"]
        airgap.write("all.yaml", yaml)
        result = airgap.run(
            "prove", "all.yaml", "--against", f"{TARGET}/k8s", "--root", far.root, *AMD64, *far.options, "--json",
            code=51, stdin=b"pw\n",
        )  # fmt: skip
    found = {cause["kind"]: cause for cause in result.json["causes"]}
    assert set(found) >= {
        "untrusted-certificate", "pull-secret-elsewhere", "mirror-path", "missing-digest", "missing-child",
    }, found  # fmt: skip
    assert [one["detail"] for one in found["missing-child"]["images"]] == [child.digest]
    print(result.text)
