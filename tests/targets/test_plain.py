# SPDX-License-Identifier: Apache-2.0
"""The plain target, against the embedded registry and against the reference implementation."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from airgap.errors import NotFound, Unauthorized, Unavailable
from airgap.registry import Credential, Credentials, Registries, RegistrySettings
from airgap.targets import Mapping, PlainTarget, TargetAddress
from tests.cli.command import Registry
from tests.parts.dockerregistry import docker_registry
from tests.parts.service import free_port
from tests.suites.target_suite import Make, Placed, TargetSuite


def making(address: str, stack: contextlib.ExitStack) -> Make:
    registries = stack.enter_context(Registries())

    def make(prefix: str, policy: str) -> Placed:
        mapping = Mapping(TargetAddress.parse(f"{address}/{prefix}".rstrip("/")), policy)
        return Placed(PlainTarget(registries, mapping), mapping)

    return make


class TestEmbedded(TargetSuite):
    @pytest.fixture
    def make(self, services: contextlib.ExitStack) -> Make:
        return making(services.enter_context(Registry()).address, services)


@pytest.mark.requires("docker-registry")
class TestDockerRegistry(TargetSuite):
    @pytest.fixture
    def make(self, services: contextlib.ExitStack, tmp_path: Path) -> Make:
        return making(services.enter_context(docker_registry(tmp_path / "registry")).address, services)


def plain(address: str, registries: Registries) -> PlainTarget:
    return PlainTarget(registries, Mapping(TargetAddress.parse(address)))


def test_signs_in_once_for_preflight_and_all_repositories(services: contextlib.ExitStack) -> None:
    registry = services.enter_context(Registry(credentials=("admin", "right")))
    mine = Credentials({}, {registry.address: Credential("admin", "right")})
    registries = services.enter_context(Registries(credentials=mine))
    target = plain(registry.address, registries)
    target.preflight()
    for name in ("a", "b", "c"):
        with pytest.raises(NotFound):
            target.open(name).resolve("1")
    assert registry.requests() == ["GET /v2/ 401", "GET /v2/ 200", *(f"HEAD /v2/{n}/manifests/1 404" for n in "abc")]


def test_a_wrong_password_is_tried_once(services: contextlib.ExitStack) -> None:
    registry = services.enter_context(Registry(credentials=("admin", "right")))
    wrong = Credentials({}, {registry.address: Credential("admin", "wrong")})
    registries = services.enter_context(Registries(credentials=wrong))
    with pytest.raises(Unauthorized) as caught:
        plain(registry.address, registries).preflight()
    assert "wrong" not in str(caught.value).replace("wrong password", "")
    assert registry.requests() == ["GET /v2/ 401", "GET /v2/ 401"]


def test_nothing_there(services: contextlib.ExitStack) -> None:
    registries = services.enter_context(Registries())
    with pytest.raises(Unavailable, match="nothing listens"):
        plain(f"127.0.0.1:{free_port()}", registries).preflight()


def test_pushes_to_the_endpoint_and_speaks_of_the_registry(services: contextlib.ExitStack) -> None:
    registry = services.enter_context(Registry())
    name = "10.100.0.102:32415"
    registries = services.enter_context(Registries({name: RegistrySettings(endpoint=registry.url)}))
    findings = plain(f"{name}/p", registries).preflight()
    assert name in findings[0].what
    assert registry.url in findings[0].what
    assert registry.requests() == ["GET /v2/ 200"]
