# SPDX-License-Identifier: Apache-2.0
"""``airgap serve``: a process that answers, and ends when it is told to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.oci.manifest import OCI_INDEX
from airgap.store import ImageLayout
from airgap.store.garbage import collect_garbage
from tests.cli.command import Airgap
from tests.parts.certificates import Authority
from tests.parts.service import end
from tests.parts.waiting import wait_until
from tests.server.client import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Client, code, describe, digest_of, document
from tests.server.raw import connect


@contextlib.contextmanager
def serving(
    airgap: Airgap, *arguments: str | Path, stdin: bytes = b""
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process and the address that it tells."""
    process = subprocess.Popen(
        airgap.command("serve", *arguments, "--listen", "127.0.0.1:0"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=airgap.folder,
        env=airgap.whole_environment(),
    )
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        process.stdin.write(stdin)
        process.stdin.close()
        said = process.stderr.readline().decode()
        found = re.search(r"https?://127\.0\.0\.1:\d+", said)
        assert found, said + process.stderr.read().decode()
        yield process, found[0]
    finally:
        end(process)
        process.stderr.close()


def test_a_bundle_is_pulled_by_whole_name_and_by_path(airgap: Airgap, bundle: Path) -> None:
    with serving(airgap, bundle) as (_, url), httpx.Client(base_url=url) as client:
        for repository in ("quay.io/jetstack/cert-manager-webhook", "jetstack/cert-manager-webhook"):
            answer = client.get(f"/v2/{repository}/manifests/v1.14.4", headers={"Accept": OCI_INDEX})
            assert answer.status_code == 200
            for child in answer.json()["manifests"]:
                manifest = client.get(f"/v2/{repository}/manifests/{child['digest']}").json()
                for blob in (manifest["config"], *manifest["layers"]):
                    body = client.get(f"/v2/{repository}/blobs/{blob['digest']}").content
                    assert len(body) == blob["size"]
        assert client.post("/v2/x/blobs/uploads/").status_code in (403, 405)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(airgap: Airgap, bundle: Path, how: signal.Signals) -> None:
    with serving(airgap, bundle) as (process, url):
        with httpx.Client(base_url=url) as client:
            client.get("/v2/")
            process.send_signal(how)
            assert process.wait(10) == 0
        assert process.stderr is not None
        lines = process.stderr.read().decode().splitlines()
        assert lines == ["200 GET /v2/", "stopped"]


def test_a_port_in_use_is_one_message(airgap: Airgap, bundle: Path) -> None:
    with serving(airgap, bundle) as (_, url):
        address = url.partition("//")[2]
        said = airgap.fails(51, "serve", bundle, "--listen", address)
        assert address in said.errors[0]
        assert "--listen" in said.stderr


def test_a_writable_layout_is_made_and_takes_an_import(airgap: Airgap, bundle: Path) -> None:
    with serving(airgap, "layout", "--writable", "--user", "u", "--password-stdin", stdin=b"pw\n") as (_, url):
        to = f"{url.partition('//')[2]}/p"
        airgap.fails(21, "import", bundle, "--to", to)
        mine = {"AIRGAP_USERNAME": "u", "AIRGAP_PASSWORD": "pw"}
        airgap.run("import", bundle, "--to", to, environment=mine)
    assert (airgap.folder / "layout/oci-layout").exists()
    # And it is a folder that can be served again, to be read.
    with serving(airgap, "layout") as (_, url):
        answer = httpx.head(f"{url}/v2/p/cert-manager-webhook/manifests/v1.14.4", headers={"Accept": OCI_INDEX})
        assert answer.status_code == 200


def test_tls(airgap: Airgap, bundle: Path, authority: Authority) -> None:
    pair = authority.good()
    with serving(airgap, bundle, "--tls-cert", pair.certificate, "--tls-key", pair.key) as (_, url):
        assert url.startswith("https://")
        import ssl

        context = ssl.create_default_context(cafile=str(authority.ca))
        assert httpx.get(f"{url}/v2/", verify=context).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("gone.tar",), 2, "gone.tar"),
        (("gone", "--writable", "--listen", "5000"), 2, "HOST:PORT"),
        (("gone", "--writable", "--listen", "127.0.0.1:99999"), 2, "HOST:PORT"),
        (("gone", "--writable", "--listen", "127.0.0.1:²"), 2, "HOST:PORT"),
        (("gone", "--user", "x"), 2, "--password-stdin"),
        (("gone", "--tls-cert", "x"), 2, "--tls-key"),
        (("empty",), 40, "empty"),
    ],
)
def test_refusals(airgap: Airgap, arguments: tuple[str, ...], code: int, says: str) -> None:
    (airgap.folder / "empty").mkdir()
    said = airgap.fails(code, "serve", *arguments)
    assert says in said.stderr
    assert [path.name for path in airgap.folder.rglob("*")] == ["empty"]


