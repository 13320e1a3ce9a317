# SPDX-License-Identifier: Apache-2.0
"""Which HTTP server should carry the embedded registry? Each candidate does the same four things on loopback.

    python bench/http_server.py [NAME…] [--size MIB]

Two parallel GETs and one PUT of a large blob, small HEADs on a kept connection, and the server's peak
memory over all of it. Each server runs in a process of its own and speaks its natural interface; blobs come
from and go to a file, and every PUT is hashed, as a registry must. Candidates that are not installed are left out.
``docs/adr/0003-http-server.md`` says what was concluded.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import http.client
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHUNK = 1024 * 1024


def pieces(path: str) -> Iterator[bytes]:
    """A WSGI response body over a file."""
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(CHUNK):
            yield piece


def application(path: str) -> Callable[..., Any]:
    """The same registry-like WSGI application for every WSGI server."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        size = str(os.path.getsize(path))
        if environ["REQUEST_METHOD"] == "PUT":
            hash_, rest = hashlib.sha256(), int(environ["CONTENT_LENGTH"])
            with open(f"{path}.put{threading.get_ident()}", "wb", buffering=0) as file:
                while rest and (piece := environ["wsgi.input"].read(min(CHUNK, rest))):
                    hash_.update(piece)
                    file.write(piece)
                    rest -= len(piece)
            start_response("201 Created", [("Content-Length", "0"), ("X-Digest", hash_.hexdigest())])
            return [b""]
        start_response("200 OK", [("Content-Length", size), ("Content-Type", "application/octet-stream")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else pieces(path)

    return app


def run_cheroot(path: str, port: int) -> None:
    from cheroot import wsgi

    wsgi.Server(("127.0.0.1", port), application(path), numthreads=10, timeout=60).start()


def run_airgap(path: str, port: int) -> None:
    """cheroot as this project uses it: bodies around its file objects, sendfile on plain HTTP."""
    serve_layout(path, port)


def run_airgap_nosendfile(path: str, port: int) -> None:
    from airgap.server.exchange import BlobStream

    BlobStream.file_range = lambda self: None  # type: ignore[method-assign]
    serve_layout(path, port)


def serve_layout(path: str, port: int) -> None:
    from airgap.oci import Descriptor
    from airgap.server import Server
    from airgap.store import FileRange, ImageLayout

    layout = ImageLayout.create(f"{path}.layout")
    size, digest = os.path.getsize(path), f"sha256:{digest_of(path)}"
    with open(path, "rb") as file:
        layout.push(Descriptor("", digest, size), lambda offset: FileRange(file.fileno(), offset, size - offset))
    Server(layout, port=port, writable=True).serve_forever()


def run_waitress(path: str, port: int) -> None:
    import waitress

    waitress.serve(
        application(path), host="127.0.0.1", port=port, threads=10, max_request_body_size=1 << 40, _quiet=True
    )


def run_gunicorn(path: str, port: int) -> None:
    from gunicorn.app.base import BaseApplication

    class App(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for key, value in {
                "bind": f"127.0.0.1:{port}",
                "worker_class": "gthread",
                "threads": 10,
                "loglevel": "error",
                "keepalive": 60,
            }.items():
                self.cfg.set(key, value)

        def load(self) -> Callable[..., Any]:
            return application(path)

    App().run()


def run_stdlib(path: str, port: int) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _call(self) -> None:
            def start_response(status: str, headers: list[tuple[str, str]]) -> None:
                self.send_response(int(status[:3]))
                for header in headers:
                    self.send_header(*header)
                self.end_headers()

            environ = {
                "REQUEST_METHOD": self.command,
                "CONTENT_LENGTH": self.headers.get("Content-Length", "0"),
                "wsgi.input": self.rfile,
            }
            for piece in application(path)(environ, start_response):
                self.wfile.write(piece)

        do_GET = do_HEAD = do_PUT = _call  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def run_uvicorn(path: str, port: int) -> None:
    import uvicorn

    async def app(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-length", str(os.path.getsize(path)).encode())]
        if scope["method"] == "PUT":
            hash_ = hashlib.sha256()
            with open(f"{path}.put{id(scope)}", "wb", buffering=0) as file:
                more = True
                while more:
                    message = await receive()
                    piece, more = message.get("body", b""), message.get("more_body", False)
                    await asyncio.to_thread(hash_.update, piece)
                    file.write(piece)
            headers = [(b"content-length", b"0"), (b"x-digest", hash_.hexdigest().encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "GET":
            with open(path, "rb", buffering=0) as file:
                while piece := await asyncio.to_thread(file.read, CHUNK):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")


def run_aiohttp(path: str, port: int) -> None:
    from aiohttp import web

    async def get(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, chunk_size=CHUNK)

    async def put(request: web.Request) -> web.Response:
        hash_ = hashlib.sha256()
        with open(f"{path}.put{id(request)}", "wb", buffering=0) as file:
            async for piece in request.content.iter_any():
                await asyncio.to_thread(hash_.update, piece)
                file.write(piece)
        return web.Response(headers={"X-Digest": hash_.hexdigest()})

    app = web.Application(client_max_size=1 << 40)
    app.router.add_get("/{path:.*}", get)
    app.router.add_put("/{path:.*}", put)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


CANDIDATES: dict[str, tuple[str, Callable[[str, int], None]]] = {
    "cheroot": ("cheroot", run_cheroot),
    "airgap": ("cheroot", run_airgap),
    "airgap-nosendfile": ("cheroot", run_airgap_nosendfile),
    "waitress": ("waitress", run_waitress),
    "gunicorn": ("gunicorn", run_gunicorn),
    "stdlib": ("http.server", run_stdlib),
    "uvicorn": ("uvicorn", run_uvicorn),
    "aiohttp": ("aiohttp", run_aiohttp),
}


def digest_of(path: str) -> str:
    hash_ = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(CHUNK):
            hash_.update(piece)
    return hash_.hexdigest()


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=120)


def get(port: int, path: str, size: int) -> None:
    connection = connect(port)
    connection.request("GET", path)
    answer, buffer, done = connection.getresponse(), bytearray(CHUNK), 0
    while count := answer.readinto(buffer):
        done += count
    assert done == size, f"{done} of {size} bytes"
    connection.close()


def put(port: int, url: str, path: str, size: int, digest: str) -> None:
    connection = connect(port)
    with open(path, "rb") as file:
        connection.putrequest("PUT", url)
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        assert connection.sock is not None
        connection.sock.sendfile(file)
    answer = connection.getresponse()
    assert answer.status in (200, 201), answer.status
    assert digest in (
        answer.headers.get("X-Digest"),
        (answer.headers.get("Docker-Content-Digest") or ":").split(":")[1],
    )
    connection.close()


def measure(name: str, path: str, size: int, digest: str) -> tuple[float, float, float, float, float]:
    """Seconds of two GETs in parallel and of one PUT, HEADs a second, server CPU seconds, its peak MiB."""
    with socket_free() as port:
        pass
    command = [sys.executable, __file__, "--serve", name, path, str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process)
            blob = f"/v2/a/blobs/sha256:{digest}"
            get(port, blob, size)  # the file is in the page cache, and the code is warm
            before = cpu_of(process.pid)
            started = time.perf_counter()
            threads = [threading.Thread(target=get, args=(port, blob, size)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            got = time.perf_counter() - started
            connection = connect(port)
            connection.request("POST" if name.startswith("airgap") else "HEAD", "/v2/a/blobs/uploads/")
            answer = connection.getresponse()
            answer.read()
            url = f"{answer.headers.get('Location', blob)}?digest=sha256:{digest}"
            started = time.perf_counter()
            put(port, url, path, size, digest)
            taken = time.perf_counter() - started
            started = time.perf_counter()
            for _ in range(2000):
                connection.request("HEAD", blob)
                connection.getresponse().read()
            heads = 2000 / (time.perf_counter() - started)
            connection.close()
            cpu, peak = cpu_of(process.pid) - before, peak_of(process.pid)
        finally:
            process.terminate()
    return got, taken, heads, cpu, peak


class socket_free:  # noqa: N801 - reads as a function
    def __enter__(self) -> int:
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    def __exit__(self, *_: object) -> None:
        pass


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            connection = connect(port)
            connection.request("HEAD", "/v2/")
            connection.getresponse().read()
            connection.close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def family(pid: int) -> list[int]:
    """A process and, for servers that fork, its children."""
    pids = [pid]
    for one in pids:
        pids += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
    return pids


def peak_of(pid: int) -> float:
    """Peak memory in MiB."""
    texts = [Path(f"/proc/{one}/status").read_text() for one in family(pid)]
    return sum(int(text.partition("VmHWM:")[2].split()[0]) for text in texts) / 1024


def cpu_of(pid: int) -> float:
    """Seconds of processor time, user and system."""
    texts = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in family(pid)]
    return sum(int(fields[11]) + int(fields[12]) for fields in texts) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        _, _, name, path, port = sys.argv
        CANDIDATES[name][1](path, int(port))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CANDIDATES))
    parser.add_argument("--size", type=int, default=256, metavar="MIB")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many is printed")
    arguments = parser.parse_args()
    size = arguments.size * CHUNK
    with tempfile.TemporaryDirectory(prefix="airgap-bench-") as folder:
        path = os.path.join(folder, "blob")
        with open(path, "wb") as file:
            for _ in range(arguments.size):
                file.write(os.urandom(CHUNK))
        digest = digest_of(path)
        print(f"{arguments.size} MiB; Python {sys.version.split()[0]}; {os.cpu_count()} CPUs")
        print(f"{'':18} {'GET 2 in parallel':>18} {'PUT':>12} {'HEAD':>10} {'CPU':>8} {'peak':>9}")
        names = [name for name in arguments.names or CANDIDATES if importlib.util.find_spec(CANDIDATES[name][0])]
        results: dict[str, list[tuple[float, float, float, float, float]]] = {name: [] for name in names}
        for _ in range(arguments.rounds):
            for name in names:
                results[name].append(measure(name, path, size, digest))
                for left in Path(folder).glob("blob.*"):
                    if left.is_file():
                        left.unlink()
                    else:
                        shutil.rmtree(left)
        for name, rounds in results.items():
            got, taken, heads, cpu, peak = zip(*rounds, strict=True)
            print(
                f"{name:18} {2 * arguments.size / min(got):12.0f} MiB/s {arguments.size / min(taken):6.0f} MiB/s "
                f"{max(heads):8.0f}/s {min(cpu):6.1f} s {max(peak):5.0f} MiB"
            )


if __name__ == "__main__":
    main()
