# SPDX-License-Identifier: Apache-2.0
"""npm packages: from a registry by npm or a lock file, into Nexus, verdaccio and folders, out of which npm installs."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from airgap.flows.serve import create_server
from tests.artifacts.carrying import bundle_json, carry, export, far_nexus, files_over_http, uploads, write_project
from tests.artifacts.npm_packages import file_path, integrity, lock, npm_install, package, registry
from tests.cli.command import Airgap
from tests.parts.network import closed_network, nginx_over_folder
from tests.parts.service import LOOPBACK, free_port
from tests.parts.verdaccio import verdaccio

pytestmark = pytest.mark.requires("npm")

APP = package("demo-app", "1.2.0", dependencies={"@corp/demo-lib": "^1.0.0"}, bin={"demo": "index.js"})
LIB = package("@corp/demo-lib", "1.5.0")
OLD = package("@corp/demo-lib", "1.4.0", value="old")
PACKAGES = {**APP, **LIB, **OLD}
WANTED = {**APP, **LIB}
INSTALLED = {"demo-app": "1.2.0", "@corp/demo-lib": "1.5.0"}


def locked(airgap: Airgap, packages: dict[tuple[str, str], bytes] = WANTED) -> None:
    """Export a lock file's packages from a registry that is gone afterwards."""
    with registry(packages) as server:
        airgap.write("web/package-lock.json", json.dumps(lock(packages, f"{server.url}/npm")))
        write_project(airgap, {"npm": [{"lockfile": "web/package-lock.json"}]})
        export(airgap)


def entries(airgap: Airgap) -> list[tuple[str, str, str]]:
    return [(entry["name"], entry["version"], entry["file"]) for entry in bundle_json(airgap)["artifacts"]]


def npmrc(url: str) -> str:
    return f"registry={url}/\nreplace-registry-host=always\n"


def test_npm_resolves_a_package_and_installs_it_from_nexus(airgap: Airgap, tmp_path: Path) -> None:
    with registry(PACKAGES) as server:
        write_project(airgap, {"npm": [{"package": "demo-app@^1.0.0", "registry": f"{server.url}/npm/"}]})
        export(airgap)
    assert entries(airgap) == [
        ("@corp/demo-lib", "1.5.0", "demo-lib-1.5.0.tgz"),
        ("demo-app", "1.2.0", "demo-app-1.2.0.tgz"),
    ]
    # Nothing of the user's was written.
    assert not list(airgap.home.glob(".npm*"))
    with far_nexus("npm") as server:
        carry(airgap, "--nexus", server.url)
        assert server.repository("npm-hosted").files == {file_path(*key): data for key, data in WANTED.items()}
        url = f"{server.url}/repository/npm-hosted"
        assert npm_install(tmp_path / "web", npmrc(url), "demo-app") == INSTALLED
        carry(airgap, "--nexus", server.url)
        assert uploads(server) == 2


def test_the_lock_gives_the_same_bytes_after_a_newer_version(airgap: Airgap) -> None:
    packages = dict(LIB)
    with registry(packages) as server:
        write_project(airgap, {"npm": [{"package": "@corp/demo-lib", "registry": f"{server.url}/npm"}]})
        export(airgap, "--lock", "airgap.lock")
        first = (airgap.folder / "demo.tar").read_bytes()
        packages.update(package("@corp/demo-lib", "1.6.0"))
        server.requests.clear()
        export(airgap, "--lock", "airgap.lock")
        assert (airgap.folder / "demo.tar").read_bytes() == first
        assert [request.path for request in server.requests] == ["/npm/@corp/demo-lib/-/demo-lib-1.5.0.tgz"]
        packages[("@corp/demo-lib", "1.5.0")] = OLD[("@corp/demo-lib", "1.4.0")]
        assert "--refresh" in export(airgap, "--lock", "airgap.lock", code=31).stderr


