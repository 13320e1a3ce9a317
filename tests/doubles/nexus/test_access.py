# SPDX-License-Identifier: Apache-2.0
"""Statements 4 to 8 and 12, and what section 1 says of anonymous pulls and wrong realms."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.doubles.nexus import ADMIN, PUSHER, READER, STRANGER, Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import ask, push, token_of
from tests.doubles.nexus.settings import BASIC_REALMS, Profile
from tests.parts.images import Images

OPEN = (Repository("docker-hosted", connector="http", force_basic=False),)
BY_PATH = (Repository("by-path", path_enabled=True, force_basic=False),)


def challenge(url: str) -> str:
    said = ask("GET", url, user=None)
    assert said.status == 401
    return said.headers["WWW-Authenticate"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_04_force_basic_shouts(method: str) -> None:
    with nexus() as double:
        body = b"{}" if method in ("POST", "PUT") else None
        said = ask(method, f"{double.connector().url}/v2/a/blobs/uploads/", body, user=None)
    assert said.status == 401
    assert said.headers["WWW-Authenticate"] == 'BASIC realm="Sonatype Nexus Repository Manager"'


@pytest.mark.parametrize("profile", ["legacy", "3.71", "3.8x", "3.96"])
def test_05_bearer_names_the_tokens_url_twice(profile: Profile) -> None:
    with nexus(Settings(profile=profile, repositories=OPEN)) as double:
        for url in (double.connector().url, double.root("repository")):
            scope = "" if profile == "3.8x" else ',scope="repository:*:pull"'
            expected = f'Bearer realm="{url}/v2/token",service="{url}/v2/token"{scope}'
            assert challenge(f"{url}/v2/") == challenge(f"{url}/v2/a/tags/list") == expected


def test_05_the_path_routes_realm_moved() -> None:
    with nexus(Settings(profile="3.8x", repositories=BY_PATH)) as double:
        assert f'realm="{double.url}/repository/by-path/v2/token"' in challenge(f"{double.url}/v2/by-path/a/tags/list")
    with nexus(Settings(profile="3.96", repositories=BY_PATH)) as double:
        assert f'realm="{double.url}/v2/token"' in challenge(f"{double.url}/v2/by-path/a/tags/list")
    with nexus(Settings(profile="3.96", path_realm="repository", repositories=BY_PATH)) as double:
        assert "/repository/by-path/v2/token" in challenge(f"{double.url}/v2/by-path/a/tags/list")


def test_05_the_url_is_made_of_what_is_forwarded() -> None:
    with nexus(Settings(repositories=OPEN)) as double:
        url = f"{double.connector().url}/v2/"
        right = ask("GET", url, user=None, host="nexus.corp", X_Forwarded_Proto="https", X_Forwarded_Port="443")
        wrong = ask("GET", url, user=None, host="nexus.corp", X_Forwarded_Port="443")
    assert 'realm="https://nexus.corp/v2/token"' in right.headers["WWW-Authenticate"]
    assert 'realm="http://nexus.corp:443/v2/token"' in wrong.headers["WWW-Authenticate"]


def test_06_a_token_and_nothing_else() -> None:
    with nexus(Settings(repositories=OPEN)) as double:
        said = ask("GET", f"{double.connector().url}/v2/token?service=x&scope=repository:a:pull")
        assert list(said.json()) == ["token"]
        assert re.fullmatch(r"DockerToken\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", said.json()["token"])
        bearer = f"Bearer {said.json()['token']}"
        assert ask("GET", f"{double.connector().url}/v2/", Authorization=bearer).status == 200
        assert ask("GET", f"{double.connector().url}/v2/", Authorization="Bearer DockerToken.made-up").status == 401
        assert ask("GET", f"{double.connector().url}/v2/token", password="wrong").status == 401
        assert double.access.sign_ins[PUSHER.name].tokens == 1


def test_06_a_token_may_end() -> None:
    with nexus(Settings(repositories=OPEN, token_seconds=60)) as double:
        url = f"{double.connector().url}/v2/"
        bearer = token_of(ask("GET", url, user=None))
        assert ask("GET", url, Authorization=bearer).status == 200
        double.advance(61)
        assert ask("GET", url, Authorization=bearer).status == 401


def test_06_a_token_may_be_another_repositorys() -> None:
    two = (*OPEN, Repository("other", connector="http", force_basic=False))
    for bound, status in ((False, 404), (True, 401)):
        with nexus(Settings(repositories=two, tokens_per_repository=bound)) as double:
            bearer = token_of(ask("GET", f"{double.connector().url}/v2/", user=None))
            said = ask("GET", f"{double.connector('other').url}/v2/a/tags/list", Authorization=bearer)
            assert said.status == status


def test_06_tokens_want_the_realm() -> None:
    with nexus(Settings(repositories=OPEN, realms=BASIC_REALMS)) as double:
        url = f"{double.connector().url}/v2/"
        assert ask("GET", url, Authorization=token_of(ask("GET", url, user=None))).status == 401
        assert ask("GET", url).status == 200
        ask("PUT", f"{double.url}/service/rest/v1/security/realms/active", b'["DockerToken"]', user=ADMIN)
        assert ask("GET", url, Authorization=token_of(ask("GET", url, user=None))).status == 200


@pytest.mark.parametrize("force_basic", [True, False])
def test_07_basic_in_both_modes(force_basic: bool) -> None:
    with nexus(Settings(repositories=(Repository("docker-hosted", force_basic=force_basic),))) as double:
        assert ask("GET", f"{double.root('repository')}/v2/").status == 200
        assert ask("GET", f"{double.root('repository')}/v2/", password="wrong").status == 401
        assert double.tries == {PUSHER.name: (1, 1, 0)}


def test_08_the_unprivileged_get_403_and_the_anonymous_401() -> None:
    with nexus(Settings(repositories=OPEN, anonymous=True)) as double:
        url = double.connector().url
        for user, method, path in (
            (STRANGER, "GET", "/v2/a/manifests/v1"),
            (STRANGER, "GET", "/v2/_catalog"),
            (READER, "POST", "/v2/a/blobs/uploads/"),
            (PUSHER, "DELETE", "/v2/a/manifests/v1"),
        ):
            assert ask(method, url + path, user=user).status == 403, (user.name, method)
        assert ask("GET", f"{url}/v2/", user=STRANGER).status == 200
        bearer = token_of(ask("GET", f"{url}/v2/", user=None), user=None)
        assert ask("POST", f"{url}/v2/a/blobs/uploads/", b"", Authorization=bearer).status == 401


def _anonymous_pull(double: Nexus, url: str, image: str = "a") -> int:
    images = Images(1)
    assert push(url, images, image, "v1", images.image()).status == 201
    first = ask("GET", f"{url}/v2/", user=None)
    token = ask("GET", re.findall(r'realm="([^"]+)"', first.headers["WWW-Authenticate"])[0], user=None)
    if token.status != 200:
        return token.status
    bearer = f"Bearer {token.json()['token']}"
    return ask("GET", f"{url}/v2/{image}/manifests/v1", user=None, Authorization=bearer).status


def test_08_anonymous_pull_needs_all_of_it() -> None:
    with nexus(Settings(repositories=OPEN, anonymous=True)) as double:
        assert _anonymous_pull(double, double.connector().url) == 200
        assert ask("GET", f"{double.connector().url}/v2/a/manifests/v1", user=None).status == 401
    for settings in (
        Settings(repositories=OPEN),
        Settings(repositories=OPEN, anonymous=True, realms=BASIC_REALMS),
        Settings(repositories=OPEN, anonymous=True, anonymous_actions=frozenset()),
    ):
        with nexus(settings) as double:
            assert _anonymous_pull(double, double.connector().url) == 401
    with nexus(Settings(anonymous=True)) as double:
        assert ask("GET", f"{double.connector().url}/v2/token", user=None).status == 401
    with nexus(Settings(repositories=OPEN, anonymous=True, anonymous_without_token=True)) as double:
        assert ask("GET", f"{double.connector().url}/v2/_catalog", user=None).status == 200


def test_08_a_token_of_nobody_ends_with_force_basic() -> None:
    with nexus(Settings(repositories=OPEN, anonymous=True)) as double:
        url = f"{double.connector().url}/v2/_catalog"
        bearer = token_of(ask("GET", url, user=None), user=None)
        assert ask("GET", url, Authorization=bearer).status == 200
        double.repository().settings = replace(double.repository().settings, force_basic=True)
        assert ask("GET", url, Authorization=bearer).status == 401


def test_08_anonymous_pull_failed_on_the_path_route_once() -> None:
    for works, status in ((True, 200), (False, 401)):
        with nexus(Settings(repositories=BY_PATH, anonymous=True, path_anonymous=works)) as double:
            assert _anonymous_pull(double, double.url, "by-path/a") == status


def test_12_after_more_than_three_failures_the_right_password_gets_429() -> None:
    with nexus(Settings(profile="3.96")) as double:
        url = f"{double.connector().url}/v2/"
        assert [ask("GET", url, password="wrong").status for _ in range(4)] == [401] * 4
        locked = ask("GET", url)
        assert (locked.status, locked.headers["Retry-After"]) == (429, "30")
        assert ask("GET", f"{double.url}/service/rest/v1/status").status == 429
        assert ask("GET", url, user=READER).status == 200
        double.advance(14 * 60)
        assert ask("GET", url).status == 429  # which prolongs it
        double.advance(14 * 60)
        assert ask("GET", url).status == 429
        double.advance(15 * 60 + 1)
        assert ask("GET", url).status == 200
        assert double.tries[PUSHER.name] == (1, 4, 4)


def test_12_three_failures_lock_nobody() -> None:
    with nexus(Settings(profile="3.96")) as double:
        url = f"{double.connector().url}/v2/"
        for _ in range(2):
            assert [ask("GET", url, password="wrong").status for _ in range(3)] == [401] * 3
            assert ask("GET", url).status == 200


@pytest.mark.parametrize("profile", ["legacy", "3.71", "3.8x"])
def test_12_older_ones_never_lock(profile: Profile) -> None:
    with nexus(Settings(profile=profile)) as double:
        url = f"{double.connector().url}/v2/"
        assert [ask("GET", url, password="wrong").status for _ in range(6)] == [401] * 6
        assert ask("GET", url).status == 200


@pytest.mark.parametrize(
    ("realm", "expected"), [("null", r"null://127\.0\.0\.1:\d+/"), ("http443", "http://127.0.0.1:443/")]
)
def test_44_realms_that_lead_nowhere(realm: str, expected: str) -> None:
    with nexus(Settings(repositories=OPEN, realm=realm)) as double:  # type: ignore[arg-type]  # of the parametrisation
        assert re.search(f'realm="{expected}v2/token"', challenge(f"{double.connector().url}/v2/"))


def test_47_a_forwarded_port_comes_twice() -> None:
    with nexus(Settings(repositories=OPEN, doubles_port=True)) as double:
        port = double.connector().port
        said = ask("GET", f"{double.connector().url}/v2/", user=None, X_Forwarded_Host=f"a.example:{port}")
        assert f'realm="http://a.example:{port}:{port}/v2/token"' in said.headers["WWW-Authenticate"]
        assert (
            "a.example/v2/token"
            in ask("GET", f"{double.connector().url}/v2/", user=None, X_Forwarded_Host="a.example").headers[
                "WWW-Authenticate"
            ]
        )


def test_12_number_and_time_are_switches() -> None:
    with nexus(Settings(profile="3.71", lockout=0, lockout_seconds=5)) as double:
        url = f"{double.connector().url}/v2/"
        assert ask("GET", url, password="wrong").status == 401
        assert ask("GET", url).status == 429
        double.advance(6)
        assert ask("GET", url).status == 200
    with nexus(Settings(profile="3.96", lockout=-1)) as double:
        url = f"{double.connector().url}/v2/"
        assert [ask("GET", url, password="wrong").status for _ in range(5)] == [401] * 5
        assert ask("GET", url).status == 200
