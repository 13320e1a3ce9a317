# SPDX-License-Identifier: Apache-2.0
"""Statements 1 to 3 and section 1: which address leads to a repository, and what the first answer says."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest

from tests.doubles.nexus import ADMIN, Repository, Settings, nexus
from tests.doubles.nexus.asking import ask, push, token_of
from tests.doubles.nexus.routes import RouteKind
from tests.doubles.nexus.settings import PROFILES, Profile
from tests.parts.certificates import Authority
from tests.parts.images import Images
from tests.parts.service import accepts

ROUTES: tuple[RouteKind, ...] = ("connector", "repository", "subdomain", "path")


def repositories(force_basic: bool) -> tuple[Repository, ...]:
    return (
        Repository("docker-hosted", connector="http", subdomain="sub", force_basic=force_basic),
        Repository("by-path", path_enabled=True, force_basic=force_basic),
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("challenge", ["basic", "bearer"])
@pytest.mark.parametrize("kind", ROUTES)
def test_01_every_route_takes_an_image_and_gives_it_back(kind: RouteKind, challenge: str, profile: Profile) -> None:
    images = Images(5)
    root = images.image(docker=True)
    with nexus(Settings(profile=profile, repositories=repositories(challenge == "basic"))) as double:
        name = "by-path" if kind == "path" else "docker-hosted"
        # The subdomain's name is nobody's to resolve: the Host header is what the server looks at.
        url = double.main.url if kind == "subdomain" else double.root(kind, name)
        named = {"Host": f"sub.nexus.test:{double.main.port}"} if kind == "subdomain" else {}
        image = double.image(kind, "team/app", name)
        first = ask("GET", f"{url}/v2/", user=None, headers=named)
        if kind == "path" and profile in ("legacy", "3.71"):
            assert (first.status, first.headers["Content-Type"]) == (404, "text/html")
            return
        assert first.status == 401
        authorization = {}
        if challenge == "bearer":
            realm = first.headers["WWW-Authenticate"].replace("sub.nexus.test", "127.0.0.1")
            first.headers.replace_header("WWW-Authenticate", realm)
            if kind == "subdomain":
                said = ask("GET", f"{url}/v2/token", headers=named).json()["token"]
                authorization = {"Authorization": f"Bearer {said}"}
            else:
                authorization = {"Authorization": token_of(first)}
        assert push(url, images, image, "v1", root, {**named, **authorization}).status == 201
        got = ask("GET", f"{url}/v2/{image}/manifests/v1", Accept=root.media_type, headers={**named, **authorization})
        assert got.body == images.content[root.digest]
        assert double.repository(name).tags == {"team/app": {"v1": root.digest}}
        assert {one.route for one in double.asked(fragment="/manifests/")} == {kind}


def test_01_the_main_port_without_a_route_is_a_page() -> None:
    with nexus() as double:
        for path in ("/v2/", "/v2/team/app/manifests/v1", "/elsewhere"):
            said = ask("GET", f"{double.url}{path}")
            assert (said.status, said.headers["Content-Type"]) == (404, "text/html")
            assert "Docker-Distribution-Api-Version" not in said.headers


def test_01_the_path_route_has_no_catalog() -> None:
    with nexus(Settings(repositories=(Repository("by-path", path_enabled=True),))) as double:
        assert ask("GET", f"{double.url}/v2/").status == 200
        assert ask("GET", f"{double.url}/v2/_catalog").status == 404
        assert ask("GET", f"{double.url}/v2/by-path/_catalog").status == 404
        assert ask("GET", f"{double.url}/v2/docker-hosted/a/tags/list").body == b"Repository not found"


def test_01_a_context_path_is_the_main_ports_alone() -> None:
    with nexus(Settings(context="/nexus")) as double:
        assert ask("GET", f"{double.connector().url}/v2/").status == 200
        assert ask("GET", f"{double.url}/repository/docker-hosted/v2/").status == 200
        assert ask("GET", f"{double.main.url}/repository/docker-hosted/v2/").status == 404
        assert ask("GET", f"{double.url}/service/rest/v1/status", user=None).status == 200


def test_01_a_connector_may_be_dead_while_the_settings_name_it(tmp_path: Path) -> None:
    dead = (Repository("docker-hosted", connector="dead"), Repository("no-tls", connector="https"))
    with nexus(Settings(repositories=dead)) as double:
        said = ask("GET", f"{double.url}/service/rest/v1/repositorySettings", user=ADMIN).json()
        ports = [said[0]["docker"]["httpPort"], said[1]["docker"]["httpsPort"]]
        assert all(ports)
        assert not any(accepts(port) for port in ports)


def test_01_https_connectors(authority: Authority) -> None:
    secure = (Repository("docker-hosted", connector="https", force_basic=False),)
    with nexus(Settings(repositories=secure), tls=authority.good(), main_tls=True) as double:
        trust = ssl.create_default_context(cafile=str(authority.ca))
        for url in (double.connector().url, double.root("repository")):
            assert url.startswith("https://")
            said = ask("GET", f"{url}/v2/", user=None, tls=trust)
            assert f'Bearer realm="{url}/v2/token"' in said.headers["WWW-Authenticate"]


@pytest.mark.parametrize("profile", PROFILES)
def test_02_unauthenticated(profile: Profile) -> None:
    with nexus(Settings(profile=profile)) as double:
        said = ask("GET", f"{double.connector().url}/v2/", user=None)
    assert said.status == 401
    assert said.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert said.headers["Content-Type"] == "application/json"
    assert said.headers["X-Content-Type-Options"] == "nosniff"
    assert said.headers["Content-Security-Policy"].startswith("sandbox")
    begins, edition = {
        "legacy": ("3.70", "OSS"),
        "3.71": ("3.71", "OSS"),
        "3.8x": ("3.8", "COMMUNITY"),
        "3.96": ("3.96", "COMMUNITY"),
    }[profile]
    assert said.headers["Server"].startswith(f"Nexus/{begins}")
    assert said.headers["Server"].endswith(f"({edition})")


def test_02_a_proxy_may_have_taken_the_server_header() -> None:
    with nexus(Settings(server_header=False)) as double:
        assert "Server" not in ask("GET", f"{double.connector().url}/v2/").headers


def test_03_its_body_is_113_bytes() -> None:
    with nexus() as double:
        said = ask("GET", f"{double.connector().url}/v2/", user=None)
    assert len(said.body) == int(said.headers["Content-Length"]) == 113
    assert (said.code, said.detail) == ("UNAUTHORIZED", None)


def test_the_program_never_imports_the_double() -> None:
    sources = (Path(__file__).parents[3] / "airgap").rglob("*.py")
    assert not [path for path in sources if re.search(r"(?:from|import) tests\b", path.read_text("utf-8"))]
