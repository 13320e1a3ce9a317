# SPDX-License-Identifier: Apache-2.0
"""Charts: from repositories, registries and folders, to where the real helm pulls them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.artifacts.carrying import bundle_json, carry, export, far_nexus, files_over_http, uploads, write_project
from tests.cli.command import Airgap, Registry
from tests.doubles.registry import Answer, Double, Request
from tests.parts.helm import helm
from tests.parts.network import closed_network, nginx_over_folder
from tests.parts.service import clean_environment

CHART = "apiVersion: v2\nname: shop\nversion: 1.10.0\nappVersion: 1.10\ndescription: a shop\ndeprecated: false\n"
TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {version: '{{ .Chart.Version }}'}\n"


def archive(version: str = "1.10.0", more: str = "") -> bytes:
    """A chart as ``helm package`` makes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        files = {"Chart.yaml": CHART.replace("1.10.0", version) + more, "templates/a.yaml": TEMPLATE}
        for name, text in files.items():
            member = tarfile.TarInfo(f"shop/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


def repository(*versions: str) -> dict[str, bytes]:
    """The files of a chart repository whose index has these versions of a chart."""
    files = {f"charts/shop-{version}.tgz": archive(version) for version in versions}
    entries = [
        {"name": "shop", "version": path[12:-4], "urls": [path], "digest": hashlib.sha256(data).hexdigest()}
        for path, data in files.items()
    ]
    return {**files, "index.yaml": json.dumps({"apiVersion": "v1", "entries": {"shop": entries}}).encode()}


def run_helm(home: Path, *arguments: str | Path, prefix: Sequence[str] = ()) -> str:
    """Run the real helm with an empty home; return what it prints."""
    home.mkdir(exist_ok=True)
    command = [*prefix, str(helm()), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=home, env=clean_environment(home), timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def chart_folder(airgap: Airgap) -> None:
    airgap.write("charts/shop/Chart.yaml", CHART)
    airgap.write("charts/shop/templates/a.yaml", TEMPLATE)
    airgap.write("charts/shop/.helmignore", "*.swp\nnotes/\n")
    airgap.write("charts/shop/a.swp", "x")
    airgap.write("charts/shop/notes/x.txt", "x")
    write_project(airgap, {"helm": [{"path": "charts/shop"}]})


def test_a_chart_of_a_repository_is_pulled_from_nexus_by_helm(airgap: Airgap, tmp_path: Path) -> None:
    with files_over_http(repository("1.9.0", "1.10.0")) as server:
        write_project(airgap, {"helm": [{"repository": server.url, "chart": "shop", "version": "1.10.0"}]})
        export(airgap)
    [entry] = bundle_json(airgap)["artifacts"]
    assert (entry["name"], entry["version"], entry["file"]) == ("shop", "1.10.0", "shop-1.10.0.tgz")
    with far_nexus("helm") as far:
        carry(airgap, "--nexus", far.url)
        assert far.repository("helm-hosted").files == {"shop-1.10.0.tgz": archive()}
        home = tmp_path / "helm"
        run_helm(home, "repo", "add", "far", f"{far.url}/repository/helm-hosted")
        run_helm(home, "pull", "far/shop", "--version", "1.10.0")
        assert (home / "shop-1.10.0.tgz").read_bytes() == archive()
        carry(airgap, "--nexus", far.url)
        assert uploads(far) == 1
        far.repository("helm-hosted").files["shop-1.10.0.tgz"] = archive(more="# changed\n")
        assert "another file is already there" in carry(airgap, "--nexus", far.url, code=50).errors[0]


def test_a_folder_is_packed_to_the_same_bytes_and_served_as_it_lies(airgap: Airgap, tmp_path: Path) -> None:
    chart_folder(airgap)
    export(airgap, "--lock", "airgap.lock")
    first = (airgap.folder / "demo.tar").read_bytes()
    (airgap.folder / "charts/shop/Chart.yaml").touch()
    export(airgap, "--lock", "airgap.lock")
    assert (airgap.folder / "demo.tar").read_bytes() == first
    carry(airgap, "--artifacts-to", "helm=file:out")
    with tarfile.open(airgap.folder / "out/shop-1.10.0.tgz") as packed:
        assert packed.getnames() == ["shop/Chart.yaml", "shop/.helmignore", "shop/templates/a.yaml"]
    assert "version: '1.10.0'" in run_helm(tmp_path / "h", "template", airgap.folder / "out/shop-1.10.0.tgz")
    # A second release adds to the index.
    airgap.write("charts/shop/Chart.yaml", CHART.replace("1.10.0", "1.11.0"))
    export(airgap)
    carry(airgap, "--artifacts-to", "helm=file:out")
    site = {path.name: path.read_bytes() for path in (airgap.folder / "out").iterdir()}
    with files_over_http(site) as web:
        run_helm(tmp_path / "h", "repo", "add", "far", web.url)
        listed = json.loads(run_helm(tmp_path / "h", "search", "repo", "far/shop", "--versions", "-o", "json"))
        assert [item["version"] for item in listed] == ["1.11.0", "1.10.0"]
        assert listed[0]["app_version"] == "1.10"
        run_helm(tmp_path / "h", "pull", "far/shop", "--version", "1.10.0")
        assert (tmp_path / "h/shop-1.10.0.tgz").read_bytes() == site["shop-1.10.0.tgz"]
    airgap.write("charts/shop/templates/a.yaml", TEMPLATE + "# changed\n")
    airgap.write("charts/shop/Chart.yaml", CHART)
    assert "--refresh" in export(airgap, "--lock", "airgap.lock", code=31).stderr


@pytest.mark.requires("nginx")
def test_in_a_network_that_has_only_the_target(airgap: Airgap, tmp_path: Path) -> None:
    chart_folder(airgap)
    export(airgap)
    carry(airgap, "--artifacts-to", "helm=file:out")
    home = tmp_path / "helm"
    with (
        closed_network(tmp_path / "net", "10.66.0.2", names={"charts.corp": "10.66.0.2"}) as network,
        nginx_over_folder(tmp_path, airgap.folder / "out", network),
    ):
        run_helm(home, "repo", "add", "far", "http://charts.corp:8000", prefix=network.prefix)
        run_helm(home, "pull", "far/shop", "--destination", home, prefix=network.prefix)
    assert (home / "shop-1.10.0.tgz").read_bytes() == (airgap.folder / "out/shop-1.10.0.tgz").read_bytes()


def test_registries_on_both_sides(airgap: Airgap, tmp_path: Path, nexus: Registry) -> None:
    home = tmp_path / "helm"
    home.mkdir()
    (home / "shop.tgz").write_bytes(archive("1.10.0+b1"))
    run_helm(home, "push", "shop.tgz", f"oci://{nexus.address}/source", "--plain-http")
    write_project(airgap, {"helm": [{"oci": f"oci://{nexus.address}/source/shop", "version": "1.10.0+b1"}]})
    export(airgap, "--lock", "airgap.lock")
    first = (airgap.folder / "demo.tar").read_bytes()
    export(airgap, "--lock", "airgap.lock")
    assert (airgap.folder / "demo.tar").read_bytes() == first
    assert bundle_json(airgap)["artifacts"][0]["source"].startswith(f"oci://{nexus.address}/source/shop@sha256:")
    carry(airgap, "--artifacts-to", f"helm=oci://{nexus.address}/far", user=None)
    pulled = tmp_path / "pulled"
    run_helm(pulled, "pull", f"oci://{nexus.address}/far/shop", "--version", "1.10.0+b1", "--plain-http")
    assert [path.read_bytes() for path in pulled.glob("*.tgz")] == [archive("1.10.0+b1")]
    said = carry(airgap, "--artifacts-to", f"helm=oci://{nexus.address}/far", user=None)
    assert "0 artifacts uploaded, 1 already there" in said.stderr
    (home / "shop.tgz").write_bytes(archive("1.10.0+b1", more="# changed\n"))
    run_helm(home, "push", "shop.tgz", f"oci://{nexus.address}/other", "--plain-http")
    said = carry(airgap, "--artifacts-to", f"helm=oci://{nexus.address}/other", user=None, code=50)
    assert hashlib.sha256(archive("1.10.0+b1", more="# changed\n")).hexdigest() in said.errors[0]


def test_chartmuseum(airgap: Airgap) -> None:
    chart_folder(airgap)
    export(airgap)
    held: dict[str, bytes] = {}

    def answer(request: Request) -> Answer:
        if request.method == "POST" and request.path == "/api/charts":
            head, _, rest = request.read().partition(b"\r\n\r\n")
            assert b'name="chart"' in head
            held["shop"] = rest.rpartition(b"\r\n--")[0]
            return Answer(201, b'{"saved":true}')
        if request.path != "/index.yaml":
            return Answer(404)
        entries = [
            {"name": "shop", "version": "1.10.0", "digest": hashlib.sha256(data).hexdigest()} for data in held.values()
        ]
        return Answer(200, json.dumps({"entries": {"shop": entries}}).encode())

    server = Double(answer)
    try:
        carry(airgap, "--artifacts-to", f"helm={server.url}", user=None)
        with tarfile.open(fileobj=io.BytesIO(held["shop"])) as sent:
            assert sent.getnames()[0] == "shop/Chart.yaml"
        carry(airgap, "--artifacts-to", f"helm={server.url}", user=None)
        assert server.count("POST") == 1
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("entry", "code", "expected"),
    [
        ({"chart": "shop", "version": "9.9.9"}, 22, "it has no chart shop 9.9.9"),
        ({"chart": "shpo", "version": "1.10.0"}, 22, "it has no chart shpo"),
        ({"chart": "shop"}, 2, "this entry lacks 'version'"),
    ],
)
def test_charts_that_are_not_there(airgap: Airgap, entry: dict[str, str], code: int, expected: str) -> None:
    with files_over_http(repository("1.10.0")) as server:
        write_project(airgap, {"helm": [{"repository": server.url, **entry}]})
        said = export(airgap, code=code)
        assert expected in said.errors[0]
        assert "airgap.yaml:1" in said.errors[0]


def test_an_index_that_lies_or_is_none(airgap: Airgap) -> None:
    files = repository("1.10.0")
    files["charts/shop-1.10.0.tgz"] = archive(more="# another\n")
    with files_over_http(files) as server:
        entry = {"repository": server.url, "chart": "shop", "version": "1.10.0"}
        write_project(airgap, {"helm": [entry]})
        assert "it hashes to" in export(airgap, code=31).errors[0]
        files["index.yaml"] = b"<html>sign in</html>: ["
        assert "this is no YAML" in export(airgap, code=30).errors[0]
        files["index.yaml"] = b"[" * 100_000
        assert export(airgap, code=30).errors
        files["index.yaml"] = b"a: &a [x]\nentries: {shop: *a}\n"
        assert "alias" in export(airgap, code=30).errors[0]
        del files["index.yaml"]
        assert "this is no chart repository" in export(airgap, code=22).errors[0]


def test_what_is_no_chart(airgap: Airgap) -> None:
    airgap.write("x.tgz", b"no archive")
    write_project(airgap, {"helm": [{"path": "x.tgz"}]})
    assert "this is no chart" in export(airgap, code=30).errors[0]
    airgap.write("empty/x", "")
    write_project(airgap, {"helm": [{"path": "empty"}]})
    assert "this folder is no chart" in export(airgap, code=2).errors[0]
    airgap.write("dep/Chart.yaml", CHART + "dependencies: [{name: redis, version: 1.0.0, repository: 'https://h'}]\n")
    write_project(airgap, {"helm": [{"path": "dep"}]})
    said = export(airgap, code=2)
    assert "the chart needs redis" in said.errors[0]
    assert "helm dependency build" in said.stderr
    airgap.write("up/Chart.yaml", CHART.replace("name: shop", "name: ../up"))
    write_project(airgap, {"helm": [{"path": "up"}]})
    assert "leads out" in export(airgap, code=30).errors[0]
