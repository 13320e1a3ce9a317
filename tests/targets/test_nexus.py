# SPDX-License-Identifier: Apache-2.0
"""Nexus as a target, before the double that stands in for it: routes, quirks, refusals, one sign-in."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airgap.errors import AirgapError, NotReady, TargetError, Unauthorized
from airgap.oci import Descriptor, Reference
from airgap.registry import Credential, Credentials, Registries, RegistrySettings
from airgap.registry.http.retry import RetryPolicy
from airgap.store import MemoryStore
from airgap.store.readers import bytes_opener
from airgap.targets import Mapping, PlainTarget, SupportsUploadProbe, TargetAddress, factory, target_for
from airgap.targets.doctor.nodes import check_nodes
from airgap.targets.factory import probe_for
from airgap.targets.nexus.target import NexusTarget
from airgap.targets.product import TargetRequest
from airgap.transfer import Destination, Root, copy, plan
from tests.doubles.nexus import ADMIN, PUSHER, READER, Nexus, Repository, Settings, User, nexus
from tests.doubles.registry import Answer
from tests.doubles.registry import double as registry_double
from tests.parts.images import Images
from tests.parts.nginx import nginx
from tests.suites.target_suite import Make, Placed, TargetSuite

HOSTED = Repository("docker-hosted", connector="http")
OPEN = replace(HOSTED, force_basic=False)
#: No test waits for what is not to heal.
QUICK = RetryPolicy(attempts=3, base=0.001)


def registries_for(
    registry: str, user: User | None = PUSHER, password: str = "", settings: RegistrySettings | None = None
) -> Registries:
    credential = {registry: Credential(user.name, password or user.password)} if user else {}
    return Registries(
        {registry: settings} if settings else None, credentials=Credentials({}, credential), environment={}, retry=QUICK
    )


@dataclass
class Far:
    """A double with a target over it."""

    double: Nexus
    stack: contextlib.ExitStack

    def target(self, prefix: str = "", *, user: User | None = PUSHER, password: str = "", **more: Any) -> NexusTarget:
        address = self.double.connector().address
        made = target_for(
            self.stack.enter_context(registries_for(address, user, password)),
            Mapping(TargetAddress.parse(f"{address}/{prefix}".rstrip("/"))),
            **more,
        )
        assert isinstance(made, NexusTarget)
        return made


def far(stack: contextlib.ExitStack, *repositories: Repository, **more: Any) -> Far:
    return Far(stack.enter_context(nexus(Settings(repositories=repositories or (HOSTED,), **more))), stack)


def push(target: NexusTarget, images: Images, root: Descriptor, repository: str = "a", tag: str = "1") -> Any:
    source = MemoryStore()
    images.push_to(source, {"x:1": root})
    planned = plan([Root("x", "here", "x:1", (Destination(repository, tag),))], {"here": source})
    return copy(planned, {"here": source}, {repository: target.open(repository)})


class TestConnector(TargetSuite):
    @pytest.fixture(params=[("legacy", True), ("3.71", False), ("3.8x", False), ("3.96", True)])
    def make(self, request: pytest.FixtureRequest, services: contextlib.ExitStack) -> Make:
        profile, basic = request.param
        oci = "accepted" if profile == "legacy" else None  # the suite's images are OCI ones
        there = far(services, replace(HOSTED, force_basic=basic), profile=profile, oci_images=oci)

        def make(prefix: str, policy: str) -> Placed:
            address = there.double.connector().address
            registries = services.enter_context(registries_for(address))
            mapping = Mapping(TargetAddress.parse(f"{address}/{prefix}".rstrip("/")), policy)
            return Placed(target_for(registries, mapping), mapping)

        return make


def test_it_is_recognised_and_signed_in_to_once(services: contextlib.ExitStack) -> None:
    for more in ({}, {"server_header": False}):
        for repository in (HOSTED, OPEN):
            there = far(services, repository, **more)
            target = there.target("p")
            assert [one.level for one in (*target.preflight(), *target.probe_upload())] == ["ok"] * 3
            assert there.double.tries[PUSHER.name][1:] == (0, 0)


def test_the_preflight_writes_nothing_and_a_try_leaves_nothing_behind(services: contextlib.ExitStack) -> None:
    there = far(services)
    target = there.target("p", user=ADMIN)
    target.preflight()
    assert {one.method for one in there.double.seen} == {"GET"}
    target.probe_upload()
    held = there.double.repository()
    assert (held.uploads, held.blobs, held.tags) == ({}, {}, {})
    there.target("p").probe_upload()  # whoever may only push may not call off: an empty session is all that stays
    assert [bytes(session.data) for session in held.uploads.values()] == [b""]


@pytest.mark.parametrize("basic", [True, False])
def test_a_wrong_password_is_tried_once(services: contextlib.ExitStack, basic: bool) -> None:
    there = far(services, replace(HOSTED, force_basic=basic))
    target = there.target(password="wrong", nexus=there.double.url)
    for action in (target.preflight, target.preflight, lambda: target.open("a").resolve("1")):
        with pytest.raises(Unauthorized):
            action()
    assert there.double.tries == {PUSHER.name: (0, 1, 0)}


@pytest.mark.parametrize("basic", [True, False])
def test_a_locked_account_is_not_asked_again(services: contextlib.ExitStack, basic: bool) -> None:
    there = far(services, replace(HOSTED, force_basic=basic), lockout=0)
    with pytest.raises(Unauthorized):
        there.target(password="wrong").preflight()
    target = there.target()
    for _ in range(2):
        with pytest.raises(Unauthorized, match="locked") as caught:
            target.preflight()
        assert "15 minutes" in (caught.value.hint or "")
    assert there.double.tries == {PUSHER.name: (0, 1, 1)}


def test_head_of_a_tag_that_says_404_is_not_believed(services: contextlib.ExitStack) -> None:
    there = far(services, head_manifest=False)
    images = Images(1)
    root = images.image()
    target = there.target()
    assert push(target, images, root).failures == []
    assert target.open("a").resolve("1").digest == root.digest


def test_head_by_digest_that_fails_is_answered_by_get(services: contextlib.ExitStack) -> None:
    there = far(services, head_by_digest_500=True)
    images = Images(1)
    root = images.two_platforms()
    target = there.target()
    assert push(target, images, root).failures == []
    assert target.open("a").exists(root)
    assert not target.open("b").exists(root)


def test_the_same_blob_from_two_sides(services: contextlib.ExitStack) -> None:
    """Under ALLOW_ONCE the second commit of one blob is 400, and the blob is there."""
    there = far(services, replace(HOSTED, write_policy="ALLOW_ONCE"))
    blob = Images(1).blob(b"one layer")
    content = b"one layer"
    one, other = there.target().open("a"), there.target().open("b")

    def slower(offset: int) -> Any:
        one.push(blob, bytes_opener(content))  # finished between the other's POST and its PUT
        return bytes_opener(content)(offset)

    other.push(blob, slower)
    assert [seen.status for seen in there.double.asked("PUT")] == [201, 400]
    assert other.exists(blob)


def test_a_blob_that_is_refused_for_another_reason_fails(services: contextlib.ExitStack) -> None:
    there = far(services)
    there.double.connector().always("PUT", "/blobs/", Answer(400, b"the moon is full"))
    with pytest.raises(AirgapError, match="400"):
        there.target().open("a").push(Images(1).blob(b"one"), bytes_opener(b"one"))


@pytest.mark.parametrize("profile", ["legacy", "3.8x"])
@pytest.mark.parametrize(("status", "style"), [(400, "json"), (409, "text"), (400, "reason"), (400, "html")])
def test_a_tag_that_may_not_be_moved(services: contextlib.ExitStack, profile: str, status: int, style: str) -> None:
    once = replace(HOSTED, write_policy="ALLOW_ONCE")
    there = far(services, once, profile=profile, oci_images="accepted", once_status=status, errors=style)
    images, target = Images(1), there.target()
    first, second = images.image(), images.image()
    assert push(target, images, first).failures == []
    store = target.open("a")
    store.push_manifest(first, images.content[first.digest], "1")  # the same again: nothing to do
    with pytest.raises(TargetError, match="ALLOW_ONCE") as caught:
        push(target, images, second)
    assert first.digest in str(caught.value)
    assert there.double.repository().tags == {"a": {"1": first.digest}}


def test_latest_may_move_where_the_policy_says_so(services: contextlib.ExitStack) -> None:
    there = far(services, replace(HOSTED, write_policy="ALLOW_ONCE", latest_policy=True))
    images, target = Images(1), there.target()
    first, second = images.image(), images.image()
    push(target, images, first, tag="latest")
    push(target, images, second, tag="latest")
    assert there.double.repository().tags == {"a": {"latest": second.digest}}


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"write_policy": "DENY"}, {}, "Read-only (DENY)"),
    ({"online": False}, {}, "switched offline"),
    ({}, {"frozen": True}, "read-only mode"),
    ({}, {"eula_accepted": False}, "licence"),
    ({}, {"profile": "3.8x", "components_elsewhere": 40_001}, "more components"),
    ({}, {"users": (replace(READER, name=PUSHER.name, password=PUSHER.password),)}, "may not push"),
]


@pytest.mark.parametrize(("repository", "settings", "words"), REFUSED, ids=[words for *_, words in REFUSED])
def test_what_must_be_mended_first_is_said_before_anything_is_pushed(
    services: contextlib.ExitStack, repository: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    there = far(services, replace(HOSTED, **repository), **settings)
    target = there.target()
    problems = [one for one in target.preflight() if one.level == "problem"]
    problems += [one for one in target.probe_upload() if one.level == "problem"] if not problems else []
    assert len(problems) == 1
    assert words in problems[0].what
    assert problems[0].hint
    assert len(there.double.asked("POST")) <= 1


def test_a_group_takes_no_push(services: contextlib.ExitStack) -> None:
    group = Repository("all", kind="group", members=("docker-hosted",), connector="http")
    there = far(services, group, Repository("docker-hosted"))
    address = there.double.connector("all").address
    registries = services.enter_context(registries_for(address))
    target = target_for(registries, Mapping(TargetAddress.parse(address)))
    assert isinstance(target, SupportsUploadProbe)
    assert {one.level for one in target.preflight()} == {"ok"}
    findings = target.probe_upload()
    assert "group repository" in findings[-1].what
    assert "--via" in findings[-1].hint


def test_what_freezes_in_the_middle_ends_at_once(services: contextlib.ExitStack) -> None:
    there = far(services)
    target = there.target()
    target.preflight()
    there.double.frozen = True
    images = Images(1)
    with pytest.raises(NotReady, match="read-only mode"):
        push(target, images, images.image())
    assert len([one for one in there.double.asked("POST") if one.status == 503]) <= 4  # one a worker, none twice


def test_a_limit_of_requests_that_is_reached_in_the_middle_ends_at_once(services: contextlib.ExitStack) -> None:
    there = far(services, profile="3.8x")
    target = there.target()
    target.preflight()
    assert {one.level for one in target.probe_upload()} == {"ok"}
    there.double.settings = replace(there.double.settings, requests_before=100_000)
    before, images = len(there.double.seen), Images(1)
    with pytest.raises(NotReady, match="more requests in a day"):
        push(target, images, images.image())
    refused = [one for one in there.double.seen[before:] if one.status >= 400 and one.method == "POST"]
    assert 1 <= len(refused) <= 4  # one a worker, none twice
    there.double.settings = replace(there.double.settings, requests_before=0)
    there.double.advance(24 * 60 * 60)
    with pytest.raises(NotReady):  # and it stays so, as far as is known
        push(target, images, images.image())


@pytest.mark.parametrize("alive", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_commit_that_takes_longer_than_the_line_may_be_silent(services: contextlib.ExitStack, alive: bool) -> None:
    """A server that works on a body it has whole is waited for longer than one that says nothing; what it finishes
    later still is found there when it is asked, and not sent for ever."""
    there = far(services, commit_seconds=1.0 if alive else 3.0)
    address = there.double.connector().address
    settings = RegistrySettings(timeout=0.2)  # seconds; seven and a half times as long while it commits
    registries = services.enter_context(registries_for(address, settings=settings))
    target = target_for(registries, Mapping(TargetAddress.parse(address)))
    assert isinstance(target, NexusTarget)
    images = Images(1)
    root = images.image()
    assert push(target, images, root).failures == []
    assert there.double.repository().tags == {"a": {"1": root.digest}}
    sent, blobs = len(there.double.asked("PUT", "digest=")), len(there.double.repository().blobs)
    assert blobs <= sent <= (blobs if alive else 3 * blobs)


def test_a_gateway_that_hides_a_success(services: contextlib.ExitStack) -> None:
    there = far(services, gateway_504=1, commit_500=1)
    images, target = Images(1), there.target()
    root = images.image()
    assert push(target, images, root).failures == []
    assert there.double.repository().tags == {"a": {"1": root.digest}}


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_gateway_that_hides_every_success(
    services: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    """No try ever ends in 201: only a look at the repository tells that the blobs were kept."""
    monkeypatch.setattr(f"{__name__}.QUICK", RetryPolicy(attempts=attempts, base=0.001))
    there = far(services, gateway_504=1_000)
    images, target = Images(1), there.target()
    root = images.image()
    assert push(target, images, root).failures == []
    assert there.double.repository().tags == {"a": {"1": root.digest}}


def test_a_gateway_that_hides_a_failure(services: contextlib.ExitStack) -> None:
    there = far(services, commit_500=1_000)
    images, target = Images(1), there.target()
    with pytest.raises(AirgapError, match="500"):
        push(target, images, images.image())
    assert there.double.repository().tags == {}


@pytest.mark.parametrize("location", ["path", "prefixed", "absolute", "internal", "http", "relative"])
def test_every_form_of_location(services: contextlib.ExitStack, location: str) -> None:
    there = far(services, Repository("docker-hosted"), location=location)
    address = there.double.main.address
    settings = RegistrySettings(endpoint=there.double.root("repository"))
    registries = services.enter_context(registries_for("nexus.test:8443", settings=settings))
    target = target_for(registries, Mapping(TargetAddress.parse("nexus.test:8443/p")))
    assert isinstance(target, NexusTarget)
    assert [one for one in target.preflight() if one.level != "ok"] == []
    images = Images(1)
    root = images.image()
    assert push(target, images, root, "p/a").failures == []
    assert there.double.repository().tags == {"p/a": {"1": root.digest}}
    assert {one.route for one in there.double.asked()} == {"repository"}
    assert address in there.double.main.url


class TestRoutes:
    def place(self, stack: contextlib.ExitStack, double: Nexus, prefix: str, **more: Any) -> Any:
        address = double.main.address
        registries = stack.enter_context(registries_for(address, more.pop("user", PUSHER)))
        return target_for(registries, Mapping(TargetAddress.parse(f"{address}/{prefix}".rstrip("/"))), **more)

    def test_path_based(self, services: contextlib.ExitStack) -> None:
        double = far(services, Repository("docker-hosted", path_enabled=True)).double
        target = self.place(services, double, "docker-hosted/p")
        assert str(target.locate(Reference.parse("quay.io/x/y:1"))) == f"{double.main.address}/docker-hosted/p/y:1"
        images = Images(1)
        root = images.image()
        assert push(target, images, root, "docker-hosted/p/y").failures == []
        assert double.repository().tags == {"p/y": {"1": root.digest}}

    def test_the_address_out_of_nexus_pages_means_the_path_where_that_is_open(
        self, services: contextlib.ExitStack
    ) -> None:
        double = far(services, Repository("docker-hosted", path_enabled=True)).double
        target = self.place(services, double, "repository/docker-hosted/p")
        assert str(target.locate(Reference.parse("quay.io/x/y:1"))) == f"{double.main.address}/docker-hosted/p/y:1"
        images = Images(1)
        assert push(target, images, images.image(), "docker-hosted/p/y").failures == []

    def test_a_route_that_is_limited_is_asked_again(self, services: contextlib.ExitStack) -> None:
        double = far(services, Repository("docker-hosted", path_enabled=True)).double
        double.main.on("GET", "/repository/docker-hosted/v2/", Answer(429, headers={"Retry-After": "0"}))
        target = self.place(services, double, "repository/docker-hosted/p")
        assert str(target.locate(Reference.parse("quay.io/x/y:1"))) == f"{double.main.address}/docker-hosted/p/y:1"

    @pytest.mark.parametrize("prefix", ["repository/docker-hosted/p", "docker-hosted/p"])
    def test_pushed_below_the_repository_and_pulled_from_its_connector(
        self, services: contextlib.ExitStack, prefix: str
    ) -> None:
        double = far(services).double
        target = self.place(services, double, prefix, user=ADMIN, nexus=double.url)
        assert str(target.locate(Reference.parse("quay.io/x/y:1"))) == f"{double.connector().address}/p/y:1"
        assert [one for one in target.preflight() if one.level != "ok"] == []
        images = Images(1)
        root = images.image()
        assert push(target, images, root, "p/y").failures == []
        assert double.repository().tags == {"p/y": {"1": root.digest}}

    @pytest.mark.requires("nginx")
    def test_what_is_there_is_listed_by_the_names_that_nodes_pull(
        self, services: contextlib.ExitStack, tmp_path: Path
    ) -> None:
        """The path route has no catalog; behind an Ingress that leads /v2/ alone, Nexus's own address has one."""
        double = far(services, Repository("docker-hosted", path_enabled=True)).double
        target = self.place(services, double, "docker-hosted/p")
        images = Images(1)
        for name in ("docker-hosted/p/y", "docker-hosted/other"):
            assert push(target, images, images.image(), name).failures == []
        for prefix in ("docker-hosted/p", "repository/docker-hosted/p"):
            assert self.place(services, double, prefix, read_only=True).repositories() == ["docker-hosted/p/y"]
        places = {"/v2/": f"{double.main.url}/v2/"}
        front = services.enter_context(nginx(tmp_path / "nginx", places, body_size="0"))
        registries = services.enter_context(registries_for(front.address))
        mapping = Mapping(TargetAddress.parse(f"{front.address}/docker-hosted"))
        with pytest.raises(AirgapError, match="does not list its repositories"):
            target_for(registries, mapping, read_only=True).repositories()
        found = target_for(registries, mapping, nexus=double.url, read_only=True).repositories()
        assert found == ["docker-hosted/other", "docker-hosted/p/y"]

    @pytest.mark.parametrize("prefix", ["repository/docker-hosted/p", "docker-hosted/p"])
    def test_what_no_node_can_pull_is_refused(self, services: contextlib.ExitStack, prefix: str) -> None:
        double = far(services, Repository("docker-hosted", connector="dead")).double
        for more in ({}, {"user": ADMIN, "nexus": double.url}):
            with pytest.raises(NotReady, match="no node can pull") as caught:
                self.place(services, double, prefix, **more)
            assert f"--via {double.url}/repository/docker-hosted" in (caught.value.hint or "")

    def test_nexus_pages_are_told_from_its_connector(self, services: contextlib.ExitStack) -> None:
        double = far(services).double
        with pytest.raises(NotReady, match="its pages"):
            self.place(services, double, "elsewhere")
        with pytest.raises(NotReady) as caught:
            self.place(services, double, "elsewhere", user=ADMIN, nexus=double.url)
        assert f"docker-hosted (hosted) at {double.connector().address}" in (caught.value.hint or "")


