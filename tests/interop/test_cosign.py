# SPDX-License-Identifier: Apache-2.0
"""Debian's cosign signs at the source and verifies at the target: by tags, and by OCI referrers."""

from __future__ import annotations

import base64
import datetime
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from tests.cli import fixtures
from tests.cli.command import Airgap, Registry, settings
from tests.doubles.nexus import PUSHER, Repository, Settings, nexus
from tests.parts import sigstore
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
    """Runs cosign with a key in ``folder``, the one in ``keys`` or a new one, without the public services."""

    def __init__(self, folder: Path, keys: Path | None = None) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        if keys is None:
            self.run("generate-key-pair")
            return
        for name in ("cosign.key", "cosign.pub"):
            shutil.copy(keys / name, folder)

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

    def verifies_bundle(
        self, name: str, *options: str, environment: Mapping[str, str] | None = None, code: int = 0
    ) -> None:
        """Verify a bundle of cosign 3. Version 2.5 finds it as the attestation that it is in form."""
        verify = ("verify-attestation", "--new-bundle-format", "--trusted-root", "root.json")
        self.run(*verify, "--type", sigstore.SIGN_PREDICATE, *options, name, environment=environment, code=code)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key pair of cosign, which takes a second to make."""
    return Cosign(tmp_path_factory.mktemp("keys")).folder


@pytest.fixture
def cosign(tmp_path: Path, keys: Path) -> Cosign:
    return Cosign(tmp_path / "cosign", keys)


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


@pytest.fixture
def imported(
    airgap: Airgap, source: Registry, registry: DockerRegistry, cosign: Cosign, services: ExitStack
) -> Callable[[], Iterator[str]]:
    """A function that carries ``a/x:1`` to each target, and gives the address of the image there: our own server, which
    has the referrers API, Debian's docker-registry and the double of Nexus, which have not."""
    made = services.enter_context(nexus(Settings(repositories=(Repository("hosted", connector="http"),))))
    credentials = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
    connector = made.connector("hosted").address
    cosign.sign_in(connector, f"{PUSHER.name}:{PUSHER.password}")
    target = services.enter_context(Registry())

    def carry() -> Iterator[str]:
        exported(airgap, source)
        for address, environment in ((target.address, {}), (registry.address, {}), (connector, credentials)):
            to = ("--to", f"http://{address}/p", "--output", f"out-{address}")
            airgap.run("import", "b.tar", *to, environment=environment)
            yield f"{address}/p/x:1"

    return carry


def test_referrers_verify_at_each_target(
    source: Registry, cosign: Cosign, imported: Callable[[], Iterator[str]]
) -> None:
    experimental = {"COSIGN_EXPERIMENTAL": "1"}
    cosign.sign(f"{source.address}/a/x:1", "--registry-referrers-mode=oci-1-1", environment=experimental)
    assert [name for name in source.names() if "sha256-" in name] == []
    for name in imported():
        cosign.verifies(name, "--experimental-oci11", environment=experimental)


def with_rules(airgap: Airgap, source: Registry, rules: list[dict[str, str]]) -> None:
    document = json.loads(settings({"quay.io": {"mirror": source.url}}))
    airgap.write("airgap.yaml", json.dumps({**document, "verify_images": rules}))


EXPORT = ("export", "--image", "quay.io/a/x:1", "-o", "b.tar", "--dry-run", "--verify-images")


