# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests of commands; a folder's ``conftest.py`` takes them in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.oci import Descriptor
from tests.cli.command import SAMPLES, Airgap, Registry, settings
from tests.parts.images import Images

__all__ = ["airgap", "bundle", "nexus", "prepared", "quay"]

CERT_MANAGER = ("cainjector", "controller", "acmesolver", "webhook")


@pytest.fixture
def airgap(tmp_path: Path) -> Airgap:
    """The command line in an empty folder, for a user whose home is empty."""
    folder, home = tmp_path / "work", tmp_path / "user"
    folder.mkdir()
    home.mkdir()
    return Airgap(folder, home)


@pytest.fixture
def quay() -> Iterator[Registry]:
    """A registry that plays quay.io and holds cert-manager's images for two platforms."""
    with Registry() as registry:
        images = Images(7)
        registry.fill(images, cert_manager(images))
        registry.requests()
        yield registry


@pytest.fixture
def nexus() -> Iterator[Registry]:
    """An empty registry that takes pushes."""
    with Registry() as registry:
        yield registry


@pytest.fixture
def prepared(airgap: Airgap, quay: Registry) -> Airgap:
    """A folder with cert-manager's YAML, and an ``airgap.yaml`` by which quay.io is played on loopback."""
    airgap.write("cert-manager.yaml", (SAMPLES / "cert-manager/cert-manager.yaml").read_bytes())
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    return airgap


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One exported bundle of cert-manager's images for all tests that only read it."""
    folder = tmp_path_factory.mktemp("bundle")
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(Registry())
        images = Images(7)
        registry.fill(images, cert_manager(images))
        airgap = Airgap(folder, folder)
        airgap.write("cert-manager.yaml", (SAMPLES / "cert-manager/cert-manager.yaml").read_bytes())
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        airgap.run("export", "cert-manager.yaml", "-o", "bundle.tar")
    return folder / "bundle.tar"


def cert_manager(images: Images) -> dict[str, Descriptor]:
    """The four images of the sample, each an index of two platforms."""
    return {f"jetstack/cert-manager-{name}:v1.14.4": images.two_platforms(size=3000) for name in CERT_MANAGER}
