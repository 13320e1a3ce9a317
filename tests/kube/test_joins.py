# SPDX-License-Identifier: Apache-2.0
"""Parts of references in generated combinations: each part under one of the names that it has in the field, beside the
others or in a block that entries inherit from, filled, empty or missing.

What is likely is the whole join, and what is not joined is listed; a part that was not understood never makes an image
of Docker Hub.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.kube import revert_content, rewrite_content, scan
from airgap.kube.model import POSSIBLE

REGISTRY_KEYS = ["registry", "imageRegistry", "hub", "registryHost", "address", "host", "prefix", "imagePrefix"]
ORGANISATION_KEYS = ["org", "organisation", "organization", "project", "imageOrg"]
NAME_KEYS = ["repository", "repo", "name", "image"]
TAG_KEYS = ["tag", "imageTag", "version", "digest"]
BLOCKS = ["global", "base", "default", "defaults", "common", "shared"]
DIGEST = "sha256:" + "5d" * 32
TYPED = "apiVersion: x.example/v1\nkind: Thing\nspec:\n"


class Combination(NamedTuple):
    """``registry`` and ``organisation`` are value and key, a value of ``None`` for a part that is missing."""

    registry: tuple[str | None, str]
    organisation: tuple[str | None, str]
    name: tuple[str, str]
    tag: tuple[str, str]
    block: str
    in_block: frozenset[str]
    typed: bool

    def content(self) -> str:
        own, shared = [], []
        for part, (value, key) in (
            ("registry", self.registry), ("organisation", self.organisation), ("name", self.name), ("tag", self.tag)
        ):  # fmt: skip
            if value is not None:
                (shared if part in self.in_block else own).append(f"{key}: '{value}'")
        indent = "  " if self.typed else ""
        text = TYPED if self.typed else ""
        if shared:
            text += f"{indent}{self.block}: {{{', '.join(shared)}}}\n"
        return text + f"{indent}web: {{image: {{{', '.join(own)}}}}}\n"

    def joined(self) -> str:
        """The whole reference, with Docker Hub only where nothing else was ever meant."""
        organisation = self.organisation[0]
        parts = [self.registry[0] or "docker.io"]
        if organisation:
            parts.append(organisation)
        elif not self.registry[0] and "/" not in self.name[0]:
            parts.append("library")
        separator = "@" if self.tag[1] == "digest" else ":"
        return "/".join([*parts, self.name[0]]) + separator + self.tag[0]


@st.composite
def combinations(draw: st.DrawFn) -> Combination:
    tag_key = draw(st.sampled_from(TAG_KEYS))
    return Combination(
        (draw(st.sampled_from(["q.example", "q.example:5000", "", None])), draw(st.sampled_from(REGISTRY_KEYS))),
        (draw(st.sampled_from(["team", "", None, None])), draw(st.sampled_from(ORGANISATION_KEYS))),
        (draw(st.sampled_from(["app", "group/app"])), draw(st.sampled_from(NAME_KEYS))),
        (DIGEST if tag_key == "digest" else "1.2.3", tag_key),
        draw(st.sampled_from(BLOCKS)),
        frozenset(draw(st.sets(st.sampled_from(["registry", "organisation", "tag"])))),
        draw(st.booleans()),
    )


@settings(max_examples=200, deadline=None)
@given(combinations())
def test_a_join_is_whole_or_listed(combination: Combination) -> None:
    check(combination)


def check(combination: Combination) -> None:
    content = combination.content()
    found = scan(content.encode(), "x.yaml")
    likely = [site for site in found.sites if site.confidence != POSSIBLE]
    assert {str(site.reference) for site in likely} <= {combination.joined()}, content
    assert found.sites or found.misses, content
    is_open = (combination.registry[0] == "" and "registry" not in combination.in_block) or (
        combination.organisation[0] == "" and "organisation" not in combination.in_block
    )
    if is_open and combination.registry[0] in ("", None) and "/" not in combination.name[0]:
        assert not [site for site in likely if site.reference.repository.startswith("library/")], content
    for site in found.sites:
        new = f"t.example:5000/p/{combination.name[0]}"
        if site.reference.tag:
            new += f":{site.reference.tag}"
        if site.reference.digest:
            new += f"@{site.reference.digest}"
        done = rewrite_content(content.encode(), [(site, new)])
        again = scan(done.content, "x.yaml")
        assert [str(one.reference) for one in again.sites] == [new], (content, done.content)
        assert revert_content(done.content, done.edits) == content.encode()


def test_parts_beside_each_other_are_joined_whatever_they_are_called() -> None:
    """Every combination of the names, filled and in one mapping: none may be left out."""
    nothing: frozenset[str] = frozenset()
    for registry in REGISTRY_KEYS:
        for organisation in ORGANISATION_KEYS:
            for name in NAME_KEYS:
                for tag in TAG_KEYS:
                    value = DIGEST if tag == "digest" else "1.2.3"
                    combination = Combination(
                        ("q.example", registry), ("team", organisation), ("app", name), (value, tag), "", nothing, True
                    )
                    check(combination)
                    sites = scan(combination.content().encode(), "x").sites
                    assert [str(site.reference) for site in sites] == [combination.joined()], combination.content()


@pytest.mark.parametrize(
    ("image", "found", "is_sure"),
    [
        ("registry: q.example, prefix: mirror, repository: app, tag: '1'", "q.example/app:1", False),
        ("registry: q.example, organization: a, project: b, name: c, tag: '1'", "q.example/a/c:1", False),
        ("registry: q.example, repository: p.example/b, tag: '1'", "p.example/b:1", False),
        ("registry: p.example, repository: p.example/b, tag: '1'", "p.example/b:1", True),
        ("registry: q.example, org: a, repository: b, name: c, tag: '1'", "q.example/a/b/c:1", True),
        ("domain: x.example, account: '1', repository: p.example/b, tag: '1'", "p.example/b:1", True),
        ("address: q.example, registry: mirror, name: c, tag: '1'", "docker.io/mirror/c:1", False),
        ("registry: '', repository: app, tag: '1'", "docker.io/library/app:1", False),
        ("registry: '', repository: a/b, tag: '1'", "docker.io/a/b:1", True),
        ("repository: app, tag: '1'", "docker.io/library/app:1", True),
    ],
)
def test_a_part_that_is_left_over_makes_the_join_unsure(image: str, found: str, is_sure: bool) -> None:
    (site,) = scan(f"web: {{image: {{{image}}}}}\n".encode(), "x").sites
    assert (str(site.reference), site.confidence != POSSIBLE) == (found, is_sure)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("repository: '', image: vgpu, version: '1'", "its repository is empty"),
        ("registry: 'https://q.example', repository: a/b, tag: '1'", "scheme"),
        ("registry: q.example, repository: a/b, tag: ''", "appVersion"),
        ("repository: q.example", "no tag"),
    ],
)
def test_what_cannot_be_joined_is_listed(image: str, reason: str) -> None:
    found = scan(f"web: {{image: {{{image}}}}}\n".encode(), "x")
    assert found.sites == ()
    assert any(reason in miss.reason for miss in found.misses), found.misses


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"WEB_IMAGE": "web:1", "IMAGE_REGISTRY": "q.example"}, [("docker.io/library/web:1", False)]),
        ({"WEB_IMAGE": "web:1", "DB_REGISTRY": "q.example"}, [("docker.io/library/web:1", True)]),
        ({"WEB_IMAGE": "web", "WEB_TAG": "1", "IMAGE_REGISTRY": "q.example"}, [("q.example/web:1", True)]),
        ({"WEB_IMAGE": "web", "WEB_REPO_URL": "q.example/x", "WEB_VERSION": "1"}, [("q.example/x/web:1", True)]),
        ({"WEB_IMAGE": "web", "WEB_REPO_URL": "q.example/x"}, []),
        ({"WEB_IMAGE": "q.example/web:1", "WEB_REGISTRY": "p.example"}, [("q.example/web:1", True)]),
    ],
)
def test_variables_are_joined_like_keys(variables: dict[str, str], found: list[tuple[str, bool]]) -> None:
    entries = ", ".join(f"{{name: {name}, value: '{value}'}}" for name, value in variables.items())
    scanned = scan(f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{{env: [{entries}]}}]}}\n".encode(), "x")
    assert [(str(site.reference), site.confidence != POSSIBLE) for site in scanned.sites] == found
    assert found or scanned.misses


def test_a_digest_below_tag_is_a_digest() -> None:
    content = f"web: {{image: {{repository: q.example/a/b, tag: '{DIGEST}'}}}}\n".encode()
    (site,) = scan(content, "x").sites
    assert str(site.reference) == f"q.example/a/b@{DIGEST}"
    done = rewrite_content(content, [(site, f"t.example/p/b@{DIGEST}")])
    assert done.content == content.replace(b"q.example/a/b", b"t.example/p/b")
