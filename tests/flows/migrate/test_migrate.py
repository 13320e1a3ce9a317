# SPDX-License-Identifier: Apache-2.0
"""``airgap migrate`` between two registries of our own, and between two doubles of Nexus."""

from __future__ import annotations

import base64
import fcntl
import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from airgap.errors import NotReady
from airgap.events import ignore
from airgap.flows.migrate.journal import MigrationJournal
from airgap.flows.migrate.migrate import migrate
from airgap.flows.migrate.migration import MigrateRequest
from airgap.flows.migrate.tag_filter import TagFilter
from airgap.oci import Descriptor
from airgap.oci.manifest import OCI_INDEX
from airgap.records import replace
from airgap.store.readers import bytes_opener
from airgap.targets import Mapping, TargetAddress, open_source, target_for
from airgap.targets.doctor import nexus_settings
from airgap.transfer import Context
from tests.cli.command import Airgap, Registry
from tests.doubles.nexus import PUSHER, READER, Nexus, Repository, Settings, nexus
from tests.doubles.registry import Answer, Request
from tests.flows.migrate.migrations import (
    SOURCE_WORD,
    TARGET_WORD,
    Old,
    between,
    content_asked,
    content_of,
    files_of,
    fill,
    kill_often,
    registries,
    secret_environment,
    tags_of,
)
from tests.parts.images import Images

SMALL = (20, 5)


@pytest.fixture
def old() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


@pytest.fixture
def new() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


def filled(registry: Registry, tags: int = SMALL[0], repositories: int = SMALL[1]) -> Old:
    old_images = Old.of(tags, repositories)
    registry.fill(old_images.images, old_images.names)
    registry.requests()
    return old_images


def digests(registry: Registry) -> dict[str, str]:
    return {name: registry.digest(name) for name in registry.names()}


def kinds(requests: list[str]) -> Counter[tuple[str, str]]:
    """How often each kind of path was asked for by each method."""
    words = ("manifests", "blobs", "tags", "referrers", "_catalog")
    counts = Counter[tuple[str, str]]()
    for request in requests:
        method, path = request.split()[:2]
        counts[method, next((word for word in words if f"/{word}" in path), "")] += 1
    return counts


def writes(requests: list[str]) -> list[str]:
    return [request for request in requests if request.split()[0] not in ("GET", "HEAD")]


def sides(old: Registry, new: Registry, *more: str, prefix: str = "") -> list[str]:
    return ["migrate", old.url, new.url + prefix, *more]


# The whole of it


def test_everything_arrives_with_its_digest(airgap: Airgap, old: Registry, new: Registry) -> None:
    made = filled(old)
    said = airgap.run(*sides(old, new, "--report", "report.json"))
    assert digests(new) == made.digests
    assert f"{len(made.names)} tags copied, 0 already there" in said.stderr
    for root in made.names.values():
        for needed in made.images.needed(root):
            assert new.store.exists(needed)
    report = json.loads((airgap.folder / "report.json").read_bytes())
    assert {f"{one['repository']}:{one['tag']}": one["digest"] for one in report["copied"]} == made.digests
    assert (report["onlyAt"], report["failures"], report["digestOnly"]) == ([], [], None)
    assert said.text == ""
    assert not writes(old.requests())


def test_a_shared_blob_is_sent_once_and_mounted_elsewhere(airgap: Airgap, old: Registry, new: Registry) -> None:
    made = filled(old)
    airgap.run(*sides(old, new))
    committed = Counter(
        one.split("digest=")[1].split()[0] for one in new.requests() if one.startswith("PUT") and "digest=" in one
    )
    fetched = Counter(
        one.split()[1].rpartition("/")[2] for one in old.requests() if one.startswith("GET") and "/blobs/" in one
    )
    assert set(committed.values()) <= {1}
    assert set(fetched.values()) == {1}
    assert set(fetched) == made.blobs