def test_room_is_counted_against_the_editions_limit(services: contextlib.ExitStack) -> None:
    there = far(services, profile="3.8x", component_limit=-1)
    images, target = Images(1), there.target(user=ADMIN, nexus=there.double.url)
    root = images.image()
    for tag in "abc":
        push(target, images, root, tag=tag)

    def pages() -> int:
        return len([one for one in there.double.seen if "/components?" in one.target])

    assert target.check_capacity(10) == []
    assert target.check_capacity(1_200) == []
    assert [one.level for one in target.check_capacity(40_001)] == ["problem"]
    assert pages() == 0  # a count takes more requests than it can save, or tells nothing new
    assert [one.level for one in target.check_capacity(39_998)] == ["problem"]
    assert pages() == 1
    assert "3 of the 40,000" in target.check_capacity(39_998)[0].what
    assert [one.level for one in target.check_capacity(39_000)] == ["warning"]
    assert there.target().check_capacity(100_000) == []  # without --nexus nobody counts


def test_something_else_is_a_plain_target(services: contextlib.ExitStack) -> None:
    from tests.cli.command import Registry

    registry = services.enter_context(Registry())
    registries = services.enter_context(registries_for(registry.address, None))
    target = target_for(registries, Mapping(TargetAddress.parse(registry.address)))
    assert isinstance(target, PlainTarget)
    target.preflight()
    assert registry.requests() == ["GET /v2/ 200"]


