# SPDX-License-Identifier: Apache-2.0
"""What commands learn from Nexus's REST API, in each profile, with anonymous access on and off (statement 46)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.cli.command import Airgap, Registry, pod
from tests.cli.command import settings as registry_settings
from tests.doubles.front import front
from tests.doubles.nexus import ADMIN, PUSHER, READER, Nexus, Repository, Settings, User, nexus
from tests.doubles.nexus.settings import BASIC_REALMS, PROFILES
from tests.doubles.registry import Answer
from tests.doubles.registry import double as registry_double
from tests.flows.migrate.migrations import Old, between, fill, secret_environment, tags_of

HOSTED = Repository("docker-hosted", connector="http")
OPEN = replace(HOSTED, force_basic=False)
EACH = [(profile, anonymous) for profile in PROFILES for anonymous in (False, True)]


@pytest.fixture
def fresh() -> Iterator[Nexus]:
    with nexus(Settings(repositories=(HOSTED,))) as double:
        yield double


@pytest.fixture(scope="module")
def old() -> Old:
    return Old.of(8, 3, seed=46)


@pytest.mark.parametrize(("profile", "anonymous"), EACH)
@pytest.mark.parametrize("open_", [False, True])
def test_migrate_sees_what_the_source_lists(
    airgap: Airgap, fresh: Nexus, old: Old, profile: Any, anonymous: bool, open_: bool
) -> None:
    repository = OPEN if open_ else HOSTED
    with nexus(
        Settings(profile=profile, repositories=(repository,), anonymous=anonymous, oci_images="accepted")
    ) as far:
        fill(far.connector().address, old, PUSHER)
        secret_environment(airgap)
        said = airgap.run(*between(far, fresh, "--nexus-source", far.url))
        assert "components and catalog" in said.stderr
        assert tags_of(fresh) == old.digests
        assert far.tries[READER.name][1:] == (0, 0)


@pytest.mark.parametrize(("profile", "anonymous"), EACH)
def test_fix_sees_and_changes_the_settings(airgap: Airgap, profile: Any, anonymous: bool) -> None:
    settings = Settings(profile=profile, repositories=(OPEN,), anonymous=anonymous, realms=BASIC_REALMS)
    with nexus(settings) as double:
        airgap.environment = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
        target = f"http://{double.connector().address}/p"
        said = airgap.run("doctor", target, "--nexus", double.url, "--fix", "--yes")
        assert "done: switch the realm DockerToken on" in said.text
        assert "ok" in said.text.partition("repository")[0]
        assert double.access.realms[-1] == "DockerToken"


@pytest.mark.parametrize(("profile", "anonymous"), EACH)
def test_nobody_known_is_told_to_sign_in(airgap: Airgap, fresh: Nexus, profile: Any, anonymous: bool) -> None:
    settings = Settings(
        profile=profile,
        repositories=(OPEN,),
        anonymous=anonymous,
        anonymous_actions=frozenset({"read"}),
        anonymous_without_token=True,
    )
    with nexus(settings) as far:
        secret_environment(airgap)
        sides = [f"http://{far.connector().address}", f"http://{fresh.connector().address}"]
        said = airgap.fails(21, "migrate", *sides, "--nexus-source", far.url)
        assert "airgap login" in said.stderr


#: A command with a wrong password for the double at ``{}``, whose pages are at ``{pages}``.
COMMANDS = {
    "doctor": "doctor {target}",
    "doctor with the pages": "doctor {target} --nexus {pages}",
    "doctor before a closed port": "doctor http://127.0.0.1:9/p --nexus {pages}",
    "fix": "doctor {target} --nexus {pages} --fix --yes",
    "inventory": "inventory {target} -o held.json",
    "inventory with the pages": "inventory {target} --nexus {pages} -o held.json",
    "migrate to it": "migrate {good} {target}",
    "migrate from it": "migrate {target} {good} --source-username {reader}",
    "migrate from it with the pages": "migrate {target} {good} --source-username {reader} --nexus-source {pages}",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("profile", ["3.71", "3.96"])
@pytest.mark.parametrize("kind", ["basic", "tokens", "tokens, anonymous"])
def test_a_wrong_password_is_tried_once(
    airgap: Airgap, old: Old, fresh: Nexus, command: str, profile: Any, kind: str
) -> None:
    repository = HOSTED if kind == "basic" else OPEN
    anonymous = "anonymous" in kind
    settings = Settings(
        profile=profile, repositories=(repository,), anonymous=anonymous, anonymous_without_token=anonymous, lockout=-1
    )
    with nexus(settings) as double:
        airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_SOURCE_PASSWORD": "x", "AIRGAP_PASSWORD": "x"}
        words = COMMANDS[command].format(
            target=f"http://{double.connector().address}",
            good=f"http://{fresh.connector().address}",
            pages=double.url,
            reader=READER.name,
        )
        if words.startswith("migrate") and words.split()[2].endswith(fresh.connector().address):
            airgap.environment["AIRGAP_PASSWORD"] = PUSHER.password
        airgap.run(*words.split(), code=None)
        tries = {name: sum(count) for name, count in double.tries.items() if name != "anonymous"}
        assert set(tries.values()) <= {1}, tries


OTHER = Repository("docker-other", connector="http")
OCI = Repository("oci-hosted", format="oci", connector="http", force_basic=False)
#: What is behind a NodePort, where the settings do not tell which repository it is, and the active realms.
BEHIND = {
    "Basic, no token realm": ((HOSTED, OTHER), BASIC_REALMS),
    "Basic alone, no token realm": ((HOSTED,), BASIC_REALMS),
    "oci with its own realm": ((OCI, OTHER), (*BASIC_REALMS, "OciBearerToken")),
    "oci alone with its own realm": ((OCI,), (*BASIC_REALMS, "OciBearerToken")),
}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("user", [ADMIN, PUSHER], ids=lambda user: user.name)
def test_the_pages_take_nothing_away(airgap: Airgap, old: Old, behind: str, user: User) -> None:
    """An import into a NodePort succeeds with Nexus's pages given as it does without them."""
    repositories, realms = BEHIND[behind]
    settings = Settings(repositories=repositories, realms=realms)
    name = repositories[0].name
    with Registry() as source, nexus(settings) as double, front(double.connector(name).url) as nodes:
        source.fill(old.images, dict(list(old.names.items())[:2]))
        airgap.write("airgap.yaml", registry_settings({"quay.io": {"mirror": source.url}}))
        airgap.write("app.yaml", pod(*(f"quay.io/{name}" for name in list(old.names)[:2])))
        airgap.run("export", "app.yaml", "-o", "b.tar", "--restart")
        airgap.environment = {"AIRGAP_USERNAME": user.name, "AIRGAP_PASSWORD": user.password}
        target = f"http://{nodes.address}/p"
        airgap.run("import", "b.tar", "--to", target, "--nexus", double.url)
        assert len(double.repository(name).tags) == 2
        said = airgap.run("doctor", target, "--nexus", double.url, "--json")
        assert said.json["ready"]