def test_a_second_run_asks_one_head_a_tag_and_transfers_nothing(airgap: Airgap, old: Registry, new: Registry) -> None:
    made = filled(old)
    airgap.run(*sides(old, new))
    old.requests(), new.requests()
    said = airgap.run(*sides(old, new))
    here, there = kinds(old.requests()), new.requests()
    assert f"0 tags copied, {len(made.names)} already there; nothing sent" in said.stderr
    assert here["HEAD", "manifests"] == len(made.names)
    assert here["GET", "manifests"] == here["GET", "blobs"] == here["HEAD", "blobs"] == 0
    assert not writes(there)
    assert kinds(there)["HEAD", "manifests"] == len(made.names)
    assert kinds(there)["GET", "manifests"] == kinds(there)["HEAD", "blobs"] == 0


def test_signatures_come_along_and_one_made_later_too(airgap: Airgap, old: Registry, new: Registry) -> None:
    made = filled(old, 6, 2)
    name = next(iter(made.names))
    old.refer(name)
    airgap.run(*sides(old, new))
    assert referrers(new, name) == referrers(old, name) != []
    other = list(made.names)[1]
    old.refer(other)
    new.requests()
    airgap.run(*sides(old, new))
    assert referrers(new, other) == referrers(old, other) != []
    assert len([one for one in writes(new.requests()) if "/manifests/" in one]) == 1


def referrers(registry: Registry, name: str) -> list[str]:
    with registries(registry.address) as client:
        found = client.repository(registry.address, name.rpartition(":")[0]).referrers(registry.digest(name))
    return [one.digest for one in found]


def test_prefixes_of_both_sides(airgap: Airgap, old: Registry, new: Registry) -> None:
    made = filled(old)
    airgap.run("migrate", f"{old.url}/team1", f"{new.url}/x/y")
    wanted = {
        f"x/y/{name.removeprefix('team1/')}": digest
        for name, digest in made.digests.items()
        if name.startswith("team1/")
    }
    assert digests(new) == wanted != {}


def test_a_dry_run_writes_nothing_anywhere(airgap: Airgap, old: Registry, new: Registry) -> None:
    made = filled(old)
    said = airgap.run(*sides(old, new, "--dry-run"))
    assert f"{len(made.names)} tags would be copied" in said.stderr
    assert "would be copied" in said.text
    assert not writes(new.requests())
    assert not files_of(airgap)


# Which


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (("--include", "team/*"), {"team/a:1", "team/a:2", "team/deep/b:1"}),
        (("--include", "*:1"), {"top:1", "team/a:1", "team/deep/b:1"}),
        (("--include", "team/a", "--include", "top"), {"team/a:1", "team/a:2", "top:1"}),
        (("--exclude", "team/*"), {"top:1"}),
        (("--include", "team/*", "--exclude", "*/b"), {"team/a:1", "team/a:2"}),
        (("--exclude", "team/a:2"), {"team/a:1", "team/deep/b:1", "top:1"}),
    ],
)
def test_patterns(airgap: Airgap, old: Registry, new: Registry, options: tuple[str, ...], kept: set[str]) -> None:
    images = Images(3)
    names = ("team/a:1", "team/a:2", "team/deep/b:1", "top:1")
    old.fill(images, {name: images.image() for name in names})
    airgap.run(*sides(old, new, *options))
    assert set(new.names()) == kept


def dated(images: Images, created: str) -> Descriptor:
    """An image whose config says when it was made."""
    root = images.image()
    document = json.loads(images.content[root.digest])
    config = json.loads(images.content[document["config"]["digest"]])
    made = images.json({**config, "created": created}, document["config"]["mediaType"])
    return images.json({**document, "config": made.to_json()}, root.media_type)