@pytest.mark.requires("nginx")
@pytest.mark.parametrize("location", ["path", "prefixed", "absolute"])
def test_a_proxy_that_shows_the_repository_under_another_path(
    services: contextlib.ExitStack, tmp_path: Path, location: str
) -> None:
    """The Location that Nexus gives then names a path that this proxy does not have."""
    double = far(services, Repository("docker-hosted"), location=location).double
    places = {"/images/": f"{double.main.url}/repository/docker-hosted/"}
    front = services.enter_context(nginx(tmp_path / "nginx", places, body_size="0"))
    settings = RegistrySettings(endpoint=f"{front.url}/images")
    registries = services.enter_context(registries_for("nexus.test:8443", settings=settings))
    target = target_for(registries, Mapping(TargetAddress.parse("nexus.test:8443/p")))
    assert isinstance(target, NexusTarget)
    images = Images(1)
    root = images.image()
    assert push(target, images, root, "p/a").failures == []
    assert double.repository().tags == {"p/a": {"1": root.digest}}


def test_nodes_are_told_of_plain_http(services: contextlib.ExitStack) -> None:
    mapping = Mapping(TargetAddress.parse("http://nexus.corp:8082/p"))
    registries = services.enter_context(Registries({"nexus.corp:8082": RegistrySettings(plain_http=True)}))
    found = check_nodes(probe_for(registries, mapping))[0]
    assert (found.level, found.hint.split()[3]) == ("ok", "/etc/containerd/certs.d/nexus.corp:8082/hosts.toml:")
    assert 'server = "http://nexus.corp:8082"' in found.run


