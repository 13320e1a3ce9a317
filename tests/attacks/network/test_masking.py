# SPDX-License-Identifier: Apache-2.0
"""Registries that repeat what was sent to sign in."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from tests.cli.command import Airgap, pod
from tests.doubles.registry import Answer, Request, double
from tests.parts.images import Images

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
