# SPDX-License-Identifier: Apache-2.0
"""A registry over each store that can be written: one server for all tests, with an empty store for each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from airgap.oci import Descriptor
from airgap.server import Server
from airgap.store import ImageLayout, MemoryStore, Opener, Reader
from tests.server.client import Client, open_http


class Replaceable:
    """A store that hands everything on to ``inner``: to start a server for each test would take most of the time."""

    inner: MemoryStore | ImageLayout

    def resolve(self, name: str) -> Descriptor:
        return self.inner.resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        return self.inner.exists(descriptor)

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        return self.inner.open(descriptor, offset)

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        self.inner.push(descriptor, opener)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        self.inner.tag(descriptor, name)

    def untag(self, name: str) -> None:
        self.inner.untag(name)

    def delete(self, digest: str) -> bool:
        return self.inner.delete(digest)

    def names(self) -> Mapping[str, Descriptor]:
        return self.inner.names()


@pytest.fixture(scope="session")
def shared() -> Iterator[tuple[Replaceable, Server, httpx.Client]]:
    store = Replaceable()
    with Server(store, writable=True) as server, open_http(server) as http:
        yield store, server, http


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What survives a power cut is for the tests of the layout; here it would be most of the time."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture(params=["memory", "layout"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryStore | ImageLayout:
    return MemoryStore() if request.param == "memory" else ImageLayout.create(tmp_path / "layout")


@pytest.fixture
def server(shared: tuple[Replaceable, Server, httpx.Client], store: MemoryStore | ImageLayout) -> Server:
    shared[0].inner = store
    return shared[1]


@pytest.fixture
def http(shared: tuple[Replaceable, Server, httpx.Client], server: Server) -> httpx.Client:
    return shared[2]


@pytest.fixture
def client(http: httpx.Client) -> Client:
    return Client(http)
