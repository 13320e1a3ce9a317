# SPDX-License-Identifier: Apache-2.0
"""Signed bundles as their users meet them: the maker signs, the officer trusts, verifies and imports."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from airgap.trust.minisign import PublicKey
from airgap.trust.secret_key import SecretKey
from tests.cli.command import Airgap, Registry, settings
from tests.parts.certificates import Authority
from tests.parts.need import need

BUNDLE_ID = "airgap bundle sha256:"


@pytest.fixture
def maker(airgap: Airgap) -> PublicKey:
    """``maker.key`` and ``maker.pub`` in the working folder."""
    return key(airgap, "maker")


def key(airgap: Airgap, name: str) -> PublicKey:
    airgap.run("keygen", "-o", name, "--no-passphrase")
    return PublicKey.from_bytes((airgap.folder / f"{name}.pub").read_bytes(), where=name)


def test_keygen_writes_a_secret_that_only_its_owner_reads(airgap: Airgap) -> None:
    said = airgap.run("keygen", "-o", "maker", "--no-passphrase")
    made = PublicKey.from_bytes((airgap.folder / "maker.pub").read_bytes(), where="")
    assert made.id in said.stderr
    assert (airgap.folder / "maker.key").stat().st_mode & 0o777 == 0o600
    secret = (airgap.folder / "maker.key").read_bytes()
    assert SecretKey.from_bytes(secret, where="", ask=None).public_key == made
    airgap.fails(42, "keygen", "-o", "maker", "--no-passphrase")
    assert (airgap.folder / "maker.key").read_bytes() == secret
    assert "--no-passphrase" in airgap.fails(2, "keygen", "-o", "other").stderr


def test_export_signs_as_sign_does(prepared: Airgap, maker: PublicKey) -> None:
    """The comment carries no time: both give the same bytes, and without --sign the bytes are those of before."""
    prepared.run("export", "cert-manager.yaml", "-o", "a.tar", "--sign", "maker.key")
    prepared.run("export", "cert-manager.yaml", "-o", "b.tar")
    unsigned = (prepared.folder / "b.tar").read_bytes()
    prepared.run("sign", "b.tar", "--key", "maker.key")
    signed = (prepared.folder / "a.tar").read_bytes()
    assert signed == (prepared.folder / "b.tar").read_bytes()
    assert signed.startswith(unsigned[:-1024])
    with tarfile.open(prepared.folder / "a.tar") as tar:
        assert tar.getnames()[-1] == f"airgap/signatures/{maker.id}.minisig"
    assert f"signed by {maker.id}: {BUNDLE_ID}" in prepared.run("verify", "a.tar", "--key", "maker.pub").stderr


def test_each_form_of_export_is_signed(prepared: Airgap, maker: PublicKey) -> None:
    export = ("export", "cert-manager.yaml", "--sign", "maker.key", "-o")
    prepared.run(*export, "v.tar", "--volume-size", "1MiB")
    prepared.run("verify", "v.tar", "--key", "maker.pub")
    prepared.run(*export, "z.tar.zst")
    assert (prepared.folder / "z.tar.zst.minisig").exists()
    prepared.run("verify", "z.tar.zst", "--key", "maker.pub")
    assert "--signature FILE" in prepared.fails(2, *export, "-").stderr
    piped = prepared.run(*export, "-", "--signature", "pipe.minisig").stdout
    prepared.run("verify", "-", "--key", "maker.pub", "--signature", "pipe.minisig", stdin=piped)
    said = prepared.fails(43, "verify", "-", "--key", "maker.pub", stdin=piped)
    assert "is not signed with key" in said.stderr
    changed = piped[:-2000] + b"\1" + piped[-1999:]
    prepared.run("verify", "-", "--key", "maker.pub", "--signature", "pipe.minisig", stdin=changed, code=31)
    prepared.fails(43, "verify", "-", "--signature", "pipe.minisig", stdin=piped + bytes(512))
    prepared.fails(2, "export", "cert-manager.yaml", "-o", "x.tar", "--signature", "s")


def test_a_volume_is_made_again_with_its_signature(prepared: Airgap, maker: PublicKey) -> None:
    export = (
        "export",
        "cert-manager.yaml",
        "-o",
        "v.tar",
        "--volume-size",
        "1MiB",
        "--lock",
        "l",
        "--sign",
        "maker.key",
    )
    prepared.run(*export)
    before = prepared.files()
    (prepared.folder / "v.tar.001").unlink()
    prepared.run(*export, "--volume", "1")
    assert prepared.files() == before


def test_an_import_that_requires_a_signature(prepared: Airgap, maker: PublicKey, nexus: Registry, bundle: Path) -> None:
    unsigned = prepared.write("plain.tar", bundle.read_bytes())
    signed = prepared.write("signed.tar", bundle.read_bytes())
    prepared.run("sign", signed, "--key", "maker.key")
    target = ("--to", f"{nexus.url}/p")
    required = ("--require-signature", "--key", "maker.pub")
    said = prepared.fails(43, "import", unsigned, *target, *required)
    assert "it has no signature" in said.stderr
    assert "no key is trusted here" in prepared.fails(43, "import", signed, *target, "--require-signature").stderr
    changed = bytearray(signed.read_bytes())
    changed[len(bundle.read_bytes()) - 3000] ^= 1
    prepared.write("changed.tar", bytes(changed))
    prepared.run("import", "changed.tar", *target, *required, code=31)
    assert nexus.requests() == []
    assert not (prepared.folder / "airgap-out").exists()
    prepared.run("import", signed, *target, *required)
    assert len(nexus.names()) == 4


def test_a_pipe_is_imported_with_its_signature_beside_it(
    prepared: Airgap, maker: PublicKey, nexus: Registry, bundle: Path
) -> None:
    prepared.write("b.tar", bundle.read_bytes())
    prepared.run("sign", "b.tar", "--key", "maker.key", "--detached")
    assert (prepared.folder / "b.tar").read_bytes() == bundle.read_bytes()
    piped = ("import", "-", "--to", f"{nexus.url}/p", "--require-signature", "--key", "maker.pub")
    assert "--signature FILE" in prepared.fails(2, *piped, stdin=bundle.read_bytes()).stderr
    signature = (prepared.folder / "b.tar.minisig").read_bytes()
    other = prepared.write("other.minisig", signature.replace(BUNDLE_ID.encode(), b"another bundle sha256:"))
    prepared.fails(43, *piped, "--signature", other, stdin=bundle.read_bytes())
    assert nexus.requests() == []
    prepared.run(*piped, "--signature", "b.tar.minisig", stdin=bundle.read_bytes())
    assert len(nexus.names()) == 4


def test_require_in_airgap_yaml(prepared: Airgap, maker: PublicKey, nexus: Registry, bundle: Path) -> None:
    other = key(prepared, "other")
    prepared.write("b.tar", bundle.read_bytes())
    prepared.write("far/airgap.yaml", settings({}, require={"signature": "../maker.pub"}))
    options = ("--config", "far/airgap.yaml", "--to", f"{nexus.url}/p")
    prepared.fails(43, "import", "b.tar", *options)
    prepared.fails(43, "verify", "b.tar", "--config", "far/airgap.yaml")
    assert nexus.requests() == []
    prepared.run("sign", "b.tar", "--key", "maker.key")
    prepared.run("import", "b.tar", *options)
    prepared.write("far/airgap.yaml", settings({}, require={"signature": ["../maker.pub", "../other.pub"]}))
    assert other.id in prepared.fails(43, "verify", "b.tar", "--config", "far/airgap.yaml").stderr
    prepared.write("far/airgap.yaml", settings({}, require={"signatur": "x"}))
    said = prepared.fails(2, "verify", "b.tar", "--config", "far/airgap.yaml")
    assert "did you mean signature?" in said.stderr


def test_trusted_keys_and_their_rotation(airgap: Airgap, bundle: Path) -> None:
    old, new = key(airgap, "old"), key(airgap, "new")
    airgap.write("b.tar", bundle.read_bytes())
    airgap.run("sign", "b.tar", "--key", "old.key", "--comment", "버전 1.10")
    assert "not known here" in airgap.run("verify", "b.tar").stderr
    said = airgap.run("trust", "add", "old.pub", "--name", "maker")
    assert old.id in said.stderr
    assert "compare this ID" in said.stderr
    assert f"signed by maker ({old.id}): 버전 1.10" in airgap.run("verify", "b.tar").stderr
    assert f"signed by maker ({old.id}): 버전 1.10" in airgap.run("inspect", "b.tar").text
    assert airgap.run("inspect", "b.tar", "--json").json["signatures"] == [
        {"key": old.id, "trusted_comment": "버전 1.10"}
    ]
    # The maker signs its next key with the one that is trusted; another's signature is worth nothing.
    key(airgap, "stranger")
    airgap.run("sign", "new.pub", "--key", "stranger.key")
    assert "no trusted key has signed this key" in airgap.fails(43, "trust", "add", "new.pub", "--name", "next").stderr
    airgap.run("sign", "new.pub", "--key", "old.key")
    assert "it was signed by maker" in airgap.run("trust", "add", "new.pub", "--name", "next").stderr
    airgap.run("trust", "remove", "maker")
    listed = airgap.run("trust", "list", "--json").json
    assert [(entry["name"], entry["id"], entry["signedBy"]) for entry in listed] == [("next", new.id, "maker")]
    assert airgap.run("trust", "list").text == f"{new.id}  next, signed by maker\n"
    airgap.run("trust", "remove", new.id)
    assert airgap.run("trust", "list").text == ""
    airgap.fails(2, "trust", "add", "new.pub")
    airgap.fails(2, "trust", "add")
    airgap.fails(2, "trust", "remove", "nobody")


def test_one_trusted_key_suffices_and_each_given_one_must_have_signed(
    airgap: Airgap, bundle: Path, maker: PublicKey
) -> None:
    second = key(airgap, "second")
    airgap.write("b.tar", bundle.read_bytes())
    airgap.run("sign", "b.tar", "--key", "maker.key")
    airgap.run("trust", "add", "second.pub", "--name", "second")
    airgap.run("verify", "b.tar", "--key", "maker.pub")
    said = airgap.fails(43, "verify", "b.tar", "--key", "maker.pub", "--key", second.text)
    assert f"it is not signed with key {second.id}" in said.stderr
    airgap.run("sign", "b.tar", "--key", "second.key")
    airgap.run("verify", "b.tar", "--key", "maker.pub", "--key", second.text)


def test_a_signature_beside_the_bundle_is_found_and_must_be_right(
    airgap: Airgap, bundle: Path, maker: PublicKey
) -> None:
    airgap.write("b.tar", bundle.read_bytes())
    airgap.run("sign", "b.tar", "--key", "maker.key", "--detached")
    airgap.run("verify", "b.tar", "--key", "maker.pub")
    signature = (airgap.folder / "b.tar.minisig").read_bytes()
    airgap.write("b.tar.minisig", signature.replace(BUNDLE_ID.encode(), b"another bundle sha256:"))
    assert "comment of the signature" in airgap.fails(43, "verify", "b.tar", "--key", "maker.pub").stderr
    airgap.write("b.tar.minisig", b"untrusted comment: mine\n" + signature.partition(b"\n")[2])
    assert "no signature as minisign writes it" in airgap.fails(43, "verify", "b.tar").stderr


@pytest.mark.interop
@pytest.mark.requires("minisign")
def test_minisign_signs_and_verifies_bundles(airgap: Airgap, bundle: Path, maker: PublicKey) -> None:
    """By the commands of docs/trust.md."""
    airgap.write("b.tar", bundle.read_bytes())
    shell(airgap, "tar -xOf b.tar airgap/bundle.json > bundle.json")
    shell(airgap, "minisign -S -s maker.key -m bundle.json -x b.tar.minisig")
    airgap.run("verify", "b.tar", "--key", "maker.pub")
    (airgap.folder / "b.tar.minisig").unlink()
    airgap.run("sign", "b.tar", "--key", "maker.key")
    shell(airgap, f"tar -xOf b.tar airgap/signatures/{maker.id}.minisig > s.minisig")
    shell(airgap, "minisign -V -p maker.pub -m bundle.json -x s.minisig")


@pytest.mark.requires("openssl")
def test_certificates_of_the_office(airgap: Airgap, bundle: Path, authority: Authority, nexus: Registry) -> None:
    pair, server = authority.signer("The maker"), authority.good()
    airgap.write("b.tar", bundle.read_bytes())
    ca = ("--ca", authority.ca)
    assert "not signed with a certificate" in airgap.fails(43, "verify", "b.tar", *ca).stderr
    assert "CN=The maker" in airgap.run("sign", "b.tar", "--cms", pair.certificate, "--key", pair.key).stderr
    assert "signed by CN=The maker" in airgap.run("verify", "b.tar", *ca).stderr
    airgap.run("verify", "b.tar", *ca, "--crl", authority.revocations())
    airgap.run("import", "b.tar", "--to", f"{nexus.url}/p", "--require-signature", *ca)
    assert "--crl goes with --ca" in airgap.fails(2, "verify", "b.tar", "--crl", authority.ca).stderr
    assert "no CERTIFICATE" in airgap.fails(2, "verify", "b.tar", "--ca", pair.key).stderr
    # Beside the bundle, as openssl makes it, with a certificate that is for servers.
    airgap.write("c.tar", bundle.read_bytes())
    shell(airgap, "tar -xOf c.tar airgap/bundle.json > bundle.json")
    sign = "openssl cms -sign -binary -in bundle.json -outform {form} -out c.tar.p7s -signer {crt} -inkey {key}"
    shell(airgap, sign.format(form="PEM", crt=server.certificate, key=server.key))
    assert "is not for signing" in airgap.fails(43, "verify", "c.tar", *ca).stderr
    for form in ("PEM", "DER"):
        shell(airgap, sign.format(form=form, crt=pair.certificate, key=pair.key))
        airgap.run("verify", "c.tar", *ca)
    airgap.write("airgap.yaml", json.dumps({"require": {"ca": str(authority.ca)}}))
    airgap.run("verify", "c.tar")
    (airgap.folder / "c.tar.p7s").unlink()
    airgap.fails(43, "verify", "c.tar")


def test_signing_what_is_no_bundle(airgap: Airgap, maker: PublicKey) -> None:
    airgap.write("x.tar", b"x" * 2000)
    airgap.fails(40, "sign", "x.tar", "--key", "maker.key")
    airgap.fails(2, "sign", "-", "--key", "maker.key")
    airgap.fails(2, "sign", "x.tar", "--key", "maker.pub")
    airgap.fails(2, "sign", "x.tar", "--key", "absent.key")
    airgap.fails(2, "sign", "x.tar", "--key", "/dev/zero")


def shell(airgap: Airgap, command: str) -> None:
    subprocess.run(["sh", "-euc", command], cwd=airgap.folder, check=True, timeout=60, capture_output=True)


def test_a_signed_bundle_that_another_program_compressed(
    prepared: Airgap, maker: PublicKey, nexus: Registry, bundle: Path
) -> None:
    """It is read once from its start, so the signature in it comes last: nothing may read it before the blobs."""
    prepared.write("b.tar", bundle.read_bytes())
    prepared.run("sign", "b.tar", "--key", "maker.key")
    subprocess.run([need("zstd"), "-q", "b.tar", "-o", "c.tar.zst"], cwd=prepared.folder, check=True)
    assert maker.id in prepared.run("inspect", "c.tar.zst").text
    assert "without a seek table" in prepared.fails(43, "verify", "c.tar.zst").stderr
    target = ("--to", f"{nexus.url}/p")
    said = prepared.fails(43, "import", "c.tar.zst", *target, "--require-signature", "--key", "maker.pub")
    assert "without a seek table" in said.stderr
    assert nexus.requests() == []
    prepared.run("import", "c.tar.zst", *target)
    assert len(nexus.names()) == 4
