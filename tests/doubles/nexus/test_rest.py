# SPDX-License-Identifier: Apache-2.0
"""Statement 45 and section 3: the REST API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.doubles.nexus import ADMIN, PUSHER, READER, STRANGER, Nexus, Repository, Settings, User, nexus
from tests.doubles.nexus.asking import BLOB, DIGEST, Said, ask, push, upload
from tests.doubles.nexus.content import Manifest
from tests.doubles.nexus.settings import BASIC_REALMS, PROFILES, VERSIONS, Profile
from tests.parts.images import Images
from tests.parts.service import accepts, free_port

JSON = {"Content-Type": "application/json"}


def rest(double: Nexus, method: str, path: str, body: Any = None, user: User | None = ADMIN) -> Said:
    sent = None if body is None else json.dumps(body).encode()
    return ask(method, f"{double.url}/service/rest/v1/{path}", sent, user=user, headers=JSON)


def tagged(double: Nexus, count: int, name: str = "docker-hosted") -> None:
    """So many tags on one manifest, laid in without the network."""
    content = double.repository(name)
    content.manifests["a", DIGEST] = Manifest(BLOB, "application/vnd.oci.image.manifest.v1+json", 0.0)
    for number in range(count):
        content.tagged["a", f"v{number}"] = (DIGEST, double.clock())


def every(double: Nexus, path: str) -> tuple[list[dict[str, Any]], list[int]]:
    """All items, following tokens, and the sizes of the pages."""
    items: list[dict[str, Any]] = []
    sizes, token = [], ""
    while True:
        page = rest(double, "GET", path + (f"&continuationToken={token}" if token else "")).json()
        items += page["items"]
        sizes.append(len(page["items"]))
        token = page["continuationToken"]
        if token is None:
            return items, sizes


@pytest.mark.parametrize(("profile", "size"), [("legacy", 10), ("3.71", 10), ("3.8x", 100), ("3.96", 100)])
def test_45_components_come_in_pages(profile: Profile, size: int) -> None:
    with nexus(Settings(profile=profile)) as double:
        tagged(double, size * 2 + 1)
        items, sizes = every(double, "components?repository=docker-hosted")
        assert sizes == [size, size, 1]
        assert len({item["version"] for item in items}) == size * 2 + 1
        double.repository().tagged.popitem()
        assert every(double, "components?repository=docker-hosted")[1] == [size, size]
        assert rest(double, "GET", "components?repository=docker-hosted&continuationToken=%").status == 406


def test_45_a_component_is_a_tag_with_the_manifests_digest() -> None:
    images = Images(1)
    root = images.image()
    with nexus() as double:
        push(double.connector().url, images, "team/app", "v1", root)
        push(double.connector().url, images, "team/app", root.digest, root)
        (item,) = rest(double, "GET", "components?repository=docker-hosted").json()["items"]
        assert (item["name"], item["version"], item["format"]) == ("team/app", "v1", "docker")
        (asset,) = item["assets"]
        assert f"sha256:{asset['checksum']['sha256']}" == root.digest
        assert ask("GET", asset["downloadUrl"]).body == images.content[root.digest]
        assets, _ = every(double, "assets?repository=docker-hosted")
        assert len(assets) == len(images.content) + 1  # each blob, the manifest by digest and by tag


def test_45_a_repository_that_is_missing_is_422() -> None:
    with nexus() as double:
        for method, path in (("GET", "components"), ("GET", "assets"), ("POST", "components")):
            assert rest(double, method, f"{path}?repository=no-such", {}).status == 422
        assert rest(double, "GET", "components").status == 422
        assert rest(double, "GET", "components?repository=docker-hosted", user=STRANGER).status == 403
        assert rest(double, "GET", "components?repository=docker-hosted", user=None).status == 401


def test_45_search_pages_by_50_and_lags() -> None:
    with nexus(Settings(search_lag=0)) as double:
        tagged(double, 1)
        assert len(rest(double, "GET", "search").json()["items"]) == 1
    with nexus() as double:
        tagged(double, 60)
        assert rest(double, "GET", "search?repository=docker-hosted").json()["items"] == []
        double.advance(3)
        _, sizes = every(double, "search?repository=docker-hosted")
        assert sizes == [50, 10]
        items, _ = every(double, "search?format=docker&name=a&version=v1*")
        assert len(items) == 11
        assert rest(double, "GET", "search?repository=docker-hosted", user=STRANGER).json()["items"] == []


FORMATS = (
    Repository("docker-hosted"),
    Repository("files", format="raw"),
    Repository("jars", format="maven2"),
    Repository("all-files", format="raw", kind="group", members=("files",)),
)


Fields = dict[str, str | bytes]


def form(fields: Fields) -> tuple[bytes, dict[str, str]]:
    """multipart/form-data; bytes are files."""
    parts = b""
    for name, value in fields.items():
        named = f'name="{name}"' + ('; filename="sent.bin"' if isinstance(value, bytes) else "")
        data = value if isinstance(value, bytes) else value.encode()
        parts += f"--edge\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode() + data + b"\r\n"
    return parts + b"--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


def send(double: Nexus, repository: str, fields: Fields, user: User = PUSHER) -> Said:
    body, headers = form(fields)
    url = f"{double.url}/service/rest/v1/components?repository={repository}"
    return ask("POST", url, body, headers=headers, user=user)


def test_45_files_of_other_formats_are_uploaded_by_rest() -> None:
    with nexus(Settings(repositories=FORMATS)) as double:
        data = bytes(range(256))
        sent: Fields = {"raw.directory": "/charts", "raw.asset1": data, "raw.asset1.filename": "a.tgz"}
        assert send(double, "files", sent).status == 204
        assert ask("GET", f"{double.url}/repository/files/charts/a.tgz").body == data
        assert ask("GET", f"{double.url}/repository/files/charts/b.tgz").status == 404
        assert ask("GET", f"{double.url}/repository/files/charts/a.tgz", user=STRANGER).status == 403
        jar: Fields = {"maven2.groupId": "org.example", "maven2.artifactId": "x", "maven2.version": "1"}
        jar |= {"maven2.asset1": data, "maven2.asset1.extension": "jar"}
        assert send(double, "jars", jar).status == 204
        assert list(double.repository("jars").files) == ["org/example/x/1/x-1.jar"]
        assert send(double, "files", {"raw.directory": "/"}).status == 400
        assert send(double, "files", {"raw.asset1": data, "raw.asset1.filename": "a"}).status == 400
        assert send(double, "files", sent, STRANGER).status == 403


def test_45_docker_and_groups_take_no_upload_by_rest() -> None:
    with nexus(Settings(repositories=FORMATS)) as double:
        said = send(double, "docker-hosted", {"docker.asset": BLOB})
        assert (said.status, "'docker' repositories is unsupported" in said.body.decode()) == (400, True)
        assert send(double, "all-files", {"raw.asset1": BLOB}).status == 400
        listed = rest(double, "GET", "formats/upload-specs", user=None).json()
        assert {"raw", "maven2", "apt", "yum"} <= {entry["format"] for entry in listed}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("anonymous", [True, False])
@pytest.mark.parametrize("path", ["security/realms/active", "repositorySettings", "system/eula"])
def test_46_only_a_late_one_without_anonymous_access_challenges(profile: Profile, anonymous: bool, path: str) -> None:
    with nexus(Settings(profile=profile, anonymous=anonymous)) as double:
        said = rest(double, "GET", path, user=None)
        challenged = profile == "3.96" and not anonymous
        assert (said.status, "WWW-Authenticate" in said.headers) == ((401, True) if challenged else (403, False))
        assert rest(double, "GET", path, user=ADMIN).status == 200


@pytest.mark.parametrize("profile", PROFILES)
def test_45_status(profile: Profile) -> None:
    with nexus(Settings(profile=profile)) as double:
        said = rest(double, "GET", "status", user=None)
        assert (said.status, said.body) == (200, b"")
        assert rest(double, "GET", "status/writable", user=None).status == 200
        wrong = User(PUSHER.name, "wrong")
        assert rest(double, "GET", "status", user=wrong).status == 401
        assert rest(double, "GET", "status/writable", user=wrong).status == (200 if profile == "3.96" else 401)
        assert rest(double, "GET", "status/check", user=None).status == (401 if profile == "3.96" else 403)
        assert rest(double, "GET", "status/check", user=READER).status == 403
        assert rest(double, "GET", "status/check").json()


@pytest.mark.parametrize("profile", PROFILES)
def test_45_the_version_is_readable(profile: Profile) -> None:
    with nexus(Settings(profile=profile, server_header=False)) as double:
        said = ask("GET", f"{double.url}/service/rest/swagger.json", user=None)
        assert said.json()["info"]["version"] == VERSIONS[profile]


def test_45_repositories_that_may_be_browsed() -> None:
    some = User("some", "word", frozenset({"browse"}), repositories=("files",))
    with nexus(Settings(repositories=FORMATS, users=(ADMIN, some))) as double:
        (entry,) = rest(double, "GET", "repositories", user=some).json()
        assert (entry["name"], entry["format"], entry["type"]) == ("files", "raw", "hosted")
        assert entry["url"] == f"{double.url}/repository/files"
        assert {"online", "size"} <= set(entry)
        assert len(rest(double, "GET", "repositories").json()) == 4
        assert rest(double, "GET", "repositories", user=None).json() == []
        assert rest(double, "GET", "repositorySettings", user=some).status == 403
    with nexus(Settings(profile="3.71")) as double:
        assert "online" not in rest(double, "GET", "repositories").json()[0]


def hosted(name: str = "made", **docker: Any) -> dict[str, Any]:
    storage = {"blobStoreName": "default", "strictContentTypeValidation": True, "writePolicy": "ALLOW_ONCE"}
    docker = {"v1Enabled": False, "forceBasicAuth": False, **docker}
    return {"name": name, "online": True, "storage": storage, "docker": docker}


def test_45_a_hosted_repository_is_made_with_its_connector() -> None:
    with nexus() as double:
        port = free_port()
        assert rest(double, "POST", "repositories/docker/hosted", hosted(httpPort=port), PUSHER).status == 403
        assert rest(double, "POST", "repositories/docker/hosted", hosted(httpPort=port)).status == 201
        assert upload(f"http://127.0.0.1:{port}", "a").status == 201
        kept = rest(double, "GET", "repositories/docker/hosted/made").json()
        assert (kept["docker"]["httpPort"], kept["storage"]["writePolicy"]) == (port, "allow_once")
        assert rest(double, "POST", "repositories/docker/hosted", hosted(httpPort=port)).status == 400
        other = hosted("other", httpPort=port)
        assert rest(double, "POST", "repositories/docker/hosted", other).status == 400
        changed = hosted(httpPort=port, forceBasicAuth=True)
        assert rest(double, "PUT", "repositories/docker/hosted/made", changed).status == 204
        challenge = ask("GET", f"http://127.0.0.1:{port}/v2/", user=None).headers["WWW-Authenticate"]
        assert challenge.startswith("BASIC ")
    assert not accepts(port)


@pytest.mark.parametrize("given", ["ALLOW", "allow", "Deny", "sometimes"])
def test_45_policies_in_either_case(given: str) -> None:
    with nexus() as double:
        body = hosted()
        body["storage"]["writePolicy"] = given
        status = rest(double, "POST", "repositories/docker/hosted", body).status
        assert status == (400 if given == "sometimes" else 201)
        assert status == 400 or double.repository("made").settings.write_policy == given.upper()


@pytest.mark.parametrize("beside", [{"httpPort": 1}, {"httpsPort": 1}, {"subdomain": "made"}, {}])
def test_45_a_path_excludes_ports_and_subdomains(beside: dict[str, Any]) -> None:
    with nexus() as double:
        body = hosted(pathEnabled=True, **beside)
        assert rest(double, "POST", "repositories/docker/hosted", body).status == (400 if beside else 201)


def test_45_a_connector_on_a_taken_port_is_only_logged() -> None:
    with nexus() as double:
        taken = double.main.port
        assert rest(double, "POST", "repositories/docker/hosted", hosted(httpPort=taken)).status == 201
        assert double.repository("made").http_port == taken
        assert "made" not in double.ports


def test_45_oci_repositories_since_3_94() -> None:
    body = {**hosted(), "oci": {"forceBasicAuth": False, "httpPort": free_port()}}
    del body["docker"]
    with nexus() as double:
        assert rest(double, "POST", "repositories/oci/hosted", {**body, "name": "Made"}).status == 400
        assert rest(double, "POST", "repositories/oci/hosted", body).status == 201
        url = double.connector("made").url
        token = ask("GET", f"{url}/v2/token").json()["token"]
        assert token.startswith("OciBearerToken.")
        assert ask("GET", f"{url}/v2/", Authorization=f"Bearer {token}").status == 401
        realms = [*BASIC_REALMS, "DockerToken", "OciBearerToken"]
        assert rest(double, "PUT", "security/realms/active", realms).status == 204
        assert ask("GET", f"{url}/v2/", Authorization=f"Bearer {token}").status == 200
    with nexus(Settings(profile="3.8x")) as double:
        assert rest(double, "POST", "repositories/oci/hosted", body).status == 404


def test_45_realms() -> None:
    with nexus(Settings(realms=BASIC_REALMS)) as double:
        assert rest(double, "GET", "security/realms/active").json() == list(BASIC_REALMS)
        assert rest(double, "PUT", "security/realms/active", ["DockerToken", "NoSuch"]).status == 400
        assert rest(double, "PUT", "security/realms/active", ["DockerToken"]).status == 204
        assert rest(double, "GET", "security/realms/active").json() == ["DockerToken"]
        assert rest(double, "GET", "security/realms/active", user=PUSHER).status == 403
        available = rest(double, "GET", "security/realms/available").json()
        assert "DockerToken" in {entry["id"] for entry in available}


def test_files_are_deleted_by_component_and_by_asset() -> None:
    hosted = Repository("maven-hosted", format="maven2")
    with nexus(Settings(repositories=(hosted,))) as double:
        files = double.repository("maven-hosted").files
        files.update({f"g/app/{version}/app.{kind}": b"x" for version in "12" for kind in ("jar", "pom")})
        items = rest(double, "GET", "components?repository=maven-hosted").json()["items"]
        assert [sorted(asset["path"] for asset in item["assets"]) for item in items] == [
            [f"g/app/{version}/app.{kind}" for kind in ("jar", "pom")] for version in "12"
        ]
        assert rest(double, "DELETE", f"components/{items[0]['id']}", user=READER).status == 403
        assert rest(double, "DELETE", f"components/{items[0]['id']}").status == 204
        assert rest(double, "DELETE", f"components/{items[0]['id']}").status == 404
        (asset,) = [asset for asset in items[1]["assets"] if asset["path"].endswith(".jar")]
        assert rest(double, "DELETE", f"assets/{asset['id']}").status == 204
        assert rest(double, "DELETE", f"assets/{asset['id']}").status == 404
        assert sorted(files) == ["g/app/2/app.pom"]


def test_45_quota_is_soft() -> None:
    with nexus(Settings(quota_violated=True)) as double:
        said = rest(double, "GET", "blobstores/default/quota-status").json()
        assert (said["isViolation"], said["blobStoreName"]) == (True, "default")
        assert upload(double.connector().url, "a").status == 201
        assert rest(double, "GET", "blobstores").json()[0]["totalSizeInBytes"] == len(BLOB)
        assert rest(double, "GET", "blobstores/other/quota-status").status == 404


def test_45_read_only_and_the_licence() -> None:
    with nexus(Settings(eula_accepted=False)) as double:
        assert rest(double, "GET", "read-only").json()["frozen"] is False
        double.frozen = True
        assert rest(double, "GET", "read-only").json()["frozen"] is True
        double.frozen = False
        assert upload(double.connector().url, "a").status == 403
        assert rest(double, "POST", "repositories/docker/hosted", {}).status == 403
        eula = rest(double, "GET", "system/eula").json()
        assert eula["accepted"] is False
        assert rest(double, "POST", "system/eula", {"accepted": True}).status == 400
        assert rest(double, "POST", "system/eula", {**eula, "accepted": True}).status == 204
        assert upload(double.connector().url, "a").status == 201


def test_the_record_keeps_no_credential() -> None:
    with nexus() as double:
        upload(double.connector().url, "a")
        assert [(one.method, one.status, one.signed) for one in double.asked(fragment="/blobs/")] == [
            ("POST", 202, "Basic"),
            ("PUT", 201, "Basic"),
        ]
        assert PUSHER.password not in repr(double.seen)
        assert double.tries[PUSHER.name] == (2, 0, 0)
