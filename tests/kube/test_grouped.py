# SPDX-License-Identifier: Apache-2.0
"""References split over lines of properties, INI and TOML inside ConfigMaps: joined, rewritten line by line, and not
made up where the lines speak of something else."""

from __future__ import annotations

import pytest

from airgap.errors import ResourceError
from airgap.kube import revert_content, rewrite_content, scan

HEAD = "apiVersion: v1\nkind: ConfigMap\ndata:\n  x: |\n"


def config(text: str) -> bytes:
    return (HEAD + "".join(f"    {line}\n" for line in text.split("\n"))).encode()


def images(text: str) -> list[str]:
    return [str(site.reference) for site in scan(config(text), "x").sites]


JOINED = [
    (
        "registry=q.io\nimage.repository=a/b\nimage.tag=1",
        ["q.io/a/b:1"],
        "registry=t.example\nimage.repository=p/x\nimage.tag=2",
    ),
    (
        "# settings\n[image]\nrepository = \"q.io/a\" # which\ntag = '1'\n[git]\nrepository = 'a/b'\ntag = 'v1'",
        ["q.io/a:1"],
        "# settings\n[image]\nrepository = \"t.example/p/x\" # which\ntag = '2'\n[git]\nrepository = 'a/b'\ntag = 'v1'",
    ),
    (
        "IMAGE_REPOSITORY=a/b\nIMAGE_TAG=1\nOTHER=x y",
        ["docker.io/a/b:1"],
        "IMAGE_REPOSITORY=t.example/p/x\nIMAGE_TAG=2\nOTHER=x y",
    ),
    (
        "x = 1\nregistry = q.io\n[worker.image]\nrepository = a/b\ntag = 1",
        ["q.io/a/b:1"],
        "x = 1\nregistry = t.example\n[worker.image]\nrepository = p/x\ntag = 2",
    ),
    (
        "image=q.io/a\ntag=1\n[x]",
        ["q.io/a:1"],
        "image=t.example/p/x\ntag=2\n[x]",
    ),
]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(("text", "found", "after"), JOINED)
def test_parts_on_lines_of_their_own(text: str, found: list[str], after: str) -> None:
    content = config(text)
    sites = scan(content, "x").sites
    assert [str(site.reference) for site in sites] == found
    assert [(site.rule, site.confidence) for site in sites] == [("setting-parts", "likely")]
    done = rewrite_content(content, [(site, "t.example/p/x:2") for site in sites])
    assert done.content == config(after)
    assert revert_content(done.content, done.edits) == content
    assert [str(site.reference) for site in scan(done.content, "x").sites] == ["t.example/p/x:2"]


def test_two_that_share_a_registry() -> None:
    text = "registry=q.io\na.image.repository=x/a\na.image.tag=1\nb.image.repository=x/b\nb.image.tag=2"
    content = config(text)
    first, second = scan(content, "x").sites
    assert (str(first.reference), str(second.reference)) == ("q.io/x/a:1", "q.io/x/b:2")
    done = rewrite_content(content, [(first, "t.example/p/a:1"), (second, "t.example/p/b:2")])
    assert done.content == config(text.replace("q.io", "t.example").replace("x/", "p/"))
    with pytest.raises(ResourceError, match="belongs to several images"):
        rewrite_content(content, [(first, "t.example/p/a:1"), (second, "u.example/p/b:2")])


@pytest.mark.parametrize(
    "text",
    [
        "git.repository=org/project\ngit.tag=v1\nx=1",
        "[maven]\nrepository=central\nversion=1.0",
        "repository=https://git.example/a/b\ntag=v1\nimage.x=1",
        "image.repository=a/b\nx=1",
        "image.repository=a/b\nimage.repository=c/d\nimage.tag=1",
        "#image.repository=a/b\nimage.tag=1\nx=y",
        "image.repository=${REPO}\nimage.tag=1\nx=y",
    ],
)
def test_what_is_no_image(text: str) -> None:
    assert images(text) == []


def test_whole_ones_stay_whole() -> None:
    assert images("worker.image=q.io/a:1\nworker.tag=5\nx=y") == ["q.io/a:1"]
