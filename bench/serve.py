# SPDX-License-Identifier: Apache-2.0
"""``airgap serve`` beside docker-registry: pulls by many clients, also beside slow ones; a HEAD among many tags.

    python bench/serve.py [--tree FOLDER] [--clients 50] [--slow 500] [--seconds 5] [--rounds 3]

A pull is a manifest by its tag, a config of 1 KiB and a layer of 64 KiB, over one kept connection for each client. Slow
clients are of four kinds, in equal numbers: silent, a byte of a header a second, a byte of a body a second, and one
that reads 2 KiB of a large blob a second. Both servers run on loopback with the same image, one after the other in each
round; the best round counts. ``--tree`` measures another version of the program.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b'{"os":"linux","architecture":"amd64"}'.ljust(1024)
LAYER = os.urandom(64 * 1024)
LARGE = bytes(64 * 1024 * 1024)
TAGS = 10_000


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def describe(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


IMAGE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": describe(CONFIG, "application/vnd.oci.image.config.v1+json"),
        "layers": [describe(LAYER, "application/vnd.oci.image.layer.v1.tar")],
    }
).encode()


def push(url: str) -> None:
    for content in (CONFIG, LAYER, LARGE):
        request = urllib.request.Request(f"{url}/v2/a/b/blobs/uploads/", method="POST", data=b"")
        with urllib.request.urlopen(request) as answer:
            location = answer.headers["Location"]
        location = location if location.startswith("http") else f"{url}{location}"
        location += f"{'&' if '?' in location else '?'}digest={digest_of(content)}"
        headers = {"Content-Type": "application/octet-stream"}
        urllib.request.urlopen(urllib.request.Request(location, method="PUT", data=content, headers=headers)).close()
    request = urllib.request.Request(
        f"{url}/v2/a/b/manifests/v1", method="PUT", data=IMAGE, headers={"Content-Type": MANIFEST}
    )
    urllib.request.urlopen(request).close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
                    break
                except OSError:
                    if time.monotonic() > deadline or process.poll() is not None:
                        raise SystemExit(f"{command[0]} did not start") from None
                    time.sleep(0.05)
            yield process
        finally:
            process.terminate()


@contextmanager
def airgap(tree: Path, layout: Path) -> Iterator[tuple[int, int]]:
    port = free_port()
    command = [sys.executable, "-m", "airgap", "serve", str(layout), "--writable", "--listen", f"127.0.0.1:{port}"]
    with running(command, port, {**os.environ, "PYTHONPATH": str(tree)}) as process:
        yield port, process.pid


@contextmanager
def docker_registry(folder: Path) -> Iterator[tuple[int, int]]:
    port = free_port()
    configuration = folder / "registry.yml"
    configuration.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with running(["docker-registry", "serve", str(configuration)], port, dict(os.environ)) as process:
        yield port, process.pid


# Clients


class Connection:
    """A kept connection that reads no more of HTTP than the status and Content-Length."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open()

    def _open(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        self._file = self._socket.makefile("rb", buffering=256 * 1024)

    def request(self, path: str, method: str = "GET") -> int:
        """Return the length of the body."""
        text = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: {MANIFEST}\r\n\r\n"
        self._socket.sendall(text.encode())
        status, length, closes = self._file.readline(), 0, False
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            closes = closes or line.lower() == b"connection: close"
        if b" 200 " not in status:
            raise OSError(f"{status!r} for {path}")
        body = self._file.read(0 if method == "HEAD" else length)
        if closes:
            self._socket.close()
            self._open()
        return len(body)


def pull(port: int, stop: float, done: list[int]) -> None:
    paths = ["/v2/a/b/manifests/v1", f"/v2/a/b/blobs/{digest_of(CONFIG)}", f"/v2/a/b/blobs/{digest_of(LAYER)}"]
    connection = None
    while time.monotonic() < stop:
        try:
            connection = connection or Connection(port)
            for path in paths:
                connection.request(path)
            done.append(1)
        except OSError:
            connection = None


def pull_with_threads(port: int, count: int, seconds: float, result: multiprocessing.Queue[int]) -> None:
    done: list[int] = []
    stop = time.monotonic() + seconds
    threads = [threading.Thread(target=pull, args=(port, stop, done)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.put(len(done))


def pulls_a_second(port: int, clients: int, seconds: float, layer: bytes) -> float:
    global LAYER
    LAYER = layer
    result: multiprocessing.Queue[int] = multiprocessing.Queue()
    parts = [clients // 2, clients - clients // 2]
    processes = [
        multiprocessing.Process(target=pull_with_threads, args=(port, part, seconds, result)) for part in parts
    ]
    for process in processes:
        process.start()
    total = sum(result.get() for _ in processes)
    for process in processes:
        process.join()
    return total / seconds


def be_slow(port: int, count: int, ready: multiprocessing.synchronize.Event) -> None:
    """Hold ``count`` slow connections until the process is ended; what the server closes is opened again."""
    selector = selectors.DefaultSelector()
    large = f"GET /v2/a/b/blobs/{digest_of(LARGE)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    begin = b"POST /v2/a/b/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

    def open_one(kind: int) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        if kind == 1:
            sock.sendall(b"GET /v2/ HTTP/1.1\r\nX-Slow: ")
        elif kind == 2:
            sock.sendall(begin)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += sock.recv(4096)
            location = answer.partition(b"Location: ")[2].partition(b"\r")[0].partition(str(port).encode())[2]
            location = location or answer.partition(b"Location: ")[2].partition(b"\r")[0]
            sock.sendall(b"PATCH " + location + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        elif kind == 3:
            sock.sendall(large)
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ, kind)

    missing = [number % 4 for number in range(count)]
    while True:
        started = time.monotonic()
        for kind in missing:
            with suppress(OSError):
                open_one(kind)
        ready.set()
        for key in list(selector.get_map().values()):
            try:
                if key.data in (1, 2):
                    key.fileobj.send(b"x")  # type: ignore[union-attr]
                elif key.data == 3 and not key.fileobj.recv(2048):  # type: ignore[union-attr]
                    raise OSError
            except BlockingIOError:
                pass
            except OSError:
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
        kinds = [key.data for key in selector.get_map().values()]
        missing = [kind for kind in range(4) for _ in range((count + 3 - kind) // 4 - kinds.count(kind))]
        time.sleep(max(0.0, 1 - (time.monotonic() - started)))


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[None]:
    ready = multiprocessing.Event()
    process = multiprocessing.Process(target=be_slow, args=(port, count, ready), daemon=True)
    process.start()
    ready.wait(60)
    try:
        yield
    finally:
        process.terminate()
        process.join()


def head_milliseconds(port: int) -> float:
    """The median of 200 HEADs of a manifest."""
    connection, times = Connection(port), []
    for number in range(200):
        started = time.perf_counter()
        connection.request(f"/v2/many/tags/manifests/v{number * 41 % TAGS}", "HEAD")
        times.append(time.perf_counter() - started)
    return sorted(times)[100] * 1000


def add_tags(layout: Path) -> None:
    document = json.loads((layout / "index.json").read_text())
    entry = describe(IMAGE, MANIFEST)
    names = [f"many/tags:v{number}" for number in range(TAGS)] + [f"many/tags@{digest_of(IMAGE)}"]
    document["manifests"] += [{**entry, "annotations": {"org.opencontainers.image.ref.name": name}} for name in names]
    (layout / "index.json").write_text(json.dumps(document))


def resident(pid: int) -> float:
    """Peak memory in MiB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--honest", type=int, default=20, help="clients beside the slow ones")
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-slow", action="store_true", help="a server that slow clients stop")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="airgap-bench-"))
    best: dict[tuple[str, str], float] = {}

    def note(server: str, what: str, value: float, *, better: bool = True) -> None:
        old = best.get((server, what))
        best[server, what] = value if old is None else (max if better else min)(old, value)

    try:
        with airgap(arguments.tree, folder / "layout") as (port, _):
            push(f"http://127.0.0.1:{port}")
        if shutil.which("docker-registry"):
            with docker_registry(folder) as (port, _):
                push(f"http://127.0.0.1:{port}")
        for _ in range(arguments.rounds):
            servers = ["airgap", *(["docker-registry"] if shutil.which("docker-registry") else [])]
            for name in servers:
                own = airgap(arguments.tree, folder / "layout")
                with own if name == "airgap" else docker_registry(folder) as (port, pid):
                    pulls_a_second(port, 4, 0.5, LAYER)
                    note(
                        name,
                        f"pulls/s, {arguments.clients} clients",
                        pulls_a_second(port, arguments.clients, arguments.seconds, LAYER),
                    )
                    note(
                        name,
                        f"pulls/s, {arguments.honest} clients",
                        pulls_a_second(port, arguments.honest, arguments.seconds, LAYER),
                    )
                    if not arguments.without_slow:
                        with slow_clients(port, arguments.slow):
                            for count in (arguments.clients, arguments.honest):
                                note(
                                    name,
                                    f"pulls/s, {count} clients and {arguments.slow} slow ones",
                                    pulls_a_second(port, count, arguments.seconds, LAYER),
                                )
                    note(name, "peak memory, MiB", resident(pid))
        add_tags(folder / "layout")
        for _ in range(arguments.rounds):
            with airgap(arguments.tree, folder / "layout") as (port, _):
                note("airgap", f"HEAD of a manifest, ms, {TAGS:,} tags", head_milliseconds(port), better=False)
    finally:
        shutil.rmtree(folder)
    rows = dict.fromkeys(what for _, what in best)
    print(f"| {'':55} | airgap | docker-registry | ratio |\n|-|-|-|-|")
    for what in rows:
        value, other = best.get(("airgap", what)), best.get(("docker-registry", what))
        ratio = f"{value / other:.2f}" if value and other else ""
        print(f"| {what:55} | {value or 0:.1f} | {f'{other:.1f}' if other else ''} | {ratio} |")


if __name__ == "__main__":
    main()
