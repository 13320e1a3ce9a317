# SPDX-License-Identifier: Apache-2.0
"""A registry over each store that can be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.server import Server
from airgap.store import Layout, Memory, Store
from tests.server.client import Client


@pytest.fixture(params=["memory", "layout"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Memory() if request.param == "memory" else Layout(tmp_path / "layout", create=True)


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    with Server(store, writable=True) as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, verify=False) as http:
        yield http


@pytest.fixture
def client(http: httpx.Client) -> Client:
    return Client(http)