def test_a_bundle_takes_no_pushes(airgap: Airgap, bundle: Path) -> None:
    said = airgap.fails(2, "serve", bundle, "--writable")
    assert "layout folder" in said.stderr


def test_certificates_that_are_none(airgap: Airgap, bundle: Path) -> None:
    airgap.write("x.pem", "nothing")
    said = airgap.fails(51, "serve", bundle, "--tls-cert", "x.pem", "--tls-key", "x.pem", "--listen", "127.0.0.1:0")
    assert "x.pem" in said.errors[0]


@pytest.mark.parametrize(
    ("listen", "warned"), [("0.0.0.0:0", True), (":0", True), ("127.0.0.1:0", False), ("localhost:0", False)]
)
def test_pushes_from_the_network_without_a_password(airgap: Airgap, listen: str, warned: bool) -> None:
    with airgap.started("serve", "layout", "--writable", "--listen", listen) as process:
        assert process.stderr is not None
        assert b"is served at" in process.stderr.readline()
        if warned:
            assert f"warning: everybody who reaches {listen} can push" in process.stderr.readline().decode()
        end(process)
        said = process.stderr.read().decode()
    assert "warning:" not in said


# Garbage, leftovers, strangers' layouts, limits


def age(layout: Path, hours: float = 2) -> None:
    for path in (layout / "blobs").glob("*/*"):
        with contextlib.suppress(FileNotFoundError):  # collected in this moment
            os.utime(path, (time.time() - hours * 3600,) * 2)


