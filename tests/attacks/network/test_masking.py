# SPDX-License-Identifier: Apache-2.0
"""Registries that repeat what was sent to sign in."""

from __future__ import annotations

import base64
import json
import socket
from urllib.parse import quote

import pytest

from tests.cli.command import Airgap, pod
from tests.doubles.registry import Answer, Request, double
from tests.parts.images import Images
from tests.parts.listener import Listener

PASSWORD = 'p@ss"w/örd+1'


@pytest.mark.parametrize("status", [400, 401, 403, 409])
def test_a_password_in_the_text_of_an_error(airgap: Airgap, bundle_of_one: str, status: int) -> None:
    pair = base64.b64encode(f"pusher:{PASSWORD}".encode()).decode()

    def answer(request: Request) -> Answer:
        if not request.authorization:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
        alone = base64.b64encode(PASSWORD.encode()).decode()
        said = f"user pusher gave {PASSWORD} as {pair}, {alone} and {quote(PASSWORD, safe='')}"
        return Answer(status, json.dumps({"errors": [{"code": "X", "message": said, "detail": said}]}).encode())

    with double(answer) as there:
        for more in ((), ("--progress", "json")):
            environment = {"AIRGAP_USERNAME": "pusher", "AIRGAP_PASSWORD": PASSWORD}
            result = airgap.run(
                "import", bundle_of_one, "--to", f"http://{there.address}/x", *more, "--verbose", code=None,
                environment=environment, timeout=120,
            )  # fmt: skip
            assert result.code in (20, 21, 22, 23, 24)
            shown = result.stdout.decode() + result.stderr
            assert "user pusher gave *** as ***, *** and ***" in shown
            for secret in (PASSWORD, pair, "w/örd", quote(PASSWORD, safe="")):
                assert secret not in shown


WORD = "s3cret/word+1"


@pytest.mark.parametrize("command", ["doctor", "export"])
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"Server": f"Nexus/{WORD} (PRO)"}),
        (404, {"Server": WORD, "Content-Type": "text/html"}),
        (307, {"Location": f"/elsewhere/{quote(WORD, safe='')}/x?p={WORD}"}),
        (307, {"Location": f"http://127.0.0.1:9/{WORD}"}),
        (401, {"WWW-Authenticate": f'Bearer realm="http://127.0.0.1:9/{WORD}",service="{WORD}"'}),
        (401, {"WWW-Authenticate": f'Basic realm="{WORD}"'}),
        (401, {"WWW-Authenticate": f"{WORD}"}),
    ],
)
def test_a_password_in_headers(airgap: Airgap, command: str, status: int, headers: dict[str, str]) -> None:
    """Nothing shows it, and no request has it in its address."""

    def answer(request: Request) -> Answer:
        if not request.authorization:
            challenge = {"WWW-Authenticate": 'Basic realm="x"', "Docker-Distribution-Api-Version": "registry/2.0"}
            return Answer(401, b"", challenge)
        return Answer(status, b"{}" if status == 200 else b"no", headers)

    with double(answer) as there:
        (airgap.home / ".docker").mkdir()
        auth = {"auths": {there.address: {"auth": base64.b64encode(f"pusher:{WORD}".encode()).decode()}}}
        (airgap.home / ".docker/config.json").write_text(json.dumps(auth))
        target = {"AIRGAP_USERNAME": "pusher", "AIRGAP_PASSWORD": WORD}
        image = ["--image", f"{there.address}/a/b:1", "-o", "b.tar", "--progress", "json"]
        arguments = [there.address] if command == "doctor" else image
        result = airgap.run(command, *arguments, "--verbose", code=None, environment=target)
        asked = [request.path for request in there.requests if request.authorization]
    shown = result.stdout.decode() + result.stderr
    assert asked
    for secret in (WORD, "s3cret", quote(WORD, safe="")):
        assert secret not in shown, shown
    assert not [path for path in asked if "s3cret" in path]


def test_a_password_that_a_proxy_repeats(airgap: Airgap) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        while connection.recv(65536):
            connection.sendall(f"HTTP/1.1 403 {WORD} is wrong\r\nContent-Length: 0\r\n\r\n".encode())

    proxy = Listener(serve)
    proxy.start()
    try:
        for scheme in ("http", "https"):
            environment = {f"{scheme.upper()}_PROXY": f"http://me:{quote(WORD, safe='')}@{proxy.address}"}
            airgap.write("airgap.yaml", json.dumps({"registries": {"r.test": {"mirror": f"{scheme}://r.test"}}}))
            result = airgap.run("export", "--image", "r.test/a/b:1", "-o", "b.tar", code=None, environment=environment)
            assert "403 *** is wrong" in result.stderr
            assert WORD not in result.stderr
    finally:
        proxy.stop()


@pytest.fixture
def bundle_of_one(airgap: Airgap) -> str:
    """A bundle with one small image."""
    from tests.cli.command import Registry

    images = Images(3)
    with Registry() as source:
        source.fill(images, {"team/app:v1": images.image()})
        airgap.write("pod.yaml", pod(f"{source.address}/team/app:v1"))
        airgap.run("export", "pod.yaml", "-o", "one.tar")
    return "one.tar"
