# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect IMAGE``: what a registry has of an image, without a bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airgap.cli.commands.inspect_image import image_reference
from airgap.oci import Descriptor
from airgap.oci.manifest import parse
from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import Images

IMAGE = "quay.io/a/x:1"


class Published:
    """An index at ``quay.io/a/x:1``, with an SBOM as referrer of each of its two images."""

    def __init__(self, airgap: Airgap, quay: Registry) -> None:
        self.images = Images(18)
        self.index = self.images.two_platforms(attested=True)
        self.children = parse(self.images.content[self.index.digest]).children[:2]
        self.quay = quay
        quay.fill(self.images, {"a/x:1": self.index, "a/y:1": self.images.image()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))

    def attach(self, subject: Descriptor, content: bytes) -> str:
        """Attach an SBOM, and return the digest of its layer."""
        made = self.images.artifact("application/spdx+json", subject=subject, content=content)
        self.images.push_to(self.quay.store, {f"a/x@{made.digest}": made})
        return parse(self.images.content[made.digest]).layers[0].digest


@pytest.fixture
def published(airgap: Airgap, quay: Registry) -> Published:
    return Published(airgap, quay)


def test_what_is_attached_is_listed(airgap: Airgap, published: Published) -> None:
    published.attach(published.children[1], b"{}")
    lines = airgap.run("inspect", IMAGE).text.splitlines()
    assert lines[:2] == [IMAGE, f"  {published.index.digest}"]
    assert lines[2].startswith("  linux/amd64, linux/arm64, ")
    assert f"  SBOM SPDX, of {published.children[1].digest[:19]}" in lines
    document = airgap.run("inspect", IMAGE, "--json").json
    assert (document["image"], document["digest"]) == (IMAGE, published.index.digest)
    assert document["platforms"] == ["linux/amd64", "linux/arm64"]
    assert document["size"] > 1000
    assert "sbom" in [entry["kind"] for entry in document["attached"]]


def test_the_only_sbom_is_printed(airgap: Airgap, published: Published) -> None:
    content = b'{"odd" :  1}\r\n\xff'
    published.attach(published.index, content)
    assert airgap.run("inspect", IMAGE, "--sbom").stdout == content
    assert airgap.run("inspect", "--sbom", published.index.digest, IMAGE).stdout == content
    (listed,) = json.loads(airgap.run("inspect", IMAGE, "--sbom", "--json").stdout)
    assert (listed["format"], listed["subject"]) == ("SPDX", published.index.digest)


def test_one_of_several_by_digest(airgap: Airgap, published: Published) -> None:
    first, second = (published.attach(child, child.digest.encode()) for child in published.children)
    said = airgap.fails(2, "inspect", IMAGE, "--sbom").stderr
    assert f"{IMAGE} has 2 SBOMs" in said
    assert f"{first}  SPDX of {published.children[0].digest[:19]} linux/amd64" in said
    assert f"airgap inspect {IMAGE} --sbom sha256:" in said
    assert airgap.run("inspect", IMAGE, "--sbom", second).stdout == published.children[1].digest.encode()
    digest = published.children[0].digest
    assert airgap.run("inspect", IMAGE, "--sbom", digest).stdout == digest.encode()
    unknown = "sha256:" + "1" * 64
    said = airgap.fails(22, "inspect", IMAGE, "--sbom", unknown).stderr
    assert unknown in said
    assert f"airgap inspect {IMAGE} --sbom lists its SBOMs" in said


def test_none(airgap: Airgap, published: Published) -> None:
    said = airgap.fails(22, "inspect", "quay.io/a/y:1", "--sbom").stderr
    assert "quay.io/a/y:1 has no SBOM" in said
    assert "airgap inspect quay.io/a/y:1 shows what is attached to it" in said
    assert "nothing: no signature" in airgap.run("inspect", "quay.io/a/y:1").text
    airgap.fails(22, "inspect", "quay.io/a/absent:1", "--sbom")
    airgap.fails(22, "inspect", "quay.io/a/absent:1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((IMAGE, "--html", "x.html"), "are for a bundle"),
        ((IMAGE, "--identity", "x"), "are for a bundle"),
        (("b.tar", "--plain-http", "quay.io"), "are for an image"),
        (("b.tar", "--sbom"), "of which image?"),
        (("dist/bundle", "--sbom", IMAGE), "no such file"),
    ],
)
def test_mistakes(airgap: Airgap, published: Published, arguments: tuple[str, ...], said: str) -> None:
    assert said in airgap.fails(2, "inspect", *arguments).stderr


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (IMAGE, IMAGE),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("localhost/x", "localhost/x:latest"),
        ("10.0.0.5:5000/x", "10.0.0.5:5000/x:latest"),
        ("bundle.tar", ""),
        ("quay.io/bundle.tar", ""),
        ("bundle.tar.001", ""),
        ("bundle.tar.age", ""),
        ("./quay.io/x:1", ""),
        ("/quay.io/x:1", ""),
        ("dist/bundle", ""),
        ("-", ""),
        ("here:1", ""),
        ("quay.io/A:1", ""),
    ],
)
def test_what_is_taken_for_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here:1").touch()
    assert str(image_reference(argument) or "") == expected
