# SPDX-License-Identifier: Apache-2.0
"""docs/trust.md as its readers follow it: the commands of each section run as they stand, one after the other."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.trust.minisign import PublicKey
from tests.cli import fixtures
from tests.cli.command import ROOT, SAMPLES, Airgap, Registry, settings
from tests.parts.certificates import Authority
from tests.parts.images import Images
from tests.parts.pages import commands

pytestmark = [pytest.mark.interop, pytest.mark.long, pytest.mark.requires("minisign", "openssl", "age")]
airgap = fixtures.airgap
PAGE = ROOT / "docs/trust.md"
TARGET = "http://10.100.0.102:32415/my-docker-image"


class Reader:
    """Follows the page. ``known`` are the values that stand for something there."""

    def __init__(self, airgap: Airgap, source: Registry, target: Registry) -> None:
        self.airgap, self.target = airgap, target
        self.known = {TARGET: f"{target.url}/p", "airgap keygen": "airgap keygen --no-passphrase"}
        airgap.write("cert-manager.yaml", (SAMPLES / "cert-manager/cert-manager.yaml").read_bytes())
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))

    def follow(self, heading: str, *, but: str = "") -> None:
        """Run the commands of a section, without those that begin with ``but``."""
        for line in commands(PAGE, heading):
            if not but or not line.startswith(but):
                self.run(line)

    def run(self, line: str) -> str:
        """Run one line of the page."""
        for name, value in self.known.items():
            line = line.replace(name, value)
        if line.startswith("airgap "):
            done = self.airgap.run(*shlex.split(line)[1:])
            return done.text + done.stderr
        shell = ["sh", "-euc", line]
        done = subprocess.run(shell, cwd=self.airgap.folder, check=True, timeout=60, capture_output=True, text=True)
        return done.stdout + done.stderr

    def imported(self) -> int:
        """How many images the target has; they are taken away for the next section."""
        names = self.target.names()
        for name in list(self.target.store.names()):
            self.target.store.untag(name)
        for path in ("airgap-out", "bundle.tar.receipt.json", "bundle.tar.age.receipt.json"):
            found = self.airgap.folder / path
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
        return len(names)


@pytest.fixture
def reader(airgap: Airgap) -> Iterator[Reader]:
    with Registry() as source, Registry() as target:
        images = Images(7)
        source.fill(images, fixtures.cert_manager(images))
        yield Reader(airgap, source, target)


def test_keys_are_made_trusted_changed_and_lost(reader: Reader) -> None:
    airgap = reader.airgap
    reader.follow("The maker: a key")
    reader.follow("The officer: trust and verify")
    assert reader.imported() == 4
    maker = PublicKey.from_bytes((airgap.folder / "maker.pub").read_bytes(), where="")
    reader.known["KEYID"] = maker.id
    reader.follow("With minisign")
    reader.run("airgap verify bundle.tar --key maker.pub")
    reader.follow("A new key", but="airgap trust remove")
    assert "signed by maker" in airgap.run("trust", "list").text
    # A lost key: the old one goes, and so do those that it has signed.
    reader.run("airgap trust remove maker")
    reader.run("airgap trust remove maker-2027")
    reader.airgap.run("trust", "add", "maker-2027.pub", "--name", "maker-2027", code=43)
    required = ("import", "bundle.tar", "--to", reader.known[TARGET], "--require-signature")
    airgap.fails(43, *required)
    assert reader.imported() == 0
    # Compared by telephone and trusted anew, without the signature of the lost key.
    (airgap.folder / "maker-2027.pub.minisig").unlink()
    reader.run("airgap trust add maker-2027.pub --name maker-2027")
    airgap.fails(43, *required)
    reader.run("airgap sign bundle.tar --key maker-2027.key")
    airgap.run(*required)
    assert reader.imported() == 4


def test_certificates_of_the_office(reader: Reader, authority: Authority) -> None:
    pair = authority.signer("The maker")
    for name, path in {
        "maker.pem": pair.certificate, "maker-key.pem": pair.key, "office-ca.pem": authority.ca,
        "office.crl": authority.revocations(),
    }.items():  # fmt: skip
        reader.airgap.write(name, path.read_bytes())
    reader.run("airgap export cert-manager.yaml -o bundle.tar")
    reader.follow("With the certificates of your office")
    assert reader.imported() == 4
    said = reader.run("airgap verify bundle.tar --ca office-ca.pem --crl office.crl")
    assert said.count("signed by CN=The maker") == 2, "in the bundle by airgap, and beside it by openssl"


def test_a_sealed_bundle(reader: Reader) -> None:
    first, *others = commands(PAGE, "Sealed bundles")
    recipient = reader.run(first).partition("age1")[2].split()[0]
    reader.known["age1…"] = f"age1{recipient}"
    for line in others:
        reader.run(line)
    assert reader.imported() == 4
    plain = Path(reader.airgap.folder / "bundle.tar").read_bytes()
    reader.run("airgap export cert-manager.yaml -o plain.tar")
    assert plain == (reader.airgap.folder / "plain.tar").read_bytes()