def test_a_policy_that_was_read_is_said_instead_of_an_option_that_cannot_help(airgap: Airgap, old: Old) -> None:
    names = list(old.names)[:2]
    repository = replace(HOSTED, write_policy="ALLOW_ONCE")
    with Registry() as source, nexus(Settings(repositories=(repository,))) as double:
        airgap.environment = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
        airgap.write("airgap.yaml", registry_settings({"quay.io": {"mirror": source.url}}))
        airgap.write("app.yaml", pod("quay.io/team/app:1"))
        target = f"http://{double.connector().address}/p"
        for number in range(2):
            source.fill(old.images, {"team/app:1": old.names[names[number]]})
            airgap.run("export", "app.yaml", "-o", f"{number}.tar")
            if not number:
                airgap.run("import", "0.tar", "--to", target, "--nexus", double.url)
        before = len(double.seen)
        for more in ([], ["--overwrite"]):
            said = airgap.fails(50, "import", "1.tar", "--to", target, "--nexus", double.url, "--output", "o", *more)
            assert "ALLOW_ONCE" in said.stderr
            assert "--overwrite" not in said.stderr
        assert {seen.method for seen in double.seen[before:]} == {"GET"}


@pytest.mark.parametrize("command", ["import b.tar --to", "inventory -o held.json", "verify b.tar --against", "doctor"])
def test_a_repository_that_is_offline_is_not_waited_for(airgap: Airgap, old: Old, command: str) -> None:
    offline = Settings(repositories=(replace(HOSTED, online=False),), server_header=False)
    with Registry() as source, nexus(offline) as double:
        name = next(iter(old.names))
        source.fill(old.images, {"team/app:1": old.names[name]})
        airgap.write("airgap.yaml", registry_settings({"quay.io": {"mirror": source.url}}))
        airgap.write("app.yaml", pod("quay.io/team/app:1"))
        airgap.run("export", "app.yaml", "-o", "b.tar")
        airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
        said = airgap.run(*command.split(), f"http://{double.connector().address}/p", code=51)
        assert "offline" in said.stderr
        assert len(double.seen) <= 2


