# SPDX-License-Identifier: Apache-2.0
"""Sources and repositories that fail in the middle: one clear message, nothing half done, and the second run finishes
with what the first one has."""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.manifest import build_manifest, parse_manifest
from airgap.errors import ContentError
from tests.artifacts.carrying import HOSTED, bundle_json, carry, export, far_nexus, files_over_http, uploads
from tests.artifacts.carrying import write_project as write
from tests.artifacts.maven_repository import artifact, dependency
from tests.artifacts.npm_packages import file_path, lock, package, registry
from tests.artifacts.test_helm import CHART, repository
from tests.artifacts.wheels import index, wheel
from tests.cli.command import Airgap
from tests.doubles.nexus import ADMIN
from tests.doubles.registry import Answer, Double, Request
from tests.parts.waiting import wait_until

#: A source with two files, what writes airgap.yaml for it, and the paths of the two files there.
Source = contextlib.AbstractContextManager[tuple[Double, str, str]]


@contextlib.contextmanager
def pypi(airgap: Airgap) -> Iterator[tuple[Double, str, str]]:
    files = dict([wheel("demo_app", "1.0", requires=["demo-lib"]), wheel("demo_lib", "1.5")])
    with index(files) as server:
        airgap.environment["PIP_RETRIES"] = "0"
        write(airgap, {"pypi": [{"package": "demo-app", "index": f"{server.url}/simple"}]})
        first, second = (f"/files/{name}" for name in files)
        yield server, first, second


@contextlib.contextmanager
def npm(airgap: Airgap) -> Iterator[tuple[Double, str, str]]:
    packages = {**package("left", "1.0.0"), **package("right", "1.0.0")}
    with registry(packages) as server:
        airgap.write("package-lock.json", json.dumps(lock(packages, f"{server.url}/npm")))
        write(airgap, {"npm": [{"lockfile": "package-lock.json"}]})
        first, second = (f"/npm/{file_path(*key)}" for key in packages)
        yield server, first, second


@contextlib.contextmanager
def helm(airgap: Airgap) -> Iterator[tuple[Double, str, str]]:
    with files_over_http(repository("1.9.0", "1.10.0")) as server:
        chart = {"repository": server.url, "chart": "shop"}
        write(airgap, {"helm": [{**chart, "version": "1.9.0"}, {**chart, "version": "1.10.0"}]})
        yield server, "/charts/shop-1.9.0.tgz", "/charts/shop-1.10.0.tgz"


@contextlib.contextmanager
def maven(airgap: Airgap) -> Iterator[tuple[Double, str, str]]:
    files = artifact("g", "app", "1", dependencies=[dependency("g", "lib", "1")]) | artifact("g", "lib", "1")
    with files_over_http(files) as server:
        write(airgap, {"maven": [{"coordinates": "g:app:1", "repositories": [server.url]}]})
        yield server, "/g/app/1/app-1.jar", "/g/lib/1/lib-1.jar"


@pytest.mark.parametrize("source", [pytest.param(pypi, marks=pytest.mark.long), npm, helm, maven])
def test_a_source_that_loses_a_file_in_the_middle(airgap: Airgap, source: Callable[[Airgap], Source]) -> None:
    with source(airgap) as (server, first, second):
        lost = [second]
        server.always("GET", second, lambda request: Answer(404) if request.path in lost else None)
        said = airgap.run("export", "--only-artifacts", "--lock", "airgap.lock", "--jobs", "1", code=None)
        assert said.code == (10 if source is pypi else 22)
        assert len(said.errors) == 1
        assert not list(airgap.folder.glob("demo.tar"))
        assert not (airgap.folder / "airgap.lock").exists()
        lost.clear()
        export(airgap, "--lock", "airgap.lock", "--jobs", "1")
        airgap.run("verify", "demo.tar")
        assert not list(airgap.folder.glob("demo.tar.*"))
        if source is not pypi:  # where pip itself has met the gap, before anything was fetched
            assert len([request for request in server.seen("GET", first) if request.path == first]) == 1


@pytest.mark.parametrize("source", [pytest.param(pypi, marks=pytest.mark.long), npm, helm])
def test_an_index_that_is_gone(airgap: Airgap, source: Callable[[Airgap], Source]) -> None:
    with source(airgap) as (server, _, _):
        export(airgap, "--lock", "airgap.lock")
        server.always("GET", "", Answer(404))
        said = export(airgap, "--lock", "airgap.lock", "-o", "other.tar", code=22)
        assert len(said.errors) == 1
        assert "127.0.0.1" in said.errors[0]
        assert not (airgap.folder / "other.tar").exists()


def formats(airgap: Airgap) -> dict[str, list[str]]:
    """Export one or two artifacts of each format; the path of each in Nexus."""
    files = artifact("g", "lib", "1")
    packages = package("left", "1.0.0")
    wheels = dict([wheel("demo_lib", "1.5")])
    airgap.write("shop/Chart.yaml", CHART)
    airgap.write("a.txt", "a")
    with index(wheels) as pypi, registry(packages) as npm, files_over_http(files) as maven:
        airgap.write("package-lock.json", json.dumps(lock(packages, f"{npm.url}/npm")))
        entries = {
            "helm": [{"path": "shop"}],
            "maven": [{"coordinates": "g:lib:1", "repositories": [maven.url]}],
            "npm": [{"lockfile": "package-lock.json"}],
            "pypi": [{"package": "demo-lib", "index": f"{pypi.url}/simple"}],
            "raw": [{"path": "a.txt"}],
        }
        write(airgap, entries)
        export(airgap)
    return {
        "helm": ["shop-1.10.0.tgz"],
        "maven": list(files),
        "npm": [file_path(*key) for key in packages],
        "pypi": [f"packages/demo-lib/1.5/{name}" for name in wheels],
        "raw": ["a.txt"],
    }


