# SPDX-License-Identifier: Apache-2.0
"""Answers that are small on the wire and huge in memory: whatever is sent, a command stays under 100 MiB."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airgap import limits
from airgap.errors import RegistryError
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from tests.attacks.network.measured import measured
from tests.cli.command import Airgap, pod
from tests.doubles.registry import Answer, Double, Request, double
from tests.parts.images import Images
from tests.registry.tools import Network

MIB = 1024 * 1024
#: The most objects that a megabyte of JSON can hold, and the deepest nesting.
OBJECTS = b"[" + b"{}," * (8 * MIB // 3) + b"{}]"
DEPTH = b"[" * MIB
LIST = {"Content-Type": manifests.OCI_INDEX}


def exports(airgap: Airgap, there: Double) -> tuple[str, ...]:
    airgap.write("pod.yaml", pod(f"{there.address}/team/app:v1"))
    return "export", "pod.yaml", "-o", "bundle.tar"


def manifest_bomb(content: bytes) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        headers = {**LIST, "Docker-Content-Digest": digests.of(content)}
        return Answer(200, b"{}") if request.path == "/v2/" else Answer(200, content, headers)

    return answer


@pytest.mark.parametrize("content", [OBJECTS, DEPTH], ids=["objects", "depth"])
@pytest.mark.parametrize("size", [4 * MIB, 32 * MIB], ids=["at the limit", "past it"])
def test_manifests(airgap: Airgap, content: bytes, size: int) -> None:
    with double(manifest_bomb(content[:size].ljust(size))) as there:
        result = measured(airgap, *exports(airgap, there))
    assert result.code in (20, 30)
    assert len(result.errors) == 1


def test_two_thousand_manifests_that_hash_wrongly(airgap: Airgap) -> None:
    """A small index names them; each is as large as a manifest may be, and none is what its digest says."""
    children = [
        {"mediaType": manifests.OCI_MANIFEST, "digest": f"sha256:{number:064x}", "size": 4 * MIB}
        for number in range(2000)
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": children}).encode()
    body = b" " * (4 * MIB)

    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer(200, b"{}")
        if request.path.endswith("v1"):
            return Answer(200, index, {**LIST, "Docker-Content-Digest": digests.of(index)})
        return Answer(200, body, {"Content-Type": manifests.OCI_MANIFEST})

    with double(answer) as there:
        result = measured(airgap, *exports(airgap, there))
        asked = there.count("GET", "/manifests/sha256")
    assert result.code == 31
    assert "after 20 failures nothing more of this image was read" in result.stderr
    assert asked <= 2 * (20 + 8)  # each is asked for twice, and eight requests run at once


def test_manifests_that_are_what_they_say_and_large(airgap: Airgap) -> None:
    """Each has as many values and bytes as one may have."""
    objects = b'{"a":0},' * 32_000

    def child(number: int) -> bytes:
        config = b'{"mediaType":"a/b","digest":"sha256:%064x","size":1}' % number
        content = b'{"schemaVersion":2,"config":%s,"layers":[],"x":[%s{}]}' % (config, objects)
        return content.ljust(4 * MIB)

    contents = {digests.of(content): content for content in map(child, range(12))}
    children = [
        {"mediaType": manifests.OCI_MANIFEST, "digest": digest, "size": len(content)}
        for digest, content in contents.items()
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": children}).encode()

    def answer(request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        if name in contents:
            return Answer(200, contents[name], {"Content-Type": manifests.OCI_MANIFEST})
        return Answer(200, index if name == "v1" else b"{}", {**LIST, "Docker-Content-Digest": digests.of(index)})

    with double(answer) as there:
        result = measured(airgap, *exports(airgap, there))
    assert result.code == 30
    assert "the manifests of all images together take more than 17,825,792 bytes" in result.stderr


def test_configs(airgap: Airgap) -> None:
    """Of a dozen images at once, each as large as one may be."""
    config = (b'{"os":"linux","architecture":"amd64","x":[' + b'{"a":0},' * 32_000 + b"{}]}").ljust(4 * MIB)
    entry = b'{"mediaType":"%s","digest":"%s","size":%d}'
    described = entry % (manifests.OCI_CONFIG.encode(), digests.of(config).encode(), len(config))

    def answer(request: Request) -> Answer:
        kind, _, name = request.path.rpartition("/")
        if "/blobs/" in request.path:
            return Answer(200, config)
        content = b'{"schemaVersion":2,"config":%s,"layers":[],"annotations":{"n":"%s"}}' % (described, name.encode())
        headers = {"Content-Type": manifests.OCI_MANIFEST, "Docker-Content-Digest": digests.of(content)}
        return Answer(200, content, headers) if kind.endswith("/manifests") else Answer(200, b"{}")

    with double(answer) as there:
        airgap.write("pod.yaml", pod(*(f"{there.address}/team/app:v{number}" for number in range(12))))
        result = measured(airgap, "export", "pod.yaml", "-o", "b.tar")
    assert result.code in (0, 30), result.stderr


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_bodies_of_errors(airgap: Airgap, status: int) -> None:
    with double(lambda _: Answer(status, b'{"errors":' + OBJECTS + b"}")) as there:
        result = measured(airgap, *exports(airgap, there))
    assert result.code in (20, 21, 22, 23, 24)


@pytest.mark.parametrize("body", [OBJECTS, DEPTH, b'{"token":"' + b"x" * 64 * MIB + b'"}'])
def test_tokens(airgap: Airgap, body: bytes) -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/token":
            return Answer(200, body)
        challenge = f'Bearer realm="http://{request.headers["Host"]}/token",service="x"'
        return Answer(401, b"", {"WWW-Authenticate": challenge})

    with double(answer) as there:
        result = measured(airgap, *exports(airgap, there))
    assert result.code == 20


@pytest.mark.parametrize("kind", ["objects", "strings", "endless"])
def test_lists_of_tags(airgap: Airgap, kind: str) -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer(200, b"{}")
        if request.path == "/v2/_catalog":
            return Answer(200, b'{"repositories":["team/app"]}')
        if kind == "objects":
            return Answer(200, b'{"tags":' + OBJECTS + b"}")
        number = int((request.query.get("n") or ["0"])[0])
        tags = [f"{number}-{one}".ljust(100, "x") for one in range(5000 if kind == "strings" else 1)]
        return Answer(200, json.dumps({"tags": tags}).encode(), {"Link": f'<?n={number + 1}>; rel="next"'})

    expected = {
        "objects": "tags/list: the answer has more than 4,194,304 bytes",
        "strings": "the list of tags has more than 150,000 entries",
        "endless": "the list of tags has more than 300 pages",
    }
    with double(answer) as there:
        environment = {"AIRGAP_LIMITS": "list-pages=300"} if kind == "endless" else {}
        result = measured(airgap, "inventory", there.address, "-o", "receipt.json", environment=environment)
    assert result.code == 20, result.stderr
    assert expected[kind] in result.stderr


@pytest.mark.parametrize("body", [OBJECTS, b'{"repositories":' + OBJECTS[: 4 * MIB - 100] + b"]}", DEPTH], ids=range(3))
def test_catalogs(airgap: Airgap, body: bytes) -> None:
    with double(lambda request: Answer(200, b"{}" if request.path == "/v2/" else body)) as there:
        result = measured(airgap, "inventory", there.address, "-o", "receipt.json")
    assert result.code == 20, result.stderr
    assert len(result.errors) == 1


@pytest.mark.parametrize("kind", ["objects", "entries", "depth"])
def test_referrers(airgap: Airgap, kind: str) -> None:
    """Of an image that is whole: its list of signatures and SBOMs is the bomb."""
    images = Images(2)
    root = images.image(layers=1)
    entry = {"mediaType": manifests.OCI_MANIFEST, "digest": f"sha256:{'a' * 64}", "size": 1}
    entries = [{**entry, "digest": f"sha256:{number:064x}"} for number in range(20_000)]
    lists = {"objects": OBJECTS, "entries": json.dumps(entries).encode(), "depth": DEPTH}
    body = b'{"schemaVersion":2,"mediaType":"%s","manifests":%s}' % (LIST["Content-Type"].encode(), lists[kind])

    def answer(request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        if "/referrers/" in request.path:
            return Answer(200, body, LIST)
        if request.path == "/v2/":
            return Answer(200, b"{}")
        digest = root.digest if name == "v1" else name
        if digest not in images.content:
            return Answer(404)
        headers = {"Content-Type": images.descriptors[digest].media_type, "Docker-Content-Digest": digest}
        return Answer(200, images.content[digest], headers)

    with double(answer) as there:
        result = measured(airgap, *exports(airgap, there))
        asked = there.count("GET", "/referrers/")
    assert asked
    assert result.code in (0, 3, 20, 22, 30, 32), result.stderr


@pytest.mark.parametrize("body", [OBJECTS, b'{"items":' + OBJECTS[: 4 * MIB - 100] + b"]}", DEPTH], ids=range(3))
def test_components_and_settings_of_nexus(airgap: Airgap, body: bytes) -> None:
    def answer(request: Request) -> Answer:
        server = {"Server": "Nexus/3.96.3-01 (COMMUNITY)", "Content-Type": "application/json"}
        if request.path == "/v2/":
            return Answer(200, b"{}", {**server, "Docker-Distribution-Api-Version": "registry/2.0"})
        return Answer(200, body, server)

    environment = {"AIRGAP_USERNAME": "me", "AIRGAP_PASSWORD": "word"}
    with double(answer) as there:
        arguments = ("doctor", f"{there.address}/repository/x", "--nexus", f"http://{there.address}")
        result = measured(airgap, *arguments, environment=environment)
        asked = there.count("GET", "/service/rest/")
    assert asked
    assert result.code in (0, 20, 51), result.stderr


def test_headers(airgap: Airgap) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 60_000) for number in range(90))
    with double(lambda _: Answer(raw=b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n")) as there:
        result = measured(airgap, *exports(airgap, there))
    assert result.code == 24
    assert "the headers of an answer have more than 65,536 bytes" in result.stderr


def test_a_credential_helper_that_prints_without_end(airgap: Airgap) -> None:
    programs = airgap.folder / "bin"
    program = airgap.write("bin/docker-credential-flood", "#!/bin/sh\nexec cat /dev/zero\n")
    program.chmod(0o755)
    (airgap.home / ".docker").mkdir()
    (airgap.home / ".docker/config.json").write_text('{"credsStore": "flood"}')
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}
    with double(lambda _: Answer(401, b"", challenge)) as there:
        path = f"{programs}:/usr/bin:/bin"
        result = measured(airgap, *exports(airgap, there), environment={"PATH": path})
    assert result.code == 21
    assert "docker-credential-flood printed more than 65,536 bytes" in result.stderr


@pytest.mark.parametrize("over", [0, 1])
def test_no_document_is_cut_short_in_silence(network: Network, peer: Double, over: int) -> None:
    """Without a limit of its own, a document has that of downloads."""
    peer.always("GET", "", Answer(200, b"x" * (100_000 + over)))
    client = network.registries().client(peer.address)
    with limits.changed({"download-bytes": 100_000}):
        if not over:
            assert len(client.request("GET", "/index", scopes=()).body) == 100_000
            return
        with pytest.raises(RegistryError, match="more than 100,000 bytes"):
            client.request("GET", "/index", scopes=())
