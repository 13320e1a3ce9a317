# SPDX-License-Identifier: Apache-2.0
"""Debian's cosign signs at the source and verifies at the target: by tags, and by OCI referrers."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli import fixtures
from tests.cli.command import Airgap, Registry, settings
from tests.doubles.nexus import PUSHER, Repository, Settings, nexus
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images

pytestmark = [pytest.mark.interop, pytest.mark.requires("cosign")]
airgap = fixtures.airgap


@pytest.fixture
def source() -> Iterator[Registry]:
    with Registry() as registry:
        images = Images(18)
        registry.fill(images, {"a/x:1": images.two_platforms(size=1000)})
        yield registry


class Cosign:
    """Runs cosign with a key of its own in ``folder``, without the public services."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run("generate-key-pair")

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None, code: int = 0) -> str:
        done = subprocess.run(
            ["cosign", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "COSIGN_PASSWORD": "", **(environment or {})},
        )  # fmt: skip
        assert (done.returncode == 0) == (code == 0), done.stderr
        return done.stdout + done.stderr

    def sign(self, name: str, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """Sign without an entry in the public log."""
        self.run("sign", "--key", "cosign.key", "--tlog-upload=false", "--yes", *options, name, environment=environment)

    def sign_in(self, registry: str, credentials: str) -> None:
        """Save credentials where docker does."""
        auths = {registry: {"auth": base64.b64encode(credentials.encode()).decode()}}
        (self.folder / ".docker").mkdir(exist_ok=True)
        (self.folder / ".docker/config.json").write_text(json.dumps({"auths": auths}))

    def verifies(self, name: str, *options: str, environment: Mapping[str, str] | None = None) -> str:
        verify = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", *options)
        return self.run(*verify, name, environment=environment)


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    folder = tmp_path / "cosign"
    folder.mkdir()
    return Cosign(folder)


def exported(airgap: Airgap, source: Registry) -> None:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
    airgap.run("export", "--image", "quay.io/a/x:1", "-o", "b.tar")


def test_tags_verify_at_each_target(
    airgap: Airgap, source: Registry, registry: DockerRegistry, cosign: Cosign, services: ExitStack
) -> None:
    """At Debian's docker-registry, which has no referrers API, and at the double of Nexus."""
    (cosign.folder / "predicate.json").write_text('{"builder": "ours"}')
    cosign.sign(f"{source.address}/a/x:1", "--recursive")
    attest = ("attest", "--key", "cosign.key", "--tlog-upload=false", "--yes", "--predicate", "predicate.json")
    cosign.run(*attest, f"{source.address}/a/x:1")
    exported(airgap, source)
    repository = Repository("hosted", connector="http")
    made = services.enter_context(nexus(Settings(repositories=(repository,))))
    credentials = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
    connector = made.connector("hosted").address
    airgap.run("import", "b.tar", "--to", f"http://{registry.address}/p", "--output", "out-1")
    airgap.run("import", "b.tar", "--to", f"http://{connector}/p", "--output", "out-2", environment=credentials)
    cosign.sign_in(connector, f"{PUSHER.name}:{PUSHER.password}")
    cosign.verifies(f"{connector}/p/x:1")
    said = cosign.verifies(f"{registry.address}/p/x:1")
    assert "signatures were verified against the specified public key" in said
    verify = ("verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog=true")
    cosign.run(*verify, f"{registry.address}/p/x:1")
    cosign.run("generate-key-pair", "--output-key-prefix", "other")
    wrong = ("verify", "--key", "other.pub", "--insecure-ignore-tlog=true")
    cosign.run(*wrong, f"{registry.address}/p/x:1", code=1)


def test_referrers_verify_at_the_target(airgap: Airgap, source: Registry, cosign: Cosign) -> None:
    experimental = {"COSIGN_EXPERIMENTAL": "1"}
    cosign.sign(f"{source.address}/a/x:1", "--registry-referrers-mode=oci-1-1", environment=experimental)
    assert [name for name in source.names() if "sha256-" in name] == []
    exported(airgap, source)
    with Registry() as target:
        airgap.run("import", "b.tar", "--to", f"{target.url}/p")
        cosign.verifies(f"{target.address}/p/x:1", "--experimental-oci11", environment=experimental)