def by_year(images: Images) -> dict[str, Descriptor]:
    names = {f"a:v{year}": dated(images, f"20{year}-03-01T10:00:00.123456789Z") for year in (20, 21, 22, 23)}
    return {**names, "b:v20": dated(images, "2020-01-01T00:00:00+02:00"), "b:unknown": images.image()}


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (("--since", "2022-01-01"), {"a:v22", "a:v23", "b:unknown"}),
        (("--since", "2022-03-01T10:00:01Z"), {"a:v23", "b:unknown"}),
        (("--newest", "1"), {"a:v23", "b:v20", "b:unknown"}),
        (("--newest", "3", "--since", "2023-01-01"), {"a:v23", "b:unknown"}),
    ],
)
def test_dates_are_those_of_the_images(
    airgap: Airgap, old: Registry, new: Registry, options: tuple[str, ...], kept: set[str]
) -> None:
    images = Images(4)
    old.fill(images, by_year(images))
    said = airgap.run(*sides(old, new, *options))
    assert set(new.names()) == kept
    assert "dates are those in the images' configs" in said.stderr
    assert "b:unknown: nothing tells a date" in said.stderr
    assert "left out by the filters" in said.text
    old.requests()
    airgap.run(*sides(old, new, *options))
    assert kinds(old.requests())["GET", "manifests"] == 0, "dates are remembered"


def test_the_date_of_an_index_is_read_through_three_levels(airgap: Airgap, old: Registry, new: Registry) -> None:
    images = Images(6)
    three = images.index([images.index([images.index([dated(images, "2020-03-01T10:00:00Z")])])])
    old.fill(images, {"a:three": three, "a:four": images.index([three])})
    said = airgap.run(*sides(old, new, "--since", "2022-01-01"))
    assert new.names() == ["a:four"]
    assert "a:four: nothing tells a date" in said.stderr


def test_a_signature_by_its_tag_goes_where_its_image_goes(airgap: Airgap, old: Registry, new: Registry) -> None:
    images = Images(5)
    names = by_year(images)
    companions = {f"a:{names[f'a:v{year}'].digest.replace(':', '-')}.sig": images.artifact() for year in (20, 23)}
    old.fill(images, {**names, **companions})
    airgap.run(*sides(old, new, "--newest", "1", "--include", "a"))
    assert set(new.names()) == {"a:v23", next(name for name in companions if names["a:v23"].digest[7:] in name)}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--include", "a b"), "is no pattern"),
        (("--since", "yesterday"), "--since 'yesterday' is no date"),
        (("--source-username", "x"), "AIRGAP_SOURCE_PASSWORD"),
        (("--nexus-source", "nexus.corp"), "--nexus-source is Nexus's own address"),
        (("--state", ""), "--state names no folder"),
    ],
)
def test_a_wrong_command_line(
    airgap: Airgap, old: Registry, new: Registry, arguments: tuple[str, ...], says: str
) -> None:
    said = airgap.fails(2, *sides(old, new, *arguments))
    assert says in said.stderr
    assert not new.requests() or not writes(new.requests())


def test_the_same_on_both_sides_is_refused(airgap: Airgap, old: Registry) -> None:
    assert "the same" in airgap.fails(2, "migrate", old.url, old.url).errors[0]
    said = airgap.fails(2, "migrate", "http://me:word@a.example:1", old.url)
    assert said.stderr.count("word@") == 0
    assert "--source-username" in said.stderr


def test_an_include_that_matches_nothing_is_22(airgap: Airgap, old: Registry, new: Registry) -> None:
    filled(old, 4, 2)
    assert "matches --include nobody/*" in airgap.fails(22, *sides(old, new, "--include", "nobody/*")).errors[0]


# What differs


def test_a_tag_with_another_digest_stops_all_before_anything_is_pushed(
    airgap: Airgap, old: Registry, new: Registry
) -> None:
    filled(old)
    images = Images(90)
    new.fill(images, {"team0/deep/app0:v0": images.image()})
    new.requests()
    said = airgap.fails(50, *sides(old, new))
    assert "team0/deep/app0:v0" in said.errors[0]
    assert "no earlier run put it there" in said.errors[0]
    assert "--overwrite moves it" in said.stderr
    assert not writes(new.requests())
    kept = new.digest("team0/deep/app0:v0")
    said = airgap.run(*sides(old, new, "--delta", "--keep-going"), code=3)
    assert new.digest("team0/deep/app0:v0") == kept, "--delta moves only what this migration put there"
    assert len(new.names()) == len(old.names())
    airgap.run(*sides(old, new, "--overwrite"))
    assert digests(new) == digests(old)