def test_a_connection_that_breaks_in_a_push_names_the_proxys_buffering(services: contextlib.ExitStack) -> None:
    there = far(services)
    target = there.target()
    target.preflight()
    there.double.connector().always("PATCH", "/blobs/uploads/", Answer(raw=b""))
    there.double.connector().always("PUT", "/blobs/uploads/", Answer(raw=b""))
    with pytest.raises(AirgapError) as caught:
        target.open("a").push(Images(1).blob(b"one"), bytes_opener(b"one"))
    assert "proxy-request-buffering" in (caught.value.hint or "")


def test_a_product_is_recognized_by_a_function_that_opens_it(
    services: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = services.enter_context(registry_double())
    double.always("GET", "/v2/", Answer(200, b"{}", {"Content-Type": "application/json", "Server": "Quay"}))
    registries = services.enter_context(registries_for(double.address, None))
    mapping = Mapping(TargetAddress.parse(double.address))
    quay = PlainTarget(registries, mapping)

    def open_target(request: TargetRequest) -> PlainTarget | None:
        response = request.probe.response
        return quay if response is not None and response.headers["Server"] == "Quay" else None

    known = factory.target_openers()
    monkeypatch.setattr(factory, "target_openers", lambda: (*known, open_target))
    assert target_for(registries, mapping) is quay
    assert double.count() == 1
