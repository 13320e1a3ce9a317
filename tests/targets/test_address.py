# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from airgap.errors import UsageError
from airgap.targets import TargetAddress


@pytest.mark.parametrize(
    ("text", "registry", "prefix", "plain"),
    [
        ("10.100.0.102:32415/my-docker-image", "10.100.0.102:32415", "my-docker-image", None),
        ("http://10.100.0.102:32415/my-docker-image", "10.100.0.102:32415", "my-docker-image", True),
        ("https://172.25.0.84:30443/myimage", "172.25.0.84:30443", "myimage", False),
        ("repository.dev.eris.go.kr/my-repo", "repository.dev.eris.go.kr", "my-repo", None),
        ("http://172.25.0.84:30018", "172.25.0.84:30018", "", True),
        ("nexus:8082/", "nexus:8082", "", None),
        ("localhost/a/b/c", "localhost", "a/b/c", None),
        ("https://[fd00::1]:5000/k8s/", "[fd00::1]:5000", "k8s", False),
        ("[::1]", "[::1]", "", None),
    ],
)
def test_forms(text: str, registry: str, prefix: str, plain: bool | None) -> None:
    address = TargetAddress.parse(text)
    assert (address.registry, address.prefix, address.plain_http) == (registry, prefix, plain)
    assert str(address) == (f"{registry}/{prefix}" if prefix else registry)
    assert TargetAddress.parse(str(address)).prefix == prefix


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the host is missing"),
        ("http://", "the host is missing"),
        ("/x", "the host is missing"),
        ("nexus/my-repo", "a name on Docker Hub"),
        ("nexus", "a name on Docker Hub"),
        ("ftp://nexus:8082", "http:// or https://"),
        ("nexus:8082/My-Repo", "lower case"),
        ("nexus:8082/a//b", "part of the repository is empty"),
        ("nexus:8082/a:v1", "may hold"),
        ("nexus:port/x", "no registry address"),
        ("nexus:0", "no port"),
        ("http://nexus:8082/v2", "the registry's API"),
        ("nexus:8082/v2/", "the registry's API"),
        ("nexus:70000/x", "no port"),
        ("ne xus:8082", "no registry address"),
        ("nexus:8082?x=1", "no registry address"),
        ("fd00::1:5000/x", "no registry address"),
    ],
)
def test_refusals_say_why_and_what_to_write(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        TargetAddress.parse(text)
    assert says in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["http://admin:hunter2@nexus:8082/x", "admin:hunter2@nexus:8082", "admin@nexus:8082/x"]
)
def test_a_password_in_the_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="no user or password") as caught:
        TargetAddress.parse(text)
    said = f"{caught.value} {caught.value.hint}"
    assert "hunter2" not in said
    assert "AIRGAP_PASSWORD" in said


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("http://10.0.0.5:5000/p", "http://10.0.0.5:5000/p"),
        ("https://10.0.0.5:5000/p", "https://10.0.0.5:5000/p"),
        ("10.0.0.5:5000/p", "10.0.0.5:5000/p"),
        ("https://127.0.0.1:5000", "https://127.0.0.1:5000"),
        ("http://[fd00::1]:5000/p", "'http://[fd00::1]:5000/p'"),
    ],
)
def test_the_argument_of_a_command_line(text: str, argument: str) -> None:
    assert TargetAddress.parse(text).argument == argument


def test_the_api_is_no_prefix_and_the_hint_is_the_address_without_it() -> None:
    for text, better in (
        ("http://h:1/v2/x", "http://h:1/x"),
        ("h:1/v2/a/b/", "h:1/a/b"),
        ("https://h/v2", "https://h"),
    ):
        with pytest.raises(UsageError) as caught:
            TargetAddress.parse(text.replace("//h/", "//h.test/"))
        assert caught.value.hint == f"write {better.replace('//h', '//h.test') if better.endswith('//h') else better}"
    assert TargetAddress.parse("h:1/v2x").prefix == "v2x"
