# SPDX-License-Identifier: Apache-2.0
"""A repository is a store: the suite of all stores, against our own server and against docker-registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airgap.errors import DigestMismatch
from airgap.registry import RegistrySettings, Repository
from airgap.server import Server
from airgap.store import MemoryStore
from tests.parts.certificates import Authority
from tests.parts.dockerregistry import DockerRegistry, docker_registry
from tests.parts.images import Images
from tests.registry.tools import Network
from tests.suites.store_suite import Fill, StoreSuite


class TestOverOurServer(StoreSuite):
    @pytest.fixture
    def store(self, network: Network) -> Iterator[Repository]:
        with Server(MemoryStore(), writable=True) as server:
            yield network.repository(server.address)


class TestOverTls(StoreSuite):
    """Bodies are hashed here, and go through TLS both ways."""

    @pytest.fixture
    def store(self, network: Network, authority: Authority) -> Iterator[Repository]:
        pair = authority.good()
        with Server(MemoryStore(), writable=True, tls=(pair.certificate, pair.key)) as server:
            settings = RegistrySettings(plain_http=False, ca_file=str(authority.ca))
            yield network.repository(server.address, default=settings)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """One for all of the suite: each test has a repository of its own."""
    with docker_registry(tmp_path_factory.mktemp("docker-registry")) as made:
        yield made


@pytest.mark.requires("docker-registry")
class TestOverDockerRegistry(StoreSuite):
    @pytest.fixture
    def store(self, network: Network, started: DockerRegistry, request: pytest.FixtureRequest) -> Repository:
        name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower()).strip("-")
        while "--" in name:
            name = name.replace("--", "-")
        return network.repository(started.address, f"suite/{name}")

    def test_sha512_content(self, fill: Fill) -> None:
        """Blobs by sha512 it takes; manifests it knows by sha256 alone, and refusing is better than another name."""
        images = Images(8, algorithm="sha512")
        with pytest.raises(DigestMismatch, match="DIGEST_INVALID"):
            fill(images, {"v1": images.image()})
