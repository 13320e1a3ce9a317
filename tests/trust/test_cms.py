# SPDX-License-Identifier: Apache-2.0
"""Signatures with certificates: ``openssl`` agrees in both directions, and each way to be wrong has its own message."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from airgap.errors import SignatureFailure, UsageError
from airgap.trust import cms
from airgap.trust.der import is_detached_signature
from tests.parts.certificates import Authority, Pair

pytestmark = pytest.mark.requires("openssl")
CONTENT = b'{"format":1}'


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="module")
def maker(office: Authority) -> Pair:
    return office.signer("A maker 한글")


@pytest.fixture(scope="module")
def signature(maker: Pair) -> bytes:
    return sign(maker)


def sign(pair: Pair) -> bytes:
    return cms.sign(CONTENT, pair.certificate.read_bytes(), str(pair.key))[0]


def refusal(signature: bytes, office: Authority, revocations: bytes = b"", content: bytes = CONTENT) -> str:
    with pytest.raises(SignatureFailure) as caught:
        cms.verify(content, signature, office.ca.read_bytes(), revocations, where="b.p7s")
    assert caught.value.where == "b.p7s"
    return caught.value.what


def test_who_signed(signature: bytes, office: Authority) -> None:
    (signer,) = cms.verify(CONTENT, signature, office.ca.read_bytes(), where="x")
    assert signer.subject == "CN=A maker 한글"
    assert "not one of this content" in refusal(signature, office, content=CONTENT + b" ")


def test_other_authorities_are_not_trusted(signature: bytes, tmp_path: Path) -> None:
    assert "not issued by an authority of --ca" in refusal(signature, Authority(tmp_path))


def test_expired(office: Authority) -> None:
    assert "has expired" in refusal(sign(office.signer(expired=True)), office)


def test_revoked_or_without_a_list(office: Authority, tmp_path: Path) -> None:
    own = Authority(tmp_path)
    first, second = own.signer("first"), own.signer("second")
    good = own.revocations().read_bytes()
    assert cms.verify(CONTENT, sign(first), own.ca.read_bytes(), good, where="x")
    revoked = own.revocations(second).read_bytes()
    assert "was revoked" in refusal(sign(second), own, revoked)
    assert cms.verify(CONTENT, sign(first), own.ca.read_bytes(), revoked, where="x")
    # The other authority has the same name.
    assert "was not made by the issuer" in refusal(sign(first), own, office.revocations().read_bytes())
    assert "no revocation list of the issuer" in refusal(sign(first), own, b"-----")


def test_a_servers_certificate_signs_no_bundle(office: Authority) -> None:
    assert "is not for signing, but for: TLS Web Server Authentication" in refusal(sign(office.good()), office)


def test_an_intermediate_authority(tmp_path: Path) -> None:
    """The chain travels in the signature; the officer has the root alone."""
    own = Authority(tmp_path)
    pair = own.through_intermediate(complete=True)
    assert "is not for signing" in refusal(sign(pair), own)
    assert "not issued by an authority" in refusal(sign(own.through_intermediate(complete=False)), own)


def test_a_key_of_another_certificate(office: Authority, maker: Pair) -> None:
    with pytest.raises(UsageError, match="openssl cannot sign"):
        cms.sign(CONTENT, office.good().certificate.read_bytes(), str(maker.key))
    with pytest.raises(UsageError, match="no certificate in PEM"):
        cms.sign(CONTENT, b"", str(maker.key))


def test_a_key_with_a_passphrase(office: Authority, maker: Pair, tmp_path: Path) -> None:
    key = tmp_path / "k.pem"
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", maker.key, "-out", key, "-passout", "pass:secret"], check=True, timeout=60
    )
    assert cms.is_encrypted_key(key.read_bytes())
    made, _ = cms.sign(CONTENT, maker.certificate.read_bytes(), str(key), "secret")
    assert cms.verify(CONTENT, made, office.ca.read_bytes(), where="x")
    with pytest.raises(UsageError, match="openssl cannot sign"):
        cms.sign(CONTENT, maker.certificate.read_bytes(), str(key), "wrong")


def test_openssl_verifies_what_we_sign(signature: bytes, office: Authority, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(signature)
    (tmp_path / "c").write_bytes(CONTENT)
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "s", "-content", "c", "-purpose", "any"]
    done = subprocess.run([*command, "-CAfile", office.ca], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == CONTENT


@pytest.mark.parametrize("form", ["DER", "PEM"])
@pytest.mark.parametrize("options", [(), ("-noattr",), ("-keyid",), ("-md", "sha512")], ids="-".join)
def test_we_verify_what_openssl_signs(
    office: Authority, maker: Pair, tmp_path: Path, form: str, options: tuple[str, ...]
) -> None:
    (tmp_path / "c").write_bytes(CONTENT)
    command = ["openssl", "cms", "-sign", "-binary", "-in", "c", "-out", "s", "-outform", form, *options]
    command += ["-signer", str(maker.certificate), "-inkey", str(maker.key)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    made = cms.to_der((tmp_path / "s").read_bytes(), where="s")
    assert cms.verify(CONTENT, made, office.ca.read_bytes(), where="x")


def test_what_is_no_signature(signature: bytes, maker: Pair, tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(CONTENT)
    command = ["openssl", "cms", "-sign", "-binary", "-nodetach", "-in", "c", "-out", "s", "-outform", "DER"]
    subprocess.run([*command, "-signer", maker.certificate, "-inkey", maker.key], cwd=tmp_path, check=True, timeout=60)
    with_content = (tmp_path / "s").read_bytes()
    for wrong in (b"", b"0", signature[:-1], signature + b"\0", with_content, b"-----BEGIN CMS-----\n", b"\x30\x80"):
        with pytest.raises(SignatureFailure, match="no CMS signature"):
            cms.to_der(wrong, where="x")


def test_changed_bits_of_a_signature_are_found(signature: bytes, office: Authority) -> None:
    """Most are found by its frame alone; of those that are not, ``openssl`` is asked about a sample."""
    chance = random.Random(5652)
    left = []
    for bit in range(len(signature) * 8):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        if is_detached_signature(bytes(changed)):
            left.append(bytes(changed))
    assert len(left) < len(signature) * 8
    for changed_signature in chance.sample(left, 12):
        assert refusal(changed_signature, office)


@pytest.mark.long
def test_every_changed_bit_of_a_signature_is_found(signature: bytes, office: Authority) -> None:
    unnoticed = []
    for bit in range(len(signature) * 8):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        if is_detached_signature(bytes(changed)):
            try:
                cms.verify(CONTENT, bytes(changed), office.ca.read_bytes(), where="x")
                unnoticed.append(bit)
            except SignatureFailure:
                pass
    assert unnoticed == []
