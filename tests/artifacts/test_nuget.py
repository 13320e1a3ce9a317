# SPDX-License-Identifier: Apache-2.0
"""NuGet packages: resolved from their nuspecs, into Nexus, servers of the V3 API and folders, asked as NuGet asks."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
import sys
import xml.etree.ElementTree
import zipfile
from pathlib import Path

import httpx
import pytest

from airgap import limits
from airgap.artifacts.artifact import Download
from airgap.artifacts.formats.nuget.client import NugetSettingsFile
from airgap.artifacts.formats.nuget.config import NugetConfig
from airgap.artifacts.formats.nuget.frameworks import Framework, nearest
from airgap.artifacts.formats.nuget.lockfile import parse_lockfile
from airgap.artifacts.formats.nuget.nuspec import parse_nuspec, read_nupkg, read_properties
from airgap.artifacts.formats.nuget.service import read_json
from airgap.artifacts.formats.nuget.versions import Version, VersionRange
from airgap.errors import ContentError
from airgap.explain import find_matches
from airgap.flows.serve import create_server
from tests.artifacts.carrying import bundle_json, carry, export, far_nexus, files_over_http, uploads, write_project
from tests.artifacts.nuget_packages import Packages, nuspec_of, package, restore, source
from tests.cli.command import ROOT, Airgap
from tests.doubles.nexus import READER, Repository
from tests.doubles.nexus.settings import BASIC_REALMS
from tests.parts.network import closed_network, nginx_over_folder
from tests.parts.service import LOOPBACK, clean_environment, free_port

APP = package("Demo.App", "2.0.0", {
    "net8.0": [("Demo.Lib", "1.2.0")],
    ".NETStandard2.0": [("demo.lib", "1.2.0"), ("Old.Buffers", "[4.0, 5.0)")],
})  # fmt: skip
LIB = package("Demo.Lib", "1.2.0")
LIB_NEWER = package("Demo.Lib", "1.3.0")
BUFFERS = package("Old.Buffers", "4.1.0", flat=[("Deep", "1.0.0-beta.2")])
BUFFERS_NEWER = package("Old.Buffers", "4.2.0")
DEEP = package("Deep", "1.0.0-beta.2")
EVERYTHING = {**APP, **LIB, **LIB_NEWER, **BUFFERS, **BUFFERS_NEWER, **package("Deep", "1.0.0-beta.1"), **DEEP}
NEEDED = {**APP, **LIB, **BUFFERS, **DEEP}


def write_entry(airgap: Airgap, url: str, **more: str) -> None:
    entry = {"package": "demo.app", "version": "2.0", "source": f"{url}/feed/v3/index.json", **more}
    write_project(airgap, {"nuget": [{key: value for key, value in entry.items() if value}]})


@pytest.fixture(scope="module")
def bundle() -> list[bytes]:
    """The bundle with what Demo.App needs, once a test has made it."""
    return []


def carried(airgap: Airgap, bundle: list[bytes]) -> None:
    if not bundle:
        with source(dict(EVERYTHING)) as server:
            write_entry(airgap, server.url)
            export(airgap)
        bundle.append((airgap.folder / "demo.tar").read_bytes())
    airgap.write("demo.tar", bundle[0])


def entries(airgap: Airgap) -> set[tuple[str, str]]:
    return {(entry["name"], entry["version"]) for entry in bundle_json(airgap)["artifacts"]}


def test_a_package_with_what_it_needs_reaches_nexus(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    assert entries(airgap) == set(NEEDED)
    with far_nexus("nuget") as server:
        said = carry(airgap, "--nexus", server.url)
        url = f"{server.url}/repository/nuget-hosted"
        assert f"airgap hosts {url} --for nuget" in said.stderr
        assert server.repository("nuget-hosted").files == {"/".join(key): data for key, data in NEEDED.items()}
        assert "leads clients" not in said.stderr
        assert restore(f"{url}/index.json", "Demo.App", "2.0.0") == dict(NEEDED.keys())
        before = uploads(server), len(server.asked("GET", "v3/content"))
        carry(airgap, "--nexus", server.url)
        # What is there is told by the list of assets; no package is fetched.
        assert (uploads(server), len(server.asked("GET", "v3/content"))) == before
        receipt = json.loads((airgap.folder / "demo.tar.artifacts.receipt.json").read_bytes())
        addresses = {entry["name"]: entry["target"] for entry in receipt["artifacts"]}
        assert httpx.get(addresses["Demo.App"]).content == APP[("Demo.App", "2.0.0")]


def test_another_file_in_nexus_is_refused_before_anything_is_sent(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    other = package("Demo.Lib", "1.2.0", value="changed")[("Demo.Lib", "1.2.0")]
    with far_nexus("nuget") as server:
        # The case of an id does not tell packages apart, and an older Nexus does not have it in its list.
        server.repository("nuget-hosted").files["demo.lib/1.2.0"] = other
        said = carry(airgap, "--nexus", server.url, code=50)
        for data in (other, LIB[("Demo.Lib", "1.2.0")]):
            assert hashlib.sha256(data).hexdigest() in said.stderr
        assert uploads(server) == 0


def test_many_packages_take_few_requests(airgap: Airgap) -> None:
    packages = {}
    for number in range(150):
        packages |= package(f"Demo.Many{number}", "1.0.0", value=str(number))
    with source(packages) as feed:
        index = f"{feed.url}/feed/v3/index.json"
        entries = [{"package": name, "version": version, "source": index} for name, version in packages]
        write_project(airgap, {"nuget": entries})
        export(airgap)
    with far_nexus("nuget") as server:
        carry(airgap, "--nexus", server.url)
        assert uploads(server) == 150
        assert len(server.seen) <= 1.5 * 150
        before = len(server.seen)
        carry(airgap, "--nexus", server.url)
        assert len(server.seen) - before <= 15


def test_doctor_wants_the_realm_of_api_keys(airgap: Airgap) -> None:
    words = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "admin-word"}
    for realms, expected in ((BASIC_REALMS, True), ((*BASIC_REALMS, "NuGetApiKey"), False)):
        with far_nexus("nuget", realms=realms) as server:
            target = f"nuget={server.url}/repository/nuget-hosted"
            said = airgap.run("doctor", "--artifacts-to", target, environment=words)
            assert ("the realm NuGetApiKey is not active" in said.text) == expected


def test_create_repositories_makes_nuget_hosted(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    with far_nexus(repositories=()) as server:
        carry(airgap, "--nexus", server.url, "--create-repositories")
        assert len(server.repository("nuget-hosted").files) == len(NEEDED)


@pytest.mark.parametrize("settings", [{"rest_formats": ("raw",)}, {"rest_uploads": False}], ids=str)
def test_where_rest_takes_no_nuget_it_is_pushed(
    airgap: Airgap, bundle: list[bytes], settings: dict[str, object]
) -> None:
    carried(airgap, bundle)
    with far_nexus("nuget", **settings) as server:
        carry(airgap, "--nexus", server.url)
        assert len(server.asked("PUT", "/v2/package")) == len(NEEDED)
        assert server.repository("nuget-hosted").files == {"/".join(key): data for key, data in NEEDED.items()}


def test_other_servers_are_pushed_to_with_the_api_key(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    there: Packages = {}
    with source(there, api_key="key-word") as server:
        target = ("--artifacts-to", f"nuget={server.url}/feed")
        said = carry(airgap, *target, user=None, code=21)
        assert "NUGET_API_KEY holds the API key" in said.stderr
        airgap.environment["NUGET_API_KEY"] = "key-word"
        said = carry(airgap, *target, user=None)
        assert there == NEEDED
        assert "key-word" not in said.stderr
        said = carry(airgap, "--artifacts-to", f"nuget={server.url}/feed/v3/index.json", user=None)
        assert "0 artifacts uploaded, 4 already there" in said.stderr
        there[("Demo.Lib", "1.2.0")] = package("Demo.Lib", "1.2.0", value="changed")[("Demo.Lib", "1.2.0")]
        assert "another file is already there" in carry(airgap, *target, user=None, code=50).stderr
    with files_over_http({"feed/index.json": b"{}"}) as server:
        for path, expected in (("feed", "no service index"), ("gone", "no source of NuGet's V3 API")):
            said = carry(airgap, "--artifacts-to", f"nuget={server.url}/{path}", user=None, code=50)
            assert expected in said.errors[0]


def test_a_server_that_calls_itself_otherwise(airgap: Airgap, bundle: list[bytes]) -> None:
    """Behind a proxy, a server may know only its inner name: what it names is asked of the host that the user named."""
    carried(airgap, bundle)
    there: Packages = {}
    inner = "http://inner.corp:8081/feed"
    resources = {"PackageBaseAddress/3.0.0": f"{inner}/flat/", "PackagePublish/2.0.0": f"{inner}/push"}
    with source(there, resources=resources) as server:
        said = carry(airgap, "--artifacts-to", f"nuget={server.url}/feed", user=None)
        assert "leads clients to http://inner.corp:8081" in said.stderr
        assert there == NEEDED


def test_a_folder_is_a_source(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    assert (
        "nuget=file:///srv/nuget#http://HOST/nuget" in carry(airgap, "--artifacts-to", "nuget=file:out", code=2).stderr
    )
    port = free_port()
    target = ("--artifacts-to", f"nuget=file:out#http://{LOOPBACK}:{port}/nuget")
    carry(airgap, *target)
    # A second release adds to it.
    with source({**EVERYTHING}) as server:
        write_entry(airgap, server.url, package="Demo.Lib", version="1.3.0")
        export(airgap)
    carry(airgap, *target)
    root = airgap.folder / "out"
    site = {
        f"nuget/{path.relative_to(root).as_posix()}": path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
    with files_over_http(site, port=port) as web:
        index = f"{web.url}/nuget/v3/index.json"
        assert restore(index, "Demo.App", "2.0.0") == dict(NEEDED.keys())
        resources = {entry["@type"]: entry["@id"] for entry in httpx.get(index).json()["resources"]}
        base = resources["RegistrationsBaseUrl/3.6.0"]
        (page,) = httpx.get(f"{base}demo.lib/index.json").json()["items"]
        assert [item["catalogEntry"]["version"] for item in page["items"]] == ["1.2.0", "1.3.0"]
        assert (page["lower"], page["upper"], page["count"]) == ("1.2.0", "1.3.0", 2)
        leaf = httpx.get(f"{base}demo.app/2.0.0.json").json()
        assert httpx.get(leaf["packageContent"]).content == APP[("Demo.App", "2.0.0")]
        groups = {group["targetFramework"]: group["dependencies"] for group in leaf["catalogEntry"]["dependencyGroups"]}
        assert groups["net8.0"] == [{"id": "Demo.Lib", "range": "1.2.0"}]
        search = httpx.get(resources["SearchQueryService"], params={"q": "demo"}).json()
        assert {entry["id"]: entry["version"] for entry in search["data"]}["Demo.Lib"] == "1.3.0"


@pytest.mark.long
@pytest.mark.requires("nginx")
def test_in_a_network_that_has_only_the_target(airgap: Airgap, bundle: list[bytes], tmp_path: Path) -> None:
    carried(airgap, bundle)
    carry(airgap, "--artifacts-to", "nuget=file:out#http://nuget.corp:8000")
    program = "import json, sys; from tests.artifacts.nuget_packages import restore\n"
    program += "print(json.dumps(restore(*sys.argv[1:])))"
    asked = ("http://nuget.corp:8000/v3/index.json", "Demo.App", "2.0.0")
    with (
        closed_network(tmp_path / "net", "10.66.0.2", names={"nuget.corp": "10.66.0.2"}) as network,
        nginx_over_folder(tmp_path, airgap.folder / "out", network),
    ):
        done = subprocess.run(
            [*network.prefix, sys.executable, "-c", program, *asked], capture_output=True, text=True, check=True,
            env=clean_environment(tmp_path, PYTHONPATH=str(ROOT)), timeout=60,
        )  # fmt: skip
    assert json.loads(done.stdout) == dict(NEEDED.keys())


def test_serve_is_a_source_that_can_be_exported_from(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    with create_server(airgap.folder / "demo.tar", LOOPBACK, 0) as server:
        assert restore(f"{server.url}/nuget/v3/index.json", "Demo.App", "2.0.0") == dict(NEEDED.keys())
        # It has no .nuspec files: they are read out of the packages.
        write_entry(airgap, "", source=f"{server.url}/nuget/v3/index.json")
        export(airgap, "-o", "again.tar")
    digests = {
        name: {entry["content"]["digest"] for entry in bundle_json(airgap, name)["artifacts"]}
        for name in ("demo.tar", "again.tar")
    }
    assert digests["demo.tar"] == digests["again.tar"]


def test_the_lock_gives_the_same_bytes_after_a_newer_version(airgap: Airgap) -> None:
    packages = {**EVERYTHING}
    del packages[("Demo.Lib", "1.2.0")]
    with source(packages) as server:
        write_entry(airgap, server.url)
        export(airgap, "--lock", "airgap.lock")
        assert ("Demo.Lib", "1.3.0") in entries(airgap)  # the lowest one that the source has
        first = (airgap.folder / "demo.tar").read_bytes()
        packages.update(LIB)
        server.requests.clear()
        export(airgap, "--lock", "airgap.lock")
        assert (airgap.folder / "demo.tar").read_bytes() == first
        assert {request.path.rpartition(".")[2] for request in server.requests} == {"nupkg"}
        packages[("Deep", "1.0.0-beta.2")] = LIB[("Demo.Lib", "1.2.0")]
        assert "--refresh" in export(airgap, "--lock", "airgap.lock", code=31).stderr


def test_the_dependencies_of_one_framework(airgap: Airgap) -> None:
    with source(dict(EVERYTHING)) as server:
        write_entry(airgap, server.url, framework="net9.0-windows")
        export(airgap)
        assert entries(airgap) == set({**APP, **LIB})
        write_entry(airgap, server.url, framework="vb6")
        assert "is no target framework" in export(airgap, "-o", "x.tar", code=2).errors[0]


LOCKED = {
    "version": 1,
    "dependencies": {
        "net8.0": {
            "Demo.App": {"type": "Direct", "requested": "[2.0.0, )", "resolved": "2.0.0", "contentHash": "AAAA"},
            "Demo.Lib": {"type": "Transitive", "resolved": "1.3.0", "contentHash": "AAAA"},
            "mine": {"type": "Project", "dependencies": {"Demo.App": "[2.0.0, )"}},
        },
        "net8.0/linux-x64": {"demo.lib": {"type": "Transitive", "resolved": "1.3"}},
    },
}


def test_the_packages_of_a_lock_file(airgap: Airgap) -> None:
    airgap.write("packages.lock.json", b"\xef\xbb\xbf" + json.dumps(LOCKED).encode())
    with source(dict(EVERYTHING)) as server:
        entry = {"lockfile": "packages.lock.json", "source": f"{server.url}/feed/v3/index.json"}
        write_project(airgap, {"nuget": [entry]})
        export(airgap)
        assert entries(airgap) == set({**APP, **LIB_NEWER})
        # Nothing is resolved.
        asked = [request.path for request in server.requests]
        assert not [path for path in asked if path.endswith((".nuspec", "demo.lib/index.json"))]
    with source(dict(LIB_NEWER)) as server:
        entry = {"lockfile": "packages.lock.json", "source": f"{server.url}/feed/v3/index.json"}
        write_project(airgap, {"nuget": [entry]})
        said = export(airgap, "-o", "other.tar", code=22)
        assert "nuget Demo.App 2.0.0" in said.errors[0]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], "no lock file"), ({}, "no lock file"), ({"dependencies": {"net8.0": []}}, "no lock file"),
        ({"dependencies": {"net8.0": {"A": 1}}}, "no lock file"),
        ({"dependencies": {"net8.0": {"A": {"type": "Direct"}}}}, "is no version"),
        ({"dependencies": {"net8.0": {"../A": {"type": "Direct", "resolved": "1.0.0"}}}}, "is no id"),
    ],
    ids=range(6),
)  # fmt: skip
def test_what_is_no_lock_file(document: object, expected: str) -> None:
    with pytest.raises(ContentError, match=expected) as raised:
        parse_lockfile(json.dumps(document).encode(), where="packages.lock.json")
    assert raised.value.where == "packages.lock.json"


def test_a_file_that_is_not_what_the_catalog_says(airgap: Airgap) -> None:
    with source(dict(EVERYTHING), lie=b"another") as server:
        write_entry(airgap, server.url)
        said = export(airgap, code=31)
    assert hashlib.sha512(b"another").hexdigest() in said.stderr
    assert not (airgap.folder / "demo.tar").exists()


@pytest.mark.parametrize(
    ("change", "code", "expected"),
    [
        ({"version": "9.0.0"}, 22, "its highest versions: 2.0.0"),
        ({"package": "Nothing"}, 22, "the source has no package Nothing"),
        ({"package": "../evil"}, 30, "is no id of a NuGet package"),
        ({"version": "2.*"}, 30, "is no version of a NuGet package"),
        ({"source": "ftp://example.com"}, 2, "is no http or https address"),
    ],
)
def test_what_cannot_be_resolved(airgap: Airgap, change: dict[str, str], code: int, expected: str) -> None:
    with source(dict(EVERYTHING)) as server:
        write_entry(airgap, server.url, **change)
        said = export(airgap, code=code)
    assert expected in said.stderr
    assert "airgap.yaml:1" in said.errors[0]


def test_what_leads_to_a_missing_package_is_told(airgap: Airgap) -> None:
    packages = {**EVERYTHING}
    del packages[("Deep", "1.0.0-beta.2")]
    with source(packages, hashes=False) as server:
        write_entry(airgap, server.url)
        said = export(airgap, code=22)
    assert "needed by Demo.App 2.0.0 > Old.Buffers 4.1.0" in said.errors[0]
    assert "its highest versions: 1.0.0-beta.1" in said.stderr
    assert "framework:" in said.stderr


@pytest.mark.parametrize("place", ["config", "variable", "address"])
def test_credentials_are_those_of_nuget_and_appear_nowhere(airgap: Airgap, place: str) -> None:
    wanted = f"Basic {base64.b64encode(b'reader:pass-word').decode()}"
    with source(dict(LIB), authorization=wanted) as server:
        index = f"{server.url}/feed/v3/index.json"
        more = {"package": "Demo.Lib", "version": "1.2.0"}
        if place == "address":
            write_entry(airgap, server.url, **more, source=index.replace("//", "//reader:pass-word@"))
        else:
            write_entry(airgap, server.url, **more, source="")
            user = '<our_x0020_feed><add key="Username" value="reader"/><add key="ClearTextPassword" value="%WORD%"/>'
            text = f"<packageSources><clear/><add key='our feed' value='{index}' /></packageSources>"
            text += f"<packageSourceCredentials>{user}</our_x0020_feed></packageSourceCredentials>"
            if place == "variable":
                text = f"<packageSources><add key='feed' value='{index}' /></packageSources>"
                airgap.environment["NuGetPackageSourceCredentials_feed"] = "Username=reader;Password=pass-word"
            airgap.environment["WORD"] = "pass-word"
            path = airgap.home / ".nuget/NuGet/NuGet.Config"
            path.parent.mkdir(parents=True)
            path.write_text(f"<?xml version='1.0'?><configuration>{text}</configuration>")
        said = export(airgap, "--lock", "airgap.lock")
        assert entries(airgap) == set(LIB)
        for content in (said.stderr.encode(), (airgap.folder / "demo.tar").read_bytes(),
                        (airgap.folder / "airgap.lock").read_bytes()):  # fmt: skip
            assert b"pass-word" not in content
        write_entry(airgap, server.url, **more)
        airgap.environment.pop("NuGetPackageSourceCredentials_feed", None)
        (airgap.home / ".nuget/NuGet/NuGet.Config").unlink(missing_ok=True)
        export(airgap, "-o", "other.tar", code=21)


def test_a_password_is_for_the_host_of_its_source(tmp_path: Path) -> None:
    config = tmp_path / ".nuget/NuGet/NuGet.Config"
    config.parent.mkdir(parents=True)
    users = "".join(
        f'<{name}><add key="Username" value="{name}"/><add key="ClearTextPassword" value="x"/></{name}>'
        for name in ("one", "two")
    )
    config.write_text(
        '<configuration><packageSources><add key="local" value="/srv/packages"/>'
        '<add key="one" value="https://one.corp/v3/index.json"/><add key="two" value="https://two.corp/v3/index.json"/>'
        '</packageSources><disabledPackageSources><add key="one" value="true"/></disabledPackageSources>'
        f"<packageSourceCredentials>{users}</packageSourceCredentials></configuration>"
    )
    settings = NugetConfig({"HOME": str(tmp_path)})
    assert settings.default_source() == "https://two.corp/v3/index.json"
    found = {
        url: settings.find(url) for url in ("https://two.corp/flat/x", "https://two.corp:8443/x", "http://two.corp/x")
    }
    assert [user and user.username for user in found.values()] == ["two", None, None]
    assert NugetConfig({"HOME": str(tmp_path / "none")}).default_source() == "https://api.nuget.org/v3/index.json"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("error NU1301: Unable to load the service index for source http://h:8081/repository/n/index.json.",
         "nuget-service-index"),
        ("error NU1101: Unable to find package Demo.Lib. No packages exist with this id in source(s): airgap",
         "nuget-no-package"),
        ("error NU1102: Unable to find package Demo.Lib with version (>= 2.0.0)\n  - Found 1 version(s) in airgap",
         "nuget-no-package"),
        ("error NU1302: You are running the 'restore' operation with an 'HTTP' source, 'http://h/index.json'. NuGet "
         "requires HTTPS sources.", "nuget-http"),
        ("Response status code does not indicate success: 403 (The specified API key is invalid, has expired, or does "
         "not have permission to access the specified package.).", "nuget-api-key"),
        ("warn : No API Key was provided and no API Key could be found for 'http://h/repository/n/'.", "nuget-api-key"),
        ("error: Response status code does not indicate success: 405 (Method Not Allowed).", "method"),
    ],
    ids=range(7),
)  # fmt: skip
def test_what_nuget_prints_is_explained(said: str, expected: str) -> None:
    assert find_matches(said)[0].message.id == expected


def test_hosts_merges_the_source_into_nuget_config(airgap: Airgap) -> None:
    url = "http://nexus.corp:8081/repository/nuget-group"
    words = ("hosts", url, "--for", "nuget")
    source_line = f'<add key="airgap" value="{url}/index.json" protocolVersion="3" allowInsecureConnections="true" />'
    assert source_line in airgap.run(*words).text
    before = '<configuration>\n  <!-- <packageSources> -->\n  <packageSources>\n    <add key="nuget.org" '
    before += 'value="https://api.nuget.org/v3/index.json" />\n  </packageSources>\n</configuration>\n'
    path = "root/etc/opt/NuGet/Config/NuGet.Config"
    airgap.write(path, before)
    assert f"+    {source_line}" in airgap.run(*words, "--root", "root", "--diff").text
    airgap.run(*words, "--root", "root")
    merged = (airgap.folder / path).read_text()
    assert merged == before.replace("  <packageSources>\n", f"  <packageSources>\n    {source_line}\n", 1).replace(
        "</configuration>",
        '  <disabledPackageSources>\n    <add key="nuget.org" value="true" />\n  </disabledPackageSources>\n'
        "</configuration>",
    )
    assert (airgap.folder / f"{path}.before-airgap").read_text() == before
    assert "everything is there already" in airgap.run(*words, "--root", "root").stderr
    for address, expected in (
        ("https://laptop:5000/nuget", '"https://laptop:5000/nuget/v3/index.json" protocolVersion="3" />'),
        ("https://h/feed/index.json", '"https://h/feed/index.json" protocolVersion="3" />'),
    ):
        (file,) = NugetSettingsFile().setup(address).files
        assert expected in file.content.decode()
        assert file.merge(file.content) == file.content
        xml.etree.ElementTree.fromstring(file.content)


def test_versions_are_ordered_as_nuget_does() -> None:
    ordered = ["1.0-alpha", "1.0-alpha.1", "1.0-alpha.2", "1.0-alpha.10", "1.0-beta", "1.0", "1.0.0.1", "1.0.1", "1.10"]
    assert sorted(sorted(ordered), key=Version.parse) == ordered
    assert Version.parse("1.0-RC") == Version.parse("1.0.0.0-rc+build")
    for text, expected in (("01.002", "1.2.0"), ("1.2.3.0", "1.2.3"), ("1.2.3.4-B.1+x", "1.2.3.4-b.1")):
        assert str(Version.parse(text)) == expected
    for text in ("", "1.*", "v1", "1.0-", "1.2.3.4.5", "1..0"):
        with pytest.raises(ContentError):
            Version.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0", "1.0.0"), ("1.1", "1.5.0"), ("[1.5]", "1.5.0"), ("(1.0,)", "1.5.0"), ("(,2.0)", "1.0.0"), ("", "1.0.0"),
        ("[1.0,1.5]", "1.0.0"), ("(1.0,1.5)", None), ("1.6-a", "2.0.0-b"), ("1.6", "2.0.0"), ("[3,4]", None),
    ],
)  # fmt: skip
def test_the_lowest_version_of_a_range(text: str, expected: str | None) -> None:
    versions = [Version.parse(version) for version in ("2.0.0", "1.0.0", "1.5.0", "2.0.0-b")]
    lowest = VersionRange.parse(text).lowest(versions)
    assert (None if lowest is None else str(lowest)) == expected


@pytest.mark.parametrize("text", ["[1.0", "1.0]", "[]", "(,)", "[1,2,3]", "[a]"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ContentError):
        VersionRange.parse(text)


@pytest.mark.parametrize(
    ("framework", "groups", "expected"),
    [
        ("net8.0", ["net6.0", "net9.0", "netstandard2.1", "netcoreapp3.1", ""], "net6.0"),
        ("net5.0", ["netcoreapp3.1", "netstandard2.1"], "netcoreapp3.1"),
        ("net8.0-windows", ["net8.0", "net8.0-windows7.0", "net8.0-android"], "net8.0-windows7.0"),
        ("net8.0", ["net8.0-windows", "netstandard1.0"], "netstandard1.0"),
        ("netcoreapp2.1", ["netstandard2.1", "netstandard2.0", "net8.0"], "netstandard2.0"),
        ("net472", [".NETFramework4.8", ".NETFramework4.5", ".NETStandard2.0"], ".NETFramework4.5"),
        ("net46", [".NETStandard2.0", ".NETStandard1.3"], ".NETStandard1.3"),
        (".NETStandard,Version=v2.0", ["netstandard2.1", "netstandard1.6", "net8.0"], "netstandard1.6"),
        ("net8.0", ["portable-net45+win8", "net472"], None),
        ("net8.0", ["", "net472"], ""),
    ],
)
def test_the_nearest_framework(framework: str, groups: list[str], expected: str | None) -> None:
    parsed = Framework.parse(framework)
    assert parsed is not None
    assert nearest(parsed, [(text, text) for text in groups]) == expected


BOMB = '<!DOCTYPE p [<!ENTITY a "aaaa">]><package><metadata><id>&a;</id><version>1</version></metadata></package>'


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no xml", b"<html/>", b"<package/>", BOMB.encode(), BOMB.encode("utf-16"), b"<a>" * 40,
        b"<package><metadata><id>../x</id><version>1</version></metadata></package>",
        b"<package><metadata><id>x</id><version>new</version></metadata></package>",
        b"<package><metadata>" + b"<a/>" * 30_000 + b"</metadata></package>",
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_nuspec(content: bytes) -> None:
    with pytest.raises(ContentError, match=r"this is no \.nuspec"):
        parse_nuspec(content, where="x")


def test_packages_and_documents_within_limits(tmp_path: Path) -> None:
    (data,) = LIB.values()
    path = tmp_path / "x.nupkg"
    path.write_bytes(data)
    assert str(read_nupkg(path, "x").version) == "1.2.0"
    with limits.changed({"package-metadata-bytes": 100}), pytest.raises(ContentError, match="more than 100 bytes"):
        read_nupkg(path, "x")
    with pytest.raises(ContentError, match=r"of the package Demo.Lib 1.2.0"):
        read_properties(path, Download("nuget", "Demo.Lib", "1.3.0", "x"))
    for content in (b"", b"PK no zip", data[:-30]):
        path.write_bytes(content)
        with pytest.raises(ContentError, match="this is no NuGet package"):
            read_nupkg(path, "x")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lib/x.nuspec", nuspec_of(data))
    with pytest.raises(ContentError, match=r"it has no \.nuspec"):
        read_nupkg(path, "x")
    with limits.changed({"download-bytes": 1000}), pytest.raises(ContentError, match="unpacks to more than 1000"):
        read_json(gzip.compress(b"[" + b" " * 5000 + b"]"), where="x")


def test_a_reader_may_not_upload(airgap: Airgap, bundle: list[bytes]) -> None:
    carried(airgap, bundle)
    hosted = Repository("nuget-hosted", format="nuget")
    with far_nexus(repositories=(hosted,)) as server:
        said = carry(airgap, "--nexus", server.url, user=READER, code=21)
        assert "nx-repository-view-nuget-nuget-hosted-add" in said.stderr