def test_delta_moves_tags_that_moved_at_the_source_and_asks_little(
    airgap: Airgap, old: Registry, new: Registry
) -> None:
    made = filled(old)
    airgap.run(*sides(old, new))
    images = Images(91)
    old.fill(images, {"team1/app1:v0": images.image(), "team1/app1:later": images.image()})
    old.store.untag("team2/app2:v0")
    assert "--delta" in airgap.fails(50, *sides(old, new)).stderr
    old.requests(), new.requests()
    said = airgap.run(*sides(old, new, "--delta", "--report", "r.json"))
    asked = kinds(new.requests())
    assert new.digest("team1/app1:v0") == old.digest("team1/app1:v0")
    assert new.digest("team1/app1:later") == old.digest("team1/app1:later")
    assert new.digest("team2/app2:v0") == made.digests["team2/app2:v0"], "nothing is deleted"
    assert "team1/app1:v0: the tag has moved at the source; it is moved from sha256:" in said.stderr
    assert "1 tag copied, 1 moved" in said.stderr
    assert "gone from the source since it was migrated" in said.text
    assert asked["HEAD", "manifests"] < 10, "what has not changed is not asked for"
    report = json.loads((airgap.folder / "r.json").read_bytes())
    assert [one["was"] for one in report["moved"]] == [made.digests["team1/app1:v0"]]
    assert report["onlyAt"] == [
        {"side": "target", "name": "team2/app2:v0", "why": "gone from the source since it was migrated"}
    ]


def test_keep_going_leaves_out_what_is_broken_and_says_so(airgap: Airgap, old: Registry, new: Registry) -> None:
    made = filled(old)
    broken = "team3/app3:v1"
    layer = made.images.needed(made.names[broken])[-2]
    old.store.delete(layer.digest)
    lost = {n for n, root in made.names.items() if layer.digest in {one.digest for one in made.images.needed(root)}}
    assert airgap.run(*sides(old, new), code=None).code != 0
    said = airgap.run(*sides(old, new, "--keep-going", "--report", "r.json"), code=3)
    assert set(new.names()) == made.names.keys() - lost
    report = json.loads((airgap.folder / "r.json").read_bytes())
    assert {one["image"].partition("/")[2] for one in report["failures"]} == lost
    assert {one["name"] for one in report["onlyAt"]} == lost
    assert broken in said.errors[0]


def test_what_the_target_alone_has_is_told_and_stays(airgap: Airgap, old: Registry, new: Registry) -> None:
    filled(old, 6, 2)
    images = Images(92)
    new.fill(images, {"own/tool:1": images.image(), "team1/app1:own": images.image()})
    said = airgap.run(*sides(old, new))
    assert "only at the source: 0, only at the target: 2" in said.text
    assert "not of the source" in said.text
    assert {"own/tool:1", "team1/app1:own"} <= set(new.names())


def test_a_report_replaces_a_report_and_nothing_else(airgap: Airgap, old: Registry, new: Registry) -> None:
    filled(old, 4, 2)
    airgap.write("notes.json", "{}")
    assert "no report" in airgap.fails(42, *sides(old, new, "--report", "notes.json")).errors[0]
    assert not new.requests()
    for _ in range(2):
        airgap.run(*sides(old, new, "--report", "r.json"))


# Its journal


def test_two_at_once_are_kept_apart(airgap: Airgap, old: Registry, new: Registry, tmp_path: Path) -> None:
    filled(old, 4, 2)
    state = tmp_path / "state"
    airgap.run(*sides(old, new, "--state", str(state)))
    (journal,) = state.glob("*.jsonl")
    with journal.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another migration" in airgap.fails(51, *sides(old, new, "--state", str(state))).errors[0]
    airgap.run(*sides(old, new, "--state", str(state)))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_what_is_kept_and_goes_on(airgap: Airgap, fresh: Nexus, how: signal.Signals) -> None:
    secret_environment(airgap)
    with nexus(Settings()) as double:
        made = nexus_with(double)
        reached = threading.Event()

        def note(request: Request) -> Answer | None:
            reached.set()
            return Answer(503, b"later", {"Retry-After": "20"})

        fresh.connector().always("PUT", "team1/app1/manifests/", note)
        process = airgap.started(*between(double, fresh))
        try:
            assert reached.wait(20)
            process.send_signal(how)
            stdout, stderr = process.communicate(timeout=15)
        finally:
            process.kill()
        assert process.returncode == 130
        assert (stdout, stderr.decode().count("error: stopped; what the target has taken is kept")) == (b"", 1)
        fresh.connector().always("PUT", "team1/app1/manifests/", lambda _: None)
        fresh.seen.clear()
        airgap.run(*between(double, fresh))
    assert tags_of(fresh) == made.digests
    assert not [one for one in fresh.seen if one.method == "PUT" and "/blobs/" in one.target], "all blobs were there"


