# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM in the middle: a clean end that says what is kept, and the same command goes on."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import TRACEBACK, Airgap, Registry, settings
from tests.parts.images import Images

SIGNALS = pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])


class Stalling:
    """Relays to a registry, and from ``stalled`` on keeps connections open without a word.

    A connection stalls when more than ``limit`` bytes went through it in one direction.
    """

    def __init__(self, upstream: str, limit: int) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = host, int(port)
        self._limit = limit
        self.stalled = threading.Event()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type] # a method
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(self._upstream)
            self._sockets += client, upstream
            self._start(self._relay, client, upstream)
            self._start(self._relay, upstream, client)

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        count = 0
        try:
            while data := source.recv(16384):
                count += len(data)
                if count > self._limit:
                    self.stalled.set()
                    self._over.wait()
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def __enter__(self) -> Stalling:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def full() -> Iterator[Registry]:
    images = Images(41)
    with Registry() as registry:
        registry.fill(images, {"a/x:1": images.image(size=2_000_000), "a/y:1": images.image(size=1_500_000)})
        yield registry


IMAGES = ("--image", "quay.io/a/x:1", "--image", "quay.io/a/y:1")


def interrupted(airgap: Airgap, relay: Stalling, how: signal.Signals, *arguments: str | Path) -> str:
    process = airgap.started(*arguments)
    try:
        assert relay.stalled.wait(30), "it never came so far"
        time.sleep(0.3)
        sent = time.monotonic()
        process.send_signal(how)
        stdout, stderr = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert time.monotonic() - sent < 10
    said = stderr.decode()
    assert process.returncode == 130, said
    assert not TRACEBACK.search(said), said
    (error,) = [line for line in said.splitlines() if line.startswith("error:")]
    assert error.startswith("error: stopped")
    assert stdout == b""
    return said


@SIGNALS
def test_export(airgap: Airgap, full: Registry, how: signal.Signals) -> None:
    with Stalling(full.address, 600_000) as relay:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": relay.url}}))
        said = interrupted(airgap, relay, how, "export", *IMAGES, "-o", "b.tar", "--lock", "airgap.lock")
    assert "the same command" in said
    kept = {path.name for path in airgap.folder.iterdir()}
    assert kept == {"airgap.yaml"}
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": full.url}}))
    airgap.run("export", *IMAGES, "-o", "b.tar")
    airgap.run("verify", "b.tar")


@SIGNALS
def test_export_while_it_is_planning(airgap: Airgap, full: Registry, how: signal.Signals) -> None:
    with Stalling(full.address, 1) as relay:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": relay.url}}))
        interrupted(airgap, relay, how, "export", *IMAGES, "-o", "b.tar")
    assert {path.name for path in airgap.folder.iterdir()} == {"airgap.yaml"}


@SIGNALS
def test_import(airgap: Airgap, full: Registry, nexus: Registry, how: signal.Signals) -> None:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": full.url}}))
    airgap.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'quay.io/a/x:1'}]}\n")
    airgap.run("export", "pod.yaml", *IMAGES[2:], "-o", "b.tar")
    to = ("import", "b.tar", "--to", "nexus.corp:32415/p")
    with Stalling(nexus.address, 600_000) as relay:
        said = interrupted(airgap, relay, how, *to, "--via", relay.url)
    assert "what the registry has taken is kept" in said
    assert "the same command" in said
    assert nexus.names() == []
    assert {path.name for path in airgap.folder.iterdir()} == {"airgap.yaml", "b.tar", "pod.yaml"}
    airgap.run(*to, "--via", nexus.url)
    assert nexus.names() == ["p/x:1", "p/y:1"]


@SIGNALS
def test_import_while_it_looks(airgap: Airgap, bundle: Path, nexus: Registry, how: signal.Signals) -> None:
    with Stalling(nexus.address, 1) as relay:
        interrupted(airgap, relay, how, "import", bundle, "--to", "nexus.corp:32415/p", "--via", relay.url)
    assert airgap.files() == {}
    assert nexus.names() == []


def test_interrupting_twice_is_no_worse(airgap: Airgap, full: Registry) -> None:
    with Stalling(full.address, 600_000) as relay:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": relay.url}}))
        process = airgap.started("export", *IMAGES, "-o", "b.tar")
        assert relay.stalled.wait(30)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130, stderr
    assert not TRACEBACK.search(stderr.decode()), stderr.decode()
    assert {path.name for path in airgap.folder.iterdir()} == {"airgap.yaml"}
