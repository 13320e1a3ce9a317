# SPDX-License-Identifier: Apache-2.0
"""A Sigstore of the tests' own: an authority that certifies identities, a transparency log, a time authority, and the
signatures of images that cosign would make with them. Nothing of it is on the network."""

from __future__ import annotations

import base64
import copy
import datetime
import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_EMPTY, OCI_MANIFEST
from airgap.records import replace
from tests.parts.images import Images

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
IDENTITY, ISSUER = "https://git.example/team/app/release.yml@refs/tags/v1", "https://token.example"
#: When everything was signed: long ago, so that a certificate of ten minutes has expired.
SIGNED_AT = datetime.datetime(2024, 5, 1, 12, 0, tzinfo=datetime.timezone.utc)
_MINUTES = datetime.timedelta(minutes=10)
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sign(key: Key, message: bytes) -> bytes:
    """Sign as cosign does."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, PKCS1v15(), hashes.SHA256())
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def public_der(key: Key) -> bytes:
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, public)


def public_pem(key: Key) -> bytes:
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, public)


@dataclass(frozen=True)
class Signed:
    """A signature before it is put into one of its forms: ``message`` is signed, ``content`` is what a log hashes."""

    kind: str
    message: bytes
    content: bytes
    signature: bytes
    certificate: x509.Certificate | None = None

    @property
    def pem(self) -> bytes:
        assert self.certificate is not None
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def payload(digest: str) -> bytes:
    """What cosign signs before version 3."""
    identity, image = {"docker-reference": "quay.io/a/x"}, {"docker-manifest-digest": digest}
    kind = "cosign container image signature"
    return json.dumps({"critical": {"identity": identity, "image": image, "type": kind}, "optional": None}).encode()


def statement(digest: str, predicate: str = SIGN_PREDICATE) -> bytes:
    """What cosign 3 signs."""
    subject = [{"name": "", "digest": {"sha256": digest.partition(":")[2]}}]
    document = {"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate}
    return json.dumps(document | {"predicate": {}}).encode()


def simple(key: Key, digest: str, certificate: x509.Certificate | None = None) -> Signed:
    content = payload(digest)
    return Signed("hashedrekord", content, content, sign(key, content), certificate)


def enveloped(
    key: Key, digest: str, certificate: x509.Certificate | None = None, predicate: str = SIGN_PREDICATE
) -> Signed:
    content = statement(digest, predicate)
    message = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(content), content)
    return Signed("dsse", message, content, sign(key, message), certificate)


def of_manifest(key: Key, manifest: bytes, certificate: x509.Certificate | None = None) -> Signed:
    return Signed("hashedrekord", manifest, manifest, sign(key, manifest), certificate)


class Sigstore:
    """The authorities and the log. ``certificate`` makes what a signer gets for ten minutes."""

    def __init__(self) -> None:
        self.root_key, self.log_key, self.other_key = new_key(), new_key(), new_key()
        day = datetime.timedelta(days=3650)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
        self.name = name
        self.root = (
            x509.CertificateBuilder(name, name, self.root_key.public_key(), 1, SIGNED_AT - day, SIGNED_AT + 3 * day)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(certifies=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.root_key.public_key()), critical=False)
            .sign(self.root_key, hashes.SHA256())
        )
        self.log_id = hashlib.sha256(public_der(self.log_key)).digest()

    def certificate(
        self, key: Any, *, identity: str = IDENTITY, issuer: str = ISSUER,
        start: datetime.datetime = SIGNED_AT, end: datetime.datetime | None = None,
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING, logged: bool = False,
        signer: ec.EllipticCurvePrivateKey | None = None, below: x509.Certificate | None = None,
    ) -> x509.Certificate:  # fmt: skip
        """A certificate of a public key as Fulcio makes them; ``logged`` in a log of certificates."""
        text = issuer.encode()
        issued = b"\x0c" + (bytes([len(text)]) if len(text) < 128 else bytes([0x81, len(text)])) + text
        builder = (
            x509.CertificateBuilder(
                below.subject if below else self.name, x509.Name([]), key, 7, start, end or start + _MINUTES
            )
            .add_extension(_usage(certifies=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(_authority_key(below.public_key() if below else self.root_key.public_key()), False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
            .add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), issued), critical=False
            )
        )
        if logged:
            builder = builder.add_extension(self._certificate_log_stamp(builder), critical=False)
        return builder.sign(signer or self.root_key, hashes.SHA256())

    def intermediate(self, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """An authority below the root."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an intermediate authority")])
        year = datetime.timedelta(days=365)
        return (
            x509.CertificateBuilder(self.name, name, key.public_key(), 3, SIGNED_AT - year, SIGNED_AT + 9 * year)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certifies=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_authority_key(self.root_key.public_key()), critical=False)
            .sign(self.root_key, hashes.SHA256())
        )

    def _certificate_log_stamp(self, builder: x509.CertificateBuilder) -> x509.UnrecognizedExtension:
        """RFC 6962, 3.2 and 3.3: the list of one signed certificate timestamp."""
        body = builder.sign(self.root_key, hashes.SHA256()).tbs_certificate_bytes
        stamp = (int(SIGNED_AT.timestamp()) * 1000 + 999).to_bytes(8, "big")
        issuer = hashlib.sha256(public_der(self.root_key)).digest()
        signed = b"\x00\x00" + stamp + b"\x00\x01" + issuer + len(body).to_bytes(3, "big") + body + b"\x00\x00"
        signature = sign(self.log_key, signed)
        one = b"\x00" + self.log_id + stamp + b"\x00\x00" + b"\x04\x03" + len(signature).to_bytes(2, "big") + signature
        listed = len(one).to_bytes(2, "big") + one
        whole = len(listed).to_bytes(2, "big") + listed
        der = b"\x04" + (bytes([len(whole)]) if len(whole) < 128 else bytes([0x81, len(whole)])) + whole
        return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), der)

    def trusted_root(
        self, *, logs: bool = True, certificate_logs: bool = False, time_authority: bytes = b""
    ) -> dict[str, Any]:
        """What a verifier trusts, as ``trusted_root.json`` has it."""
        valid = {"start": "2020-01-01T00:00:00.000Z"}
        log = {
            "baseUrl": "https://log.example",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": b64(public_der(self.log_key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid,
            },
            "logId": {"keyId": b64(self.log_id)},
        }  # fmt: skip
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log] if logs else [],
            "certificateAuthorities": [_authority(self.root.public_bytes(serialization.Encoding.DER), valid)],
            "ctlogs": [copy.deepcopy(log)] if certificate_logs else [],
            "timestampAuthorities": [_authority(time_authority, valid)] if time_authority else [],
        }

    def promise(self, signed: Signed, *, at: datetime.datetime = SIGNED_AT, body: bytes = b"") -> dict[str, Any]:
        """The log's entry with its signed entry timestamp, as cosign keeps it in an annotation."""
        promised = {
            "body": b64(body or entry_body(signed)), "integratedTime": int(at.timestamp()),
            "logID": self.log_id.hex(), "logIndex": 5,
        }  # fmt: skip
        canonical = json.dumps(promised, sort_keys=True, separators=(",", ":")).encode()
        return {"SignedEntryTimestamp": b64(sign(self.log_key, canonical)), "Payload": promised}

    def inclusion(self, signed: Signed, *, index: int = 3, size: int = 7, more: str = "") -> dict[str, Any]:
        """The proof that the entry is in a tree of ``size`` entries. ``more`` are further lines of the checkpoint."""
        body = entry_body(signed)
        leaves = [
            hashlib.sha256(b"\x00" + (body if number == index else b"%d" % number)).digest() for number in range(size)
        ]
        root, path = _tree(leaves, index)
        note = f"log.example - 1\n{size}\n{b64(root)}\n{more}"
        line = b64(self.log_id[:4] + sign(self.log_key, note.encode()))
        checkpoint = {"envelope": f"{note}\n\u2014 log.example {line}\n"}
        return {
            "logIndex": str(index), "rootHash": b64(root), "treeSize": str(size),
            "hashes": [b64(item) for item in path], "checkpoint": checkpoint,
        }  # fmt: skip

    def entry(self, signed: Signed, *, promised: bool = True, included: bool = False) -> dict[str, Any]:
        """The log's entry as a bundle has it."""
        promise = self.promise(signed)
        payload = promise["Payload"]
        entry = {
            "logIndex": "5", "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": signed.kind, "version": "0.0.1"},
            "integratedTime": str(payload["integratedTime"]), "canonicalizedBody": payload["body"],
        }  # fmt: skip
        if promised:
            entry["inclusionPromise"] = {"signedEntryTimestamp": promise["SignedEntryTimestamp"]}
        if included:
            entry["inclusionProof"] = self.inclusion(signed)
        return entry