def test_a_torn_or_foreign_journal_costs_questions_alone(
    airgap: Airgap, old: Registry, new: Registry, tmp_path: Path
) -> None:
    made = filled(old)
    state = tmp_path / "state"
    airgap.run(*sides(old, new, "--state", str(state)))
    (journal,) = state.glob("*.jsonl")
    whole = journal.read_bytes()
    for content in (whole[:-20], b"\x00\xff{[" + whole, b""):
        journal.write_bytes(content)
        assert f"{len(made.names)} already there" in airgap.run(*sides(old, new, "--state", str(state))).stderr
    assert digests(new) == made.digests


def test_a_journal_that_promises_too_much_is_found_out(
    airgap: Airgap, old: Registry, new: Registry, tmp_path: Path
) -> None:
    """The target was emptied since: what is noted as there is sent again."""
    made = filled(old)
    state = str(tmp_path / "state")
    airgap.run(*sides(old, new, "--state", state))
    for name in list(new.store.names()):
        new.store.untag(name)
    for digest in [one.digest for root in made.names.values() for one in made.images.needed(root)]:
        new.store.delete(digest)
    airgap.run(*sides(old, new, "--state", state, "--delta"))
    assert digests(new) == made.digests
    for root in made.names.values():
        assert all(new.store.exists(needed) for needed in made.images.needed(root))


# Nexus to Nexus

PROFILES = pytest.mark.parametrize("profile", ["legacy", "3.71", "3.8x", "3.96"])


@pytest.fixture
def fresh() -> Iterator[Nexus]:
    with nexus(Settings()) as double:
        yield double


def nexus_with(double: Nexus, tags: int = SMALL[0], repositories: int = SMALL[1]) -> Old:
    made = Old.of(tags, repositories)
    fill(double.connector().address, made, PUSHER)
    double.seen.clear()
    return made


@PROFILES
def test_from_each_nexus_by_components(airgap: Airgap, fresh: Nexus, profile: str) -> None:
    settings = Settings(profile=profile, oci_images="accepted", context="/nexus")  # type: ignore[arg-type] # a literal
    secret_environment(airgap)
    with nexus(settings) as double:
        made = nexus_with(double)
        said = airgap.run(*between(double, fresh, "--nexus-source", double.url, "--report", "r.json"))
        assert tags_of(fresh) == made.digests
        report = json.loads((airgap.folder / "r.json").read_bytes())
        assert report["listedBy"] == ["components", "catalog", "lists of tags"]
        assert (report["componentsOnly"], report["tagsOnly"], report["digestOnly"]) == ([], [], [])
        assert "warning" not in said.stderr
        assert {one.method for one in double.seen} <= {"GET", "HEAD"}
        pages = [one for one in double.seen if "components" in one.target]
        assert len(pages) == (3 if profile in ("legacy", "3.71") else 1)
        double.seen.clear(), fresh.seen.clear()
        airgap.run(*between(double, fresh, "--nexus-source", double.url, "--delta"))
        assert not content_asked(double, fresh)


