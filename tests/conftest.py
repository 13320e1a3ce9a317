# SPDX-License-Identifier: Apache-2.0
"""What every test may use: the ``requires`` marker, a stack of running services, a private authority, a corpus."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.parts.certificates import Authority
from tests.parts.dockerregistry import DockerRegistry, docker_registry
from tests.parts.need import need

# A loaded machine, and the tables that hypothesis makes at its first run, say nothing about the code under test.
settings.register_profile("airgap", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("airgap")

#: The user's own settings must decide no test.
_FOREIGN = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE")
_FOREIGN += ("AIRGAP_USERNAME", "AIRGAP_PASSWORD", "SSL_CERT_FILE", "SSL_CERT_DIR", "SOURCE_DATE_EPOCH")


def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts the tests in the background ignores Ctrl-C for them, and for every program that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "requires(*programs): real programs that the test runs; see tests/parts/need.py")


def pytest_collection_finish() -> None:
    # Thousands of tests stay to the end: no collection of garbage need look through them again.
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("requires"):
        for program in marker.args:
            need(program)


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No proxy, credential or configuration of whoever runs the tests, and a HOME that is empty."""
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def services() -> Iterator[contextlib.ExitStack]:
    """``services.enter_context(docker_registry(tmp_path / "r"))``: ended in reverse order after the test."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def registry(tmp_path: Path, services: contextlib.ExitStack) -> DockerRegistry:
    """An empty docker-registry, plain HTTP, deletion allowed."""
    return services.enter_context(docker_registry(tmp_path / "registry"))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One private certificate authority for the whole run."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def corpus() -> Path:
    """The folder of resource files that ``AIRGAP_CORPUS`` names."""
    folder = os.environ.get("AIRGAP_CORPUS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("AIRGAP_CORPUS names no folder of resource files")
    return Path(folder)