class TimeAuthority:
    """A time authority (RFC 3161) that ``openssl ts`` plays. Its clock is this machine's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ts.cnf").write_text(
            "[tsa]\ndefault_tsa=ours\n[ours]\nserial=serial\ncrypto_device=builtin\nsigner_cert=tsa.pem\nsigner_key=tsa.key\n"
            "signer_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\naccuracy=secs:1\n"
            "[req]\ndistinguished_name=none\n[none]\n[ext]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
        )
        (folder / "serial").write_text("01\n")
        self._run(
            "req", "-x509", "-config", "ts.cnf", "-extensions", "ext", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "3",
            "-subj", "/CN=t",
        )  # fmt: skip
        self._run("x509", "-in", "tsa.pem", "-outform", "DER", "-out", "tsa.der")
        self.certificate = (folder / "tsa.der").read_bytes()

    def timestamp(self, content: bytes) -> bytes:
        (self.folder / "data").write_bytes(content)
        self._run("ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query.tsq")
        self._run(
            "ts", "-reply", "-config", "ts.cnf", "-section", "ours", "-queryfile", "query.tsq", "-out", "reply.tsr"
        )
        return (self.folder / "reply.tsr").read_bytes()

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def entry_body(signed: Signed) -> bytes:
    """What the log keeps of a signature: its digest, itself and the certificate."""
    digest, signature, verifier = hashlib.sha256(signed.content).hexdigest(), b64(signed.signature), b64(signed.pem)
    hashed = {"algorithm": "sha256", "value": digest}
    spec = (
        {"envelopeHash": hashed, "payloadHash": hashed, "signatures": [{"signature": signature, "verifier": verifier}]}
        if signed.kind == "dsse"
        else {"data": {"hash": hashed}, "signature": {"content": signature, "publicKey": {"content": verifier}}}
    )
    return json.dumps({"apiVersion": "0.0.1", "kind": signed.kind, "spec": spec}).encode()


def bundle(
    signed: Signed,
    digest: str = "",
    *,
    entries: list[dict[str, Any]] | None = None,
    timestamps: list[bytes] | None = None,
) -> dict[str, Any]:
    """A bundle of Sigstore 0.3; with ``digest`` it has the signature of the manifest itself."""
    material: dict[str, Any] = {"tlogEntries": entries or []}
    if signed.certificate is None:
        material["publicKey"] = {"hint": "ours"}
    else:
        material["certificate"] = {"rawBytes": b64(signed.certificate.public_bytes(serialization.Encoding.DER))}
    if timestamps:
        material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": b64(t)} for t in timestamps]}
    document: dict[str, Any] = {"mediaType": BUNDLE, "verificationMaterial": material}
    if digest:
        hashed = {"algorithm": "SHA2_256", "digest": b64(bytes.fromhex(digest.partition(":")[2]))}
        return document | {"messageSignature": {"messageDigest": hashed, "signature": b64(signed.signature)}}
    envelope = {"payload": b64(signed.content), "payloadType": "application/vnd.in-toto+json"}
    return document | {"dsseEnvelope": envelope | {"signatures": [{"sig": b64(signed.signature)}]}}


def simple_layer(images: Images, signed: Signed, more: Mapping[str, str] | None = None) -> Descriptor:
    """The layer of a signature as cosign 2 keeps it."""
    annotations = {"dev.cosignproject.cosign/signature": b64(signed.signature), **(more or {})}
    if signed.certificate is not None:
        annotations["dev.sigstore.cosign/certificate"] = signed.pem.decode()
    return replace(images.blob(signed.content, SIMPLE_SIGNING), annotations=annotations)


def signature_image(images: Images, layer: Descriptor) -> Descriptor:
    """What is behind one of cosign's tags."""
    config = images.blob(b"{}", OCI_EMPTY)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.to_json(), "layers": [layer.to_json()]}
    return images.json(document, OCI_MANIFEST)