def test_credentials_of_one_side_never_reach_the_other(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    with nexus(Settings(profile="3.71", oci_images="accepted")) as double:
        nexus_with(double)
        double.main.requests.clear(), double.connector().requests.clear()
        airgap.run(*between(double, fresh, "--nexus-source", double.url))
        here = {one.authorization for port in (double.main, double.connector()) for one in port.requests}
        there = {one.authorization for one in fresh.connector().requests}
    basic = {
        user: "Basic " + base64.b64encode(f"{user.name}:{user.password}".encode()).decode() for user in (READER, PUSHER)
    }
    assert here == {"", basic[READER]}
    assert there == {"", basic[PUSHER]}


def test_wrong_words_are_offered_once(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    airgap.environment["AIRGAP_SOURCE_PASSWORD"] = "wrong-word"
    with nexus(Settings()) as double:
        said = airgap.fails(21, *between(double, fresh, "--nexus-source", double.url))
        assert double.tries[READER.name] == (0, 1, 0)
    assert "wrong-word" not in said.stderr


def paged(size: int) -> Callable[[Request], Answer | None]:
    """A server that gives at most ``size`` names a page though nobody asked for pages."""

    def answer(request: Request) -> Answer | None:
        if "n=" not in request.target:
            request.target += f"?n={size}"
        return None

    return answer


@pytest.mark.parametrize("link", ["bare", "prefixed"])
@pytest.mark.parametrize("route", ["connector", "repository"])
def test_wrong_prefixes_of_links_lead_nowhere(airgap: Airgap, fresh: Nexus, link: str, route: str) -> None:
    """Contract 34: only the query of a Link is believed, on either route."""
    secret_environment(airgap)
    with nexus(Settings(profile="3.71", link=link, oci_images="accepted")) as double:  # type: ignore[arg-type] # a literal
        made = nexus_with(double, 24, 5)
        source = double.connector().address
        if route == "repository":
            airgap.write("airgap.yaml", json.dumps({"registries": {source: {"endpoint": double.root("repository")}}}))
        for port in (double.main, double.connector()):
            port.always("GET", "_catalog", paged(2))
            port.always("GET", "/tags/list", paged(2))
        airgap.run(*between(double, fresh))
        lists = [one for one in double.seen if "_catalog" in one.target or "/tags/list" in one.target]
        assert {one.status for one in lists} == {200}
        assert {one.route for one in lists} == {route}
        queries = [parse_qs(urlsplit(one.target).query) for one in lists]
        assert all(set(query) <= {"n", "last"} for query in queries)
        assert any("last" in query for query in queries)
    assert tags_of(fresh) == made.digests


def test_names_in_the_catalog_that_answer_400_and_404(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    with nexus(Settings(ghosts=("ghost/a", "ghost/b"))) as double:
        made = nexus_with(double)
        double.connector().always("GET", "/ghost/b/tags/list", Answer(404, b"gone"))
        said = airgap.run(*between(double, fresh, "--report", "r.json"))
    assert tags_of(fresh) == made.digests
    assert "ghost/a, ghost/b: listed and cannot be asked for" in said.stderr
    assert set(json.loads((airgap.folder / "r.json").read_bytes())["unreadable"]) == {"ghost/a", "ghost/b"}


def test_ways_of_listing_that_disagree_are_told(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    with nexus(Settings()) as double:
        made = nexus_with(double, 6, 2)
        body = json.dumps({"name": "team1/app1", "tags": ["v0", "v1"]}).encode()
        double.connector().always(
            "GET", "/team1/app1/tags/list", Answer(200, body, {"Content-Type": "application/json"})
        )
        said = airgap.run(*between(double, fresh, "--nexus-source", double.url, "--report", "r.json"))
    assert tags_of(fresh) == made.digests, "what any way names is taken"
    assert "team1/app1:v2: listed by components and not by its tags" in said.stderr
    assert json.loads((airgap.folder / "r.json").read_bytes())["componentsOnly"] == ["team1/app1:v2"]


def test_manifests_without_a_tag_are_reported(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    with nexus(Settings()) as double:
        made = nexus_with(double, 10, 2)
        orphan = made.images.two_platforms()
        with registries(double.connector().address, PUSHER) as client:
            made.images.push_to(
                client.repository(double.connector().address, "team1/app1", push=True), {"gone": orphan}
            )
        double.repository().delete("team1/app1", "gone")
        kept = {one.digest for one in made.images.needed(orphan)} & {
            digest for _, digest in double.repository().manifests
        }
        for _ in range(2):  # the second run reads no index to know this
            said = airgap.run(*between(double, fresh, "--nexus-source", double.url, "--report", "r.json"))
            report = json.loads((airgap.folder / "r.json").read_bytes())
            assert set(report["digestOnly"]) == {f"team1/app1@{digest}" for digest in kept}
            assert "no tag leads to it" in said.text
    assert tags_of(fresh) == made.digests


def test_a_catalog_that_is_refused(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    with nexus(Settings()) as double:
        made = nexus_with(double)
        double.connector().always("GET", "_catalog", Answer(404, b"{}", {"Content-Type": "application/json"}))
        said = airgap.fails(22, *between(double, fresh))
        assert "--include NAME" in said.stderr
        assert "--nexus-source" in said.stderr
        airgap.run(*between(double, fresh, "--include", "team1/app1"))
        assert tags_of(fresh) == {k: v for k, v in made.digests.items() if k.startswith("team1/app1:")}
        airgap.run(*between(double, fresh, "--nexus-source", double.url))
    assert tags_of(fresh) == made.digests


def test_several_repositories_need_a_name(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    both = (Repository("docker-a", connector="http"), Repository("docker-b", connector="http"))
    with nexus(Settings(repositories=both)) as double:
        made = Old.of(6, 2)
        source = double.connector("docker-b").address
        fill(source, made, PUSHER)
        sides = ["migrate", f"http://{source}", f"http://{fresh.connector().address}", "--source-username", READER.name]
        said = airgap.fails(2, *sides, "--nexus-source", double.url)
        assert "docker-a, docker-b" in said.stderr
        airgap.run(*sides, "--nexus-source", f"{double.url}/repository/docker-b")
    assert tags_of(fresh) == made.digests


def test_the_limit_of_components_is_compared_before_anything_is_pushed(
    fresh: Nexus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nexus_settings, "component_limit", lambda *_: 6)
    with Registry() as old, registries(fresh.connector().address, PUSHER) as there:
        made = filled(old, 7, 2)
        source, target = (TargetAddress.parse(f"http://{one}") for one in (old.address, fresh.connector().address))
        opened = target_for(there, Mapping(target), nexus=fresh.url)
        request = MigrateRequest(source, target, TagFilter.parse((), ("team1/app1:v0",), 0, None))

        def run(request: MigrateRequest) -> None:
            migrate(request, there, open_source(there, source, ignore), opened, MigrationJournal(), Context())

        with pytest.raises(NotReady, match="may hold 6 components, and 8 tags are to be added"):
            run(replace(request, tag_filter=TagFilter()))
        assert (tags_of(fresh), fresh.asked("POST")) == ({}, [])
        run(replace(request, tag_filter=TagFilter.parse((), ("team0/deep/app0",), 0, None)))
        assert set(tags_of(fresh)) == {name for name in made.names if "app1:" in name}


def test_the_path_route_has_no_catalog(airgap: Airgap, fresh: Nexus) -> None:
    """3.83 and later: host/repo/image. Components alone list there (N1)."""
    secret_environment(airgap)
    with nexus(
        Settings(repositories=(Repository("docker-hosted", connector="http"), Repository("p", path_enabled=True)))
    ) as double:
        made = Old.of(6, 2)
        with registries(double.main.address, PUSHER) as client:
            made.push(lambda name: client.repository(double.main.address, f"p/{name}", push=True))
        airgap.run(
            "migrate", f"http://{double.main.address}/p", f"http://{fresh.connector().address}",
            "--source-username", READER.name, "--nexus-source", double.url,
        )  # fmt: skip
    assert tags_of(fresh) == made.digests


def test_lists_of_referrers_under_tags_go_on_after_a_kill(airgap: Airgap, fresh: Nexus) -> None:
    """Neither side has the referrers API: a list of them is a tag, of which a stopped run may leave a part."""
    secret_environment(airgap)
    with nexus(Settings()) as double:
        made = Old.of(6, 2)
        fill(double.connector().address, made, PUSHER)
        root = made.names["team1/app1:v0"]
        signatures = [made.images.artifact(subject=root) for _ in range(3)]
        for side, pushed in ((double, signatures), (fresh, signatures[:1])):
            address = side.connector().address
            with registries(address, PUSHER) as client:
                store = client.repository(address, "team1/app1", push=True)
                for one in pushed:
                    for needed in made.images.needed(one):
                        store.push(needed, bytes_opener(made.images.content[needed.digest]))
        name = "team1/app1:" + root.digest.replace(":", "-")
        assert tags_of(fresh)[name] != tags_of(double)[name]
        airgap.run(*between(double, fresh, "--nexus-source", double.url))
        assert tags_of(fresh) == tags_of(double)

        def lasting(side: Nexus) -> set[tuple[str, str]]:
            """Without the lists that another has replaced: what they held depends on which signature came first."""
            tagged = set(tags_of(side).values())
            held = side.repository().manifests.items()
            return {key for key, one in held if key[1] in tagged or one.media_type != OCI_INDEX}

        assert lasting(fresh) == lasting(double)
        assert {one.digest for one in signatures} <= {digest for _, digest in lasting(fresh)}


def test_lastmodified_of_nexus_decides(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    with nexus(Settings()) as double:
        images = Images(8)
        old = Old(images, {f"a:v{number}": dated(images, "2020-01-01T00:00:00Z") for number in range(3)})
        fill(double.connector().address, old, PUSHER)
        said = airgap.run(*between(double, fresh, "--nexus-source", double.url, "--since", "2021-01-01"))
        assert "dates are Nexus's lastModified" in said.stderr
        assert tags_of(fresh) == old.digests
        said = airgap.run(*between(double, fresh, "--since", "2021-01-01", "--dry-run"))
        assert "0 tags would be copied, 0 already there, 3 left out" in said.stderr


def test_a_dry_run_to_a_nexus_tries_no_upload_and_neither_does_one_that_has_nothing_to_copy(
    airgap: Airgap, fresh: Nexus
) -> None:
    secret_environment(airgap)
    with nexus(Settings()) as double:
        made = Old.of(6, 2)
        fill(double.connector().address, made, PUSHER)
        airgap.run(*between(double, fresh, "--nexus", fresh.url, "--dry-run"))
        assert {one.method for one in fresh.seen} <= {"GET", "HEAD"}
        airgap.run(*between(double, fresh))
        assert tags_of(fresh) == made.digests
        assert fresh.asked("POST", "/airgap-probe/")
        fresh.seen.clear()
        airgap.run(*between(double, fresh))
        assert {one.method for one in fresh.seen} <= {"GET", "HEAD"}


def test_killed_at_five_moments(airgap: Airgap, fresh: Nexus) -> None:
    secret_environment(airgap)
    with nexus(Settings(profile="3.71", oci_images="accepted")) as double, nexus(Settings()) as smooth:
        made = nexus_with(double, 60, 8)
        arguments = between(double, fresh, "--nexus-source", double.url, "--progress", "json", "--report", "r.json")
        airgap.run(*between(double, smooth))
        said = kill_often(airgap, arguments, lambda: len(fresh.seen), len(smooth.seen))
        assert tags_of(fresh) != made.digests, "it was never killed in time"
        end = airgap.run(*arguments)
        assert content_of(fresh) == content_of(smooth)
        assert tags_of(fresh) == made.digests
        commits = Counter(
            one.target.partition("digest=")[2]
            for one in fresh.seen
            if one.method == "PUT" and "digest=" in one.target and one.status == 201
        )
        assert set(commits.values()) == {1}, "what was whole was sent again"
    texts = [
        *said,
        end.stderr,
        end.text,
        *(content.decode("utf-8", "replace") for content in files_of(airgap).values()),
    ]
    for user, word in ((READER, SOURCE_WORD), (PUSHER, TARGET_WORD)):
        pair = base64.b64encode(f"{user.name}:{word}".encode()).decode()
        assert not [text for text in texts if word in text or pair in text]
    assert any("team0/" in text for text in texts)