def test_npm_ci_from_a_folder_with_a_lock_file_of_another_registry(airgap: Airgap, tmp_path: Path) -> None:
    """python's and nginx' way of serving a folder: a name without a slash leads to the one with it."""
    locked(airgap)
    lockfile = json.loads((airgap.folder / "web/package-lock.json").read_text())
    port = free_port()
    carry(airgap, "--artifacts-to", f"npm=file:out#http://{LOOPBACK}:{port}/npm")
    root = airgap.folder / "out"
    site = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert set(site) >= {file_path(*key) for key in WANTED} | {"demo-app/index.html", "@corp/demo-lib/index.html"}
    served = {f"npm/{name.removesuffix('index.html')}": content for name, content in site.items()}
    with files_over_http(served, pages=True, port=port):
        url = f"http://{LOOPBACK}:{port}/npm"
        assert npm_install(tmp_path / "ci", npmrc(url), lockfile=lockfile) == INSTALLED
        assert npm_install(tmp_path / "new", npmrc(url), "demo-app") == INSTALLED
    # A second release adds its versions.
    locked(airgap, package("demo-app", "2.0.0"))
    carry(airgap, "--artifacts-to", f"npm=file:out#http://{LOOPBACK}:{port}/npm")
    document = json.loads((root / "demo-app/index.html").read_text())
    assert (document["dist-tags"], list(document["versions"])) == ({"latest": "2.0.0"}, ["1.2.0", "2.0.0"])


@pytest.mark.requires("npm", "nginx")
def test_in_a_network_that_has_only_the_target(airgap: Airgap, tmp_path: Path) -> None:
    locked(airgap)
    carry(airgap, "--artifacts-to", "npm=file:out#http://npm.corp:8000")
    with (
        closed_network(tmp_path / "net", "10.66.0.2", names={"npm.corp": "10.66.0.2"}) as network,
        nginx_over_folder(tmp_path, airgap.folder / "out", network),
    ):
        url = "http://npm.corp:8000"
        assert npm_install(tmp_path / "web", npmrc(url), "demo-app", prefix=network.prefix) == INSTALLED


@pytest.mark.long
def test_verdaccio_takes_what_npm_publish_sends(airgap: Airgap, tmp_path: Path) -> None:
    locked(airgap, {**WANTED, **package("big", "1.0.0", value="x" * 100_001)})
    with verdaccio(tmp_path / "verdaccio") as url:
        carry(airgap, "--artifacts-to", f"npm={url}/", user=None)
        assert npm_install(tmp_path / "web", npmrc(url), "demo-app", "big") == {**INSTALLED, "big": "1.0.0"}
        said = carry(airgap, "--artifacts-to", f"npm={url}", user=None)
        assert "0 artifacts uploaded, 3 already there" in said.stderr
        # An older version does not become the latest one.
        locked(airgap, OLD)
        carry(airgap, "--artifacts-to", f"npm={url}", user=None)
        assert npm_install(tmp_path / "again", npmrc(url), "demo-app", "@corp/demo-lib") == INSTALLED
        assert npm_install(tmp_path / "old", npmrc(url), "@corp/demo-lib@1.4.0") == {"@corp/demo-lib": "1.4.0"}
        locked(airgap, package("@corp/demo-lib", "1.4.0", value="changed"))
        said = carry(airgap, "--artifacts-to", f"npm={url}", user=None, code=50)
        assert "another file is already there" in said.stderr


def test_other_registries_get_the_document_that_npm_publishes(airgap: Airgap) -> None:
    locked(airgap, {**WANTED, **OLD})
    there: dict[tuple[str, str], bytes] = {}
    with registry(there) as server:
        target = ("--artifacts-to", f"npm={server.url}/npm")
        carry(airgap, *target, user=None)
        assert there == {**WANTED, **OLD}
        said = carry(airgap, *target, user=None)
        assert "0 artifacts uploaded, 3 already there" in said.stderr
        there.update(package("demo-app", "1.2.0", value="changed"))
        server.requests.clear()
        assert "another file is already there" in carry(airgap, *target, user=None, code=50).stderr
        assert server.count("PUT", "/") == 0


def test_a_folder_needs_the_address_that_it_is_served_under(airgap: Airgap) -> None:
    locked(airgap)
    said = carry(airgap, "--artifacts-to", "npm=file:out", code=2)
    assert "npm=file:///srv/npm#http://HOST/npm" in said.stderr
    assert not (airgap.folder / "out").exists()