def bundle_referrer(
    images: Images, document: Mapping[str, Any], subject: Descriptor, predicate: str = SIGN_PREDICATE
) -> Descriptor:
    """The manifest of a bundle as cosign 3 attaches it."""
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate,
    }  # fmt: skip
    content = json.dumps(document).encode()
    return images.artifact(BUNDLE, subject=subject, content=content, annotations=annotations)


def _authority_key(key: Any) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _usage(*, certifies: bool) -> x509.KeyUsage:
    return x509.KeyUsage(not certifies, False, False, False, False, certifies, certifies, False, False)


def _authority(certificate: bytes, valid: Mapping[str, str]) -> dict[str, Any]:
    subject = {"organization": "example", "commonName": "ours"}
    return {"subject": subject, "certChain": {"certificates": [{"rawBytes": b64(certificate)}]}, "validFor": valid}


def _tree(leaves: list[bytes], index: int) -> tuple[bytes, list[bytes]]:
    """The root of a tree and the proof of one leaf, by the definition (RFC 9162, 2.1.1 and 2.1.3.1)."""
    if len(leaves) == 1:
        return leaves[0], []
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, left_path = _tree(leaves[:half], index if index < half else 0)
    right, right_path = _tree(leaves[half:], index - half if index >= half else 0)
    root = hashlib.sha256(b"\x01" + left + right).digest()
    return root, [*left_path, right] if index < half else [*right_path, left]
