# SPDX-License-Identifier: Apache-2.0
"""Which credentials are tried for an image: the rules of the kubelet (Kubernetes, pkg/credentialprovider)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from airgap.oci import Reference
from airgap.prove.model import PodPull
from airgap.prove.pull_secrets import PullSecrets

POD = PodPull("shop", "", ("a", "b"))


def secret(auths: Any, name: str = "a", namespace: str = "shop", type_: str = "kubernetes.io/dockerconfigjson") -> Any:
    key = ".dockercfg" if type_.endswith("dockercfg") else ".dockerconfigjson"
    document = auths if key == ".dockercfg" else {"auths": auths}
    data = {key: base64.b64encode(json.dumps(document).encode()).decode()}
    return {"kind": "Secret", "type": type_, "metadata": {"name": name, "namespace": namespace}, "data": data}


def user(name: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:pw".encode()).decode()}


def users(image: str, *documents: Any, pod: PodPull = POD) -> list[str]:
    secrets = PullSecrets()
    for document in documents:
        secrets.add(document, "default")
    return [login.credential.username for login in secrets.logins(pod, Reference.parse(image))]


@pytest.mark.parametrize(
    ("key", "image", "matches"),
    [
        ("nexus.corp:8443", "nexus.corp:8443/team/web:1", True),
        ("https://nexus.corp:8443/v2/", "nexus.corp:8443/team/web:1", True),
        ("https://nexus.corp:8443/v1/", "nexus.corp:8443/team/web:1", True),
        ("http://nexus.corp:8443", "nexus.corp:8443/team/web:1", True),
        ("nexus.corp", "nexus.corp:8443/team/web:1", False),
        ("nexus.corp:8443/team", "nexus.corp:8443/team/web:1", True),
        ("nexus.corp:8443/te", "nexus.corp:8443/team/web:1", True),  # a prefix of the text, not of path elements
        ("nexus.corp:8443/other", "nexus.corp:8443/team/web:1", False),
        ("*.corp:8443", "nexus.corp:8443/team/web:1", True),
        ("*.corp:8443", "a.nexus.corp:8443/team/web:1", False),
        ("*:8443", "nexus.corp:8443/team/web:1", False),
        ("n*s.corp:8443", "nexus.corp:8443/team/web:1", True),
        ("nexus.corp:*", "nexus.corp:8443/team/web:1", False),
        ("https://index.docker.io/v1/", "nginx", True),
        ("docker.io", "nginx", True),
        ("https://index.docker.io/v1/", "quay.io/nginx", False),
    ],
)
def test_a_key_matches_as_the_kubelet_says(key: str, image: str, matches: bool) -> None:
    assert users(image, secret({key: user("u")})) == (["u"] if matches else [])


def test_the_longest_key_comes_first_whichever_secret_it_is_in() -> None:
    short, long = secret({"q.io": user("all")}), secret({"q.io/team": user("team")}, "b")
    assert users("q.io/team/web:1", short, long) == ["team", "all"]


def test_two_secrets_for_one_registry_are_both_tried() -> None:
    assert users("q.io/web:1", secret({"q.io": user("one")}), secret({"q.io": user("two")}, "b")) == ["one", "two"]


def test_only_secrets_of_the_namespace_that_the_pod_names_count() -> None:
    elsewhere = secret({"q.io": user("u")}, namespace="other")
    unnamed = secret({"q.io": user("u")}, "c")
    assert users("q.io/web:1", elsewhere, unnamed) == []


def test_a_service_account_counts_where_the_pod_names_none() -> None:
    account = {"kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "shop"},
               "imagePullSecrets": [{"name": "c"}]}  # fmt: skip
    found = secret({"q.io": user("u")}, "c")
    assert users("q.io/web:1", found, account, pod=PodPull("shop")) == ["u"]
    assert users("q.io/web:1", found, account, pod=PodPull("shop", "builder")) == []
    assert users("q.io/web:1", found, account) == []


def test_the_old_type_has_no_auths() -> None:
    assert users("q.io/web:1", secret({"q.io": user("u")}, type_="kubernetes.io/dockercfg")) == ["u"]


def test_an_opaque_secret_is_no_pull_secret() -> None:
    assert users("q.io/web:1", secret({"q.io": user("u")}, type_="Opaque")) == []


@pytest.mark.parametrize(
    "data",
    [
        {".dockerconfigjson": "!"},
        {".dockerconfigjson": base64.b64encode(b"{").decode()},
        {".dockerconfigjson": base64.b64encode(b'{"auths": {"q.io": {"auth": "no-colon"}}}').decode()},
        {},
    ],
)
def test_a_damaged_secret_says_so_and_shows_nothing_of_it(data: dict[str, str]) -> None:
    secrets = PullSecrets()
    secrets.add({**secret({}), "data": data}, "default")
    (found,) = secrets.secrets.values()
    assert found.problem
    assert "no-colon" not in found.problem
    assert "Secret" not in repr(found.entries)


def test_a_password_is_in_no_repr() -> None:
    secrets = PullSecrets()
    secrets.add(secret({"q.io": user("u")}), "default")
    assert "pw" not in repr(secrets)
    assert "pw" not in repr(secrets.logins(POD, Reference.parse("q.io/a:1")))
