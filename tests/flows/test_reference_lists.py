# SPDX-License-Identifier: Apache-2.0
"""Lists of references, one a line: a file that ends in ``.txt``, and standard input."""

from __future__ import annotations

import pytest

from airgap.bundle import open_bundle
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.images import Images

LIST = b"\xef\xbb\xbf# what we run\r\nquay.io/e/a:1  # the web server\r\n\r\n  nginx\r\nquay.io/e/b@sha256:" + b"0" * 64


def test_each_line_is_an_image(airgap: Airgap) -> None:
    airgap.write("images.txt", LIST)
    assert airgap.run("images", "images.txt", "--refs").text.split() == [
        "docker.io/library/nginx:latest",
        "quay.io/e/a:1",
        f"quay.io/e/b@sha256:{'0' * 64}",
    ]
    sites = airgap.run("images", "images.txt", "--json").json
    assert [(site["line"], site["column"], site["text"], site["kind"], site["confidence"]) for site in sites] == [
        (2, 1, "quay.io/e/a:1", "list", "certain"),
        (4, 3, "nginx", "list", "certain"),
        (5, 1, f"quay.io/e/b@sha256:{'0' * 64}", "list", "certain"),
    ]


def test_standard_input_is_a_list_if_all_its_lines_are_references(airgap: Airgap) -> None:
    said = airgap.run("images", "-", "--refs", stdin=b"quay.io/e/a:1\n# x\nnginx:2\n")
    assert said.text.split() == ["docker.io/library/nginx:2", "quay.io/e/a:1"]
    said = airgap.run("images", "-", "--refs", stdin=pod("quay.io/e/a:1").encode())
    assert said.text.split() == ["quay.io/e/a:1"]
    airgap.fails(10, "images", "-", stdin=b"quay.io/e/a:1\nnot an image\n")
    assert "no image is named" in airgap.fails(10, "images", "-", stdin=b"# nothing\n").errors[0]


def test_every_line_that_is_no_reference_is_an_error(airgap: Airgap) -> None:
    airgap.write("images.txt", "quay.io/e/a:1\nIMAGE\n\nquay.io/e/b 1\n")
    said = airgap.run("images", "images.txt", code=10)
    assert [error.partition(": ")[0] for error in said.errors] == ["images.txt:2", "images.txt:4"]


def test_the_other_bytes_stay_when_a_list_is_rewritten(airgap: Airgap) -> None:
    airgap.write("images.txt", LIST)
    airgap.write("airgap.yaml", 'rules: {ignore: [{image: "docker.io/*", why: "never deployed"}]}')
    said = airgap.run("rewrite", "images.txt", "--to", "[::1]:5000/p")
    assert said.stdout == LIST.replace(b"quay.io/e/", b"[::1]:5000/p/")
    airgap.run("rewrite", "images.txt", "--to", "t.example/p", "--in-place")
    assert (airgap.folder / "images.txt").read_bytes() == LIST.replace(b"quay.io/e/", b"t.example/p/")
    airgap.run("rewrite", "images.txt", "--revert", "--in-place")
    assert (airgap.folder / "images.txt").read_bytes() == LIST
    said = airgap.run("rewrite", "-", "--to", "t.example/p", stdin=b"quay.io/e/a:1\n")
    assert said.stdout == b"t.example/p/a:1\n"


@pytest.mark.parametrize("source", ["images.txt", "-"])
def test_a_list_crosses_and_is_rewritten_on_the_far_side(airgap: Airgap, source: str) -> None:
    text = b"quay.io/e/a:1  # first\nquay.io/e/b:2\n"
    airgap.write("images.txt", text)
    with Registry() as quay, Registry() as nexus:
        images = Images(5)
        quay.fill(images, {"e/a:1": images.image(), "e/b:2": images.image()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
        airgap.run("export", source, "-o", "b.tar", stdin=text if source == "-" else None)
        with open_bundle(airgap.folder / "b.tar") as bundle:
            assert [resource.name for resource in bundle.inventory.resources] == [source] * (source != "-")
        airgap.run("import", "b.tar", "--to", f"{nexus.address}/p", "--output", "out")
        assert nexus.names() == ["p/a:1", "p/b:2"]
        if source != "-":
            assert (airgap.folder / "out/images.txt").read_bytes() == text.replace(
                b"quay.io/e", f"{nexus.address}/p".encode()
            )
