# SPDX-License-Identifier: Apache-2.0
"""Statements 37, 38 and 40 to 43: what may not be written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.doubles.nexus import ADMIN, Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import ask, push, upload
from tests.doubles.nexus.settings import Profile
from tests.parts.images import Images


def only(**more: Any) -> tuple[Repository, ...]:
    return (Repository("docker-hosted", connector="http", **more),)


def twice(double: Nexus, tag: str = "v1") -> tuple[Any, Any]:
    """The answers to a first and a second push of one image under one tag."""
    images = Images(1)
    root, url = images.image(docker=True), double.connector().url
    return tuple(push(url, images, "team/app", tag, root) for _ in range(2))  # type: ignore[return-value]  # two


def test_37_allow_once_on_orientdb() -> None:
    with nexus(Settings(profile="legacy", repositories=only(write_policy="ALLOW_ONCE"))) as double:
        first, second = twice(double)
    assert (first.status, second.status, second.code) == (201, 400, "BLOB_UPLOAD_INVALID")
    assert second.detail == "Repository does not allow updating assets: docker-hosted"
    assert double.asked()[-1].target == "/v2/team/app/manifests/v1"


@pytest.mark.parametrize(("profile", "status"), [("3.71", 400), ("3.8x", 400), ("3.96", 400), ("3.96", 409)])
def test_38_allow_once_later(profile: Profile, status: int) -> None:
    settings = Settings(profile=profile, repositories=only(write_policy="ALLOW_ONCE"), once_status=status)
    with nexus(settings) as double:
        first, second = twice(double)
    assert (first.status, second.status, second.code) == (201, status, "BLOB_UPLOAD_INVALID")
    assert second.detail == "docker-hosted/v2/team/app/manifests/v1 cannot be updated"


def test_38_a_manifest_by_digest_again_is_a_switch() -> None:
    images = Images(1)
    child = images.image()
    for again, status in ((True, 201), (False, 400)):
        settings = Settings(repositories=only(write_policy="ALLOW_ONCE"), once_digest_again=again)
        with nexus(settings) as double:
            answers = [push(double.connector().url, images, "a", child.digest, child) for _ in range(2)]
            assert [said.status for said in answers] == [201, status]


@pytest.mark.parametrize(
    ("exempt", "tag", "status"), [(True, "latest", 201), (True, "v1", 400), (False, "latest", 400)]
)
def test_40_latest_may_be_exempt(exempt: bool, tag: str, status: int) -> None:
    with nexus(Settings(repositories=only(write_policy="ALLOW_ONCE", latest_policy=exempt))) as double:
        first, second = twice(double, tag)
    assert (first.status, second.status) == (201, status)


@pytest.mark.parametrize("status", [400, 403])
def test_41_deny(status: int) -> None:
    with nexus(Settings(repositories=only(write_policy="DENY"), deny_status=status)) as double:
        url = double.connector().url
        said = ask("POST", f"{url}/v2/a/blobs/uploads/", b"")
        assert said.status == status
        assert b"is read-only" in said.body
        assert ask("GET", f"{url}/v2/_catalog").status == 200


@pytest.mark.parametrize(("policy", "status"), [("ALLOW", 202), ("ALLOW_ONCE", 202), ("DENY", 400)])
def test_41_deletion_by_policy(policy: Any, status: int) -> None:
    images = Images(1)
    with nexus(Settings(repositories=only())) as double:
        url = double.connector().url
        push(url, images, "a", "v1", images.image())
        double.repository().settings = replace(double.repository().settings, write_policy=policy)
        assert ask("DELETE", f"{url}/v2/a/manifests/v1", user=ADMIN).status == status


def test_42_over_the_limit_stays_over() -> None:
    images = Images(1)
    root = images.image()
    with nexus(Settings(component_limit=2)) as double:
        url = double.connector().url
        for tag in ("v1", "v2"):
            assert push(url, images, "a", tag, root).status == 201
        assert ask("POST", f"{url}/v2/a/blobs/uploads/", b"").status == 202  # at the limit is not over it
        put = {"Content-Type": root.media_type}
        assert ask("PUT", f"{url}/v2/a/manifests/v3", images.content[root.digest], headers=put).status == 201
        said = ask("POST", f"{url}/v2/a/blobs/uploads/", b"")
        assert (said.status, said.body[:16]) == (403, b"PAYMENT REQUIRED")
        assert ask("GET", f"{url}/v2/a/manifests/v1").status == 200
        ask("DELETE", f"{url}/v2/a/manifests/{root.digest}", user=ADMIN)
        assert double.repository().components == 0
        assert ask("POST", f"{url}/v2/a/blobs/uploads/", b"").status == 403


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        (Settings(components_elsewhere=40_001), 403),
        (Settings(components_elsewhere=40_000), 202),
        (Settings(components_elsewhere=40_001, in_grace=True), 202),
        (Settings(components_elsewhere=40_001, edition="PRO"), 202),
        (Settings(components_elsewhere=90_000, profile="3.71"), 202),
        (Settings(components_elsewhere=100_001, profile="3.71", edition="COMMUNITY"), 403),
        (Settings(requests_before=100_000), 403),
        (Settings(requests_before=99_999), 202),
        (Settings(requests_before=100_000, edition="PRO"), 202),
        (Settings(requests_before=199_999, profile="3.71", edition="COMMUNITY"), 202),
    ],
    ids=[
        "over",
        "at",
        "grace",
        "pro",
        "oss",
        "early-ce",
        "requests-over",
        "requests-at",
        "requests-pro",
        "requests-ce",
    ],
)
def test_42_limits_by_edition(settings: Settings, status: int) -> None:
    with nexus(settings) as double:
        assert ask("POST", f"{double.connector().url}/v2/a/blobs/uploads/", b"").status == status


def test_42_requests_count_for_a_day_whatever_was_answered() -> None:
    with nexus(Settings(request_limit=3)) as double:
        uploads = f"{double.connector().url}/v2/a/blobs/uploads/"
        for _ in range(2):
            assert ask("GET", f"{double.url}/nowhere", user=None).status == 404
        assert double.requests_today == 2
        assert ask("POST", uploads, b"").status == 202
        double.advance(24 * 60 * 60 + 1)
        assert double.requests_today == 0
        assert [ask("POST", uploads, b"").status for _ in range(4)] == [202, 202, 202, 403]
        assert ask("GET", f"{double.connector().url}/v2/").status == 200


GROUP = (
    Repository("docker-hosted"),
    Repository("together", kind="group", members=("docker-hosted",), connector="http"),
    Repository("cache", kind="proxy", remote="docker-hosted", connector="http"),
)


@pytest.mark.parametrize("profile", ["legacy", "3.96"])
def test_43_a_group_takes_no_push_without_pro(profile: Profile) -> None:
    with nexus(Settings(profile=profile, repositories=GROUP)) as double:
        said = upload(double.connector("together").url, "a")
    assert (said.status, said.code) == (403, "DENIED")
    assert "PRO-licensed" in said.json()["errors"][0]["message"]


def test_43_the_status_is_a_switch() -> None:
    with nexus(Settings(repositories=GROUP, group_push_status=401, proxy_push_status=403)) as double:
        assert upload(double.connector("together").url, "a").status == 401
        assert upload(double.connector("cache").url, "a").status == 403


def test_43_pro_pushes_to_the_first_member() -> None:
    images = Images(1)
    root = images.image()
    with nexus(Settings(edition="PRO", repositories=GROUP)) as double:
        assert push(double.connector("together").url, images, "a", "v1", root).status == 201
        assert double.repository().tags == {"a": {"v1": root.digest}}


def test_43_groups_and_proxies_give_what_others_hold() -> None:
    images = Images(1)
    root = images.image()
    with nexus(Settings(repositories=GROUP)) as double:
        assert push(double.root("repository"), images, "a", "v1", root).status == 201
        for name in ("together", "cache"):
            url = double.connector(name).url
            assert ask("GET", f"{url}/v2/a/manifests/v1").body == images.content[root.digest]
            assert ask("GET", f"{url}/v2/_catalog").json() == {"repositories": ["a"]}
        assert upload(double.connector("cache").url, "a").status == 405
