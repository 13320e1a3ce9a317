# SPDX-License-Identifier: Apache-2.0
"""Nexus as what is read from: by every route and by the address of its pages, by both challenges, in each profile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.cli.command import Airgap, Registry, pod, settings
from tests.doubles.nexus import PUSHER, READER, Nexus, Repository, Settings, nexus
from tests.doubles.nexus.settings import PROFILES
from tests.flows.migrate.migrations import Old, fill, secret_environment, tags_of
from tests.parts.certificates import Authority
from tests.parts.matrix import long_unless

HOSTED = Repository("docker-hosted", connector="http")
ROUTES = ("connector", "path", "repository", "repository with the pages", "pages", "pages below a context path")
CASES = [
    (profile, basic, kind, anonymous)
    for profile in PROFILES
    for basic in (True, False)
    for kind in ROUTES
    for anonymous in (True, False)
    if kind != "path" or profile in ("3.8x", "3.96")
]


def short(profile: str, basic: bool, kind: str, anonymous: bool) -> bool:
    """The newest Nexus in every way, and each route of the older ones: what is asked for depends on the route and the
    profile, how it is signed in on neither."""
    return profile == PROFILES[-1] or (basic and not anonymous)


@pytest.fixture
def fresh() -> Iterator[Nexus]:
    with nexus(Settings(repositories=(HOSTED,))) as double:
        yield double


@pytest.fixture(scope="module")
def old() -> Old:
    return Old.of(5, 3, seed=47)


@pytest.mark.parametrize(("profile", "basic", "kind", "anonymous"), long_unless(short, CASES))
def test_migrate_reads_it(
    airgap: Airgap, fresh: Nexus, old: Old, profile: Any, basic: bool, kind: str, anonymous: bool
) -> None:
    repository = replace(HOSTED, force_basic=basic, path_enabled=kind == "path")
    context = "/nexus" if "context" in kind else ""
    made = Settings(
        profile=profile, repositories=(repository,), anonymous=anonymous, oci_images="accepted", context=context
    )
    with nexus(made) as far:
        fill(far.connector().address, old, PUSHER)
        secret_environment(airgap)
        source = {
            "connector": far.connector().url,
            "path": f"{far.url}/docker-hosted",
            "repository": f"{far.url}/repository/docker-hosted",
            "repository with the pages": f"{far.url}/repository/docker-hosted",
        }.get(kind, far.url)
        more = ["--nexus-source", far.url] if "with" in kind else []
        target = f"http://{fresh.connector().address}"
        airgap.run("migrate", source, target, "--source-username", READER.name, *more)
        assert tags_of(fresh) == old.digests
        assert far.tries[READER.name][1:] == (0, 0)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("basic", [True, False])
def test_verify_reads_it_by_any_address(airgap: Airgap, old: Old, profile: Any, basic: bool) -> None:
    repository = replace(HOSTED, force_basic=basic)
    made = Settings(profile=profile, repositories=(repository,), oci_images="accepted")
    names = dict(list(old.names.items())[:3])
    with Registry() as internet, nexus(made) as double:
        internet.fill(old.images, names)
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        airgap.write("app.yaml", pod(*(f"quay.io/{name}" for name in names)))
        airgap.run("export", "app.yaml", "-o", "b.tar")
        airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
        airgap.run("import", "b.tar", "--to", f"http://{double.connector().address}/p")
        for address in (f"{double.url}/repository/docker-hosted/p", f"{double.url}/p"):
            assert "3 tags, all" in airgap.run("verify", "b.tar", "--against", address).stderr
        double.repository().tagged.clear()
        airgap.run("verify", "b.tar", "--against", f"{double.url}/repository/docker-hosted/p", code=32)


def test_pages_with_several_repositories_are_listed_with_their_connectors(airgap: Airgap, fresh: Nexus) -> None:
    other = Repository("docker-other", connector="http")
    with nexus(Settings(repositories=(HOSTED, other))) as far:
        airgap.environment = {"AIRGAP_SOURCE_PASSWORD": "admin-word", "AIRGAP_USERNAME": PUSHER.name}
        airgap.environment["AIRGAP_PASSWORD"] = PUSHER.password
        words = ("migrate", far.url, f"http://{fresh.connector().address}", "--source-username", "admin")
        said = airgap.fails(2, *words)
        assert f"docker-hosted (port {far.connector().port})" in said.stderr
        assert f"{far.url}/repository/docker-hosted" in said.stderr


def test_an_untrusted_source_names_the_sources_option(airgap: Airgap, fresh: Nexus, authority: Authority) -> None:
    secure = Repository("docker-hosted", connector="https")
    with nexus(Settings(repositories=(secure,)), tls=authority.self_signed()) as far:
        secret_environment(airgap)
        target = f"http://{fresh.connector().address}"
        source = f"https://{far.connector().address}"
        said = airgap.fails(24, "migrate", source, target, "--source-username", READER.name)
        assert "--source-insecure" in said.stderr
        airgap.run("migrate", source, target, "--source-username", READER.name, "--source-insecure")


def test_a_source_that_is_switched_offline_is_not_waited_for(airgap: Airgap, fresh: Nexus) -> None:
    with nexus(Settings(repositories=(replace(HOSTED, online=False),))) as far:
        secret_environment(airgap)
        sides = (f"http://{far.connector().address}", f"http://{fresh.connector().address}")
        said = airgap.fails(51, "migrate", *sides, "--source-username", READER.name)
        assert "offline" in said.stderr
        assert len(far.seen) == 1
