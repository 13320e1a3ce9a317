# SPDX-License-Identifier: Apache-2.0
"""Maven artifacts: resolved from poms, into Nexus, servers that take PUT, and folders, which the real Maven reads."""

from __future__ import annotations

import hashlib
import re
import subprocess
import xml.etree.ElementTree
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from airgap.artifacts.formats.maven.client import MavenSettingsFile
from airgap.artifacts.formats.maven.metadata import metadata_path, parse_metadata, write_metadata
from airgap.artifacts.formats.maven.ranges import VersionRange
from airgap.artifacts.formats.maven.versions import version_key
from airgap.errors import ContentError
from airgap.flows.serve import create_server
from tests.artifacts.carrying import bundle_json, carry, export, far_nexus, files_over_http, uploads, write_project
from tests.artifacts.maven_repository import Files, artifact, dependency, pom
from tests.cli.command import Airgap
from tests.doubles.registry import Answer, Double, Request
from tests.parts.need import need
from tests.parts.network import closed_network, nginx_over_folder
from tests.parts.service import LOOPBACK, clean_environment

#: Where Debian's packages of Java libraries lie.
DEBIAN_REPOSITORY = Path("/usr/share/maven-repo")

PARENT = artifact(
    "org.demo", "parent", "1", "pom", properties={"lib.version": "1.5"},
    managed=[dependency("org.demo", "bom", "2", kind="pom", scope="import")],
)  # fmt: skip
BOM = artifact(
    "org.demo", "bom", "2", "pom", properties={"v": "1.5"},
    managed=[dependency("org.demo", "lib", "${v}"), dependency("org.demo", "tool", "3.0")],
)  # fmt: skip
APP = artifact("org.demo", "app", "1.0", parent=("org.demo", "parent", "1"), dependencies=[
    dependency("org.demo", "lib"),
    dependency("org.demo", "tool", exclusions=[("org.demo", "logging")]),
    dependency("org.demo", "old", "1"),
    dependency("org.demo", "junit", "4", scope="test"),
    dependency("org.demo", "extra", "1", optional=True),
])  # fmt: skip
LIB = artifact("org.demo", "lib", "1.5", dependencies=[dependency("org.demo", "deep", "1.0")])
TOOL = artifact("org.demo", "tool", "3.0", dependencies=[
    dependency("org.demo", "logging", "1"),
    dependency("org.demo", "deep", "9.9", scope="runtime"),
    dependency("org.demo", "native", "1", kind="test-jar", scope="provided"),
    dependency("org.demo", "parts", "1", classifier="linux", kind="zip"),
])  # fmt: skip
DEEP = artifact("org.demo", "deep", "1.0")
DEEPER = artifact("org.demo", "deep", "9.9")
PARTS = artifact("org.demo", "parts", "1", "pom") | {"org/demo/parts/1/parts-1-linux.zip": b"zip"}
#: old has moved: of it only the pom is there.
OLD = {"org/demo/old/1/old-1.pom": pom("org.demo", "old", "1", moved=("", "fresh", "")).encode()}
FRESH = artifact("org.demo", "fresh", "1")
EVERYTHING: Files = {**PARENT, **BOM, **APP, **LIB, **TOOL, **DEEP, **DEEPER, **PARTS, **OLD, **FRESH}
#: What app needs: the nearest version of deep, and the pom of the other, which Maven reads too.
NEEDED = {
    *PARENT, *BOM, *APP, *LIB, *TOOL, *DEEP, *PARTS, *OLD, *FRESH, "org/demo/deep/9.9/deep-9.9.pom",
}  # fmt: skip


def paths(airgap: Airgap) -> set[str]:
    found = set()
    for entry in bundle_json(airgap)["artifacts"]:
        group, _, name = entry["name"].partition(":")
        found.add(f"{group.replace('.', '/')}/{name}/{entry['version']}/{entry['file']}")
    return found


