# SPDX-License-Identifier: Apache-2.0
"""``verify_images:`` of airgap.yaml: an image that is not signed as required is refused before anything is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airgap.oci import Descriptor
from airgap.oci.manifest import parse
from tests.cli.command import Airgap, Registry, Result, settings
from tests.parts import sigstore
from tests.parts.images import Images
from tests.parts.sigstore import IDENTITY, ISSUER, Sigstore, bundle, new_key

EXPORT = ("export", "--image", "quay.io/a/x:1", "-o", "b.tar")
OTHER = "sha256:" + "1" * 64


class Office:
    """An index at ``quay.io/a/x:1``, a key whose public half is ``cosign.pub``, and rules about who signs."""

    def __init__(self, airgap: Airgap, quay: Registry) -> None:
        self.airgap, self.quay, self.images = airgap, quay, Images(18)
        self.index = self.images.two_platforms(size=1000)
        self.manifest = self.images.content[self.index.digest]
        self.child = parse(self.manifest).children[0]
        quay.fill(self.images, {"a/x:1": self.index, "a/y:1": self.images.image()})
        self.key: sigstore.Key = new_key()
        airgap.write("cosign.pub", sigstore.public_pem(self.key))
        self.rules([{"image": "quay.io/a/*", "key": "cosign.pub"}])
        quay.requests()

    def rules(self, rules: list[dict[str, str]]) -> None:
        document = json.loads(settings({"quay.io": {"mirror": self.quay.url}}))
        self.airgap.write("airgap.yaml", json.dumps({**document, "verify_images": rules}))

    def keyless(self, root: dict[str, Any] | bytes, **changes: str) -> None:
        """A rule for a keyless signature, with this trusted root."""
        self.airgap.write("root.json", root if isinstance(root, bytes) else json.dumps(root))
        rule = {"image": "quay.io/a/x", "identity": IDENTITY, "issuer": ISSUER, "trusted_root": "root.json"}
        self.rules([rule | changes])

    def tag(self, signed: sigstore.Signed, subject: Descriptor | None = None, **annotations: Any) -> None:
        """Keep a signature as cosign 2 does."""
        more = {f"dev.sigstore.cosign/{name}": json.dumps(value) for name, value in annotations.items()}
        layer = sigstore.simple_layer(self.images, signed, more)
        name = f"a/x:sha256-{(subject or self.index).digest.partition(':')[2]}.sig"
        self.quay.fill(self.images, {name: sigstore.signature_image(self.images, layer)})

    def refer(self, document: dict[str, Any] | bytes, **more: str) -> None:
        """Keep a bundle as cosign 3 does."""
        parsed = document if isinstance(document, dict) else json.loads(document)
        made = sigstore.bundle_referrer(self.images, parsed, self.index, **more)
        self.images.push_to(self.quay.store, {f"a/x@{made.digest}": made})

    def passes(self, *options: str) -> Result:
        done = self.airgap.run(*EXPORT, *options)
        assert (self.airgap.folder / "b.tar").exists()
        return done

    def refuses(self, said: str, *options: str, code: int = 43) -> None:
        before = self.airgap.files()
        done = self.airgap.fails(code, *EXPORT, *options)
        assert said in done.stderr
        assert self.airgap.files() == before


@pytest.fixture
def office(airgap: Airgap, quay: Registry) -> Office:
    return Office(airgap, quay)


@pytest.fixture(scope="module")
def authorities() -> Sigstore:
    return Sigstore()


def test_a_signature_under_cosigns_tag(office: Office) -> None:
    office.tag(sigstore.simple(office.key, office.index.digest))
    assert "signed as airgap.yaml requires: 1 image" in office.passes("--verify-images").stderr


def test_a_bundle_of_cosign_3(office: Office) -> None:
    office.refer(bundle(sigstore.enveloped(office.key, office.index.digest)))
    office.passes()


def test_a_bundle_of_the_manifest_itself(office: Office) -> None:
    office.refer(bundle(sigstore.of_manifest(office.key, office.manifest), office.index.digest))
    office.passes()


def test_one_good_signature_is_enough(office: Office) -> None:
    office.tag(sigstore.simple(new_key(), office.index.digest))
    office.refer(bundle(sigstore.enveloped(office.key, office.index.digest)))
    office.passes()


def test_an_image_without_a_signature(office: Office) -> None:
    office.refuses("it has no signature, and airgap.yaml:1 requires one by cosign.pub")
    # An attestation by the same key is no signature.
    predicate = "https://slsa.dev/provenance/v1"
    signed = sigstore.enveloped(office.key, office.index.digest, predicate=predicate)
    office.refer(bundle(signed), predicate=predicate)
    office.refuses("it has no signature")
    office.refer(bundle(signed))
    office.refuses(predicate)


def test_another_key(office: Office) -> None:
    office.tag(sigstore.simple(new_key(), office.index.digest))
    office.refer(bundle(sigstore.enveloped(new_key(), office.index.digest)))
    office.refuses("it is signed by another key than cosign.pub")


def test_the_signature_of_another_image(office: Office) -> None:
    office.tag(sigstore.simple(office.key, OTHER))
    office.refuses(f"its signature is of another image, {OTHER}")


def test_a_signature_that_cannot_be_read(office: Office) -> None:
    office.tag(sigstore.Signed("", b"{}", b"{}", b""))
    office.refer({"verificationMaterial": {}, "dsseEnvelope": {"payload": "%"}})
    office.refuses("it is no signature of an image that can be read")


def test_the_index_vouches_for_the_platform_that_is_chosen(office: Office) -> None:
    office.tag(sigstore.simple(office.key, office.index.digest))
    office.passes("--platform", "linux/amd64", "--no-referrers")


def test_the_chosen_platform_may_be_signed_itself(office: Office) -> None:
    office.tag(sigstore.simple(office.key, office.child.digest), office.child)
    office.refuses("it has no signature")
    office.passes("--platform", "linux/amd64")


def test_rules_hold_with_a_lock_too(office: Office) -> None:
    office.tag(sigstore.simple(office.key, office.index.digest))
    office.passes("--lock", "l")
    (office.airgap.folder / "b.tar").unlink()
    office.airgap.write("cosign.pub", sigstore.public_pem(new_key()))
    office.refuses("another key", "--lock", "l")


def test_the_option_wants_a_rule_for_each_image(office: Office) -> None:
    office.tag(sigstore.simple(office.key, office.index.digest))
    office.rules([{"image": "quay.io/a/x", "key": "cosign.pub"}])
    office.passes("--image", "quay.io/a/y:1")
    (office.airgap.folder / "b.tar").unlink()
    office.refuses("no rule of verify_images: is for it", "--image", "quay.io/a/y:1", "--verify-images")
    office.rules([])
    office.refuses("airgap.yaml has none", "--verify-images", code=2)


def test_the_first_rule_that_matches_counts(office: Office) -> None:
    office.tag(sigstore.simple(office.key, office.index.digest))
    office.airgap.write("other.pub", sigstore.public_pem(new_key()))
    office.rules([{"image": "quay.io/a/x", "key": "cosign.pub"}, {"image": "*", "key": "other.pub"}])
    office.passes()


def test_all_refusals_are_listed_and_keep_going_is_none(office: Office) -> None:
    done = office.airgap.run(*EXPORT, "--image", "quay.io/a/y:1", "--keep-going", code=43)
    assert [line for line in done.errors if "a/x:1" in line]
    assert [line for line in done.errors if "a/y:1" in line]
    assert not (office.airgap.folder / "b.tar").exists()


def test_keep_going_still_leaves_out_what_cannot_be_pulled(office: Office) -> None:
    office.tag(sigstore.simple(office.key, office.index.digest))
    said = office.airgap.run(*EXPORT, "--image", "quay.io/a/absent:1", "--keep-going", code=3).stderr
    assert "not in the bundle: quay.io/a/absent:1" in said
    assert (office.airgap.folder / "b.tar").exists()


def test_more_signatures_than_are_read(office: Office) -> None:
    for _ in range(4):
        office.refer(bundle(sigstore.enveloped(new_key(), office.index.digest)))
    limits = {"AIRGAP_LIMITS": "image-signatures=3"}
    done = office.airgap.fails(43, *EXPORT, environment=limits)
    assert "more than 3 signatures" in done.stderr


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"image": "a/*"}, "does not say who must have signed"),
        ({"image": "a/*", "key": "cosign.pub", "issuer": "x"}, "does not say who must have signed"),
        ({"image": "a/*", "identity": "x", "issuer": "x"}, "does not say who must have signed"),
        ({"key": "cosign.pub"}, "lacks 'image'"),
        ({"image": "quay.io/a/*", "key": "absent.pub"}, "absent.pub"),
        ({"image": "quay.io/a/*", "key": "airgap.yaml"}, "no public key in PEM"),
        (
            {"image": "quay.io/a/*", "identity": "x", "issuer": "x", "trusted_root": "cosign.pub"},
            "this is no trusted root",
        ),
    ],
)
def test_rules_that_cannot_be_used(office: Office, rule: dict[str, str], said: str) -> None:
    office.rules([rule])
    office.refuses(said, code=2)


@pytest.mark.requires("openssl")
def test_keyless(office: Office) -> None:
    """Without the network, and long after the certificate's end."""
    authorities, key = Sigstore(), new_key()
    office.keyless(authorities.trusted_root())
    signed = sigstore.enveloped(key, office.index.digest, authorities.certificate(key.public_key()))
    office.refer(bundle(signed, entries=[authorities.entry(signed)]))
    office.passes()
    (office.airgap.folder / "b.tar").unlink()
    office.keyless(authorities.trusted_root(), issuer="https://other.example")
    office.refuses(f"it is signed by {IDENTITY} by {ISSUER}")