def test_garbage_is_collected_beside_a_running_server(airgap: Airgap, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    with serving(airgap, layout, "--writable") as (_, url), httpx.Client(base_url=url, trust_env=False) as http:
        client = Client(http)
        manifest = client.image("v1")
        told, forgotten = client.blob(b"told of"), client.blob(b"forgotten")
        age(layout)
        assert http.head(client.path(f"blobs/{told}")).status_code == 200
        assert airgap.run("serve", layout, "--gc", "--dry-run").text == (
            "would free 9 bytes: 1 blob that no image needs\n"
        )
        assert airgap.run("serve", layout, "--gc").text == "freed 9 bytes: 1 blob that no image needs\n"
        assert http.head(client.path(f"blobs/{told}")).status_code == 200
        assert http.head(client.path(f"blobs/{forgotten}")).status_code == 404
        assert http.get(client.path("manifests/v1")).content == manifest
        for blob in (json.loads(manifest)["config"], *json.loads(manifest)["layers"]):
            assert http.get(client.path(f"blobs/{blob['digest']}")).status_code == 200


@pytest.mark.long
def test_pushes_beside_collections_lose_nothing(airgap: Airgap, tmp_path: Path) -> None:
    """Each image shares a layer with one that was just deleted, and whose blobs are as old as they can be."""
    layout = tmp_path / "layout"
    with serving(airgap, layout, "--writable") as (_, url), httpx.Client(base_url=url, trust_env=False) as http:
        client = Client(http)
        stop = threading.Event()
        failures: list[str] = []

        def collect() -> None:
            store = ImageLayout(layout)
            while not stop.is_set():
                collect_garbage(store)

        collecting = threading.Thread(target=collect)
        collecting.start()
        try:
            for number in range(60):
                age(layout)
                config, layer = json.dumps({"os": "linux", "number": number}).encode(), b"shared layer"
                manifest = document(
                    mediaType=OCI_MANIFEST, config=describe(config, OCI_CONFIG), layers=[describe(layer, OCI_LAYER)]
                )
                for _ in range(50):  # a client pushes again what it is told is missing
                    for content in (config, layer):
                        if http.head(client.path(f"blobs/{digest_of(content)}")).status_code == 404:
                            client.blob(content)
                    answer = client.put(manifest, f"v{number}")
                    if answer.status_code == 201:
                        break
                    assert code(answer) == "MANIFEST_BLOB_UNKNOWN"
                else:
                    failures.append(f"v{number} could not be pushed")
                failures += [
                    f"v{number} lost a blob after it was accepted"
                    for content in (config, layer)
                    if http.get(client.path(f"blobs/{digest_of(content)}")).content != content
                ]
                http.delete(client.path(f"manifests/{digest_of(manifest)}"))
        finally:
            stop.set()
            collecting.join()
        assert failures == []


@pytest.mark.parametrize("options", [["--gc"], ["--gc", "--dry-run"]])
def test_collecting_where_there_is_no_layout(airgap: Airgap, bundle: Path, tmp_path: Path, options: list[str]) -> None:
    airgap.fails(2, "serve", bundle, *options)
    (tmp_path / "empty").mkdir()
    airgap.fails(40, "serve", tmp_path / "empty", *options)


def test_dry_run_alone(airgap: Airgap, tmp_path: Path) -> None:
    airgap.fails(2, "serve", tmp_path, "--dry-run")


def test_leftovers_of_a_killed_server_are_removed_at_the_start(airgap: Airgap, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    with serving(airgap, layout, "--writable") as (process, url), httpx.Client(base_url=url, trust_env=False) as http:
        client = Client(http)
        client.blob(b"x")
        with connect(url) as connection:
            upload = f"{client.begin()}?digest={digest_of(bytes(100_000))}"
            connection.sendall(f"PUT {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode())
            connection.sendall(bytes(50_000))
            wait_until(lambda: list(layout.glob("blobs/sha256/.push-*")))
            with serving(airgap, layout, "--writable"):
                assert list(layout.glob("blobs/sha256/.push-*")), "a living server is writing it"
            process.kill()
            process.wait()
    assert list(layout.glob("blobs/sha256/.push-*"))
    with serving(airgap, layout, "--writable"):
        assert not list(layout.glob("blobs/sha256/.push-*"))


def test_a_strangers_layout_with_links_is_refused(airgap: Airgap, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    ImageLayout.create(layout)
    (tmp_path / "home").mkdir()
    (layout / "blobs/sha256").symlink_to(tmp_path / "home")
    for options in ([], ["--writable"], ["--gc"]):
        done = airgap.fails(40, "serve", layout, *options)
        assert f"{layout}/blobs/sha256: is a link" in done.stderr


@pytest.mark.parametrize("setting", ["uploads", "uploads=", "uploads=0", "uploads=-1", "uploads=x", "loads=1", "=1"])
def test_limits_that_are_none(airgap: Airgap, tmp_path: Path, setting: str) -> None:
    assert "limit" in airgap.fails(2, "serve", tmp_path, "--writable", "--limit", setting).stderr


def test_a_limit_is_changed(airgap: Airgap, tmp_path: Path) -> None:
    with (
        serving(airgap, tmp_path / "layout", "--writable", "--limit", "manifest-bytes=10") as (_, url),
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        assert Client(http).put(b"12345678901").status_code == 413