def test_export_verifies_what_cosign_signs(airgap: Airgap, source: Registry, cosign: Cosign) -> None:
    """By a key, under its tag and as a referrer, and by a certificate of the office's authority."""
    authorities = sigstore.Sigstore()
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=2)
    public = load_pem_public_key((cosign.folder / "cosign.pub").read_bytes())
    certificate = authorities.certificate(public, start=now).public_bytes(Encoding.PEM)
    (cosign.folder / "leaf.pem").write_bytes(certificate)
    (cosign.folder / "ca.pem").write_bytes(authorities.root.public_bytes(Encoding.PEM))
    for name in ("cosign.pub", "ca.pem"):
        airgap.write(name, (cosign.folder / name).read_bytes())
    by_key = {"image": "quay.io/a/*", "key": "cosign.pub"}
    keyless = {"image": "quay.io/a/*", "identity": sigstore.IDENTITY, "issuer": sigstore.ISSUER}
    with_rules(airgap, source, [by_key])
    airgap.fails(43, *EXPORT)
    cosign.sign(f"{source.address}/a/x:1")
    airgap.run(*EXPORT)
    with_rules(airgap, source, [{**keyless, "trusted_root": "ca.pem"}])
    assert "with a key, and not with a certificate" in airgap.fails(43, *EXPORT).stderr
    certified = ("--certificate", "leaf.pem", "--certificate-chain", "ca.pem", "--registry-referrers-mode=oci-1-1")
    cosign.sign(f"{source.address}/a/x:1", *certified, environment={"COSIGN_EXPERIMENTAL": "1"})
    airgap.run(*EXPORT)
    with_rules(airgap, source, [by_key])
    airgap.run(*EXPORT)


def test_cosign_and_export_agree_on_a_keyless_bundle(airgap: Airgap, source: Registry, cosign: Cosign) -> None:
    """A bundle of cosign 3, as Sigstore would make it: with its certificate and an entry in its log."""
    key, authorities = sigstore.new_key(), sigstore.Sigstore()
    root = json.dumps(authorities.trusted_root())
    airgap.write("root.json", root)
    (cosign.folder / "root.json").write_text(root)
    keyless = {"image": "quay.io/a/*", "identity": sigstore.IDENTITY, "issuer": sigstore.ISSUER}
    with_rules(airgap, source, [{**keyless, "trusted_root": "root.json"}])
    index = source.store.resolve("a/x:1")
    signed = sigstore.enveloped(key, index.digest, authorities.certificate(key.public_key()))
    attach(source, sigstore.bundle(signed, entries=[authorities.entry(signed, included=True)]))
    airgap.run(*EXPORT)
    named = ("--certificate-identity", sigstore.IDENTITY, "--certificate-oidc-issuer", sigstore.ISSUER)
    # Though it has a trusted root, version 2.5 also asks for these files.
    (cosign.folder / "ca.pem").write_bytes(authorities.root.public_bytes(Encoding.PEM))
    (cosign.folder / "log.pem").write_bytes(sigstore.public_pem(authorities.log_key))
    files = {"SIGSTORE_ROOT_FILE": "ca.pem", "SIGSTORE_REKOR_PUBLIC_KEY": "log.pem"}
    cosign.verifies_bundle(f"{source.address}/a/x:1", *named, "--insecure-ignore-sct=true", environment=files)


def attach(registry: Registry, bundle: Mapping[str, Any]) -> None:
    """Attach a bundle to ``a/x:1`` as cosign 3 does."""
    images = Images(3)
    made = sigstore.bundle_referrer(images, bundle, registry.store.resolve("a/x:1"))
    images.push_to(registry.store, {f"a/x@{made.digest}": made})


def test_a_bundle_of_cosign_3_verifies_at_each_target(
    source: Registry, cosign: Cosign, imported: Callable[[], Iterator[str]]
) -> None:
    key = sigstore.new_key()
    (cosign.folder / "cosign.pub").write_bytes(sigstore.public_pem(key))
    (cosign.folder / "root.json").write_text(json.dumps(sigstore.Sigstore().trusted_root()))
    by_key = ("--key", "cosign.pub", "--insecure-ignore-tlog=true")
    index = source.store.resolve("a/x:1")
    attach(source, sigstore.bundle(sigstore.enveloped(key, index.digest)))
    names = list(imported())
    for name in names:
        cosign.verifies_bundle(name, *by_key)
    (cosign.folder / "cosign.pub").write_bytes(sigstore.public_pem(sigstore.new_key()))
    cosign.verifies_bundle(names[0], *by_key, code=1)