@pytest.mark.parametrize("pages", [True, False])
@pytest.mark.parametrize("command", ["import b.tar --to", "verify b.tar --against", "inventory -o held.json"])
def test_a_missing_realm_is_named_after_one_token(airgap: Airgap, old: Old, command: str, pages: bool) -> None:
    with Registry() as source, nexus(Settings(repositories=(OPEN,), realms=BASIC_REALMS)) as double:
        names = dict(list(old.names.items())[:3])
        source.fill(old.images, names)
        airgap.write("airgap.yaml", registry_settings({"quay.io": {"mirror": source.url}}))
        airgap.write("app.yaml", pod(*(f"quay.io/{name}" for name in names)))
        airgap.run("export", "app.yaml", "-o", "b.tar")
        airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
        more = [] if not pages or "verify" in command else ["--nexus", double.url]
        said = airgap.fails(51, *command.split(), f"http://{double.connector().address}/p", *more)
        assert "DockerToken" in said.stderr
        assert len(double.asked("GET", "/v2/token")) == 1


@pytest.mark.parametrize("pages", [True, False])
@pytest.mark.parametrize("repository", [HOSTED, OPEN], ids=["basic", "tokens"])
@pytest.mark.parametrize("command", ["import b.tar --to", "import b.tar --dry-run --to", "verify b.tar --against"])
def test_a_wrong_password_is_tried_once_for_a_bundle(
    airgap: Airgap, old: Old, command: str, repository: Repository, pages: bool
) -> None:
    with Registry() as source, nexus(Settings(repositories=(repository,), lockout=-1)) as double:
        names = dict(list(old.names.items())[:3])
        source.fill(old.images, names)
        airgap.write("airgap.yaml", registry_settings({"quay.io": {"mirror": source.url}}))
        airgap.write("app.yaml", pod(*(f"quay.io/{name}" for name in names)))
        airgap.run("export", "app.yaml", "-o", "b.tar")
        airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": "wrong"}
        more = ["--nexus", double.url] if pages and "verify" not in command else []
        airgap.fails(21, *command.split(), f"http://{double.connector().address}/p", *more)
        assert double.tries == {PUSHER.name: (0, 1, 0)}


@pytest.mark.parametrize(("challenge", "words"), [("", "does not say how to sign in"), ("Negotiate", "only Negotiate")])
def test_a_401_without_a_usable_challenge_says_so(airgap: Airgap, challenge: str, words: str) -> None:
    head = {"WWW-Authenticate": challenge} if challenge else {}
    with registry_double(lambda _: Answer(401, b"{}", {"Content-Type": "application/json", **head})) as there:
        said = airgap.fails(21, "inventory", there.url, "-o", "held.json")
        assert words in said.stderr
        assert "proxy" in said.stderr


def test_realms_on_a_closed_port_are_told_by_the_challenge(airgap: Airgap) -> None:
    """The address of the tokens is looked at before it is asked."""
    with nexus(Settings(repositories=(OPEN,), realm="http443")) as far:
        airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
        said = airgap.fails(51, "inventory", f"http://{far.connector().address}", "-o", "held.json", "--verbose")
        assert "which is not where it is reached" in said.stderr
