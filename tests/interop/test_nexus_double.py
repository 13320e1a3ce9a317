# SPDX-License-Identifier: Apache-2.0
"""skopeo, podman and oras push to the double of Nexus and pull from it, in each profile and with both challenges.

What is pushed is what is held, by digest. The routes that need a name or a prefix are reached as people reach them:
through a proxy that leads the name here, and through nginx.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import is_manifest_type, parse
from airgap.store import ImageLayout
from tests.doubles.nexus import PUSHER, Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import push
from tests.doubles.nexus.settings import PROFILES, Profile
from tests.parts.certificates import Authority
from tests.parts.clients import Command, CommandFailed, oras, podman, skopeo
from tests.parts.images import Images
from tests.parts.nginx import nginx
from tests.parts.proxy import http_proxy

pytestmark = pytest.mark.interop

CREDENTIALS = f"{PUSHER.name}:{PUSHER.password}"
OCTETS = base64.b64encode(CREDENTIALS.encode()).decode()


@dataclass(frozen=True)
class Source:
    """One image of two platforms, attested where the profile takes that: a layout for oras, tagged ``multi``, and a
    folder in the form of skopeo's ``dir:``, which unlike its ``oci:`` holds Docker's formats too."""

    layout: Path
    folder: Path
    images: Images
    root: Descriptor


def source(tmp_path: Path, profile: Profile = "3.96") -> Source:
    """Docker's formats for a legacy Nexus, OCI's for others (31)."""
    images, docker = Images(7), profile == "legacy"
    root = images.two_platforms(docker=docker, attested=not docker, size=200_000)
    given = Source(tmp_path / "layout", tmp_path / "folder", images, root)
    images.push_to(ImageLayout.create(given.layout), {"multi": root})
    given.folder.mkdir()
    (given.folder / "version").write_text("Directory Transport Version: 1.1\n")
    (given.folder / "manifest.json").write_bytes(images.content[root.digest])
    for needed in images.needed(root)[:-1]:
        suffix = ".manifest.json" if is_manifest_type(needed.media_type) else ""
        name = needed.digest.partition(":")[2] + suffix
        (given.folder / name).write_bytes(images.content[needed.digest])
    return given


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> Profile:
    found: Profile = request.param
    return found


@pytest.fixture(params=["basic", "bearer"])
def double(request: pytest.FixtureRequest, profile: Profile) -> Iterator[Nexus]:
    """Port connector, subdomain and, by another repository, the path."""
    basic = request.param == "basic"
    hosted = Repository("docker-hosted", connector="http", subdomain="images", force_basic=basic)
    by_path = Repository("by-path", path_enabled=True, force_basic=basic)
    with nexus(Settings(profile=profile, repositories=(hosted, by_path))) as made:
        yield made


def auth(folder: Path, address: str) -> None:
    """oras reads the docker file: no password on its command line."""
    file = folder / ".docker" / "config.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"auths": {address: {"auth": OCTETS}}}))


def round_trip(command: Command, given: Source, there: str, back: Path) -> None:
    """skopeo copies the image there and back; what comes back is what left."""
    name = f"docker://{there}:v1"
    copy = ("copy", "-q", "--all", "--preserve-digests")
    command.run(*copy, "--dest-tls-verify=false", "--dest-creds", CREDENTIALS, f"dir:{given.folder}", name)
    command.run(*copy, "--src-tls-verify=false", "--src-creds", CREDENTIALS, name, f"dir:{back}")
    assert digests.of((back / "manifest.json").read_bytes()) == given.root.digest
    assert {file.name for file in back.iterdir()} == {file.name for file in given.folder.iterdir()}


@pytest.mark.requires("skopeo")
def test_skopeo(double: Nexus, profile: Profile, tmp_path: Path) -> None:
    given, command = source(tmp_path, profile), skopeo(tmp_path / "skopeo")
    there = f"{double.connector().address}/team/app"
    round_trip(command, given, there, tmp_path / "back")
    # A second image name: the blobs are there (23), children are not (28).
    copy = ("copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false", "--dest-creds", CREDENTIALS)
    command.run(*copy, f"dir:{given.folder}", f"docker://{there}-too:v1")
    tags = {"v1": given.root.digest}
    assert double.repository().tags == {"team/app": tags, "team/app-too": tags}
    assert not double.asked("POST", "/team/app-too/")
    assert double.tries[PUSHER.name][1:] == (0, 0)


@pytest.mark.requires("skopeo")
@pytest.mark.parametrize("profile", ["3.71", "3.8x", "3.96"])
def test_skopeo_by_path(double: Nexus, profile: Profile, tmp_path: Path) -> None:
    given, command = source(tmp_path, profile), skopeo(tmp_path / "skopeo")
    there = f"{double.main.address}/by-path/team/app"
    if profile == "3.71":
        with pytest.raises(CommandFailed, match="404"):
            round_trip(command, given, there, tmp_path / "back")
        return
    round_trip(command, given, there, tmp_path / "back")
    assert double.repository("by-path").tags == {"team/app": {"v1": given.root.digest}}


@pytest.mark.requires("skopeo")
@pytest.mark.parametrize("profile", ["legacy", "3.96"])
def test_skopeo_by_subdomain(double: Nexus, profile: Profile, tmp_path: Path) -> None:
    given, command = source(tmp_path, profile), skopeo(tmp_path / "skopeo")
    with http_proxy(routes={"images.nexus.test:80": double.main.address}) as proxy:
        through = replace(command, environment={**command.environment, "HTTP_PROXY": proxy.url})
        round_trip(through, given, "images.nexus.test:80/team/app", tmp_path / "back")
    assert double.repository().tags == {"team/app": {"v1": given.root.digest}}
    assert {one.route for one in double.asked()} == {"subdomain"}


@pytest.mark.requires("skopeo", "nginx")
@pytest.mark.parametrize("profile", ["3.71", "3.96"])
def test_skopeo_by_the_repositorys_path_behind_nginx(double: Nexus, profile: Profile, tmp_path: Path) -> None:
    given, command = source(tmp_path, profile), skopeo(tmp_path / "skopeo")
    inside = f"{double.main.url}/repository/"
    places = {"/v2/": f"{inside}docker-hosted/v2/", "/repository/": inside}
    with nginx(tmp_path / "nginx", places, body_size="0", request_buffering=False) as front:
        round_trip(command, given, f"{front.address}/team/app", tmp_path / "back")
    assert double.repository().tags == {"team/app": {"v1": given.root.digest}}
    assert {one.route for one in double.asked()} == {"repository"}


@pytest.mark.requires("podman")
def test_podman(double: Nexus, profile: Profile, tmp_path: Path) -> None:
    """It pulls one platform's image out of the index, and pushes it under another tag with layers of its own making."""
    given, command = source(tmp_path, profile), podman(tmp_path / "podman")
    there = f"{double.connector().address}/team/app"
    assert push(double.connector().url, given.images, "team/app", "v1", given.root).status == 201
    command.run("pull", "-q", "--tls-verify=false", "--creds", CREDENTIALS, "--platform", "linux/amd64", f"{there}:v1")
    (image,) = command.json("image", "inspect", f"{there}:v1")
    child = parse(given.images.content[given.root.digest]).children[0].digest
    assert f"{there}@{child}" in image["RepoDigests"]
    said, sent = tmp_path / "digest", ("push", "-q", "--tls-verify=false", "--creds", CREDENTIALS)
    command.run(*sent, "--digestfile", said, f"{there}:v1", f"{there}:v2")
    assert double.repository().tags["team/app"] == {"v1": given.root.digest, "v2": said.read_text().strip()}
    assert double.tries[PUSHER.name][1:] == (0, 0)


