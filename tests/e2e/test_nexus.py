# SPDX-License-Identifier: Apache-2.0
"""Export, import into a Nexus, pull: by every route, both challenges and each profile of the double.

What was imported is pulled by a plain client that goes by the names in the rewritten YAML, as a node does, and every
switch of the double that means trouble ends in success or in one clear message, after which a second run finishes.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airgap.oci.manifest import ACCEPT
from tests.cli.command import Airgap, Registry, pod, settings
from tests.doubles.nexus import ADMIN, PUSHER, Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import ask, basic
from tests.doubles.nexus.content import digest_of
from tests.doubles.nexus.settings import PROFILES
from tests.parts.certificates import Authority
from tests.parts.images import Images
from tests.parts.matrix import long_unless

HOSTED = Repository("docker-hosted", connector="http")
ROUTES = ("connector", "path", "subdomain", "repository")


@dataclass(frozen=True)
class Carried:
    """A bundle of three images: ``digests`` by the name that they have under ``basename``."""

    bundle: Path
    digests: dict[str, str]


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Carried]:
    """By whether the images are Docker's: a Nexus before 3.71 takes no OCI index."""
    made = {}
    for docker in (True, False):
        folder = tmp_path_factory.mktemp("carried")
        (folder / "home").mkdir()
        images = Images(11)
        names = {
            "team/app:1": images.two_platforms(docker=docker),
            "team/web:1": images.image(docker=docker),
            "team/job:2": images.two_platforms(docker=docker, attested=not docker),
        }
        with Registry() as registry:
            registry.fill(images, names)
            airgap = Airgap(folder, folder / "home")
            airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
            airgap.write("app.yaml", pod(*(f"quay.io/{name}" for name in names)))
            airgap.run("export", "app.yaml", "-o", "bundle.tar")
        digests = {name.rpartition("/")[2]: root.digest for name, root in names.items()}
        made[docker] = Carried(folder / "bundle.tar", digests)
    return made


def place(kind: str, basic: bool) -> Repository:
    return Repository(
        "docker-hosted",
        connector="http" if kind in ("connector", "repository") else None,
        path_enabled=kind == "path",
        subdomain="docker" if kind == "subdomain" else None,
        force_basic=basic,
    )


def targets(double: Nexus, kind: str) -> list[str]:
    """TARGET and what goes with it."""
    if kind == "connector":
        return [f"{double.connector().address}/p"]
    if kind == "path":
        return [f"{double.main.address}/docker-hosted/p"]
    if kind == "subdomain":  # no name leads to loopback here: pushed another way, and pulled by this name as Host
        via = f"{double.url}/repository/docker-hosted"
        return [f"docker.nexus.test:{double.main.port}/p", "--plain-http", "--via", via]
    return [f"{double.main.address}/repository/docker-hosted/p", "--nexus", double.url]


def pulled(double: Nexus, reference: str) -> str:
    """What a node gets for a reference: the index or image, every child and every blob, each checked; its digest."""
    host, _, rest = reference.partition("/")
    name, _, tag = rest.rpartition(":")
    port = host.rpartition(":")[2]
    base = f"http://127.0.0.1:{port}"
    headers: dict[str, str] = {}

    def get(path: str) -> bytes:
        said = ask("GET", f"{base}/v2/{name}/{path}", user=None, host=host, headers={**headers, "Accept": ACCEPT})
        if said.status == 401 and not headers:
            realm = re.match(r'Bearer realm="http://[^/]+([^"]+)"', said.headers["WWW-Authenticate"])
            headers["Authorization"] = basic(PUSHER)
            if realm:
                given = ask("GET", f"{base}{realm[1]}", user=PUSHER, host=host)
                headers["Authorization"] = f"Bearer {given.json()['token']}"
            return get(path)
        assert said.status == 200, said
        return said.body

    def whole(place: str) -> str:
        content = get(f"manifests/{place}")
        document = json.loads(content)
        for child in document.get("manifests", ()):
            assert whole(child["digest"]) == child["digest"]
        for blob in [document.get("config"), *document.get("layers", ())]:
            if blob:
                assert digest_of(get(f"blobs/{blob['digest']}")) == blob["digest"]
        return digest_of(content)

    return whole(tag)