def test_lock_files_of_version_1_and_without_addresses(airgap: Airgap) -> None:
    alias = {"version": "npm:demo-app@1.2.0", "integrity": integrity(APP[("demo-app", "1.2.0")])}
    lib = {"version": "1.5.0", "integrity": integrity(LIB[("@corp/demo-lib", "1.5.0")])}
    inner = {"version": "1.0.0", "bundled": True}
    other = {**alias, "dependencies": {"@corp/demo-lib": lib, "in": inner}}
    first = {"lockfileVersion": 1, "dependencies": {"other": other}}
    with registry(WANTED) as server:
        for document in (first, lock(WANTED)):
            airgap.write("package-lock.json", json.dumps(document))
            write_project(airgap, {"npm": [{"lockfile": "package-lock.json", "registry": f"{server.url}/npm"}]})
            export(airgap)
            assert [entry[:2] for entry in entries(airgap)] == [("@corp/demo-lib", "1.5.0"), ("demo-app", "1.2.0")]
            assert "/npm/demo-app" not in {request.path for request in server.requests}  # nothing is resolved


def test_what_the_project_itself_has_is_left_out(airgap: Airgap) -> None:
    document = lock(LIB, "https://nowhere.invalid")
    document["packages"] |= {
        "packages/own": {"version": "1.0.0"},
        "node_modules/own": {"link": True, "resolved": "packages/own"},
        "node_modules/file": {"version": "1.0.0", "resolved": "file:file-1.0.0.tgz"},
        "node_modules/x/node_modules/inside": {"version": "1.0.0", "inBundle": True},
    }
    with registry(LIB) as server:
        airgap.write("package-lock.json", json.dumps(document))
        write_project(airgap, {"npm": [{"lockfile": "package-lock.json", "registry": f"{server.url}/npm"}]})
        export(airgap)
        assert [entry[0] for entry in entries(airgap)] == ["@corp/demo-lib"]


def test_a_file_that_is_not_what_the_lock_file_says(airgap: Airgap) -> None:
    wrong = integrity(b"another")
    with registry(WANTED) as server:
        airgap.write("package-lock.json", json.dumps(lock(WANTED, f"{server.url}/npm", lie=wrong)))
        write_project(airgap, {"npm": [{"lockfile": "package-lock.json"}]})
        said = export(airgap, code=31)
        assert base64.b64decode(wrong.partition("-")[2]).hex() in said.stderr
        assert not (airgap.folder / "demo.tar").exists()
        write_project(airgap, {"npm": [{"package": "@corp/demo-lib", "registry": f"{server.url}/npm"}]})
    with registry(LIB, lie=wrong) as server:
        write_project(airgap, {"npm": [{"package": "@corp/demo-lib", "registry": f"{server.url}/npm"}]})
        export(airgap, code=31)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"resolved": "git+ssh://git@example.com/x.git#0123456"}, "taken from version control"),
        ({"integrity": "sha512-AAAA"}, "is no digest"),
        ({"integrity": "md5-AAAA"}, "is no digest"),
        ({"version": "../1.0.0"}, "is no package"),
        ({"name": "../../evil"}, "is no package"),
    ],
)
def test_a_lock_file_that_cannot_be_followed(airgap: Airgap, change: dict[str, str], expected: str) -> None:
    document = lock(LIB, "https://nowhere.invalid")
    document["packages"]["node_modules/@corp/demo-lib"].update(change)
    airgap.write("package-lock.json", json.dumps(document))
    write_project(airgap, {"npm": [{"lockfile": "package-lock.json"}]})
    said = airgap.run("export", "--only-artifacts", code=None)
    assert said.code in (2, 30)
    assert expected in said.errors[0]
    assert "package-lock.json" in said.errors[0]


def test_a_lock_file_beyond_the_limits(airgap: Airgap) -> None:
    airgap.write("package-lock.json", json.dumps(lock(LIB, "https://nowhere.invalid")))
    write_project(airgap, {"npm": [{"lockfile": "package-lock.json"}]})
    for name, code in (("lockfile-values", 30), ("lockfile-bytes", 2)):
        airgap.environment["AIRGAP_LIMITS"] = f"{name}=5"
        said = export(airgap, code=code)
        assert "package-lock.json" in said.errors[0]


@pytest.mark.parametrize("content", ["[]", "{}", "no JSON", '{"packages": 1}', '{"packages": {"node_modules/x": 1}}'])
def test_what_is_no_lock_file(airgap: Airgap, content: str) -> None:
    airgap.write("package-lock.json", content)
    write_project(airgap, {"npm": [{"lockfile": "package-lock.json"}]})
    assert "no lock file of npm" in export(airgap, code=30).errors[0]