def exported(airgap: Airgap, files: Files = EVERYTHING, *more: str) -> None:
    with files_over_http({**checksums(files), **files}) as server:
        write_project(airgap, {"maven": [{"coordinates": "org.demo:app:1.0", "repositories": [server.url]}]})
        export(airgap, *more)


def checksums(files: Files) -> Files:
    return {f"{path}.sha1": f"{hashlib.sha1(data).hexdigest()}  {path}\n".encode() for path, data in files.items()}


def mvn(folder: Path, url: str, project: str, *, prefix: Sequence[str] = ()) -> list[str]:
    """``mvn dependency:resolve`` with the settings.xml of ``airgap hosts``, which knows this repository alone; the
    files that it resolved. Only the plugin comes from elsewhere: from Debian's own repository, as the tail of the local
    one."""
    plugins = DEBIAN_REPOSITORY / "org/apache/maven/plugins/maven-dependency-plugin"
    versions = [path.name for path in plugins.glob("[0-9]*")]
    if not versions:
        pytest.skip("the package libmaven-dependency-plugin-java is not here")
    (settings,) = MavenSettingsFile().setup(url).files
    folder.mkdir(parents=True)
    (folder / "settings.xml").write_bytes(settings.content)
    (folder / "pom.xml").write_text(project)
    command = [*prefix, need("mvn"), "--batch-mode", "-f", str(folder), "-s", str(folder / "settings.xml")]
    command += [f"-Dmaven.repo.local={folder}/repository", f"-Dmaven.repo.local.tail={DEBIAN_REPOSITORY}"]
    command.append(f"org.apache.maven.plugins:maven-dependency-plugin:{max(versions, key=version_key)}:resolve")
    done = subprocess.run(
        command, capture_output=True, text=True, env=clean_environment(folder), timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout
    return re.findall(r"^\[INFO\]    (\S+):compile", done.stdout, re.MULTILINE)


def test_an_artifact_comes_with_what_it_needs_and_reaches_nexus(airgap: Airgap) -> None:
    exported(airgap)
    assert paths(airgap) == NEEDED
    with far_nexus("maven") as server:
        carry(airgap, "--nexus", server.url)
        stored = server.repository("maven-hosted").files
        assert stored == {path: EVERYTHING[path] for path in NEEDED}
        carry(airgap, "--nexus", server.url)
        assert uploads(server) == len(NEEDED)


#: A project whose pom has a parent, and that needs any version of app and what that needs.
PROJECT = pom("org.demo", "mine", "1", parent=("org.demo", "parent", "1"), dependencies=[
    dependency("org.demo", "app", "[1.0,2.0)"),
])  # fmt: skip
RESOLVED = [
    "org.demo:app:jar:1.0", "org.demo:lib:jar:1.5", "org.demo:deep:jar:1.0", "org.demo:tool:jar:3.0",
    "org.demo:parts:zip:linux:1", "org.demo:fresh:jar:1",
]  # fmt: skip


def check_kept(folder: Path) -> None:
    """What Maven has fetched is what the source had."""
    for path in NEEDED:
        assert (folder / "repository" / path).read_bytes() == EVERYTHING[path]


@pytest.mark.long
def test_the_real_maven_resolves_from_nexus(airgap: Airgap, tmp_path: Path) -> None:
    exported(airgap)
    with far_nexus("maven") as server:
        carry(airgap, "--nexus", server.url)
        assert mvn(tmp_path / "mvn", f"{server.url}/repository/maven-hosted", PROJECT) == RESOLVED
    check_kept(tmp_path / "mvn")


@pytest.mark.long
def test_the_real_maven_resolves_from_a_laptop(airgap: Airgap, tmp_path: Path) -> None:
    exported(airgap)
    with create_server(airgap.folder / "demo.tar", LOOPBACK, 0) as server:
        assert mvn(tmp_path / "mvn", f"{server.url}/maven", PROJECT) == RESOLVED
    check_kept(tmp_path / "mvn")


@pytest.mark.long
@pytest.mark.requires("nginx")
def test_in_a_network_that_has_only_the_target(airgap: Airgap, tmp_path: Path) -> None:
    exported(airgap)
    carry(airgap, "--artifacts-to", "maven=file:out")
    with (
        closed_network(tmp_path / "net", "10.66.0.2", names={"maven.corp": "10.66.0.2"}) as network,
        nginx_over_folder(tmp_path, airgap.folder / "out", network),
    ):
        assert mvn(tmp_path / "mvn", "http://maven.corp:8000", PROJECT, prefix=network.prefix) == RESOLVED
    check_kept(tmp_path / "mvn")


def test_serve_is_a_repository(airgap: Airgap) -> None:
    exported(airgap)
    with create_server(airgap.folder / "demo.tar", LOOPBACK, 0) as server, httpx.Client(base_url=server.url) as client:
        for path in NEEDED:
            assert client.get(f"/maven/{path}").content == EVERYTHING[path]
            assert client.get(f"/maven/{path}.sha1").text == hashlib.sha1(EVERYTHING[path]).hexdigest()
        metadata = client.get("/maven/org/demo/lib/maven-metadata.xml")
        assert "<version>1.5</version>" in metadata.text
        assert metadata.headers["Content-Type"] == "text/xml"
        assert client.put("/maven/org/demo/x.jar", content=b"x").status_code == 405


def test_a_folder_is_a_repository(airgap: Airgap) -> None:
    exported(airgap)
    carry(airgap, "--artifacts-to", "maven=file:out")
    root = airgap.folder / "out"
    for path in NEEDED:
        assert (root / path).read_bytes() == EVERYTHING[path]
        assert (root / f"{path}.sha1").read_text() == hashlib.sha1(EVERYTHING[path]).hexdigest()
    metadata = (root / "org/demo/deep/maven-metadata.xml").read_bytes()
    assert b"<release>9.9</release>" in metadata
    assert metadata.index(b"<version>1.0<") < metadata.index(b"<version>9.9<")
    assert (root / "org/demo/deep/maven-metadata.xml.sha1").read_text() == hashlib.sha1(metadata).hexdigest()


def test_other_servers_get_the_file_and_its_checksum_by_put(airgap: Airgap) -> None:
    exported(airgap)
    there: dict[str, bytes] = {}

    def answer(request: Request) -> Answer:
        path = request.path.removeprefix("/releases/")
        if request.method == "PUT":
            there[path] = request.read()
            return Answer(201)
        return Answer(200, there[path]) if path in there else Answer(404)

    server = Double(answer)
    try:
        carry(airgap, "--artifacts-to", f"maven={server.url}/releases", user=None)
        lists = {path for path in there if path.endswith("maven-metadata.xml")}
        assert {path for path in there if not path.endswith(".sha1")} == NEEDED | lists
        assert len(lists) == 9
        assert {f"{path}.sha1" for path in NEEDED} <= set(there)
        assert (
            there["org/demo/app/1.0/app-1.0.jar.sha1"].decode()
            == hashlib.sha1(APP["org/demo/app/1.0/app-1.0.jar"]).hexdigest()
        )
        # A second release adds its version to the list, and leaves the others as they are.
        there["org/demo/deep/maven-metadata.xml"] = write_metadata("org.demo", "deep", ["0.1", "9.9"])
        puts = server.count("PUT")
        carry(airgap, "--artifacts-to", f"maven={server.url}/releases", user=None)
        listed = parse_metadata(there["org/demo/deep/maven-metadata.xml"], where="")
        assert listed == ["0.1", "1.0", "9.9"]
        assert server.count("PUT") == puts + 2
        there["org/demo/app/1.0/app-1.0.jar"] = b"another"
        said = carry(airgap, "--artifacts-to", f"maven={server.url}/releases", user=None, code=50)
        assert "another file is already there" in said.stderr
    finally:
        server.stop()


def test_a_pom_of_this_machine_with_a_parent_beside_it(airgap: Airgap) -> None:
    managed = [dependency("org.demo", "deep", "9.9")]
    parent = pom("my", "parent", "1", packaging="pom", managed=managed, parent=("org.demo", "parent", "1"))
    child = pom("", "web", "", parent=("my", "parent", "1"), dependencies=[
        dependency("org.demo", "lib"), dependency("org.demo", "tool", "3.0", exclusions=[("*", "*")]),
    ])  # fmt: skip
    airgap.write("pom.xml", parent)
    airgap.write("web/pom.xml", child)
    with files_over_http({**checksums(EVERYTHING), **EVERYTHING}) as server:
        write_project(airgap, {"maven": [{"pom": "web/pom.xml", "repositories": [server.url]}]})
        export(airgap)
    # The project's own dependencyManagement goes before what lib says, and "*" excludes everything of tool.
    assert paths(airgap) == {*PARENT, *BOM, *LIB, *TOOL, *DEEPER}


def test_the_lock_asks_for_no_pom_and_gives_the_same_bytes(airgap: Airgap) -> None:
    with files_over_http({**checksums(EVERYTHING), **EVERYTHING}) as server:
        write_project(airgap, {"maven": [{"coordinates": "org.demo:app:1.0", "repositories": [server.url]}]})
        export(airgap, "--lock", "airgap.lock")
        first = (airgap.folder / "demo.tar").read_bytes()
        server.requests.clear()
        export(airgap, "--lock", "airgap.lock")
        assert (airgap.folder / "demo.tar").read_bytes() == first
        assert len(server.requests) == len(NEEDED)


def test_the_second_repository_has_what_the_first_lacks(airgap: Airgap) -> None:
    first = {**PARENT, **APP}
    second = {path: data for path, data in EVERYTHING.items() if path not in first}
    with files_over_http(first) as one, files_over_http({**checksums(second), **second}) as two:
        write_project(airgap, {"maven": [{"coordinates": "org.demo:app:1.0", "repositories": [one.url, two.url]}]})
        export(airgap)
    assert paths(airgap) == NEEDED


@pytest.mark.parametrize("path", ["org/demo/lib/1.5/lib-1.5.jar", "org/demo/bom/2/bom-2.pom"])
def test_a_file_that_is_not_what_its_checksum_says(airgap: Airgap, path: str) -> None:
    wrong = {**checksums(EVERYTHING), **EVERYTHING, f"{path}.sha1": b"0" * 40}
    with files_over_http(wrong) as server:
        write_project(airgap, {"maven": [{"coordinates": "org.demo:app:1.0", "repositories": [server.url]}]})
        said = export(airgap, code=31)
    assert "0" * 40 in said.errors[0]
    assert not (airgap.folder / "demo.tar").exists()


@pytest.mark.parametrize(
    ("change", "code", "expected"),
    [
        ("[1.0,2.0)", 2, "no repository lists its versions"),
        ("[1.0,2.0", 30, "is no range of versions"),
        ("1.0-SNAPSHOT", 2, "is no release"),
        ("${nobody}", 2, "no pom says which version"),
        ("77", 22, "no repository has org.demo:lib:pom:77"),
        ("../1", 30, "is no coordinates of Maven"),
    ],
)
def test_what_cannot_be_resolved(airgap: Airgap, change: str, code: int, expected: str) -> None:
    files = {**EVERYTHING, **artifact("org.demo", "app", "1.0", dependencies=[dependency("org.demo", "lib", change)])}
    with files_over_http(files) as server:
        write_project(airgap, {"maven": [{"coordinates": "org.demo:app:1.0", "repositories": [server.url]}]})
        said = export(airgap, code=code)
    assert expected in said.errors[0]
    assert "airgap.yaml:1" in said.errors[0]


def test_a_range_is_the_highest_version_that_is_listed(airgap: Airgap) -> None:
    """Of lib a range is wanted, of deep another version than the nearer one: both are taken."""
    lists = {metadata_path("org.demo", "lib"): write_metadata("org.demo", "lib", ["1.4", "1.5", "1.6-SNAPSHOT", "2.0"])}
    lists[metadata_path("org.demo", "deep")] = write_metadata("org.demo", "deep", ["1.0", "9.9"])
    app = artifact("org.demo", "app", "1.0", dependencies=[
        dependency("org.demo", "lib", "[1.0,2.0)"), dependency("org.demo", "more", "1"),
    ])  # fmt: skip
    more = artifact("org.demo", "more", "1", dependencies=[
        dependency("org.demo", "lib", "[1.2,)"), dependency("org.demo", "deep", "[5,)"),
    ])  # fmt: skip
    files = {**LIB, **DEEP, **DEEPER, **app, **more, **artifact("org.demo", "lib", "2.0")}
    with files_over_http({**checksums(files), **files, **lists}) as server:
        write_project(airgap, {"maven": [{"coordinates": "org.demo:app:1.0", "repositories": [server.url]}]})
        export(airgap, "--lock", "airgap.lock")
        assert paths(airgap) == {*app, *more, *LIB, *DEEP, *DEEPER}
        first = (airgap.folder / "demo.tar").read_bytes()
        # A newer version changes nothing for the lock.
        lists[metadata_path("org.demo", "lib")] = write_metadata("org.demo", "lib", ["1.5", "1.9"])
        export(airgap, "--lock", "airgap.lock")
        assert (airgap.folder / "demo.tar").read_bytes() == first
        files[next(iter(app))] = app[next(iter(app))].replace(b"[1.0,2.0)", b"[7,8]")
    with files_over_http({**files, **lists}) as server:
        write_project(airgap, {"maven": [{"coordinates": "org.demo:app:1.0", "repositories": [server.url]}]})
        assert "no version of org.demo:lib is in the range [7,8]" in export(airgap, code=2).errors[0]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[1.0]", ["1.0", "1"], ["1.1"]),
        ("[1.0,2.0)", ["1.0", "1.9.9", "2.0-rc1"], ["0.9", "2.0"]),
        ("(1.0,2.0]", ["1.1", "2.0"], ["1.0", "2.0.1"]),
        ("(,1.0], [1.2,)", ["0.1", "1.0", "1.2", "9"], ["1.1"]),
    ],
)
def test_ranges_are_those_of_maven(text: str, inside: list[str], outside: list[str]) -> None:
    wanted = VersionRange.parse(text)
    assert all(map(wanted.contains, inside))
    assert not any(map(wanted.contains, outside))
    assert wanted.highest([*outside, *inside]) == max(inside, key=version_key)