CASES = [
    (profile, basic, kind)
    for profile in PROFILES
    for basic in (True, False)
    for kind in ROUTES
    if kind != "path" or profile in ("3.8x", "3.96")
]


def short(profile: str, basic: bool, kind: str, anonymous: bool) -> bool:
    """Whoever signs in is let in the same way where anonymous users are: the newest Nexus shows it."""
    return not anonymous or profile == PROFILES[-1]


@pytest.mark.parametrize(
    ("profile", "basic", "kind", "anonymous"),
    long_unless(short, [(*case, anonymous) for anonymous in (False, True) for case in CASES]),
)
def test_what_is_exported_is_pulled(
    carried: dict[bool, Carried], airgap: Airgap, profile: Any, basic: bool, kind: str, anonymous: bool
) -> None:
    there = carried[profile == "legacy"]
    user = ADMIN if kind == "repository" else PUSHER
    with nexus(Settings(profile=profile, repositories=(place(kind, basic),), anonymous=anonymous)) as double:
        airgap.environment = {"AIRGAP_USERNAME": user.name, "AIRGAP_PASSWORD": user.password}
        airgap.run("import", there.bundle, "--to", *targets(double, kind))
        text = (airgap.folder / "airgap-out" / "app.yaml").read_text()
        names = re.findall(r"image: (\S+)", text)
        assert len(names) == 3
        for name in names:
            assert pulled(double, name) == there.digests[name.rpartition("/")[2]]
        assert all(failed == 0 == refused for _, failed, refused in double.tries.values())
        assert not [name for name, content in airgap.files().items() if user.password.encode() in content]


@pytest.mark.parametrize("kind", [*ROUTES, "path below /repository"])
def test_an_inventory_is_by_the_names_that_nodes_pull(airgap: Airgap, kind: str) -> None:
    """And so an import under other names finds by it what a differential bundle has left out."""
    images = Images(12)
    names = {"team/app:1": images.two_platforms(), "team/web:1": images.image()}
    user = ADMIN if kind == "repository" else PUSHER
    airgap.environment = {"AIRGAP_USERNAME": user.name, "AIRGAP_PASSWORD": user.password}
    with Registry() as source, nexus(Settings(repositories=(place(kind.partition(" ")[0], True),))) as double:
        source.fill(images, names)
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
        airgap.write("app.yaml", pod(*(f"quay.io/{name}" for name in names)))
        airgap.run("export", "app.yaml", "-o", "whole.tar")
        there = targets(double, kind.partition(" ")[0])
        airgap.run("import", "whole.tar", "--to", *there)
        pulled_as = re.findall(r"image: (\S+)", (airgap.folder / "airgap-out" / "app.yaml").read_text())
        if kind == "path below /repository":
            there = [f"{double.main.address}/repository/docker-hosted/p"]
        before = len(double.seen)
        airgap.run("inventory", *there, "-o", "held.json")
        assert {seen.method for seen in double.seen[before:]} <= {"GET", "HEAD"}
        held = json.loads((airgap.folder / "held.json").read_bytes())
        assert sorted(image["target"] for image in held["images"]) == sorted(pulled_as)
        assert held["target"] == pulled_as[0].rpartition("/")[0]
        airgap.run("inventory", *there, "-o", "one.json", "--repository", "web")
        one = json.loads((airgap.folder / "one.json").read_bytes())
        assert [image["target"] for image in one["images"]] == [name for name in pulled_as if "/web:" in name]

        airgap.run("export", "app.yaml", "--base", "held.json", "-o", "rest.tar")
        requires = airgap.run("inspect", "rest.tar", "--json").json["requires"]
        assert {blob["digest"] for blob in requires} <= set(held["blobs"])
        assert requires
        airgap.run("import", "rest.tar", "--to", *there, "--mapping", "full", "--output", "again")
        again = re.findall(r"image: (\S+)", (airgap.folder / "again" / "app.yaml").read_text())
        assert [pulled(double, name) for name in again] == [root.digest for root in names.values()]