def test_every_format_into_repositories_that_are_made_and_another_file_under_each_version(airgap: Airgap) -> None:
    paths = formats(airgap)
    with far_nexus() as server:
        carry(airgap, "--nexus", server.url, "--create-repositories")
        for name, own in paths.items():
            made = server.repository(f"{name}-hosted")
            assert (made.settings.format, made.settings.write_policy) == (HOSTED.get(name, name), "ALLOW_ONCE")
            assert sorted(made.files) == sorted(own)
        (posted,) = server.main.seen("POST", "/repositories/maven/hosted")
        assert json.loads(posted.body)["maven"] == {
            "versionPolicy": "RELEASE", "layoutPolicy": "STRICT", "contentDisposition": "ATTACHMENT",
        }  # fmt: skip
        count = sum(map(len, paths.values()))
        assert uploads(server) == count
        for name, own in paths.items():
            server.repository(f"{name}-hosted").files[own[0]] = f"another {name}".encode()
        words = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
        command = ("import", "demo.tar", "--only-artifacts", "--force", "--nexus", server.url)
        said = airgap.run(*command, environment=words, code=50)
        assert uploads(server) == count
        assert len(said.errors) == len(paths)
        held = {entry["format"]: entry["content"]["digest"] for entry in bundle_json(airgap)["artifacts"]}
        lines = {line.split()[0]: line for line in said.errors}
        for name, line in lines.items():
            assert hashlib.sha256(f"another {name}".encode()).hexdigest() in line
            assert name == "maven" or held[name] in line


def test_nexus_fails_in_the_middle_of_an_import(airgap: Airgap) -> None:
    for number in range(3):
        airgap.write(f"many/{number}.txt", f"{number}")
    write(airgap, {"raw": [{"path": "many"}]})
    export(airgap)
    with far_nexus("raw") as server:
        server.main.on("POST", "/components", lambda request: None, Answer(403))
        said = carry(airgap, "--nexus", server.url, "--jobs", "1", code=21)
        assert len(said.errors) == 1
        assert not (airgap.folder / "demo.tar.artifacts.receipt.json").exists()
        assert len(server.repository("raw-hosted").files) == 1
        said = carry(airgap, "--nexus", server.url)
        assert "2 artifacts uploaded, 1 already there" in said.stderr
        assert len(server.repository("raw-hosted").files) == 3
        # With --keep-going the rest goes on, and the run says what is missing.
        server.repository("raw-hosted").files.clear()
        server.main.on("POST", "/components", Answer(400, b'[{"id": "*", "message": "Quota is exceeded"}]'))
        said = carry(airgap, "--nexus", server.url, "--keep-going", code=3)
        assert "Quota is exceeded" in said.stderr
        assert len(server.repository("raw-hosted").files) == 2
        assert "not uploaded: raw " in said.stderr


def test_an_import_that_is_killed_goes_on_where_it_stopped(airgap: Airgap) -> None:
    for number in range(4):
        airgap.write(f"many/{number}.txt", f"{number}")
    write(airgap, {"raw": [{"path": "many"}]})
    export(airgap)
    with far_nexus("raw") as server:
        released, lost = threading.Event(), threading.Event()

        def stall(request: Request) -> Answer:
            """Until the client is gone; its upload does not arrive."""
            released.wait(30)
            lost.set()
            return Answer(503)

        server.main.on("POST", "/components", lambda request: None, lambda request: None, stall)
        words = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
        command = ("import", "demo.tar", "--only-artifacts", "--nexus", server.url, "--jobs", "1")
        airgap.environment |= words
        process = airgap.started(*command)
        try:
            wait_until(lambda: server.main.count("POST", "/components") == 3, seconds=30)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        released.set()
        assert lost.wait(30)
        said = carry(airgap, "--nexus", server.url)
        assert "2 artifacts uploaded, 2 already there" in said.stderr
        assert len(server.repository("raw-hosted").files) == 4


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a/../../b", "a\\..\\b", "a//b"])
def test_names_of_a_bundle_that_lead_out_are_refused(name: str) -> None:
    file = name.rpartition("/")[2] or "x"
    manifest = build_manifest(Artifact("raw", name, "", file, f"sha256:{'0' * 64}", 1))
    with pytest.raises(ContentError, match="leads out of its folder"):
        parse_manifest(manifest, where="b.tar")


@pytest.mark.long
def test_a_page_whose_files_lead_out_of_their_folder(airgap: Airgap) -> None:
    name, data = wheel("demo_lib", "1.5")
    with index({name: data}) as server:
        page = f'<a href="/files/%2e%2e%2f%2e%2e%2f{name}">{name}</a>'.encode()
        server.always("GET", "/simple/demo-lib/", Answer(200, page, {"Content-Type": "text/html"}))
        airgap.environment["PIP_RETRIES"] = "0"
        write(airgap, {"pypi": [{"package": "demo-lib", "index": f"{server.url}/simple"}]})
        said = airgap.run("export", "--only-artifacts", code=None)
        assert said.code in (10, 30)
        assert len(said.errors) == 1
    assert not list(airgap.folder.parent.rglob(name))
