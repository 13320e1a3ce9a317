# SPDX-License-Identifier: Apache-2.0
"""``airgap serve``: a process that answers, and ends when it is told to."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.oci.manifest import OCI_INDEX
from tests.cli.command import Airgap
from tests.parts.certificates import Authority
from tests.parts.service import end


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