def test_an_inventory_is_no_matter_of_what_may_be_pushed(airgap: Airgap) -> None:
    """Frozen, read-only, a licence that waits: all of that can be read from."""
    repository = replace(HOSTED, write_policy="DENY")
    with nexus(Settings(repositories=(repository,), frozen=True, eula_accepted=False)) as double:
        airgap.environment = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
        for more in ([], ["--nexus", double.url]):
            said = airgap.run("inventory", double.connector().address, *more, "-o", "-")
            assert said.json["images"] == []


def test_a_dry_run_writes_nothing_and_neither_does_one_with_nothing_to_do(
    carried: dict[bool, Carried], airgap: Airgap
) -> None:
    bundle = carried[False].bundle
    with nexus(Settings(repositories=(HOSTED,))) as double:
        address = f"{double.connector().address}/p"
        airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
        said = airgap.run("import", bundle, "--to", address, "--nexus", double.url, "--dry-run")
        assert "3 images to push" in said.stderr
        assert {seen.method for seen in double.seen} <= {"GET", "HEAD"}
        airgap.run("import", bundle, "--to", address)
        assert double.asked("POST", "/airgap-probe/")
        before = len(double.seen)
        airgap.run("import", bundle, "--to", address)
        airgap.run("verify", bundle, "--against", address)
        assert {seen.method for seen in double.seen[before:]} <= {"GET", "HEAD"}


#: Switches that a run survives, and those that it ends by, with the words that it ends with.
SURVIVED: dict[str, dict[str, Any]] = {
    "commits fail": {"commit_500": 2},
    "a gateway loses patience": {"gateway_504": 2},
    "HEAD of tags is 404": {"head_manifest": False},
    "HEAD by digest is 500": {"head_by_digest_500": True},
    "no digest on manifests": {"manifest_digest": False},
    "no UUID, no Range": {"upload_uuid": False, "upload_range": False},
    "blobs are not shared": {"blobs_shared": False},
    "mounts": {"mount": True},
    "manifests want a length": {"manifest_length": True},
    "no chunked bodies": {"chunked": False},
    "one PATCH only": {"several_patches": False},
    "sessions cannot be asked or called off": {"upload_status": False, "upload_cancel": False},
    "idle connections are closed": {"idle": 0.3},
    "slow commits": {"commit_seconds": 0.4},
    "referrers": {"referrers": True},
    "no Server header": {"server_header": False},
    "tokens run out": {"token_seconds": 0.5},
    "pages as errors": {"errors": "html"},
    "reasons as errors": {"errors": "reason"},
}
ENDED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "frozen": ({"frozen": True}, {"frozen": False}, "read-only mode"),
    "licence": ({"eula_accepted": False}, {"eula_accepted": True}, "licence"),
    "requests of a day": (
        {"profile": "3.8x", "request_limit": 100_000, "requests_before": 99_990},
        {"requests_before": 0},
        "more requests in a day",
    ),
    "limit": ({"profile": "3.8x", "components_elsewhere": 40_001}, {"components_elsewhere": 0}, "more components"),
    "small bodies": ({"body_limit": 300}, {"body_limit": None}, "proxy-body-size"),
    "null realm": ({"realm": "null"}, {"realm": "right"}, "null://"),
    "realm off": ({"realms": ("NexusAuthenticatingRealm",)}, {}, "realm DockerToken is not switched on"),
}


def import_into(airgap: Airgap, double: Nexus, bundle: Path, code: int | None = 0) -> Any:
    airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
    return airgap.run("import", bundle, "--to", f"{double.connector().address}/p", code=code)