@pytest.mark.requires("oras")
def test_oras(double: Nexus, profile: Profile, tmp_path: Path) -> None:
    given, command = source(tmp_path, profile), oras(tmp_path / "oras")
    there = f"{double.connector().address}/team/app:v1"
    auth(command.folder, double.connector().address)
    command.run("cp", "--from-oci-layout", "--to-plain-http", f"{given.layout}:multi", there)
    assert double.repository().tags == {"team/app": {"v1": given.root.digest}}
    raw = command.run("manifest", "fetch", "--plain-http", there)
    assert digests.of(raw) == given.root.digest
    command.run("cp", "--from-plain-http", "--to-oci-layout", there, f"{tmp_path / 'back'}:v1")
    assert ImageLayout(tmp_path / "back").resolve("v1").digest == given.root.digest
    assert b"team/app" in command.run("repo", "ls", "--plain-http", double.connector().address)
    if profile != "legacy":
        (command.folder / "note.txt").write_text("carried")
        note = f"{double.connector().address}/team/note:v1"
        command.run(
            "push", "--plain-http", note, "--artifact-type", "application/vnd.example.note", "note.txt:text/plain"
        )
        command.run("pull", "--plain-http", note, "-o", "out")
        assert (command.folder / "out" / "note.txt").read_text() == "carried"
    assert double.tries[PUSHER.name][1:] == (0, 0)


