# SPDX-License-Identifier: Apache-2.0
"""Debian packages: resolved by apt-get, into Nexus and folders, out of which apt-get and dpkg install."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap import limits
from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.apt.auth_conf import AptCredentials
from airgap.artifacts.formats.apt.client import AptSources
from airgap.artifacts.formats.apt.control import format_paragraph
from airgap.artifacts.formats.apt.deb import read_control
from airgap.artifacts.formats.apt.index_check import check_index
from airgap.artifacts.formats.apt.layout import AptLayout
from airgap.artifacts.formats.apt.names import check_word
from airgap.artifacts.web import WebServer
from airgap.errors import ContentError, UsageError
from airgap.explain import find_matches
from airgap.flows.serve import create_server
from airgap.records import replace
from airgap.registry import Credentials, Registries
from airgap.targets.nexus.settings import RepositorySettings
from airgap.transfer import Context
from tests.artifacts.carrying import bundle_json, carry, export, far_nexus, files_over_http, uploads, write_project
from tests.artifacts.debian_repository import (
    AptRoot,
    Deb,
    Files,
    Key,
    deb,
    end_agent,
    make_key,
    repository,
    source,
    unpacked,
)  # fmt: skip
from tests.cli.command import Airgap
from tests.doubles.nexus import Nexus, Repository, Settings
from tests.doubles.registry import Answer, Double, Request
from tests.parts.network import closed_network, inside, nginx_over_folder
from tests.parts.service import LOOPBACK, clean_environment, running

pytestmark = pytest.mark.requires("apt-get", "dpkg-deb")

APP = deb("demo-app", "1:1.0-1", Depends="demo-lib (>= 1), demo-virtual", Recommends="demo-extra")
LIB = deb("demo-lib", "1.5", architecture="all")
PROVIDER = deb("demo-provider", "2.0+b1", Provides="demo-virtual")
EXTRA = deb("demo-extra", "1.0")
EVERYTHING = (APP, LIB, PROVIDER, EXTRA)
NEEDED = (APP, LIB, PROVIDER)
INSTALLED = {"demo-app": "1:1.0-1", "demo-lib": "1.5", "demo-provider": "2.0+b1"}
IN_NEXUS = {
    "pool/d/demo-app/demo-app_1:1.0-1_amd64.deb": APP.data,
    "pool/d/demo-lib/demo-lib_1.5_all.deb": LIB.data,
    "pool/d/demo-provider/demo-provider_2.0+b1_amd64.deb": PROVIDER.data,
}
HOSTED = (Repository("apt-hosted", format="apt", write_policy="ALLOW_ONCE", distribution="demo"),)


def entry(mirror: str, **more: object) -> dict[str, object]:
    usual = {"packages": ["demo-app"], "suites": ["demo"], "architectures": ["amd64"], "trusted": "yes"}
    return {**usual, "mirror": mirror, **more}


def exported(airgap: Airgap, files: Files, **entry_keys: object) -> None:
    """Export from a mirror that is gone afterwards."""
    with files_over_http(files) as server:
        write_project(airgap, {"apt": [entry(server.url, **entry_keys)]})
        export(airgap)


@pytest.fixture(scope="module")
def bundle() -> list[bytes]:
    """The bundle with what demo-app needs, once a test has made it."""
    return []


def carried(airgap: Airgap, bundle: list[bytes]) -> None:
    """The bundle with what demo-app needs."""
    if not bundle:
        exported(airgap, repository(EVERYTHING))
        bundle.append((airgap.folder / "demo.tar").read_bytes())
    airgap.write("demo.tar", bundle[0])


def versions(airgap: Airgap) -> dict[str, str]:
    return {one["name"]: one["version"] for one in bundle_json(airgap)["artifacts"]}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Key]:
    made = make_key(tmp_path_factory.mktemp("key"))
    yield made
    end_agent(made)


def test_a_package_reaches_nexus_and_apt_installs_it_from_there(
    airgap: Airgap, bundle: list[bytes], tmp_path: Path
) -> None:
    carried(airgap, bundle)
    assert versions(airgap) == INSTALLED
    with far_nexus(repositories=HOSTED) as server:
        said = carry(airgap, "--nexus", server.url)
        assert server.repository("apt-hosted").files == IN_NEXUS
        url = f"{server.url}/repository/apt-hosted"
        assert f"airgap hosts {url}/dists/demo --for apt" in said.stderr
        assert AptRoot(tmp_path / "root", source(url)).install("demo-app") == INSTALLED
        carry(airgap, "--nexus", server.url)
        assert uploads(server) == len(NEEDED)
        words = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "admin-word"}
        assert (
            f"{url} takes apt artifacts" in airgap.run("doctor", "--artifacts-to", f"apt={url}", environment=words).text
        )


def test_apt_installs_from_a_folder(airgap: Airgap, bundle: list[bytes], tmp_path: Path) -> None:
    carried(airgap, bundle)
    carry(airgap, "--artifacts-to", "apt=file:out")
    root = airgap.folder / "out"
    for one in NEEDED:
        name = one.field("Package")
        assert (root / f"pool/d/{name}/{one.file}").read_bytes() == one.data
    packages = (root / "dists/demo/main/binary-amd64/Packages").read_text()
    assert packages == unpacked((root / "dists/demo/main/binary-amd64/Packages.gz").read_bytes())
    assert "Description: a demo\n with a second line\n .\n and a third\n" in packages
    release = (root / "dists/demo/Release").read_text()
    digest = hashlib.sha256(packages.encode()).hexdigest()
    assert f" {digest} {len(packages)} main/binary-amd64/Packages\n" in release
    served = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with files_over_http(served) as server:
        assert AptRoot(tmp_path / "root", source(server.url)).install("demo-app") == INSTALLED
    said = carry(airgap, "--artifacts-to", "apt=file:out")
    assert "0 artifacts uploaded, 3 already there" in said.stderr


@pytest.mark.long
def test_a_folder_keeps_the_suites_of_earlier_releases(airgap: Airgap) -> None:
    def release(suite: str, *packages: Deb) -> None:
        names = [one.field("Package") for one in packages]
        exported(airgap, repository(packages, suite=suite), suites=[suite], packages=names)
        carry(airgap, "--artifacts-to", "apt=file:out")

    release("old", LIB)
    release("new", LIB, EXTRA)
    release("old", EXTRA)
    for suite in ("old", "new"):
        text = (airgap.folder / f"out/dists/{suite}/main/binary-amd64/Packages").read_text()
        assert [line for line in text.splitlines() if line.startswith("Package:")] == [
            "Package: demo-extra", "Package: demo-lib",
        ]  # fmt: skip


@pytest.mark.long
def test_serve_is_a_repository(airgap: Airgap, bundle: list[bytes], tmp_path: Path) -> None:
    carried(airgap, bundle)
    with create_server(airgap.folder / "demo.tar", LOOPBACK, 0) as server:
        (file,) = AptSources().setup(f"{server.url}/apt/dists/demo").files
        assert AptRoot(tmp_path / "root", file.content.decode()).install("demo-app") == INSTALLED


@pytest.mark.requires("nginx")
def test_in_a_network_that_has_only_the_target(airgap: Airgap, bundle: list[bytes], tmp_path: Path) -> None:
    carried(airgap, bundle)
    carry(airgap, "--artifacts-to", "apt=file:out")
    with (
        closed_network(tmp_path / "net", "10.66.0.2", names={"apt.corp": "10.66.0.2"}) as network,
        nginx_over_folder(tmp_path, airgap.folder / "out", network),
    ):
        system = AptRoot(tmp_path / "root", source("http://apt.corp:8000"), prefix=network.prefix)
        assert system.install("demo-app") == INSTALLED


@pytest.mark.long
def test_in_a_network_that_has_only_a_laptop_and_nexus(airgap: Airgap, bundle: list[bytes], tmp_path: Path) -> None:
    carried(airgap, bundle)
    with closed_network(tmp_path / "net", "10.66.0.2", names={"laptop.corp": "10.66.0.2"}) as network:
        there = [*network.prefix, "env", "-C", str(airgap.folder)]
        far = inside(network, lambda: Nexus(Settings(repositories=HOSTED, anonymous=True)))
        try:
            command = [*there, *airgap.command("import", "demo.tar", "--only-artifacts", "--nexus", far.url)]
            words = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "admin-word"}
            environment = airgap.whole_environment(words)
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
            nexus = AptRoot(tmp_path / "one", source(f"{far.url}/repository/apt-hosted"), prefix=network.prefix)
            assert nexus.install("demo-app") == INSTALLED
        finally:
            far.stop()
        command = [*there, *airgap.command("serve", "demo.tar", "--listen", "10.66.0.2:5000")]
        log = airgap.folder / "serve.log"
        with running(command, log=log, ready=lambda: network.accepts(5000), environment=airgap.whole_environment()):
            laptop = AptRoot(tmp_path / "two", source("http://laptop.corp:5000/apt"), prefix=network.prefix)
            assert laptop.install("demo-app") == INSTALLED


def test_the_lock_gives_the_same_bytes_after_a_newer_version(airgap: Airgap) -> None:
    files = repository(EVERYTHING)
    with files_over_http(files) as server:
        write_project(airgap, {"apt": [entry(server.url)]})
        export(airgap, "--lock", "airgap.lock")
        first = (airgap.folder / "demo.tar").read_bytes()
        files.update(repository([*EVERYTHING, deb("demo-lib", "1.6", architecture="all")]))
        server.requests.clear()
        export(airgap, "--lock", "airgap.lock")
        assert (airgap.folder / "demo.tar").read_bytes() == first
        assert sorted(request.path for request in server.requests) == [f"/{one.pool}" for one in NEEDED]
        export(airgap, "--lock", "airgap.lock", "--refresh")
        assert versions(airgap)["demo-lib"] == "1.6"
        files[LIB.pool.replace("1.5", "1.6")] = LIB.data
        assert "--refresh" in export(airgap, "--lock", "airgap.lock", code=31).stderr


@pytest.mark.long
def test_a_mirror_in_a_folder_with_its_lock(airgap: Airgap) -> None:
    for path, content in repository(EVERYTHING).items():
        airgap.write(f"mirror of ours/{path}", content)
    write_project(airgap, {"apt": [entry(f"file://{airgap.folder}/mirror of ours")]})
    export(airgap, "--lock", "airgap.lock")
    assert versions(airgap) == INSTALLED
    first = (airgap.folder / "demo.tar").read_bytes()
    export(airgap, "--lock", "airgap.lock")
    assert (airgap.folder / "demo.tar").read_bytes() == first


def test_suites_and_architectures_are_resolved_by_themselves(airgap: Airgap) -> None:
    arm = deb("demo-tool", "1.0", architecture="arm64", Depends="demo-lib")
    amd = deb("demo-tool", "1.0", Depends="demo-lib")
    newer = deb("demo-tool", "2.0", architecture="arm64")
    files = {**repository([arm, amd, LIB], suite="one", by_hash=True), **repository([newer, EXTRA], suite="two")}
    with files_over_http(files) as server:
        own = {"packages": ["demo-tool"], "mirror": server.url, "trusted": "yes"}
        both = {**own, "suites": ["one"], "architectures": ["amd64", "arm64"]}
        write_project(airgap, {"apt": [both, {**own, "suites": ["two"], "architectures": ["arm64"]}]})
        export(airgap)
    files_carried = [(one["version"], one["file"]) for one in bundle_json(airgap)["artifacts"]]
    assert files_carried == [
        ("1.5", "demo-lib_1.5_all.deb"), ("1.0", "demo-tool_1.0_amd64.deb"), ("1.0", "demo-tool_1.0_arm64.deb"),
        ("2.0", "demo-tool_2.0_arm64.deb"),
    ]  # fmt: skip
    carry(airgap, "--artifacts-to", "apt=file:out")
    dists = airgap.folder / "out/dists"
    listed = {
        path.relative_to(dists).parent.as_posix(): path.read_text().count("Package: ")
        for path in dists.rglob("Packages")
    }
    assert listed == {"one/main/binary-amd64": 2, "one/main/binary-arm64": 2, "two/main/binary-arm64": 1}


@pytest.mark.long
def test_components_and_packages_for_every_architecture(airgap: Airgap) -> None:
    """A mirror may have an index of its own for "all", as Nexus does: export from there is carrying on."""
    exported(airgap, repository(EVERYTHING, components=("ours", "main")), components=["ours", "main"])
    assert versions(airgap) == INSTALLED
    with far_nexus(repositories=HOSTED) as server:
        carry(airgap, "--nexus", server.url)
        write_project(airgap, {"apt": [entry(f"{server.url}/repository/apt-hosted")]})
        export(airgap)
    assert versions(airgap) == INSTALLED


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none", "xz"])
def test_control_files_of_every_compression(compression: str, tmp_path: Path) -> None:
    one = deb("demo-lib", "1.5", compression=compression)
    (tmp_path / "x.deb").write_bytes(one.data)
    assert format_paragraph(read_control(tmp_path / "x.deb", "x")) == one.control


def test_a_control_file_that_unpacks_to_too_much(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(LIB.data)
    with limits.changed({"package-metadata-bytes": 1000}), pytest.raises(ContentError, match="more than 1000 bytes"):
        read_control(tmp_path / "x.deb", "x")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("package", "-oDir::Etc=/evil"), ("package", "demo-app-"), ("package", "demo*"), ("package", "a b"),
        ("suite", "../demo"), ("suite", "/etc"), ("suite", ""), ("architecture", "AMD64"), ("component", "main ours"),
    ],
)  # fmt: skip
def test_what_is_no_name(kind: str, text: str) -> None:
    with pytest.raises(UsageError, match="is no"):
        check_word(kind, text, where="airgap.yaml:1")


def test_the_release_must_be_signed_with_the_key(airgap: Airgap, key: Key, tmp_path: Path) -> None:
    signed = repository(EVERYTHING, sign=key.sign)
    exported(airgap, signed, keyring=str(key.public), trusted="no")
    assert versions(airgap) == INSTALLED
    other = subprocess.run(["find", "/usr/share/keyrings", "-name", "debian-archive-keyring.*"], capture_output=True,
                           text=True, check=True).stdout.split()  # fmt: skip
    changed = {**signed, "dists/demo/InRelease": signed["dists/demo/InRelease"].replace(b"Suite: demo", b"Suite: evil")}
    for files, keyring in ((signed, other[0]), (changed, str(key.public)), (repository(EVERYTHING), str(key.public))):
        with files_over_http(files) as server:
            write_project(airgap, {"apt": [entry(server.url, keyring=keyring, trusted="no")]})
            said = export(airgap, "-o", "other.tar", code=10)
        assert "airgap.yaml:1" in said.errors[0]
        assert "keyring: names the file" in said.stderr
        assert server.url in said.errors[0]
    assert not (airgap.folder / "other.tar").exists()


@pytest.mark.long
def test_a_signed_repository_of_nexus(airgap: Airgap, bundle: list[bytes], key: Key, tmp_path: Path) -> None:
    carried(airgap, bundle)
    hosted = Repository("apt-hosted", format="apt", distribution="demo", sign=key.sign)
    with far_nexus(repositories=(hosted,)) as server:
        carry(airgap, "--nexus", server.url)
        url = f"{server.url}/repository/apt-hosted"
        system = AptRoot(tmp_path / "root", source(url, Signed_By=str(key.public)))
        assert system.install("demo-app") == INSTALLED


def test_another_package_of_the_same_name_and_version(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    other = deb("demo-lib", "1.5", architecture="all", text="changed")
    with far_nexus(repositories=HOSTED) as server:
        server.repository("apt-hosted").files["pool/d/demo-lib/demo-lib_1.5_all.deb"] = other.data
        said = carry(airgap, "--nexus", server.url, code=50)
        for one in (LIB, other):
            assert hashlib.sha256(one.data).hexdigest() in said.stderr
        assert uploads(server) == 0


def test_nexus_says_how_its_repository_is_made(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    with far_nexus(repositories=()) as server:
        for words in ((), ("--create-repositories",)):
            said = carry(airgap, "--nexus", server.url, *words, code=51)
            assert "Signing key" in said.stderr
        assert not server.asked("POST", "/repositories")
    with files_over_http({}) as server:
        said = carry(airgap, "--artifacts-to", f"apt={server.url}/debian", user=None, code=50)
        assert "apt=file:///srv/apt" in said.stderr


@pytest.mark.long
def test_two_suites_do_not_go_into_one_repository_unnoticed(airgap: Airgap) -> None:
    files = {**repository([LIB], suite="one"), **repository([EXTRA], suite="two")}
    with files_over_http(files) as server:
        own = {"architectures": ["amd64"], "mirror": server.url, "trusted": "yes"}
        first = {**own, "packages": ["demo-lib"], "suites": ["one"]}
        write_project(airgap, {"apt": [first, {**own, "packages": ["demo-extra"], "suites": ["two"]}]})
        export(airgap)
    with far_nexus(repositories=HOSTED) as server:
        said = carry(airgap, "--nexus", server.url)
        assert "one, two" in said.stderr


@pytest.mark.parametrize(("lag", "warns"), [(1, False), (-1, True)])
def test_an_index_that_nexus_writes_late_or_never(lag: int, *, warns: bool) -> None:
    hosted = Repository("apt-hosted", format="apt", distribution="demo", index_lag=lag)
    there = RepositorySettings("apt-hosted", "apt", "hosted")
    artifacts = [
        Artifact("apt", one.field("Package"), one.field("Version"), one.file,
                 f"sha256:{hashlib.sha256(one.data).hexdigest()}", len(one.data), "", {"indexes": "demo/amd64"})
        for one in (APP, PROVIDER)
    ]  # fmt: skip
    with far_nexus(repositories=(hosted,)) as server, Registries(credentials=Credentials({}, {})) as registries:
        server.repository("apt-hosted").files.update(IN_NEXUS)
        web = WebServer.at(registries, f"{server.url}/repository/apt-hosted")
        found = check_index(web, there, artifacts, Context(), waits=(0, 0.01))
        assert bool(found) == warns
        assert not found or "demo does not list 2 of the packages: demo-app 1:1.0-1" in found[0].what
        # Another file under the version is not the one that was uploaded.
        other = replace(artifacts[0], digest=f"sha256:{'0' * 64}")
        assert check_index(web, there, [other], Context(), waits=(0,))
        # A user who may not see which suite the repository has is told nothing of another one.
        elsewhere = replace(artifacts[0], properties={"indexes": "other/amd64"})
        assert check_index(web, there, [elsewhere], Context(), waits=(0,)) == []


@pytest.mark.long
def test_an_import_waits_for_the_index(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    hosted = Repository("apt-hosted", format="apt", distribution="demo", index_lag=3)
    with far_nexus(repositories=(hosted,)) as server:
        said = carry(airgap, "--nexus", server.url)
        assert "does not list" not in said.stderr
        assert len(server.asked("GET", "binary-amd64/Packages")) >= 2


def test_another_suite_than_that_of_the_repository(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    with far_nexus(repositories=(Repository("debs", format="apt", distribution="bookworm"),)) as server:
        said = carry(airgap, "--nexus", server.url, "--dry-run")
        assert "debs has the suite bookworm, and the packages are of demo" in said.stderr
        said = carry(airgap, "--nexus", server.url)
        assert f"airgap hosts {server.url}/repository/debs/dists/bookworm --for apt" in said.stderr
        assert "Suite: bookworm" in httpx.get(f"{server.url}/repository/debs/dists/bookworm/Release").text


@pytest.mark.parametrize(
    ("change", "code", "expected"),
    [
        ({"packages": ["nothing-there"]}, 10, "check its name"),
        ({"packages": ["demo.app"]}, 2, "the suite has no package demo.app"),
        ({"packages": []}, 2, "packages"),
        ({"suites": ["../demo"]}, 2, "is no suite of Debian"),
        ({"suites": ["sid"]}, 22, "the mirror has no suite sid"),
        ({"architectures": ["s390x"]}, 2, "demo has no main for s390x"),
        ({"components": ["contrib"]}, 2, "demo has no contrib for amd64"),
        ({"mirror": "ftp://example.com"}, 2, "is no http or https address"),
        ({"trusted": "maybe"}, 2, "trusted is yes or no"),
        ({"keyring": "gone.gpg", "trusted": "no"}, 2, "gone.gpg"),
    ],
)
def test_what_cannot_be_resolved(airgap: Airgap, change: dict[str, object], code: int, expected: str) -> None:
    with files_over_http(repository(EVERYTHING)) as server:
        write_project(airgap, {"apt": [{**entry(server.url), **change}]})
        said = export(airgap, code=code)
    assert expected in said.errors[0] + said.stderr
    assert "airgap.yaml:1" in said.stderr


@pytest.mark.long
def test_packages_that_do_not_fit_together(airgap: Airgap) -> None:
    with files_over_http(repository([APP, LIB])) as server:
        write_project(airgap, {"apt": [entry(server.url)]})
        said = export(airgap, code=10)
    assert "demo-app : Depends: demo-virtual" in said.errors[0]


@pytest.mark.long
def test_a_virtual_package_may_be_asked_for(airgap: Airgap) -> None:
    exported(airgap, repository(EVERYTHING), packages=["demo-virtual"])
    assert versions(airgap) == {"demo-provider": "2.0+b1"}


def test_a_file_that_is_not_what_the_index_says(airgap: Airgap) -> None:
    other = bytearray(LIB.data)
    other[-1] ^= 1
    files = {**repository(EVERYTHING), LIB.pool: bytes(other)}
    with files_over_http(files) as server:
        write_project(airgap, {"apt": [entry(server.url)]})
        said = export(airgap, code=31)
    assert hashlib.sha256(LIB.data).hexdigest() in said.stderr
    assert not (airgap.folder / "demo.tar").exists()


@pytest.mark.parametrize("there", [None, b"of the next release"], ids=str)
def test_an_index_that_changes_after_its_release(airgap: Airgap, there: bytes | None) -> None:
    files = repository(EVERYTHING)
    path = "dists/demo/main/binary-amd64/Packages.xz"
    before = files.pop(path)
    with files_over_http(files) as server:
        if there is not None:
            files[path] = there
        write_project(airgap, {"apt": [entry(server.url)]})
        said = export(airgap, code=22 if there is None else 31)
        assert "try again in a while" in said.stderr
        files[path] = before
        export(airgap)
    assert versions(airgap) == INSTALLED


def test_a_file_that_does_not_end_where_the_index_says(airgap: Airgap) -> None:
    files = {**repository(EVERYTHING), LIB.pool: LIB.data + bytes(1_000_000)}
    with files_over_http(files) as server:
        write_project(airgap, {"apt": [entry(server.url)]})
        said = export(airgap, code=31)
    assert "demo-lib" in said.errors[0]
    assert "more bytes than are expected" in said.errors[0]
    # Nothing of it is kept for the next run.
    kept = sum(path.stat().st_size for path in (airgap.folder / "demo.tar.artifacts/files").iterdir())
    assert kept < 1_000_000


@pytest.mark.parametrize("data", [b"", b"!<arch>\n", b"no package", APP.data[:100], APP.data[:-600]], ids=str)
def test_a_file_that_is_no_package(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.deb").write_bytes(data)
    with pytest.raises(ContentError, match="this is no Debian package"):
        read_control(tmp_path / "x.deb", "x")


def test_a_file_of_another_package(airgap: Airgap) -> None:
    with files_over_http(repository([Deb(EXTRA.control, LIB.data)])) as server:
        write_project(airgap, {"apt": [entry(server.url, packages=["demo-extra"])]})
        said = export(airgap, code=30)
    assert "this file is of the package demo-lib 1.5" in said.errors[0]


def test_an_index_that_leads_out_of_the_mirror(airgap: Airgap) -> None:
    class Elsewhere(Deb):
        @property
        def pool(self) -> str:
            return "../../secret.deb"

    with files_over_http(repository([Elsewhere(EXTRA.control, EXTRA.data)])) as server:
        write_project(airgap, {"apt": [entry(server.url, packages=["demo-extra"])]})
        assert "leads out of it" in export(airgap, code=30).errors[0]


CONTROL = "Package: demo\nVersion: 1.0\nArchitecture: amd64\n"


@pytest.mark.parametrize(
    "properties",
    [
        {"indexes": "../../evil/amd64", "control": CONTROL}, {"indexes": "demo/../x", "control": CONTROL},
        {"indexes": "demo/amd64", "control": CONTROL.replace("demo", "other")}, {"indexes": "demo/amd64"},
    ],
    ids=str,
)  # fmt: skip
def test_properties_that_would_lead_out_of_a_folder(properties: dict[str, str]) -> None:
    one = Artifact("apt", "demo", "1.0", "demo_1.0_amd64.deb", f"sha256:{'0' * 64}", 1, "", properties)
    with pytest.raises(ContentError, match="has not the properties"):
        AptLayout().documents([one], "")


def test_a_control_file_cannot_change_what_the_index_says(tmp_path: Path) -> None:
    control = f"{CONTROL}Filename: evil\nfilename\t: evil\nsha256: 0\nNote: a\n\nPackage: second\n"
    properties = {"indexes": "demo/amd64", "control": control}
    one = Artifact("apt", "demo", "1.0", "demo_1.0_amd64.deb", f"sha256:{'1' * 64}", 7, "", properties)
    packages = AptLayout().documents([one], "")["dists/demo/main/binary-amd64/Packages"].decode()
    own = f"Filename: pool/d/demo/demo_1.0_amd64.deb\nSize: 7\nSHA256: {'1' * 64}\n"
    assert packages == f"{CONTROL}Note: a\n{own}"


@pytest.mark.parametrize("place", ["address", "auth.conf"])
def test_credentials_are_those_of_apt_and_appear_nowhere(airgap: Airgap, place: str) -> None:
    wanted = f"Basic {base64.b64encode(b'reader:pass-word').decode()}"
    files = repository(EVERYTHING)

    def answer(request: Request) -> Answer:
        if request.authorization != wanted:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="apt"'})
        content = files.get(request.path.removeprefix("/debian/"))
        return Answer(404) if content is None else Answer(200, content)

    server = Double(answer)
    try:
        mirror = f"{server.url}/debian"
        if place == "address":
            mirror = mirror.replace("//", "//reader:pass-word@")
        else:
            airgap.write("apt/auth.conf.d/ours.conf", f"# mine\nmachine {mirror}\n  login reader password pass-word\n")
            airgap.write("apt/apt.conf", f'Dir::Etc "{airgap.folder}/apt";\n')
            airgap.environment["APT_CONFIG"] = str(airgap.folder / "apt/apt.conf")
        write_project(airgap, {"apt": [entry(mirror)]})
        said = export(airgap, "--lock", "airgap.lock")
        for content in (said.stderr.encode(), (airgap.folder / "demo.tar").read_bytes(),
                        (airgap.folder / "airgap.lock").read_bytes()):  # fmt: skip
            assert b"pass-word" not in content
        airgap.environment.pop("APT_CONFIG", None)
        write_project(airgap, {"apt": [entry(f"{server.url}/debian")]})
        said = airgap.run("export", "--only-artifacts", "-o", "other.tar", code=21)
        assert "pass-word" not in said.stderr
    finally:
        server.stop()


def test_auth_conf_is_read_as_apt_reads_it(tmp_path: Path) -> None:
    (tmp_path / "auth.conf").write_text(
        "machine secure.corp login one password 1\nmachine http://plain.corp:8081/debian login two password 2\n"
        "machine https://plain.corp/\nlogin three\npassword 3\n"
    )
    (tmp_path / "apt.conf").write_text(f'Dir::Etc "{tmp_path}";\n')
    find = AptCredentials({**clean_environment(tmp_path), "APT_CONFIG": str(tmp_path / "apt.conf")}, []).find
    users = {
        "https://secure.corp/debian/pool/x.deb": "one", "https://secure.corp:8443/x": "one",
        "http://secure.corp/x": None, "http://plain.corp:8081/debian/x": "two",
        "http://plain.corp:8081/debian-security": None,
        "http://plain.corp:8082/debian/x": None, "https://plain.corp/x": "three", "https://other.corp/x": None,
    }  # fmt: skip
    found = {url: find(url) for url in users}
    assert {url: credential and credential.username for url, credential in found.items()} == users


def explained(said: str) -> str:
    """The id of the explanation that comes first."""
    return find_matches(said)[0].message.id


def test_what_apt_prints_is_explained(airgap: Airgap, key: Key, tmp_path: Path) -> None:
    files = repository([LIB], by_hash=True)
    files[LIB.pool] = EXTRA.data
    with files_over_http(files) as server:
        for number, (more, words, expected) in enumerate((
            ({"suite": "other"}, ("update",), "apt-no-release"),
            ({"suite": "other", "Signed_By": str(key.public)}, ("update",), "apt-no-release"),
            ({"Signed_By": str(key.public)}, ("update",), "apt-not-signed"),
            ({}, ("--yes", "--download-only", "install", "demo-lib"), "apt-hash-mismatch"),
        )):  # fmt: skip
            system = AptRoot(tmp_path / str(number), source(server.url, **more))
            if words[0] != "update":
                system.apt_get("update")
            assert explained(system.apt_get(*words, code=100)) == expected
    said = "N: Skipping acquire of configured file 'main/binary-i386/Packages' as repository 'http://h demo InRelease' "
    assert explained(said + "doesn't support architecture 'i386'") == "apt-architecture"
    assert explained('{"id":"*","message":"Invalid debian package: no control file"}') == "apt-no-control"


def test_without_a_mirror_it_is_that_of_this_machine(airgap: Airgap, key: Key) -> None:
    with files_over_http(repository(EVERYTHING, sign=key.sign)) as server:
        own = AptRoot(airgap.folder / "own", source(server.url, Signed_By=str(key.public)))
        own.apt_get("update")
        airgap.environment["APT_CONFIG"] = str(own.folder / "apt.conf")
        before = {path: path.stat().st_mtime_ns for path in own.folder.rglob("*")}
        write_project(airgap, {"apt": [{"packages": ["demo-app"], "suites": ["demo"], "architectures": ["amd64"]}]})
        export(airgap)
        assert versions(airgap) == INSTALLED
        assert {path: path.stat().st_mtime_ns for path in before} == before
        (own.folder / "etc/sources.list.d/demo.sources").write_text("")
        assert "mirror: names one" in export(airgap, "-o", "other.tar", code=2).stderr


def test_hosts_writes_a_source(airgap: Airgap) -> None:
    url = "http://nexus.corp:8081/repository/apt-hosted"
    words = ("hosts", f"{url}/dists/bookworm", "--for", "apt")
    expected = f"Types: deb\nURIs: {url}/\nSuites: bookworm\nComponents: main\nTrusted: yes\n"
    assert expected in airgap.run(*words).text
    path = "root/etc/apt/sources.list.d/airgap.sources"
    airgap.run(*words, "--root", "root")
    assert (airgap.folder / path).read_text() == expected
    assert "everything is there already" in airgap.run(*words, "--root", "root").stderr
    signed = f"# ours\nTypes: deb deb-src\nURIs: {url}/\nSuites: bookworm\nComponents: main\nSigned-By: /k.asc\n"
    other = "Types: deb\nURIs: http://other.corp/\nSuites: x\nComponents: main"
    airgap.write(path, f"{other}\n\n{signed}")
    assert (
        "+Suites: bookworm trixie"
        in airgap.run("hosts", f"{url}/dists/trixie", "--for", "apt", "--root", "root", "--diff").text
    )
    airgap.run("hosts", f"{url}/dists/trixie", "--for", "apt", "--root", "root")
    merged = signed.replace("bookworm", "bookworm trixie").replace("deb deb-src", "deb")
    assert (airgap.folder / path).read_text() == f"{other}\n\n{merged}"
    backups = [file for file in (airgap.folder / path).parent.iterdir() if file.name != "airgap.sources"]
    assert [file.read_text() for file in backups] == [f"{other}\n\n{signed}"]