@pytest.mark.parametrize("name", SURVIVED)
def test_a_quirk_is_survived(carried: dict[bool, Carried], airgap: Airgap, name: str) -> None:
    there = carried[False]
    repository = replace(HOSTED, force_basic=name != "tokens run out")
    with nexus(Settings(repositories=(repository,), **SURVIVED[name])) as double:
        import_into(airgap, double, there.bundle)
        tags = {
            f"{image.removeprefix('p/')}:{t}": d
            for image, held in double.repository().tags.items()
            for t, d in held.items()
        }
        assert tags == there.digests


@pytest.mark.parametrize("name", ENDED)
def test_trouble_ends_in_one_message_and_a_second_run_finishes(
    carried: dict[bool, Carried], airgap: Airgap, name: str
) -> None:
    there, (broken, mended, words) = carried[False], ENDED[name]
    with contextlib.ExitStack() as stack:
        repository = replace(HOSTED, force_basic="realm" not in name)
        double = stack.enter_context(nexus(Settings(repositories=(repository,), **broken)))
        said = import_into(airgap, double, there.bundle, code=None)
        assert said.code in (21, 23, 51), said.stderr
        assert len(said.errors) == 1, said.stderr
        assert words in said.stderr
        assert airgap.files() == {}
        assert double.repository().tags == {}
        double.settings = replace(double.settings, **mended)
        double.access._settings = double.settings
        double.frozen, double.eula_accepted, double.was_over_limit = False, True, False
        double.access.realms = list(Settings().realms)
        import_into(airgap, double, there.bundle)
        assert len(double.repository().tags) == 3


def test_a_wrong_password_is_one_sign_in_whatever_is_asked(carried: dict[bool, Carried], airgap: Airgap) -> None:
    with nexus(Settings(repositories=(HOSTED,))) as double:
        airgap.environment = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": "a-wrong-word"}
        said = airgap.fails(
            21, "import", carried[False].bundle, "--to", f"{double.connector().address}/p", "--nexus", double.url
        )
        assert double.tries == {PUSHER.name: (0, 1, 0)}
        assert "a-wrong-word" not in said.stderr


def test_allow_once_skips_what_is_there_and_refuses_another_digest(
    carried: dict[bool, Carried], airgap: Airgap
) -> None:
    with nexus(Settings(repositories=(replace(HOSTED, write_policy="ALLOW_ONCE"),))) as double:
        import_into(airgap, double, carried[False].bundle)
        said = import_into(airgap, double, carried[False].bundle)
        assert "0 images pushed, 3 already there" in said.stderr
        address = f"{double.connector().address}/p"
        moved = airgap.fails(50, "import", carried[True].bundle, "--to", address, "--overwrite")
        assert "ALLOW_ONCE" in moved.stderr
        assert {d for held in double.repository().tags.values() for d in held.values()} == set(
            carried[False].digests.values()
        )


def test_doctor_by_command(airgap: Airgap, authority: Authority) -> None:
    with nexus(
        Settings(repositories=(replace(HOSTED, force_basic=False),), realms=("NexusAuthenticatingRealm",))
    ) as double:
        airgap.environment = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
        address = f"http://{double.connector().address}/p"
        said = airgap.run("doctor", address, "--nexus", double.url, code=51)
        assert "realm DockerToken is not switched on" in said.errors[0]
        assert "PROBLEM  sign-in" in said.text
        assert ADMIN.password not in said.text + said.stderr
        found = airgap.run("doctor", address, "--nexus", double.url, "--json", code=51).json
        assert (found["ready"], found["findings"][-1]["check"]) == (False, "sign-in")
        assert found["changes"][0]["document"] == ["NexusAuthenticatingRealm", "DockerToken"]
        assert "add --yes" in airgap.fails(2, "doctor", address, "--fix").stderr
        mended = airgap.run("doctor", address, "--nexus", double.url, "--fix", "--yes")
        assert mended.text.startswith("done: switch the realm DockerToken on")
        assert "PUT " in mended.stderr
        assert airgap.run("doctor", address, "--json").json["ready"] is True