@pytest.mark.requires("skopeo")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"repositories": (Repository("docker-hosted", connector="http", write_policy="DENY"),)}, "is read-only"),
        ({"component_limit": 0, "components_elsewhere": 1}, "403"),
        ({"body_limit": 10_000}, "413"),
        ({"frozen": True}, "503"),
        ({"location": "internal"}, r"nexus-internal\.invalid"),
    ],
    ids=["deny", "limit", "413", "frozen", "internal"],
)
def test_skopeo_fails_as_people_report_it(more: dict[str, Any], message: str, tmp_path: Path) -> None:
    given, command = source(tmp_path), skopeo(tmp_path / "skopeo")
    copy = ("copy", "-q", "--all", "--dest-tls-verify=false", "--dest-creds", CREDENTIALS)
    with nexus(Settings(**more)) as double:
        with pytest.raises(CommandFailed, match=message):
            command.run(*copy, f"dir:{given.folder}", f"docker://{double.connector().address}/a:v1")
        assert double.repository().tags == {}


@pytest.mark.requires("skopeo", "openssl")
@pytest.mark.parametrize(
    ("kind", "host", "message"),
    [
        ("good", "127.0.0.1", ""),
        ("self_signed", "127.0.0.1", "certificate signed by unknown authority"),
        ("wrong_host", "localhost", "certificate is valid for elsewhere.example, not localhost"),
        ("common_name_only", "localhost", "relies on legacy Common Name field, use SANs instead"),
        ("expired", "127.0.0.1", "certificate has expired or is not yet valid"),
        ("no_ip", "127.0.0.1", "doesn't contain any IP SANs"),
    ],
)
def test_certificates_of_every_kind(tmp_path: Path, authority: Authority, kind: str, host: str, message: str) -> None:
    command, trusted = skopeo(tmp_path / "skopeo"), tmp_path / "certificates"
    trusted.mkdir()
    (trusted / "ca.crt").write_bytes(authority.ca.read_bytes())
    secure = (Repository("docker-hosted", connector="https"),)
    with nexus(Settings(repositories=secure), tls=getattr(authority, kind)()) as double:
        there = f"docker://{host}:{double.connector().port}/a"
        done = command.try_run("list-tags", "--cert-dir", trusted, "--creds", CREDENTIALS, there)
    said = done.stderr.decode()
    if message:
        assert re.search(message, said), said
        assert not double.seen
    else:
        assert re.search(r"repository name not known to registry|404 \(Not Found\)", said), said


@pytest.mark.requires("skopeo")
def test_plain_http_where_https_is_asked_for(tmp_path: Path) -> None:
    with nexus() as double:
        done = skopeo(tmp_path / "skopeo").try_run("list-tags", f"docker://{double.connector().address}/a")
    assert b"server gave HTTP response to HTTPS client" in done.stderr
