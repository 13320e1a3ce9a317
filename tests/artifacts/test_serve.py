# SPDX-License-Identifier: Apache-2.0
"""``airgap serve BUNDLE`` offers artifacts beside images; ``airgap hosts`` tells their clients."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.flows.serve import create_server
from airgap.server import Server
from tests.artifacts.carrying import export, write_project
from tests.artifacts.test_helm import CHART, TEMPLATE, run_helm
from tests.artifacts.wheels import index, pip_install, wheel
from tests.cli.command import Airgap

MANUAL = bytes(range(256)) * 100


@pytest.fixture
def served(airgap: Airgap) -> Iterator[Server]:
    """A bundle with a file, a chart and a wheel that needs another, on a loopback port."""
    airgap.write("docs/manual.pdf", MANUAL)
    airgap.write("shop/Chart.yaml", CHART)
    airgap.write("shop/templates/a.yaml", TEMPLATE)
    files = dict([wheel("demo_app", "1.0", requires=["demo-lib>=1"]), wheel("demo_lib", "1.5")])
    with index(files) as source:
        write_project(
            airgap,
            {
                "raw": [{"path": "docs/manual.pdf", "directory": "manuals"}],
                "helm": [{"path": "shop"}],
                "pypi": [{"package": "demo-app", "index": f"{source.url}/simple"}],
            },
        )
        export(airgap)
    with create_server(airgap.folder / "demo.tar", "127.0.0.1", 0) as server:
        yield server


def test_real_clients_install_from_a_laptop(served: Server, tmp_path: Path) -> None:
    assert pip_install(tmp_path, f"{served.url}/pypi/simple", "demo-app") == {"demo_app": "1.0", "demo_lib": "1.5"}
    run_helm(tmp_path / "h", "repo", "add", "laptop", f"{served.url}/helm")
    run_helm(tmp_path / "h", "pull", "laptop/shop")
    assert "version: '1.10.0'" in run_helm(tmp_path / "h", "template", "shop-1.10.0.tgz")


def test_files_ranges_and_refusals(served: Server) -> None:
    with httpx.Client(base_url=served.url) as client:
        answer = client.get("/raw/manuals/manual.pdf")
        assert answer.content == MANUAL
        assert answer.headers["ETag"] == f'"sha256:{hashlib.sha256(MANUAL).hexdigest()}"'
        head = client.head("/raw/manuals/manual.pdf")
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(MANUAL)))
        part = client.get("/raw/manuals/manual.pdf", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, MANUAL[10:20])
        assert client.get("/pypi/simple/demo-app").headers["Location"] == "/pypi/simple/demo-app/"
        assert client.get("/pypi/simple/demo-app/").headers["Content-Type"].startswith("text/html")
        for path in ("/raw/manuals/gone", "/raw/../demo.tar", "/npm/x", "/raw/manuals"):
            assert client.get(path).status_code == 404, path
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            assert client.request(method, "/raw/manuals/manual.pdf", content=b"x").status_code == 405, method
        assert client.get("/helm/index.yaml", headers={"Host": 'x"><script>'}).status_code == 400
        assert client.get("/v2/").status_code == 200


def test_the_lines_that_pip_and_helm_need(airgap: Airgap) -> None:
    url = "http://nexus.corp:8081/repository/pypi-hosted"
    said = airgap.run("hosts", url, "--for", "pip")
    assert "index-url = http://nexus.corp:8081/repository/pypi-hosted/simple" in said.text
    assert "trusted-host = nexus.corp:8081" in said.text
    said = airgap.run("hosts", "http://nexus.corp:8081/repository/helm-hosted", "--for", "helm")
    assert "helm repo add airgap http://nexus.corp:8081/repository/helm-hosted" in said.text
    said = airgap.fails(2, "hosts", "http://u:secret@nexus.corp/repository/p", "--for", "pip")
    assert "secret" not in said.stderr.replace("every user could read this password", "")
