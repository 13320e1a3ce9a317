# SPDX-License-Identifier: Apache-2.0
"""Signatures of images against a rule: by keys of every kind, and keyless ones against a trusted root that is given."""

from __future__ import annotations

import base64
import datetime
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from airgap.errors import AirgapError, SignatureFailure, UsageError
from airgap.oci import digest as digests
from airgap.trust.image_rules import ImageRule, RuleVerifier
from airgap.trust.image_signature import ImageSignature, read_bundle, read_simple_signing
from airgap.trust.trusted_root import Period, read_trusted_root
from tests.parts import sigstore
from tests.parts.images import Images
from tests.parts.sigstore import IDENTITY, ISSUER, SIGNED_AT, Signed, Sigstore, TimeAuthority, b64, bundle, new_key

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = digests.of(MANIFEST)
OTHER = "sha256:" + "1" * 64
HOUR = datetime.timedelta(hours=1)


def simple(signed: Signed, **annotations: Any) -> ImageSignature:
    """A signature as cosign 2 keeps it."""
    more = {f"dev.sigstore.cosign/{name}": json.dumps(value) for name, value in annotations.items()}
    layer = sigstore.simple_layer(Images(), signed, more)
    return read_simple_signing(signed.content, layer.annotations, where="s")


def bundled(document: Mapping[str, Any]) -> ImageSignature:
    """A signature as cosign 3 keeps it."""
    return read_bundle(json.dumps(document).encode(), MANIFEST, where="b")


def refused(verifier: RuleVerifier, signature: ImageSignature) -> str:
    with pytest.raises(SignatureFailure) as failure:
        verifier.check(signature, DIGEST)
    return failure.value.what


def by_key(folder: Path, key: sigstore.Key) -> RuleVerifier:
    (folder / "cosign.pub").write_bytes(sigstore.public_pem(key))
    return RuleVerifier.load(ImageRule("*", key=str(folder / "cosign.pub")))


