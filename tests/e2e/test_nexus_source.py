# SPDX-License-Identifier: Apache-2.0
"""Nexus as what is read from: by every route and by the address of its pages, by both challenges, in each profile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.cli.command import Airgap, Registry, pod, settings
from tests.doubles.nexus import PUSHER, READER, Nexus, Repository, Settings, nexus
from tests.doubles.nexus.settings import PROFILES
from tests.doubles.registry import Answer
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


@pytest.mark.parametrize("context", ["", "/nexus"])
def test_pages_with_several_repositories_are_read_whole(airgap: Airgap, fresh: Nexus, old: Old, context: str) -> None:
    """Two repositories may hold images of one name: each image has its repository's name before its own."""
    other = Repository("docker-other", connector="http")
    newer = Old.of(4, 2, seed=48)
    with nexus(Settings(repositories=(HOSTED, other), context=context)) as far:
        fill(far.connector("docker-hosted").address, old, PUSHER)
        fill(far.connector("docker-other").address, newer, PUSHER)
        airgap.environment = {"AIRGAP_SOURCE_PASSWORD": "admin-word", "AIRGAP_USERNAME": PUSHER.name}
        airgap.environment["AIRGAP_PASSWORD"] = PUSHER.password
        words = ("migrate", far.url, f"http://{fresh.connector().address}/all", "--source-username", "admin")
        wanted = {f"all/docker-hosted/{name}": digest for name, digest in old.digests.items()}
        wanted |= {f"all/docker-other/{name}": digest for name, digest in newer.digests.items()}
        first = airgap.run(*words, "--include", "docker-other/*")
        assert tags_of(fresh) == {name: digest for name, digest in wanted.items() if "docker-other" in name}
        for one in ("docker-hosted", "docker-other"):
            assert f"{one} (port {far.connector(one).port})" in first.stderr
        assert f"{far.url}/repository/docker-hosted" in first.stderr
        again = airgap.run(*words, "--nexus-source", far.url, "--report", "report.json")
        assert tags_of(fresh) == wanted
        assert "by components and catalog" in again.stderr
        report = json.loads((airgap.folder / "report.json").read_text())
        assert (report["componentsOnly"], report["tagsOnly"], report["digestOnly"]) == ([], [], [])
        assert far.tries["admin"][1:] == (0, 0)


def test_which_of_several_repositories_a_bundle_is_in_must_be_said(airgap: Airgap, old: Old) -> None:
    other = Repository("docker-other", connector="http")
    names = dict(list(old.names.items())[:2])
    with Registry() as internet, nexus(Settings(repositories=(HOSTED, other))) as far:
        internet.fill(old.images, names)
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        airgap.write("app.yaml", pod(*(f"quay.io/{name}" for name in names)))
        airgap.run("export", "app.yaml", "-o", "b.tar")
        airgap.environment = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "admin-word"}
        said = airgap.fails(2, "verify", "b.tar", "--against", far.url)
        assert f"docker-other (port {far.connector('docker-other').port})" in said.stderr
        assert f"{far.url}/repository/docker-hosted" in said.stderr


def test_an_image_below_repository_is_called_by_its_whole_address(airgap: Airgap, fresh: Nexus, old: Old) -> None:
    with nexus(Settings(repositories=(HOSTED,))) as far:
        fill(far.connector().address, old, PUSHER)
        secret_environment(airgap)
        address = f"{far.main.address}/repository/docker-hosted"
        words = ("migrate", f"http://{address}", f"http://{fresh.connector().address}", "--source-username", "reader")
        assert f"{address}: 6 tags" in airgap.run(*words, "--dry-run").stderr
        assert f"{address}/no/such: " in airgap.fails(22, *words, "--include", "no/such").stderr
        gone = next(iter(old.names))
        repository, _, tag = gone.rpartition(":")
        far.connector().always("GET", f"/{repository}/manifests/", Answer(404))
        far.main.always("GET", f"/{repository}/manifests/", Answer(404))
        far.main.always("HEAD", f"/{repository}/manifests/", Answer(404))
        assert f"error: {address}/{repository}:{tag}: " in airgap.run(*words, code=22).stderr


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