@pytest.mark.parametrize("text", ["[1.0", "[1.0)", "(1.0)", "[]", "[1,2)x", "[1,2,3]"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ContentError, match="no range of versions"):
        VersionRange.parse(text)


@pytest.mark.parametrize("content", [b"", b"<metadata>", b'<!DOCTYPE a [<!ENTITY b "c">]><metadata/>'])
def test_what_is_no_list_of_versions(content: bytes) -> None:
    with pytest.raises(ContentError, match=r"no maven-metadata\.xml"):
        parse_metadata(content, where="h")


@pytest.mark.parametrize("content", [b"no xml", b"<html/>", b'<!DOCTYPE x [<!ENTITY a "b">]><project/>'])
def test_what_is_no_pom(airgap: Airgap, content: bytes) -> None:
    airgap.write("pom.xml", content)
    write_project(airgap, {"maven": [{"pom": "pom.xml"}]})
    assert "this is no pom" in export(airgap, code=30).errors[0]


def test_an_artifact_that_has_moved(airgap: Airgap) -> None:
    """Named itself, through a property, over two poms; and two that lead to each other."""
    there = artifact("new.group", "there", "2", dependencies=[dependency("org.demo", "fresh", "1")])
    here = pom("org.demo", "here", "2", packaging="pom", properties={"to": "new.group"}, moved=("${to}", "between", ""))
    between = pom("new.group", "between", "2", moved=("", "there", "2"))
    circle = [pom("g", one, "1", moved=("", other, "")) for one, other in (("a", "b"), ("b", "a"))]
    poms = {
        "org/demo/here/2/here-2.pom": here, "new/group/between/2/between-2.pom": between,
        "g/a/1/a-1.pom": circle[0], "g/b/1/b-1.pom": circle[1],
    }  # fmt: skip
    files = {**there, **FRESH, **{path: text.encode() for path, text in poms.items()}}
    with files_over_http(files) as server:
        write_project(airgap, {"maven": [{"coordinates": "org.demo:here:2", "repositories": [server.url]}]})
        export(airgap)
        assert paths(airgap) == {*there, *FRESH, *list(poms)[:2]}
        write_project(airgap, {"maven": [{"coordinates": "g:a:1", "repositories": [server.url]}]})
        assert "has moved, and where to is not found" in export(airgap, code=2).errors[0]


def test_poms_that_are_each_others_parents(airgap: Airgap) -> None:
    one = artifact("a", "a", "1", "pom", parent=("b", "b", "1"))
    files = {**one, **artifact("b", "b", "1", "pom", parent=("a", "a", "1"))}
    with files_over_http(files) as server:
        write_project(airgap, {"maven": [{"coordinates": "a:a:1", "repositories": [server.url]}]})
        assert "its parents lead back to it" in export(airgap, code=30).errors[0]


def test_password_and_mirror_are_those_of_settings_xml(airgap: Airgap) -> None:
    wanted = "Basic cmVhZGVyOnBhc3Mtd29yZA=="

    def answer(request: Request) -> Answer:
        if request.authorization != wanted:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="maven"'})
        data = EVERYTHING.get(request.path.removeprefix("/all/"))
        return Answer(404) if data is None else Answer(200, data)

    server = Double(answer)
    try:
        (airgap.home / ".m2").mkdir()
        (airgap.home / ".m2/settings.xml").write_text(
            '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><servers><server><id>corp</id><username>reader</username>'
            "<password>${env.MAVEN_PASSWORD}</password></server></servers><mirrors><mirror><id>corp</id>"
            f"<mirrorOf>*</mirrorOf><url>{server.url}/all</url></mirror></mirrors></settings>"
        )
        airgap.environment["MAVEN_PASSWORD"] = "pass-word"
        write_project(airgap, {"maven": [{"coordinates": "org.demo:app:1.0"}]})
        export(airgap, "--lock", "airgap.lock")
        assert paths(airgap) == NEEDED
        for name in ("demo.tar", "airgap.lock"):
            assert b"pass-word" not in (airgap.folder / name).read_bytes()
    finally:
        server.stop()


WITHOUT_MIRROR = ["", "<localRepository/>", "<mirrors/>", "<mirrors>\n</mirrors>"]


@pytest.mark.parametrize("old", ["", *(f"<settings>{inner}</settings>" for inner in WITHOUT_MIRROR)])
def test_settings_xml_gets_one_mirror(old: str) -> None:
    (file,) = MavenSettingsFile().setup("http://nexus.corp/a&b").files
    merged = file.merge(old.encode())
    assert merged.count(b"<url>http://nexus.corp/a&amp;b</url>") == 1
    assert file.merge(merged) == merged
    xml.etree.ElementTree.fromstring(merged)


def test_versions_are_ordered_as_maven_does() -> None:
    ordered = ["1.0-alpha-1", "1.0-beta", "1.0-rc1", "1.0", "1.0-sp", "1.0.1", "1.2", "1.10", "2"]
    assert sorted(sorted(ordered), key=version_key) == ordered
    assert version_key("1") == version_key("1.0.0") == version_key("1.0.Final")