@pytest.mark.parametrize(
    "make",
    [
        new_key,
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["p256", "p384", "p521", "ed25519", "rsa"],
)
def test_a_key_of_each_kind(tmp_path: Path, make: Callable[[], sigstore.Key]) -> None:
    key, other = make(), make()
    verifier = by_key(tmp_path, key)
    verifier.check(simple(sigstore.simple(key, DIGEST)), DIGEST)
    verifier.check(bundled(bundle(sigstore.enveloped(key, DIGEST))), DIGEST)
    verifier.check(bundled(bundle(sigstore.of_manifest(key, MANIFEST), DIGEST)), DIGEST)
    assert "signed by another key" in refused(verifier, simple(sigstore.simple(other, DIGEST)))
    assert "signed by another key" in refused(verifier, bundled(bundle(sigstore.enveloped(other, DIGEST))))
    for signature in (
        simple(sigstore.simple(key, OTHER)),
        bundled(bundle(sigstore.enveloped(key, OTHER))),
        bundled(bundle(sigstore.of_manifest(key, MANIFEST), OTHER)),
    ):
        assert f"of another image, {OTHER}" in refused(verifier, signature)


@pytest.mark.parametrize(
    ("curve", "digest"),
    [(ec.SECP384R1(), hashes.SHA384()), (ec.SECP521R1(), hashes.SHA512()), (ec.SECP256R1(), hashes.SHA384())],
    ids=["p384", "p521", "p256"],
)
def test_larger_curves_go_with_larger_digests(
    tmp_path: Path, curve: ec.EllipticCurve, digest: hashes.HashAlgorithm
) -> None:
    key = ec.generate_private_key(curve)
    content = sigstore.payload(DIGEST)
    signature = simple(Signed("", content, content, key.sign(content, ec.ECDSA(digest))))
    if isinstance(curve, ec.SECP256R1):
        assert "signed by another key" in refused(by_key(tmp_path, key), signature)
    else:
        by_key(tmp_path, key).check(signature, DIGEST)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), "an RSA key of 1024 bits is too short"),
        (x25519.X25519PrivateKey.generate, "it is neither ECDSA nor Ed25519 nor RSA"),
    ],
)
def test_keys_that_are_not_taken(tmp_path: Path, make: Callable[[], Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        by_key(tmp_path, make())


def test_without_cryptography(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in airgap.pyz, which has no compiled parts."""
    (tmp_path / "cosign.pub").write_bytes(sigstore.public_pem(new_key()))
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(AirgapError, match="need the Python package cryptography"):
        RuleVerifier.load(ImageRule("*", key=str(tmp_path / "cosign.pub")))


def test_an_envelope_of_something_else() -> None:
    document = bundle(sigstore.enveloped(new_key(), DIGEST))
    document["dsseEnvelope"]["payloadType"] = "text/plain"
    with pytest.raises(SignatureFailure, match="text/plain"):
        bundled(document)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"text", b"{}", b"{",
        b'{"certificateAuthorities": []}', b'{"certificateAuthorities": [{"certChain": {}}]}',
        b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n",
    ],
)  # fmt: skip
def test_what_is_no_trusted_root(content: bytes) -> None:
    with pytest.raises(UsageError, match="this is no trusted root"):
        read_trusted_root(content, where="root.json")


def test_periods_include_their_ends() -> None:
    period = Period(10, 20)
    assert [time for time in range(30) if period.has(time)] == list(range(10, 21))


def test_each_changed_byte_is_found(tmp_path: Path) -> None:
    key = new_key()
    verifier, signed = by_key(tmp_path, key), sigstore.enveloped(key, DIGEST)
    signature = bundled(bundle(signed))
    for offset in range(0, len(signed.message), 7):
        changed = bytearray(signed.message)
        changed[offset] ^= 1
        assert not verifier.key.verifies(signed.signature, bytes(changed))  # type: ignore[union-attr]
    verifier.check(signature, DIGEST)


def test_an_attestation_is_no_signature() -> None:
    document = bundle(sigstore.enveloped(new_key(), DIGEST, predicate="https://slsa.dev/provenance/v1"))
    with pytest.raises(SignatureFailure, match=r"slsa\.dev"):
        bundled(document)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"critical": 1}', b"\xff", b'{"dsseEnvelope": {"payload": "%"}}', b"[" * 99],
)
def test_what_is_no_signature(content: bytes) -> None:
    with pytest.raises(SignatureFailure, match="no signature of an image"):
        read_simple_signing(content, {}, where="s")
    with pytest.raises(SignatureFailure, match="no signature of an image"):
        read_bundle(content, MANIFEST, where="b")


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("quay.io/jetstack/*", "quay.io/jetstack/controller", True),
        ("quay.io/jetstack/*", "quay.io/jetstack/a/b", True),
        ("quay.io/jetstack/*", "quay.io/jetstack", False),
        ("quay.io/*", "quay.io.example/x", False),
        ("quay.io/a", "quay.io/ab", False),
        ("quay.io/a.b", "quay.io/axb", False),
        ("*", "docker.io/library/busybox", True),
    ],
)
def test_which_images_a_rule_is_for(pattern: str, name: str, expected: bool) -> None:
    assert ImageRule(pattern).matches(name) is expected


@pytest.fixture(scope="module")
def authorities() -> Sigstore:
    return Sigstore()


class Signer:
    """Somebody with a certificate of ten minutes, who signs the image in each form."""

    def __init__(self, authorities: Sigstore, **certificate: Any) -> None:
        self.key = new_key()
        self.certificate: x509.Certificate = authorities.certificate(self.key.public_key(), **certificate)
        self.simple = sigstore.simple(self.key, DIGEST, self.certificate)
        self.enveloped = sigstore.enveloped(self.key, DIGEST, self.certificate)
        self.signature = simple(self.simple, bundle=authorities.promise(self.simple))


@pytest.mark.requires("openssl")
class TestKeyless:
    """Signatures with certificates that name somebody, verified without the network."""

    @pytest.fixture
    def signer(self, authorities: Sigstore) -> Signer:
        return Signer(authorities)

    @pytest.fixture
    def rule(self, tmp_path: Path) -> Callable[..., RuleVerifier]:
        def load(root: dict[str, Any] | bytes, **changes: str) -> RuleVerifier:
            path = tmp_path / "root.json"
            path.write_bytes(root if isinstance(root, bytes) else json.dumps(root).encode())
            texts = {"identity": IDENTITY, "issuer": ISSUER, "trusted_root": str(path)}
            return RuleVerifier.load(ImageRule("*", **{**texts, **changes}))

        return load

    @pytest.fixture
    def verifier(self, authorities: Sigstore, rule: Callable[..., RuleVerifier]) -> RuleVerifier:
        return rule(authorities.trusted_root())

    def test_the_promise_of_the_log(self, authorities: Sigstore, signer: Signer, verifier: RuleVerifier) -> None:
        verifier.check(signer.signature, DIGEST)
        for included in (False, True):
            entry = authorities.entry(signer.enveloped, included=included)
            verifier.check(bundled(bundle(signer.enveloped, entries=[entry])), DIGEST)

    @pytest.mark.parametrize("index", range(5))
    @pytest.mark.parametrize("size", range(5, 10))
    def test_proofs_of_inclusion(
        self, authorities: Sigstore, signer: Signer, verifier: RuleVerifier, index: int, size: int
    ) -> None:
        entry = authorities.entry(signer.enveloped)
        more = "a further line\n" * (index % 2)
        entry["inclusionProof"] = authorities.inclusion(signer.enveloped, index=index, size=size, more=more)
        verifier.check(bundled(bundle(signer.enveloped, entries=[entry])), DIGEST)

    def test_a_timestamp_instead_of_a_promise(
        self, authorities: Sigstore, rule: Callable[..., RuleVerifier], tmp_path: Path
    ) -> None:
        """As cosign 3 does it with the second Rekor, whose entries have no time."""
        time = TimeAuthority(tmp_path / "tsa")
        signer = Signer(authorities, start=datetime.datetime.now(datetime.timezone.utc) - HOUR / 12)
        entry = authorities.entry(signer.enveloped, promised=False, included=True)
        stamp = time.timestamp(signer.enveloped.signature)
        signature = bundled(bundle(signer.enveloped, entries=[entry], timestamps=[stamp]))
        verifier = rule(authorities.trusted_root(time_authority=time.certificate))
        verifier.check(signature, DIGEST)
        unproven = "nothing that the trusted root knows proves when"
        assert unproven in refused(verifier, bundled(bundle(signer.enveloped, entries=[entry])))
        assert unproven in refused(rule(authorities.trusted_root()), signature)
        other = time.timestamp(b"another signature")
        assert unproven in refused(verifier, bundled(bundle(signer.enveloped, entries=[entry], timestamps=[other])))
        alone = rule(authorities.trusted_root(logs=False, time_authority=time.certificate))
        alone.check(bundled(bundle(signer.enveloped, timestamps=[stamp])), DIGEST)
        stranger = TimeAuthority(tmp_path / "stranger").timestamp(signer.enveloped.signature)
        for wrong in (stranger, b"no timestamp", stamp[:-1]):
            assert unproven in refused(alone, bundled(bundle(signer.enveloped, timestamps=[wrong])))

    def test_who_signed(self, authorities: Sigstore, signer: Signer, rule: Callable[..., RuleVerifier]) -> None:
        root = authorities.trusted_root()
        rule(root, identity="https://git.example/team/*@refs/tags/v*").check(signer.signature, DIGEST)
        for changes in (
            {"identity": "https://git.example/other/*"},
            {"identity": IDENTITY[:-1]},
            {"identity": IDENTITY.replace(".", "x")},
            {"issuer": "https://other.example"},
        ):
            assert refused(rule(root, **changes), signer.signature) == f"it is signed by {IDENTITY} by {ISSUER}"

    def test_an_authority_of_the_office(
        self, authorities: Sigstore, signer: Signer, rule: Callable[..., RuleVerifier]
    ) -> None:
        """Certificates in PEM prove no time: the signer's must be valid now."""
        verifier = rule(authorities.root.public_bytes(Encoding.PEM))
        assert f"the certificate of {IDENTITY} has expired" in refused(verifier, signer.signature)
        now = datetime.datetime.now(datetime.timezone.utc)
        verifier.check(Signer(authorities, start=now - HOUR / 12).signature, DIGEST)
        assert "was not valid yet" in refused(verifier, Signer(authorities, start=now + HOUR).signature)

    def test_a_certificate_that_was_not_valid_then(self, authorities: Sigstore, verifier: RuleVerifier) -> None:
        before, after = Signer(authorities, start=SIGNED_AT - HOUR), Signer(authorities, start=SIGNED_AT + HOUR)
        assert "had expired when the signature was made" in refused(verifier, before.signature)
        assert "was not valid yet" in refused(verifier, after.signature)

    def test_another_authority(self, authorities: Sigstore, verifier: RuleVerifier) -> None:
        signer = Signer(authorities, signer=authorities.other_key)
        assert "is not by an authority of the trusted root" in refused(verifier, signer.signature)

    def test_an_intermediate_authority(self, authorities: Sigstore, rule: Callable[..., RuleVerifier]) -> None:
        """Its certificate is in the trusted root, or comes with the signature and is not trusted by itself."""
        key = new_key()
        middle = authorities.intermediate(key)
        signer = Signer(authorities, signer=key, below=middle)
        root = authorities.trusted_root()
        missing = "is not by an authority of the trusted root"
        assert missing in refused(rule(root), signer.signature)
        der = b64(middle.public_bytes(Encoding.DER))
        root["certificateAuthorities"][0]["certChain"]["certificates"].insert(0, {"rawBytes": der})
        rule(root).check(signer.signature, DIGEST)
        promise = authorities.promise(signer.simple)
        pem = middle.public_bytes(Encoding.PEM).decode()
        layer = sigstore.simple_layer(
            Images(), signer.simple,
            {"dev.sigstore.cosign/chain": pem, "dev.sigstore.cosign/bundle": json.dumps(promise)},
        )  # fmt: skip
        chained = read_simple_signing(signer.simple.content, layer.annotations, where="s")
        rule(authorities.trusted_root()).check(chained, DIGEST)
        document = bundle(signer.enveloped, entries=[authorities.entry(signer.enveloped)])
        leaf = document["verificationMaterial"].pop("certificate")
        chain = {"x509CertificateChain": {"certificates": [leaf, {"rawBytes": der}]}}
        document["verificationMaterial"] |= chain
        rule(authorities.trusted_root()).check(bundled(document), DIGEST)
        # Who brings an authority of its own is not trusted for that.
        other = Sigstore()
        stranger = Signer(other, signer=other.root_key)
        annotations = {
            "dev.sigstore.cosign/chain": other.root.public_bytes(Encoding.PEM).decode(),
            "dev.sigstore.cosign/bundle": json.dumps(authorities.promise(stranger.simple)),
        }
        layer = sigstore.simple_layer(Images(), stranger.simple, annotations)
        strange = read_simple_signing(stranger.simple.content, layer.annotations, where="s")
        assert missing in refused(rule(authorities.trusted_root()), strange)

    def test_entries_of_another_log_are_passed_over(
        self, authorities: Sigstore, signer: Signer, verifier: RuleVerifier
    ) -> None:
        entries = [Sigstore().entry(signer.enveloped), authorities.entry(signer.enveloped)]
        verifier.check(bundled(bundle(signer.enveloped, entries=entries)), DIGEST)
        alone = bundled(bundle(signer.enveloped, entries=entries[:1]))
        assert "in no transparency log of the trusted root" in refused(verifier, alone)

    def test_an_authority_out_of_its_period(
        self, authorities: Sigstore, signer: Signer, rule: Callable[..., RuleVerifier]
    ) -> None:
        root = authorities.trusted_root()
        root["certificateAuthorities"][0]["validFor"] = {"start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z"}
        assert "is not by an authority of the trusted root" in refused(rule(root), signer.signature)
        root = authorities.trusted_root()
        root["tlogs"][0]["publicKey"]["validFor"] = {"start": "2025-01-01T00:00:00Z"}
        assert "in no transparency log of the trusted root" in refused(rule(root), signer.signature)

    def test_a_certificate_for_something_else(self, authorities: Sigstore, verifier: RuleVerifier) -> None:
        signer = Signer(authorities, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
        assert "is not for signing code" in refused(verifier, signer.signature)

    def test_what_the_log_does_not_have(self, authorities: Sigstore, signer: Signer, verifier: RuleVerifier) -> None:
        assert "in no transparency log of the trusted root" in refused(verifier, simple(signer.simple))
        promise = authorities.promise(signer.simple)
        promise["Payload"]["integratedTime"] += 1
        assert "the transparency log has not signed its entry" in refused(
            verifier, simple(signer.simple, bundle=promise)
        )
        for promise in (authorities.promise(signer.enveloped), authorities.promise(signer.simple, body=b"{}")):
            assert "is of another signature" in refused(verifier, simple(signer.simple, bundle=promise))
        entry = authorities.entry(signer.enveloped, promised=False)
        unproven = "nothing proves that the transparency log has its entry"
        assert unproven in refused(verifier, bundled(bundle(signer.enveloped, entries=[entry])))

    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            ("hash", "its entry is not in the transparency log"),
            ("index", "its entry is not in the transparency log"),
            ("size", "its entry is not in the transparency log"),
            ("more", "its entry is not in the transparency log"),
            ("root", "the transparency log has not signed its checkpoint"),
            ("signature", "the transparency log has not signed its checkpoint"),
        ],
    )
    def test_a_proof_that_is_wrong(
        self, authorities: Sigstore, signer: Signer, verifier: RuleVerifier, broken: str, said: str
    ) -> None:
        entry = authorities.entry(signer.enveloped, included=True)
        proof = entry["inclusionProof"]
        note = proof["checkpoint"]["envelope"]
        if broken == "hash":
            proof["hashes"][0] = b64(b"x" * 32)
        elif broken == "more":
            proof["hashes"].append(b64(b"x" * 32))
        elif broken == "index":
            proof["logIndex"] = "2"
        elif broken == "size":
            proof["treeSize"] = "8"
        elif broken == "root":
            proof["checkpoint"]["envelope"] = note.replace(note.split("\n")[2], b64(b"x" * 32))
        else:
            head, _, last = note.rpartition(" ")
            changed = bytearray(base64.b64decode(last))
            changed[-1] ^= 1
            proof["checkpoint"]["envelope"] = f"{head} {b64(bytes(changed))}\n"
        assert refused(verifier, bundled(bundle(signer.enveloped, entries=[entry]))) == said

    def test_the_log_of_certificates(
        self, authorities: Sigstore, signer: Signer, rule: Callable[..., RuleVerifier]
    ) -> None:
        verifier = rule(authorities.trusted_root(certificate_logs=True))
        assert "is in no certificate log of the trusted root" in refused(verifier, signer.signature)
        verifier.check(Signer(authorities, logged=True).signature, DIGEST)
        root = authorities.trusted_root(certificate_logs=True)
        root["ctlogs"][0]["publicKey"]["rawBytes"] = b64(sigstore.public_der(authorities.other_key))
        assert "is in no certificate log" in refused(rule(root), Signer(authorities, logged=True).signature)

    def test_a_key_is_not_enough(self, verifier: RuleVerifier) -> None:
        assert "with a key, and not with a certificate" in refused(verifier, simple(sigstore.simple(new_key(), DIGEST)))

    def test_a_certificate_that_did_not_sign(
        self, authorities: Sigstore, signer: Signer, verifier: RuleVerifier
    ) -> None:
        signed = sigstore.simple(new_key(), DIGEST, signer.certificate)
        signature = simple(signed, bundle=authorities.promise(signed))
        assert "its signature is not by its certificate" in refused(verifier, signature)

    def test_another_image(self, authorities: Sigstore, signer: Signer, verifier: RuleVerifier) -> None:
        signed = sigstore.simple(signer.key, OTHER, signer.certificate)
        assert f"of another image, {OTHER}" in refused(verifier, simple(signed, bundle=authorities.promise(signed)))
