# SPDX-License-Identifier: Apache-2.0
"""containerd with root, state and socket of its own, ``ctr`` for it, and the kubelet's image lookup (CRI).

The lookup is one gRPC call, ``/runtime.v1.ImageService/ImageStatus`` of the Kubernetes CRI, spoken here in the few
HTTP/2 frames that it takes: what a node would find for a pod's ``image:`` is the question that matters.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.parts.clients import Command
from tests.parts.need import need, need_privilege
from tests.parts.network import ClosedNetwork
from tests.parts.service import clean_environment, running

_CONFIGURATION = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.nri.v1.nri",{disabled}
]
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{folder}/cni"
conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{certs}"
"""


@dataclass(frozen=True)
class Image:
    """What CRI says of an image that a pod names."""

    id: str
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]


@dataclass(frozen=True)
class Containerd:
    """``ctr`` works in the namespace ``k8s.io``; ``certs`` is the folder of ``hosts.toml`` files (certs.d)."""

    socket: Path
    ctr: Command
    certs: Path
    log: Path

    def image_status(self, image: str) -> Image | None:
        """What the kubelet would find under the text of a pod's ``image:``; ``None`` where it would pull."""
        answer = _call(self.socket, "/runtime.v1.ImageService/ImageStatus", _bytes(1, _bytes(1, image.encode())))
        found = _fields(answer).get(1)
        if not found:
            return None
        fields = _fields(found[0])
        texts = {number: tuple(value.decode() for value in values) for number, values in fields.items()}
        return Image(texts[1][0], texts.get(2, ()), texts.get(3, ()))

    def pull(self, image: str, login: tuple[str, str] | None = None) -> None:
        """Pull as the kubelet does, through ``certs``, with the user and password of a pull secret if there is one.

        Raises :class:`RuntimeError` with containerd's words."""
        message = _bytes(1, _bytes(1, image.encode()))
        if login is not None:
            message += _bytes(2, _bytes(1, login[0].encode()) + _bytes(2, login[1].encode()))
        _call(self.socket, "/runtime.v1.ImageService/PullImage", message, seconds=120)


@contextlib.contextmanager
def containerd(
    folder: Path,
    *,
    cri: bool = True,
    certs: Path | None = None,
    within: ClosedNetwork | None = None,
    more: str = "",
    seconds: float = 30,
) -> Iterator[Containerd]:
    """Start containerd over ``folder``; without ``cri`` only ``ctr`` works, and it is up a little sooner.

    ``certs`` is the folder that ``config_path`` names; containerd and ``ctr`` run ``within`` a closed network;
    ``more`` is appended to the configuration; it must
    be ready in ``seconds``."""
    binary, ctr = need("containerd"), need("ctr")
    need_privilege("mount file systems")
    folder.mkdir(parents=True, exist_ok=True)
    certs = certs or folder / "certs.d"
    certs.mkdir(parents=True, exist_ok=True)
    inside = within.prefix if within else ()
    # A socket's path has at most 107 bytes, and a test's folder may be longer.
    short = Path(tempfile.mkdtemp(prefix="airgap-cd-"))
    try:
        address = short / "s"
        disabled = "" if cri else '\n  "io.containerd.grpc.v1.cri",'
        configuration = folder / "config.toml"
        configuration.write_text(
            _CONFIGURATION.format(folder=folder, socket=address, disabled=disabled, certs=certs) + more
        )
        environment = clean_environment(folder)
        command = Command((*inside, ctr, "--address", str(address), "--namespace", "k8s.io"), environment, folder)
        log = folder / "log"

        def ready() -> bool:
            if not address.exists() or command.try_run("images", "ls", "-q").returncode:
                return False
            return not cri or _answers(address)

        with running(
            [*inside, binary, "--config", str(configuration)],
            log=log,
            ready=ready,
            environment=environment,
            seconds=seconds,
        ):
            yield Containerd(address, command, certs, log)
    finally:
        _unmount(folder)
        shutil.rmtree(short, ignore_errors=True)


def _answers(address: Path) -> bool:
    try:
        _call(address, "/runtime.v1.ImageService/ImageStatus", _bytes(1, _bytes(1, b"localhost/none:1")))
    except (OSError, RuntimeError):
        return False
    return True


def _unmount(folder: Path) -> None:
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    inside = [line.split(" ")[1] for line in mounts if line.split(" ")[1].startswith(f"{folder}/")]
    for path in sorted(inside, reverse=True):
        subprocess.run(["umount", path], capture_output=True, check=False)


# HTTP/2 (RFC 9113) and gRPC, as much as one unary call needs. Headers are HPACK literals without indexing.
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8


def _call(address: Path, method: str, message: bytes, *, seconds: float = 10) -> bytes:
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    block = b"".join(b"\x00" + _short(name) + _short(value) for name, value in headers.items())
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.settimeout(seconds)
        connection.connect(str(address))
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, b"")
            + _frame(_HEADERS, 4, 1, block)
            + _frame(_DATA, 1, 1, b"\x00" + struct.pack(">I", len(message)) + message)
        )
        stream = stack.enter_context(connection.makefile("rb"))
        body, last = b"", b""
        while True:
            head = stream.read(9)
            if len(head) < 9:
                raise RuntimeError(f"{method}: the connection was closed")
            length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            payload = stream.read(length)
            if kind == _DATA:
                body += payload
            elif kind == _HEADERS:
                last = payload
            elif kind == _SETTINGS and not flags & 1:
                connection.sendall(_frame(_SETTINGS, 1, 0, b""))
            elif kind == _PING and not flags & 1:
                connection.sendall(_frame(_PING, 1, 0, payload))
            elif kind in (_RESET, _GOAWAY):
                raise RuntimeError(f"{method}: refused: {payload!r}")
            if kind in (_DATA, _HEADERS) and flags & 1:
                break
    # A failed call answers with headers alone; the reason in them may be Huffman-coded, so the log has the words.
    if len(body) < 5:
        raise RuntimeError(f"{method} failed, see containerd's log: {last!r}")
    return body[5 : 5 + int.from_bytes(body[1:5], "big")]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _short(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def _bytes(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(message: bytes) -> dict[int, list[bytes]]:
    """The length-delimited fields of a protobuf message; numbers are skipped."""
    found: dict[int, list[bytes]] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = number()
        if key & 7 == 2:
            length = number()
            found.setdefault(key >> 3, []).append(message[at : at + length])
            at += length
        else:
            number()
    return found
