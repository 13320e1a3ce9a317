# SPDX-License-Identifier: Apache-2.0
"""Statements 33 to 35: lists and their links."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.doubles.nexus import Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import ask, push
from tests.doubles.nexus.settings import Profile
from tests.parts.images import Images

TAGS = ["v1", "v2", "v3"]
ALL = (
    Repository("docker-hosted", connector="http", path_enabled=True),
    Repository("cache", kind="proxy", remote="docker-hosted", connector="http"),
    Repository("together", kind="group", members=("docker-hosted",), connector="http"),
)


def filled(double: Nexus) -> Nexus:
    images = Images(1)
    root = images.image(docker=True)
    for image in ("a", "b/c"):
        for tag in TAGS:
            assert push(double.connector().url, images, image, tag, root).status == 201
    return double


def link(said: Any) -> str | None:
    match = re.fullmatch(r'<([^>]+)>; rel="next"', said.headers.get("Link") or "")
    return match[1] if match else None


def test_33_n_and_last() -> None:
    with nexus(Settings(repositories=ALL)) as double:
        url = filled(double).connector().url
        assert ask("GET", f"{url}/v2/_catalog").json() == {"repositories": ["a", "b/c"]}
        assert ask("GET", f"{url}/v2/b/c/tags/list").json() == {"name": "b/c", "tags": TAGS}
        page = ask("GET", f"{url}/v2/b/c/tags/list?n=2")
        assert page.json()["tags"] == TAGS[:2]
        following = link(page)
        assert following == "/v2/b/c/tags/list?n=2&last=v2"
        rest = ask("GET", url + following)
        assert (rest.json()["tags"], link(rest)) == (TAGS[2:], None)
        first = ask("GET", f"{url}/v2/_catalog?n=1")
        assert (first.json()["repositories"], link(first)) == (["a"], "/v2/_catalog?n=1&last=a")


@pytest.mark.parametrize(
    ("profile", "kind", "name", "expected"),
    [
        ("3.96", "repository", "docker-hosted", "/repository/docker-hosted/v2/a/tags/list?n=1&last=v1"),
        ("3.96", "path", "docker-hosted", "/v2/docker-hosted/a/tags/list?n=1&last=v1"),
        ("3.96", "connector", "cache", "/repository/cache/v2/a/tags/list?n=1&last=v1"),
        ("3.96", "connector", "together", "/v2/a/tags/list?n=1&last=v1"),
        ("3.71", "repository", "docker-hosted", "/v2/a/tags/list?n=1&last=v1"),
        ("legacy", "connector", "together", None),
    ],
)
def test_34_links(profile: Profile, kind: Any, name: str, expected: str | None) -> None:
    with nexus(Settings(profile=profile, repositories=ALL)) as double:
        root, image = filled(double).root(kind, name), double.image(kind, "a", name)
        assert link(ask("GET", f"{root}/v2/{image}/tags/list?n=1")) == expected


def test_34_a_proxys_link_is_400_if_followed_on_its_port() -> None:
    with nexus(Settings(repositories=ALL)) as double:
        url = filled(double).connector("cache").url
        following = link(ask("GET", f"{url}/v2/a/tags/list?n=1"))
        assert following is not None
        assert ask("GET", url + following).status == 400
        assert ask("GET", double.url + following).json()["tags"] == ["v2"]


def test_34_any_form_may_be_chosen() -> None:
    with nexus(Settings(repositories=ALL, link="none")) as double:
        assert link(ask("GET", f"{filled(double).connector().url}/v2/a/tags/list?n=1")) is None


def test_35_unknown_images_and_ghosts() -> None:
    with nexus(Settings(ghosts=("old/one",))) as double:
        url = double.connector().url
        said = ask("GET", f"{url}/v2/nothing/tags/list")
        assert (said.status, said.code) == (404, "NAME_UNKNOWN")
        assert ask("GET", f"{url}/v2/_catalog").json() == {"repositories": ["old/one"]}
        assert ask("GET", f"{url}/v2/old/one/tags/list").status == 400