@pytest.mark.parametrize("place", ["npmrc", "project", "variable", "address", "token"])
def test_credentials_are_those_of_npm_and_appear_nowhere(airgap: Airgap, place: str) -> None:
    pair = base64.b64encode(b"reader:pass-word").decode()
    wanted = "Bearer pass-word" if place == "token" else f"Basic {pair}"
    with registry(LIB, authorization=wanted) as server:
        url = f"{server.url}/npm"
        own = url.removeprefix("http:")
        airgap.environment["npm_config_fetch_retries"] = "0"
        airgap.write("web/package-lock.json", json.dumps(lock(LIB, url)))
        entry = {"lockfile": "web/package-lock.json"}
        if place == "address":
            entry = {"package": "@corp/demo-lib", "registry": url.replace("//", "//reader:pass-word@")}
        if place == "npmrc":
            password = base64.b64encode(b"pass-word").decode()
            (airgap.home / ".npmrc").write_text(f"{own}/:username=reader\n{own}/:_password={password}\n")
        if place == "variable":
            (airgap.home / ".npmrc").write_text(f"registry={url}/\n{own}/:_auth=${{NPM_PAIR}}\n")
            airgap.environment["NPM_PAIR"] = pair
            entry = {"package": "@corp/demo-lib"}
        if place == "token":
            (airgap.home / ".npmrc").write_text(f"; mine\n//{server.url.partition('//')[2]}/:_authToken = pass-word\n")
        if place == "project":
            airgap.write("web/.npmrc", f"{own}/:_auth={pair}\n")
        write_project(airgap, {"npm": [entry]})
        said = export(airgap, "--lock", "airgap.lock")
        for content in (said.stderr.encode(), (airgap.folder / "demo.tar").read_bytes(),
                        (airgap.folder / "airgap.lock").read_bytes()):  # fmt: skip
            assert b"pass-word" not in content
            assert pair.encode() not in content
        export(airgap, "--lock", "airgap.lock")
    said = airgap.run("export", "--only-artifacts", "-o", "other.tar", code=None)
    assert said.code in (10, 24)
    assert "pass-word" not in said.stderr


def test_a_token_is_not_sent_to_another_host(airgap: Airgap) -> None:
    with files_over_http({file_path(*key): data for key, data in LIB.items()}) as elsewhere:
        airgap.write("package-lock.json", json.dumps(lock(LIB, elsewhere.url)))
        (airgap.home / ".npmrc").write_text("//registry.corp/:_authToken=secret\nregistry=http://registry.corp/\n")
        write_project(airgap, {"npm": [{"lockfile": "package-lock.json"}]})
        export(airgap)
        assert [request.authorization for request in elsewhere.requests] == [""]


def test_npm_has_no_such_package(airgap: Airgap) -> None:
    with registry(LIB) as server:
        for wanted in ("nothing@1.0.0", "@corp/demo-lib@9"):
            write_project(airgap, {"npm": [{"package": wanted, "registry": f"{server.url}/npm"}]})
            said = export(airgap, code=10)
            assert "airgap.yaml:1" in said.errors[0]
            assert "check name and version" in said.stderr


@pytest.mark.parametrize(
    "wanted", ["--evil", "file:../x", "git+https://example.com/x", "a/b", "x@https://example.com/x.tgz"]
)
def test_what_names_no_package_of_a_registry(airgap: Airgap, wanted: str) -> None:
    write_project(airgap, {"npm": [{"package": wanted}]})
    assert "names no package of a registry" in export(airgap, code=2).errors[0]


def test_serve_is_a_registry_and_hosts_has_the_command_for_it(airgap: Airgap, tmp_path: Path) -> None:
    locked(airgap)
    with create_server(airgap.folder / "demo.tar", LOOPBACK, 0) as server:
        assert npm_install(tmp_path / "web", npmrc(f"{server.url}/npm"), "demo-app") == INSTALLED
    said = airgap.run("hosts", "http://nexus.corp:8081/repository/npm-hosted/", "--for", "npm")
    command = "npm config set --location=global registry=http://nexus.corp:8081/repository/npm-hosted/"
    assert f"{command} replace-registry-host=always" in said.text
