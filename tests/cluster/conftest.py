# SPDX-License-Identifier: Apache-2.0
"""The cluster that the environment names, registries that its nodes reach, and the image of airgap in one of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.command import Airgap
from tests.cli.fixtures import airgap
from tests.cluster.kubernetes import ROOT, Cluster, Volumes, connected
from tests.parts.dockerregistry import DockerRegistry, docker_registry
from tests.parts.service import free_port

__all__ = ["airgap"]


def named(variable: str, what: str) -> str:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} names no {what}; see tests/cluster/__init__.py")
    return value


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    return Path(named("AIRGAP_TEST_KUBECONFIG", "cluster"))


@pytest.fixture(scope="session")
def registry_host(kubeconfig: Path) -> str:
    return named("AIRGAP_TEST_REGISTRY_HOST", "address that nodes reach")


@pytest.fixture(scope="session")
def node_root(kubeconfig: Path) -> Path:
    return Path(named("AIRGAP_TEST_NODE_ROOT", "node's root folder"))


@pytest.fixture(scope="session")
def node_containerd(kubeconfig: Path) -> Path:
    return Path(named("AIRGAP_TEST_CONTAINERD", "socket of a node's containerd"))


@pytest.fixture
def cluster(kubeconfig: Path, tmp_path: Path) -> Iterator[Cluster]:
    """A namespace of its own."""
    with connected(kubeconfig, tmp_path / "cluster") as made:
        yield made


@pytest.fixture
def volumes(kubeconfig: Path, node_root: Path, tmp_path: Path) -> Iterator[Volumes]:
    """Volumes for claims; asked for before ``cluster``, so that the claims are gone when they are removed."""
    with connected(kubeconfig, tmp_path / "volumes", "default") as cluster:
        made = Volumes(cluster, node_root, [])
        try:
            yield made
        finally:
            made.remove()


@contextlib.contextmanager
def reachable_registry(folder: Path, host: str, users: dict[str, str] | None = None) -> Iterator[DockerRegistry]:
    """A docker-registry with plain HTTP at an address that nodes and pods reach."""
    port = free_port()
    with docker_registry(folder, users=users, listen=f"0.0.0.0:{port}") as local:
        yield replace(local, address=f"{host}:{port}", url=f"http://{host}:{port}")


@pytest.fixture
def target(tmp_path: Path, registry_host: str) -> Iterator[DockerRegistry]:
    """An empty registry with plain HTTP, of which no node knows that."""
    with reachable_registry(tmp_path / "target", registry_host) as registry:
        yield registry


@contextlib.contextmanager
def restored_node(node_root: Path, registry: DockerRegistry) -> Iterator[None]:
    """Remove from the node what the block has configured for a registry."""
    try:
        yield
    finally:
        shutil.rmtree(node_root / "etc/containerd/certs.d" / registry.address, ignore_errors=True)


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory, registry_host: str, node_root: Path) -> Iterator[DockerRegistry]:
    """A registry with plain HTTP that the node is configured for, with ``airgap hosts``: images for Jobs lie there."""
    folder = tmp_path_factory.mktemp("provider")
    with reachable_registry(folder / "registry", registry_host) as registry, restored_node(node_root, registry):
        Airgap(folder, folder).run("hosts", registry.url, "--for", "containerd", "--root", node_root)
        yield registry


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, kubeconfig: Path) -> Path:
    """What ``make image`` makes."""
    made = os.environ.get("AIRGAP_TEST_IMAGE")
    if made:
        return Path(made)
    folder = tmp_path_factory.mktemp("image")
    command = [sys.executable, "-m", "tools.portable.image", "--output", folder, "--work", folder / "work"]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("airgap-*-image-*.tar")
    return found


@pytest.fixture(scope="session")
def airgap_image(tmp_path_factory: pytest.TempPathFactory, archive: Path, provider: DockerRegistry) -> str:
    """The reference by which nodes pull the image of airgap."""
    folder = tmp_path_factory.mktemp("push")
    command = Airgap(folder, folder)
    (image,) = command.run("inspect", archive, "--json").json["images"]
    command.run("import", archive, "--to", provider.url, "--output", folder / "out")
    return f"{provider.address}/{image['reference'].rpartition('/')[2]}"
