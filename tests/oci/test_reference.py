# SPDX-License-Identifier: Apache-2.0
"""References: the grammar of github.com/distribution/reference and Docker's defaults."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import InvalidReference
from airgap.oci import Reference
from airgap.oci.reference import check_tag, registry_problem, repository_problem

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("nginx", "docker.io", "library/nginx", "latest", ""),
        ("nginx:1.27", "docker.io", "library/nginx", "1.27", ""),
        ("bitnami/redis", "docker.io", "bitnami/redis", "latest", ""),
        ("docker.io/nginx", "docker.io", "library/nginx", "latest", ""),
        ("docker.io/library/nginx", "docker.io", "library/nginx", "latest", ""),
        ("index.docker.io/a/b:1", "docker.io", "a/b", "1", ""),
        ("registry-1.docker.io/nginx", "docker.io", "library/nginx", "latest", ""),
        ("localhost/x", "localhost", "x", "latest", ""),
        ("localhost:5000/x", "localhost:5000", "x", "latest", ""),
        ("localhost", "docker.io", "library/localhost", "latest", ""),
        ("host:5000/x:1", "host:5000", "x", "1", ""),
        ("host:5000", "docker.io", "library/host", "5000", ""),
        ("Host/x", "Host", "x", "latest", ""),
        ("10.100.0.102:32415/my-docker-image/a:v1", "10.100.0.102:32415", "my-docker-image/a", "v1", ""),
        ("quay.io/jetstack/cert-manager:v1.14.4", "quay.io", "jetstack/cert-manager", "v1.14.4", ""),
        ("quay.io/a/b/c/d", "quay.io", "a/b/c/d", "latest", ""),
        ("[::1]:5000/x:1", "[::1]:5000", "x", "1", ""),
        ("[2001:db8::7]/a/b", "[2001:db8::7]", "a/b", "latest", ""),
        (f"x@{SHA256}", "docker.io", "library/x", "", SHA256),
        (f"q.io/x:1@{SHA256}", "q.io", "x", "1", SHA256),
        (f"q.io/x@{SHA512}", "q.io", "x", "", SHA512),
        (f"[::1]/x@{SHA256}", "[::1]", "x", "", SHA256),
        ("a__b/c--d.e_f", "docker.io", "a__b/c--d.e_f", "latest", ""),
        ("x:_", "docker.io", "library/x", "_", ""),
        (f"x:{'t' * 128}", "docker.io", "library/x", "t" * 128, ""),
    ],
)
def test_reads(text: str, registry: str, repository: str, tag: str, digest: str) -> None:
    assert Reference.parse(text) == Reference(registry, repository, tag, digest)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the repository is empty"),
        (":1", "the repository is empty"),
        (f"@{SHA256}", "the repository is empty"),
        ("Nginx", "lower case"),
        ("quay.io/Jetstack/x", "lower case"),
        ("quay.io/", "the repository is empty"),
        ("quay.io//x", "a part of the repository is empty"),
        ("quay.io/x/", "a part of the repository is empty"),
        ("/x", "a part of the repository is empty"),
        ("x:", "the tag after ':' is empty"),
        ("x:.a", "not begin with '.' or '-'"),
        ("x:a b", "the tag 'a b' may hold"),
        (f"x:{'t' * 129}", "at most 128 characters"),
        ("a___b", "may hold a-z and 0-9"),
        ("a..b", "may hold a-z and 0-9"),
        ("-a", "may hold a-z and 0-9"),
        ("a b", "may hold a-z and 0-9"),
        ("nginx\n", "may hold a-z and 0-9"),
        ("ñ", "may hold a-z and 0-9"),
        ("x:1:2", "may hold a-z and 0-9"),
        ("host:port/x", "'host:port' is no registry address"),
        ("host:0/x", "0 is no port"),
        ("host:65536/x", "65536 is no port"),
        ("-a.io/x", "'-a.io' is no registry address"),
        ("a..io/x", "'a..io' is no registry address"),
        ("user@host.io/x", "a digest is written"),
        ("https://quay.io/x", "it is no address"),
        ("x@sha256:abc", "64 characters"),
        (f"x@sha256:{'A' * 64}", "64 characters"),
        (f"x@md5:{'0' * 32}", "unknown digest algorithm 'md5'"),
        ("x@", "a digest is written"),
        (f"x@{SHA256}@{SHA256}", "a digest is written"),
        (f"q.io/{'a' * 251}", "longer than 255"),
        ("0123456789abcdef" * 4, "an image's ID"),
        ("../x", "'..' is no registry address"),
        ("a/../b", "'..' may hold"),
    ],
)
def test_refuses_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert reason in str(caught.value)
    assert repr(text)[1:-1][:60] in str(caught.value)


@pytest.mark.parametrize("text", ["user:word@host.io/x", "user:word/word@host.io/x", "https://user:word@host.io/x"])
def test_a_password_in_it_is_not_shown(text: str) -> None:
    with pytest.raises(InvalidReference, match="…@host") as caught:
        Reference.parse(text)
    assert "word@" not in str(caught.value)
    assert ("no user or password" in str(caught.value)) != ("no address" in str(caught.value))


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse("A" * 100_000)
    assert len(str(caught.value)) < 400


def test_a_name_of_255_characters_is_the_longest() -> None:
    longest = f"q.io/{'a' * 250}"
    assert Reference.parse(longest).name == longest


def test_parts() -> None:
    tagged = Reference.parse("quay.io/a/b:1")
    assert (tagged.name, tagged.identifier, str(tagged)) == ("quay.io/a/b", "1", "quay.io/a/b:1")
    pinned = tagged.with_digest(SHA256)
    assert (pinned.identifier, pinned.digest_tag) == (SHA256, "digest-0123456789ab")
    assert str(pinned) == f"quay.io/a/b:1@{SHA256}"
    assert str(Reference.parse("nginx")) == "docker.io/library/nginx:latest"


def test_single_checks_agree_with_the_whole() -> None:
    assert check_tag("v1.0_x-Y") == "v1.0_x-Y"
    with pytest.raises(InvalidReference, match="invalid tag '-a'"):
        check_tag("-a")
    assert repository_problem("a/b") is None
    assert repository_problem("a" * 256) is not None
    assert registry_problem("10.0.0.1:5000") is None
    assert registry_problem("a/b") is not None
    assert registry_problem("") is not None


ALNUM = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=6)
COMPONENT = st.builds(
    lambda first, rest: first + "".join(separator + part for separator, part in rest),
    ALNUM,
    st.lists(st.tuples(st.sampled_from([".", "_", "__", "-", "---"]), ALNUM), max_size=3),
)
HOST = st.one_of(
    st.sampled_from(["quay.io", "localhost", "10.0.0.1", "[::1]", "[2001:db8::1]", "REG", "a-b.c"]),
    st.builds(lambda a, b: f"{a}.{b}", ALNUM, ALNUM),
)
REGISTRY = st.one_of(HOST, st.builds(lambda host, port: f"{host}:{port}", HOST, st.integers(1, 65535)))
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
DIGEST = st.one_of(
    st.builds("sha256:{}".format, st.text("0123456789abcdef", min_size=64, max_size=64)),
    st.builds("sha512:{}".format, st.text("0123456789abcdef", min_size=128, max_size=128)),
)


@given(REGISTRY, st.lists(COMPONENT, min_size=1, max_size=4), st.none() | TAG, st.none() | DIGEST)
def test_what_is_written_is_what_is_read(registry: str, parts: list[str], tag: str | None, digest: str | None) -> None:
    text = "/".join([registry, *parts]) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    found = Reference.parse(text)
    assert (found.registry, found.repository) == (registry, "/".join(parts))
    assert (found.tag, found.digest) == (tag or ("" if digest else "latest"), digest or "")
    assert Reference.parse(str(found)) == found
    assert str(Reference.parse(str(found))) == str(found)


@given(st.one_of(st.text(max_size=60), st.text("aA0.:/@_-[] \n" + "sha256", max_size=40)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = Reference.parse(text)
    except InvalidReference:
        return
    assert Reference.parse(str(found)) == found
    assert registry_problem(found.registry) is None
    assert repository_problem(found.repository) is None
    assert found.tag or found.digest


@pytest.mark.parametrize("text", ["UPPER:1", "a:", "x y", "a:-1", "quay.io//x"])
def test_a_refusal_has_the_form_as_its_hint(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert "REGISTRY/REPOSITORY:TAG" in (caught.value.hint or "")
