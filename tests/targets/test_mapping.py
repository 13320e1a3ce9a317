# SPDX-License-Identifier: Apache-2.0
"""What each mapping policy does, sentence by sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import UsageError
from airgap.oci import Reference
from airgap.targets import Mapping, TargetAddress

DIGEST = f"sha256:{'ab' * 32}"


def located(to: str, source: str, policy: str = "basename", **overrides: str) -> str:
    mapping = Mapping(TargetAddress.parse(to), policy, overrides)
    return str(mapping.locate(Reference.parse(source)))


@pytest.mark.parametrize(
    ("to", "policy", "source", "target"),
    [
        (
            "http://10.100.0.102:32415/my-docker-image",
            "basename",
            "quay.io/jetstack/cert-manager-cainjector:v1.14.4",
            "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4",
        ),
        (
            "http://172.25.0.84:30018",
            "path",
            "docker.io/falcosecurity/falco:0.41.3",
            "172.25.0.84:30018/falcosecurity/falco:0.41.3",
        ),
        ("https://172.25.0.84:30443/myimage", "basename", "nginx", "172.25.0.84:30443/myimage/nginx:latest"),
        (
            "https://repository.dev.eris.go.kr/my-repo",
            "basename",
            "nginx",
            "repository.dev.eris.go.kr/my-repo/nginx:latest",
        ),
    ],
)
def test_the_examples(to: str, policy: str, source: str, target: str) -> None:
    assert located(to, source, policy) == target


@pytest.mark.parametrize(
    ("policy", "source", "name"),
    [
        ("basename", "quay.io/a/b/c:1", "c:1"),
        ("basename", "nginx:1", "nginx:1"),
        ("path", "quay.io/a/b/c:1", "a/b/c:1"),
        ("path", "nginx:1", "library/nginx:1"),
        ("path", "docker.io/library/nginx:1", "library/nginx:1"),
        ("path", "registry.k8s.io/pause:3.9", "pause:3.9"),
        ("full", "quay.io/a/b/c:1", "quay.io/a/b/c:1"),
        ("full", "nginx:1", "docker.io/library/nginx:1"),
        ("full", "10.0.0.5:5000/x:1", "10.0.0.5_5000/x:1"),
        ("full", "[fd00::1]:5000/x:1", "fd00_1_5000/x:1"),
        ("full", "Nexus.Corp:8443/x:1", "nexus.corp_8443/x:1"),
    ],
)
def test_policies(policy: str, source: str, name: str) -> None:
    assert located("t.example/p", source, policy) == f"t.example/p/{name}"
    assert located("t.example", source, policy) == f"t.example/{name}"


def test_tag_and_digest_are_kept() -> None:
    assert located("t.example/p", f"quay.io/a/x:1@{DIGEST}") == f"t.example/p/x:1@{DIGEST}"
    assert located("t.example/p", f"quay.io/a/x@{DIGEST}") == f"t.example/p/x@{DIGEST}"
    assert located("t.example/p", "quay.io/a/x") == "t.example/p/x:latest"


def test_what_is_located_is_a_reference_again() -> None:
    for source in ("[fd00::1]:5000/x:1", "a.b-c.example/x:1", "Upper/x", "localhost:1/x"):
        text = located("[fd00::2]:5000/p", source, "full")
        assert str(Reference.parse(text)) == text


def test_the_first_matching_override_wins_and_a_star_takes_several_elements() -> None:
    overrides = {"quay.io/jetstack/*": "certs/*", "quay.io/*": "q/*", "quay.io/jetstack/late": "never", "*/exact": "e"}
    mapping = Mapping(TargetAddress.parse("t.example/p"), "basename", overrides)

    def name(source: str) -> str:
        return mapping.locate(Reference.parse(source)).name.removeprefix("t.example/p/")

    assert name("quay.io/jetstack/x:1") == "certs/x"
    assert name("quay.io/jetstack/a/b:1") == "certs/a/b"
    assert name("quay.io/jetstack/late:1") == "certs/late"
    assert name("quay.io/other/x:1") == "q/other/x"
    assert name("ghcr.io/some/deep/exact:1") == "e"
    assert name("ghcr.io/some/inexact:1") == "inexact"
    # * is one or more elements: never none, and never a part of one.
    assert name("quay.io/jetstack:1") == "q/jetstack"
    assert name("ghcr.io/exactly:1") == "exactly"


def test_an_override_without_star_on_the_right_names_the_repository_itself() -> None:
    assert located("t.example/p", "quay.io/a/x:1", "path", **{"quay.io/a/x": "renamed/y"}) == "t.example/p/renamed/y:1"
    assert located("t.example/p", "quay.io/a/x:1", "path", **{"quay.io/a/*": "one"}) == "t.example/p/one:1"
    # A dot of a pattern is a dot.
    assert located(
        "t.example/p", "quayXio/a/x:1", "path", **{"quay.io/a/x": "y"}
    ) == "t.example/p/quayxio/a/x:1".replace("quayxio/", "")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("quay.io/a", "b/*"),
        ("quay.io/*/x/*", "b/*"),
        ("quay.io/*", "Upper/*"),
        ("quay.io/*", ""),
        ("quay.io/*", "a//b"),
    ],
)
def test_overrides_that_cannot_be_meant(pattern: str, name: str) -> None:
    with pytest.raises(UsageError, match="override"):
        Mapping(TargetAddress.parse("t.example"), "basename", {pattern: name})


def test_an_unknown_policy() -> None:
    with pytest.raises(UsageError, match="basename, path, full"):
        Mapping(TargetAddress.parse("t.example"), "flat")


@given(
    registry=st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]\.[a-z]{2,5}(:[1-9][0-9]{1,3})?", fullmatch=True),
    path=st.lists(st.from_regex(r"[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?", fullmatch=True), min_size=1, max_size=4),
    policy=st.sampled_from(["basename", "path", "full"]),
)
def test_every_target_is_a_valid_reference_under_the_prefix(registry: str, path: list[str], policy: str) -> None:
    source = Reference.parse(f"{registry}/{'/'.join(path)}:v1")
    target = Mapping(TargetAddress.parse("t.example:1/p"), policy).locate(source)
    assert Reference.parse(str(target)) == target
    assert target.repository.startswith("p/")
    assert target.repository.endswith(path[-1])
