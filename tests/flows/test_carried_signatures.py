# SPDX-License-Identifier: Apache-2.0
"""What cosign keeps under tags made of an image's digest travels with the image, and with each image of an index."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.oci import Descriptor
from airgap.oci.manifest import parse
from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import Images

NAME = "a/x"


def tag(subject: Descriptor, suffix: str) -> str:
    return f"sha256-{subject.digest.partition(':')[2]}.{suffix}"


class Signed:
    """An index at ``quay.io/a/x:1`` with a signature, an attestation and an SBOM, one for its first image, an OCI
    referrer of that image, and one of cosign's tags for an image that is not carried."""

    def __init__(self, registry: Registry) -> None:
        self.images = Images(18)
        self.index = self.images.two_platforms(size=1000)
        self.child = parse(self.images.content[self.index.digest]).children[0]
        self.tags = {
            tag(self.index, "sig"): self.images.artifact(content=b"signature"),
            tag(self.index, "att"): self.images.artifact(content=b"attestation"),
            tag(self.index, "sbom"): self.images.artifact(content=b"sbom"),
            tag(self.child, "sig"): self.images.artifact(content=b"signature of the child"),
        }
        self.referrer = self.images.artifact(subject=self.child, content=b"referrer of the child")
        registry.fill(self.images, {f"{NAME}:1": self.index})
        stranger = tag(Descriptor("x", "sha256:" + "1" * 64, 1), "sig")
        registry.fill(self.images, {f"{NAME}:{name}": root for name, root in self.tags.items()})
        registry.fill(self.images, {f"{NAME}:{stranger}": self.images.artifact(content=b"stranger")})
        self.images.push_to(registry.store, {f"{NAME}@{self.referrer.digest}": self.referrer})


@pytest.fixture
def signed(airgap: Airgap, quay: Registry) -> Signed:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    return Signed(quay)


EXPORT = ("export", "--image", "quay.io/a/x:1", "-o", "b.tar")


def test_they_are_carried_and_pushed_under_their_tags(airgap: Airgap, signed: Signed, nexus: Registry) -> None:
    airgap.run(*EXPORT, "--lock", "l")
    with open_bundle(airgap.folder / "b.tar") as bundle:
        assert dict(bundle.inventory.referrer_tags) == {root.digest: name for name, root in signed.tags.items()}
        assert bundle.inventory.referrers[signed.referrer.digest] == signed.child.digest
    said = airgap.run("import", "b.tar", "--to", f"{nexus.url}/p")
    assert "1 image pushed" in said.stderr
    assert nexus.names() == sorted(["p/x:1", *(f"p/x:{name}" for name in signed.tags)])
    for name, root in signed.tags.items():
        assert nexus.digest(f"p/x:{name}") == root.digest
    assert nexus.store.exists(signed.referrer)
    # Nothing is sent again, and the lock gives the same bytes without asking for a tag.
    nexus.requests()
    assert "0 images pushed, 1 already there" in airgap.run("import", "b.tar", "--to", f"{nexus.url}/p").stderr
    assert not [line for line in nexus.requests() if line.startswith("PUT")]
    first = (airgap.folder / "b.tar").read_bytes()
    airgap.run(*EXPORT, "--lock", "l", "--force")
    assert (airgap.folder / "b.tar").read_bytes() == first


def test_inspect_lists_what_an_image_carries(airgap: Airgap, signed: Signed) -> None:
    airgap.run(*EXPORT)
    lines = [line.strip() for line in airgap.run("inspect", "b.tar").text.splitlines() if line.startswith("  with ")]
    index, child = signed.index.digest[:19], signed.child.digest[:19]
    kinds = {"sig": "signature", "att": "attestation", "sbom": "SBOM"}
    expected = []
    for name, root in signed.tags.items():
        kind, about = kinds[name.rpartition(".")[2]], index if tag(signed.index, "") in name else child
        expected.append(f"with {kind} of {about}: {root.digest[:19]}")
    expected.append(f"with application/vnd.example.sbom of {child}: {signed.referrer.digest[:19]}")
    assert sorted(lines) == sorted(expected)


def test_a_served_bundle_has_their_tags(airgap: Airgap, signed: Signed) -> None:
    airgap.run(*EXPORT)
    with open_bundle(airgap.folder / "b.tar") as bundle:
        names = bundle.names()
        assert {name for name in names if ".s" in name.rpartition(":")[2] or ".a" in name.rpartition(":")[2]} == {
            f"quay.io/a/x:{name}" for name in signed.tags
        }


def test_of_chosen_platforms_only_their_own_come_along(airgap: Airgap, signed: Signed, nexus: Registry) -> None:
    said = airgap.run(*EXPORT, "--platform", "linux/amd64")
    assert "signatures of the whole index are left out" in said.stderr
    airgap.run("import", "b.tar", "--to", f"{nexus.url}/p")
    assert nexus.names() == sorted(["p/x:1", f"p/x:{tag(signed.child, 'sig')}"])
    assert nexus.store.exists(signed.referrer)


def test_without_referrers_none_is_carried(airgap: Airgap, signed: Signed, quay: Registry) -> None:
    quay.requests()
    airgap.run(*EXPORT, "--no-referrers")
    assert not [line for line in quay.requests() if "sha256-" in line]
    with open_bundle(airgap.folder / "b.tar") as bundle:
        assert dict(bundle.inventory.referrer_tags) == {}
        assert b"referrerTags" not in bundle.inventory_content()


def test_another_signature_at_the_target_is_not_replaced(airgap: Airgap, signed: Signed, nexus: Registry) -> None:
    airgap.run(*EXPORT)
    own = signed.images.artifact(content=b"the office's own signature")
    name = f"p/x:{tag(signed.index, 'sig')}"
    nexus.fill(signed.images, {name: own})
    said = airgap.fails(50, "import", "b.tar", "--to", f"{nexus.url}/p")
    assert "--overwrite" in said.stderr
    assert nexus.digest(name) == own.digest
    airgap.run("import", "b.tar", "--to", f"{nexus.url}/p", "--overwrite")
    assert nexus.digest(name) == signed.tags[tag(signed.index, "sig")].digest


def test_a_tag_that_is_none_of_cosigns_is_refused(airgap: Airgap, signed: Signed, tmp_path: Path) -> None:
    from tests.bundle.bundles import changed

    airgap.run(*EXPORT)

    def edit(document: dict[str, object]) -> None:
        document["referrerTags"] = {signed.tags[tag(signed.index, "sig")].digest: "latest"}

    airgap.write("bad.tar", changed((airgap.folder / "b.tar").read_bytes(), edit))
    assert "is no tag of a signature" in airgap.fails(40, "inspect", "bad.tar").stderr
