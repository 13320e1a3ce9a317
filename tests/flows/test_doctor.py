# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor`` before set-ups that are broken in one way each: the true cause comes first, with its remedy.

Everything is real but Nexus itself, which is the double: nginx as Ingress, certificates by openssl, loopback ports.
"""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airgap.config.connections import ConnectionOptions
from airgap.errors import RegistryError
from airgap.flows.doctor import Diagnosis, DoctorRequest, examine_and_fix
from airgap.registry.http.retry import RetryPolicy
from airgap.targets.doctor import fixes
from airgap.targets.doctor.fixes import SettingChange
from tests.doubles.nexus import ADMIN, PUSHER, READER, Repository
from tests.doubles.nexus.settings import BASIC_REALMS, PROFILES, Profile
from tests.doubles.registry import Answer, double
from tests.parts.certificates import Authority, Pair
from tests.parts.nginx import nginx
from tests.parts.proxy import Proxy, http_proxy
from tests.parts.service import free_port
from tests.targets.yard import Place, Yard

HOSTED = Repository("docker-hosted", connector="http")
OPEN = replace(HOSTED, force_basic=False)
SECURE = Repository("docker-hosted", connector="https")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers 503 is asked as often as ever, but at once."""
    monkeypatch.setattr("airgap.registry.registries.RetryPolicy", functools.partial(RetryPolicy, base=0.01))


@pytest.fixture
def yard(services: contextlib.ExitStack, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Yard:
    return Yard(services, tmp_path, authority, monkeypatch)


@contextlib.contextmanager
def greeter(words: bytes) -> Iterator[int]:
    """A server that says ``words`` to whoever comes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    with link:
                        link.sendall(words)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def other_port(yard: Yard, **more: object) -> Place:
    place = yard.plain(**more)  # type: ignore[arg-type] # switches
    return replace(place, target=f"http://127.0.0.1:{free_port()}/p")


def ssh(yard: Yard) -> Place:
    return Place(f"http://127.0.0.1:{yard.stack.enter_context(greeter(b'SSH-2.0-OpenSSH_9.2'))}", user=None)


def redirecting(yard: Yard) -> Place:
    made = yard.stack.enter_context(double())
    made.always("GET", "/v2/", Answer(404, b"<html>", {"Content-Type": "text/html"}))
    return Place(made.url.replace("127.0.0.1", "localhost"), user=None)


def no_challenge(yard: Yard) -> Place:
    made = yard.stack.enter_context(double())
    made.always("GET", "/v2/", Answer(401, b"{}", {"Content-Type": "application/json"}))
    return Place(made.url)


def moved(yard: Yard) -> Place:
    made = yard.stack.enter_context(double())
    made.always("GET", "/v2/", lambda _: Answer(301, b"", {"Location": f"{made.url}/v2/"}))
    return Place(made.url)


def group(yard: Yard, kind: str = "group", **more: object) -> Place:
    front = Repository("all", kind=kind, connector="http", **more)  # type: ignore[arg-type] # of two
    made = yard.far(front, Repository("docker-hosted"))
    return Place(f"http://{made.connector('all').address}", made)


def locked(yard: Yard) -> Place:
    place = yard.plain(lockout=0)
    assert replace(place, password="wrong").examine().problems
    place.double.access.sign_ins[PUSHER.name].failed = 0  # type: ignore[union-attr] # counted anew from here
    return place


READ_ONLY_USER = (replace(READER, name=PUSHER.name, password=PUSHER.password),)

#: What is set up, the check that finds it, words of the cause, words of the remedy.
BROKEN: dict[str, tuple[Callable[[Yard], Place], str, str, str]] = {
    "unknown name": (lambda y: Place("http://nexus.invalid:8082"), "name", "unknown", "/etc/hosts"),
    "wrong port": (other_port, "connection", "nothing listens", "nodePort"),
    "wrong port, settings known": (
        lambda y: other_port(y, admin=True),
        "connection",
        "nothing listens",
        "docker-hosted",
    ),
    "dead connector": (
        lambda y: (lambda place: replace(place, target=f"http://127.0.0.1:{place.double.repository().http_port}"))(  # type: ignore[union-attr]
            Place("http://x:1", made := y.far(Repository("docker-hosted", connector="dead")), made.url, ADMIN)
        ),
        "connection",
        "nothing listens",
        "dead or not led here",
    ),
    "no Docker repository": (
        lambda y: Place(
            f"http://127.0.0.1:{free_port()}", made := y.far(Repository("files", format="raw")), made.url, ADMIN
        ),
        "connection",
        "nothing listens",
        "--fix makes one",
    ),
    "HTTPS to a plain port": (
        lambda y: (lambda p: replace(p, target=p.target.replace("http:", "https:")))(y.plain()),
        "protocol",
        "speaks plain HTTP",
        "airgap doctor http://127.0.0.1",
    ),
    "plain HTTP to a TLS port": (
        lambda y: (lambda p: replace(p, target=p.target.replace("https:", "http:"), options=ConnectionOptions()))(
            y.secure(y.authority.good())
        ),
        "protocol",
        "speaks HTTPS",
        "airgap doctor https://127.0.0.1",
    ),
    "self-signed": (lambda y: y.secure(y.authority.self_signed()), "certificate", "self-signed", "--ca-file ca.pem"),
    "unknown authority": (
        lambda y: y.secure(y.authority.good(), ca=False),
        "certificate",
        "'A private authority'",
        "issuer",
    ),
    "another host": (
        lambda y: y.secure(y.authority.wrong_host()),
        "certificate",
        "is for DNS:elsewhere.example, not for IP:127.0.0.1",
        'subjectAltName=IP:127.0.0.1"',
    ),
    "CN alone": (
        lambda y: y.secure(y.authority.common_name_only(), host="localhost"),
        "certificate",
        "legacy Common Name",
        'subjectAltName=DNS:localhost"',
    ),
    "address not in the SANs": (
        lambda y: y.secure(y.authority.no_ip()),
        "certificate",
        "is for DNS:localhost, not for IP:127.0.0.1",
        "an address needs IP:",
    ),
    "expired": (lambda y: y.secure(y.authority.expired()), "certificate", "is over since 2021-01-01", "renewed"),
    "not yet valid": (lambda y: y.secure(y.authority.not_yet()), "certificate", "begins only at 2099-01-01", "clock"),
    "no HTTP at all": (ssh, "registry", "does not speak HTTP", ""),
    "Nexus's pages": (
        lambda y: Place(f"{(made := y.far()).url}/elsewhere", made),
        "registry",
        "its pages",
        "--nexus http://127.0.0.1",
    ),
    "Nexus's pages, settings known": (
        lambda y: Place(f"{(made := y.far()).url}/elsewhere", made, made.url, ADMIN),
        "registry",
        "its pages",
        "docker-hosted (hosted) at 127.0.0.1:",
    ),
    "a path that no node can pull": (
        lambda y: Place(f"{(made := y.far()).url}/repository/docker-hosted/p", made),
        "registry",
        "served only below",
        "--via http://127.0.0.1",
    ),
    "some other web site": (redirecting, "registry", "is no registry (404", "curl -i"),
    "redirected in a circle": (moved, "registry", "redirects without end", ""),
    "Ingress without endpoints": (
        lambda y: y.ingress(y.far(), url=f"http://127.0.0.1:{free_port()}"),
        "registry",
        "answers 502",
        "has endpoints",
    ),
    "Ingress to the wrong port": (
        lambda y: y.ingress(made := y.far(), url=made.main.url),
        "registry",
        "its pages",
        "connector",
    ),
    "repository offline": (lambda y: y.plain(replace(HOSTED, online=False)), "registry", "switched offline", "Online"),
    "null realm": (lambda y: y.plain(OPEN, realm="null"), "challenge", "null://", "X-Forwarded-Proto http;"),
    "realm with port 443": (lambda y: y.plain(OPEN, realm="http443"), "challenge", ":443/v2/token", "Forwarded-Port"),
    "forwarded as http": (
        lambda y: y.ingress(y.far(OPEN), tls=True, forwarded="http"),
        "challenge",
        "by plain HTTP",
        "X-Forwarded-Proto https;",
    ),
    "forwarded without Host": (
        lambda y: y.ingress(y.far(OPEN), tls=True, forwarded="none"),
        "challenge",
        "not where it is reached",
        "proxy_set_header Host 127.0.0.1:",
    ),
    "no challenge": (no_challenge, "challenge", "does not say how to sign in", "header"),
    "nobody known": (lambda y: replace(y.plain(), user=None), "sign-in", "none is known", "airgap login"),
    "nobody known, tokens": (lambda y: replace(y.plain(OPEN), user=None), "sign-in", "none is known", "airgap login"),
    "wrong password": (lambda y: replace(y.plain(), password="x"), "sign-in", "password is wrong", "airgap login"),
    "wrong password, tokens, settings asked": (
        lambda y: replace(y.plain(OPEN, admin=True), password="x"),
        "sign-in",
        "password is wrong",
        "browser",
    ),
    "locked account": (locked, "sign-in", "may be locked", "15 minutes"),
    "realm not active": (
        lambda y: y.plain(OPEN, realms=("NexusAuthenticatingRealm",)),
        "sign-in",
        "realm DockerToken is not switched on",
        "Security > Realms",
    ),
    "licence not accepted": (lambda y: y.plain(admin=True, eula_accepted=False), "licence", "licence", "--fix"),
    "frozen": (lambda y: y.plain(admin=True, frozen=True), "writable", "read-only mode", "Release"),
    "frozen, settings unknown": (lambda y: y.plain(frozen=True), "push", "read-only mode", "Release"),
    "DENY": (
        lambda y: y.plain(replace(HOSTED, write_policy="DENY"), admin=True),
        "repository",
        "DENY",
        "Allow redeploy",
    ),
    "DENY, settings unknown": (
        lambda y: y.plain(replace(HOSTED, write_policy="DENY")),
        "push",
        "DENY",
        "Allow redeploy",
    ),
    "a group": (lambda y: group(y, members=("docker-hosted",)), "push", "group repository", "--via"),
    "a group, settings known": (
        lambda y: (lambda p: replace(p, nexus=p.double.url, user=ADMIN))(group(y, members=("docker-hosted",))),  # type: ignore[union-attr]
        "repository",
        "all: this address belongs to a group",
        "--via",
    ),
    "a proxy": (lambda y: group(y, "proxy", remote="docker-hosted"), "push", "proxy repository", "hosted"),
    "no right to push": (lambda y: y.plain(users=READ_ONLY_USER), "push", "may not push", "-add, -edit"),
    "over the edition's limit": (
        lambda y: y.plain(profile="3.8x", components_elsewhere=40_001),
        "push",
        "more components",
        "licence",
    ),
    "an Ingress's default limit": (
        lambda y: y.ingress(y.far()),
        "push",
        "(413)",
        'nginx.ingress.kubernetes.io/proxy-body-size="0"',
    ),
}


@pytest.mark.requires("nginx", "openssl")
@pytest.mark.parametrize("name", BROKEN)
def test_the_true_cause_comes_first(yard: Yard, name: str) -> None:
    build, check, cause, remedy = BROKEN[name]
    place = build(yard)
    said = place.examine()
    assert said.problems, said
    first = said.problems[0]
    assert first.check == check, said
    assert cause in first.what
    assert remedy in "\n".join((first.hint, *first.run))
    assert len(said.problems) == 1
    assert [one for one in said.findings if one.level == "warning"] == []
    if place.double is not None:
        assert sum(failed + refused for _, failed, refused in place.double.tries.values()) <= 1
    for secret in (PUSHER.password, ADMIN.password):
        assert secret not in repr(said)


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 25


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("basic", [True, False])
@pytest.mark.parametrize("admin", [True, False])
def test_a_good_one_has_nothing_to_warn_of(yard: Yard, profile: Profile, basic: bool, admin: bool) -> None:
    place = yard.plain(replace(HOSTED, force_basic=basic), admin=admin, profile=profile)
    for tried in (place, replace(place, nexus=place.double.url if place.double else "")):
        said = tried.examine()
        assert {one.level for one in said.findings} == {"ok"}
    assert place.double is not None
    assert place.double.repository().blobs == {}


@pytest.mark.requires("nginx", "openssl")
def test_good_ones_behind_tls_and_an_ingress(yard: Yard) -> None:
    good = [
        yard.secure(yard.authority.good()),
        yard.ingress(yard.far(OPEN), tls=True, body_size="0"),
    ]
    made = yard.far(Repository("docker-hosted", path_enabled=True))
    good.append(Place(f"{made.url}/docker-hosted/p", made))
    for place in good:
        said = place.examine()
        assert {one.level for one in said.findings} == {"ok"}, said


def test_a_registry_and_its_pages_behind_one_host(yard: Yard) -> None:
    """The rules that docs/nexus.md gives for an Ingress: /v2 leads to the connector, a context path to the pages."""
    made = yard.far(OPEN, context="/nexus")
    leads = {"/v2/": f"{made.connector().url}/v2/", "/nexus/": f"{made.main.url}/nexus/"}
    front = yard.stack.enter_context(nginx(yard.folder / "nginx", leads, body_size="0"))
    place = Place(f"{front.url}/p", made, f"{front.url}/nexus", ADMIN)
    said = place.examine()
    assert said.problems == []
    assert {"repository", "push"} <= {one.check for one in said.findings if one.level == "ok"}


class TestThroughAProxy:
    """``HTTPS_PROXY`` and ``HTTP_PROXY``: what lies behind it is looked at by CONNECT, and what cannot be is said."""

    HTTPS, HTTP = "https://nexus.test:8443", "http://nexus.test:8082"

    @pytest.fixture
    def through(self, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Proxy]:
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)

        def start(leads_to: str = "", *, admitted: bool = True, **more: str) -> Proxy:
            routes = {"nexus.test:8443": leads_to, "nexus.test:8082": leads_to} if leads_to else {}
            proxy = yard.stack.enter_context(http_proxy(routes=routes, **more))
            for name in ("HTTPS_PROXY", "HTTP_PROXY"):
                monkeypatch.setenv(name, proxy.url_with_password if admitted else proxy.url)
            return proxy

        return start

    def place(self, yard: Yard, target: str, *, ca: bool = True) -> Place:
        return Place(target, options=ConnectionOptions(ca_file=str(yard.authority.ca)) if ca else ConnectionOptions())

    def pair(self, yard: Yard) -> Pair:
        return yard.authority.good("DNS:nexus.test")

    @pytest.mark.parametrize("user", ["", "carrier"])
    def test_a_good_one_by_https(self, yard: Yard, through: Callable[..., Proxy], user: str) -> None:
        proxy = through(yard.far(SECURE, tls=self.pair(yard)).connector().address, user=user, password="a word")
        said = self.place(yard, self.HTTPS).examine()
        assert {one.level for one in said.findings} == {"ok"}, said
        checks = {one.check: one.what for one in said.findings}
        assert checks["connection"] == f"the proxy 127.0.0.1:{proxy.port} connects to nexus.test:8443"
        assert "speaks HTTPS" in checks["protocol"]
        assert "good for nexus.test" in checks["certificate"]
        assert set(proxy.connects) == {"nexus.test:8443"}
        assert proxy.requests == []
        assert "a word" not in repr(said)

    def test_a_good_one_by_http_says_what_was_not_looked_at(self, yard: Yard, through: Callable[..., Proxy]) -> None:
        proxy = through(yard.far().connector().address)
        said = self.place(yard, self.HTTP, ca=False).examine()
        assert {one.level for one in said.findings} == {"ok"}, said
        assert [one.check for one in said.findings if "not looked at" in one.what] == ["name", "connection", "protocol"]
        assert proxy.connects == []

    def test_certificates_and_protocol_are_judged_behind_it(self, yard: Yard, through: Callable[..., Proxy]) -> None:
        through(yard.far(SECURE, tls=self.pair(yard)).connector().address)
        first = self.place(yard, self.HTTPS, ca=False).examine().problems[0]
        assert (first.check, "'A private authority'" in first.what) == ("certificate", True)
        assert "ask the administrator" in first.run[0]  # the server sends its own certificate alone
        through(yard.far(SECURE, tls=yard.authority.wrong_host()).connector().address)
        first = self.place(yard, self.HTTPS).examine().problems[0]
        assert (first.check, "not for DNS:nexus.test" in first.what) == ("certificate", True)
        through(yard.far().connector().address)
        first = self.place(yard, self.HTTPS).examine().problems[0]
        assert (first.check, "speaks plain HTTP" in first.what) == ("protocol", True)

    @pytest.mark.parametrize("target", [HTTPS, HTTP])
    def test_what_the_proxy_refuses_is_said(self, yard: Yard, through: Callable[..., Proxy], target: str) -> None:
        proxy = through()
        first = self.place(yard, target).examine().problems[0]
        assert first.check == ("connection" if target == self.HTTPS else "registry")
        assert f"the proxy 127.0.0.1:{proxy.port}" in first.what
        assert "502" in first.what
        assert target == self.HTTP or "NO_PROXY=nexus.test" in first.hint
        through(user="carrier", password="a word", admitted=False)
        first = self.place(yard, target).examine().problems[0]
        assert "wants a user and password" in first.what
        assert "http://user:password@host:port" in first.hint

    @pytest.mark.parametrize("target", [HTTPS, HTTP])
    def test_a_proxy_that_is_not_there(self, yard: Yard, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        said = self.place(yard, target).examine()
        assert [one.check for one in said.problems] == ["connection"]
        assert "cannot be reached" in said.problems[0].what
        assert "HTTPS_PROXY" in said.problems[0].hint

    def test_a_proxy_that_is_none(self, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        port = yard.stack.enter_context(greeter(b"SSH-2.0-OpenSSH_9.2\r\n"))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        said = self.place(yard, self.HTTPS).examine()
        assert [one.check for one in said.problems] == ["connection"]


def test_a_settings_request_that_nexus_limits_is_sent_again(yard: Yard) -> None:
    place = yard.plain(admin=True)
    assert place.double is not None
    place.double.main.on("GET", "/repositorySettings", Answer(429, headers={"Retry-After": "0"}))
    finding = next(finding for finding in place.examine().findings if finding.check == "repository")
    assert finding.what == "docker-hosted is a hosted docker repository; sign-in is by Basic"


def test_what_is_soft_is_a_warning(yard: Yard) -> None:
    said = yard.plain(admin=True, quota_violated=True).examine()
    assert [(one.check, one.level) for one in said.findings if one.level != "ok"] == [("quota", "warning")]
    said = replace(yard.plain(), nexus=f"http://127.0.0.1:{free_port()}").examine()
    assert [(one.check, one.level) for one in said.findings if one.level != "ok"] == [("rest", "warning")]
    place = yard.secure(yard.authority.wrong_host())
    said = replace(place, options=ConnectionOptions(insecure=(place.mapping.address.registry,))).examine()
    assert [(one.check, one.level) for one in said.findings if one.level != "ok"] == [("certificate", "warning")]


def fixed(
    place: Place, agree: Callable[[SettingChange], bool] = lambda _: True, *, connector: int = 0
) -> tuple[Diagnosis, list[SettingChange]]:
    return examine_and_fix(DoctorRequest(place.mapping, place.nexus, connector=connector), place.connect, agree)


def test_fix_makes_the_repository_that_the_address_speaks_of(yard: Yard) -> None:
    made = yard.far(Repository("files", format="raw"))
    place = Place(f"http://127.0.0.1:{free_port()}/p", made, made.url, ADMIN)
    asked: list[SettingChange] = []

    def refuse(change: SettingChange) -> bool:
        asked.append(change)
        return False

    said, done = fixed(place, refuse)
    assert (done, list(made.contents)) == ([], ["files"])
    port = int(place.mapping.address.registry.rpartition(":")[2])
    assert [one.document["docker"]["httpPort"] for one in asked] == [port]
    said, done = fixed(place)
    assert said.problems == []
    assert [one.request.split()[0] for one in done] == ["POST"]
    assert made.contents["docker-hosted"].http_port == port


def test_fix_gives_the_connector_another_port_behind_a_nodeport(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixes, "_CONNECTOR_WAIT", 0.2)
    made = yard.far(Repository("files", format="raw"))
    place, inner = Place(f"http://127.0.0.1:{free_port()}/p", made, made.url, ADMIN), free_port()
    request = DoctorRequest(place.mapping, place.nexus, "images", inner)
    said, done = examine_and_fix(request, place.connect, lambda _: True)
    assert (len(done), made.contents["images"].http_port) == (1, inner)
    assert "NodePort" in said.problems[0].hint


def test_fix_goes_on_behind_the_first_trouble(yard: Yard) -> None:
    realms = ("NexusAuthorizingRealm", "NexusAuthenticatingRealm")
    place = yard.plain(OPEN, admin=True, eula_accepted=False, realms=realms)
    said, done = fixed(place)
    assert said.problems == []
    assert len(done) == 2
    assert place.double is not None
    assert place.double.eula_accepted
    assert place.double.access.realms == [*realms, "DockerToken"]


def first_start(yard: Yard, **more: object) -> Place:
    """A Nexus that was never touched: no Docker repository, no realm for tokens, the licence not accepted."""
    raw = Repository("files", format="raw")
    made = yard.far(raw, eula_accepted=False, realms=BASIC_REALMS, **more)  # type: ignore[arg-type] # switches
    return Place(f"http://127.0.0.1:{free_port()}/p", made, made.url, ADMIN)


def test_fix_of_a_first_start_accepts_the_licence_before_anything_else(yard: Yard) -> None:
    """Nexus refuses to make a repository before, and gives the connector in its own time."""
    place = first_start(yard, connector_seconds=0.5)
    made = place.double
    assert made is not None
    said, done = fixed(place)
    assert said.problems == []
    assert [one.request.rpartition("/v1/")[2] for one in done] == [
        "system/eula",
        "repositories/docker/hosted",
        "security/realms/active",
    ]
    assert made.access.realms == [*BASIC_REALMS, "DockerToken"]
    assert fixed(place)[1] == []


def test_nothing_is_offered_where_the_settings_cannot_be_read(yard: Yard) -> None:
    """Before there is a connector, Nexus's own address is the first to see the password, and the only one."""
    place = replace(first_start(yard), password="wrong")
    said, done = fixed(place)
    assert (done, said.changes) == ([], ())
    assert [one.check for one in said.problems] == ["sign-in", "connection"]
    assert "password is wrong" in said.problems[0].what
    assert place.double is not None
    assert place.double.tries[ADMIN.name] == (0, 1, 0)
    said, done = fixed(replace(place, user=None))
    assert (done, said.changes) == ([], ())
    assert "none is known" in said.problems[0].what


def test_a_connector_that_was_asked_for_is_made_beside_others(yard: Yard) -> None:
    """Without --connector the port may be a NodePort of one of the others, so nothing is made."""
    made, inner = yard.far(HOSTED), free_port()
    place = Place(f"http://127.0.0.1:{inner}/p", made, made.url, ADMIN)
    assert fixed(place)[1] == []
    request = DoctorRequest(place.mapping, place.nexus, "second", inner)
    said, done = examine_and_fix(request, place.connect, lambda _: True)
    assert (said.problems, len(done), made.contents["second"].http_port) == ([], 1, inner)


def test_the_realm_may_stay_off_where_all_sign_in_by_basic(yard: Yard) -> None:
    place = yard.plain(admin=True, realms=BASIC_REALMS)
    said, done = fixed(place, lambda _: False)
    assert (said.problems, done, len(said.changes)) == ([], [], 1)
    assert all(one.level == "ok" for one in said.findings)
    assert place.double is not None
    assert len(fixed(place)[1]) == 1
    assert place.double.access.realms == [*BASIC_REALMS, "DockerToken"]


def test_fix_changes_nothing_with_a_wrong_password_or_without_rights(yard: Yard) -> None:
    place = yard.plain(OPEN, admin=True, realms=("NexusAuthenticatingRealm",))
    for user, password in ((ADMIN, "wrong"), (PUSHER, "")):
        said, done = fixed(replace(place, user=user, password=password))
        assert (done, len(said.problems)) == ([], 1)
    assert place.double is not None
    assert place.double.tries[ADMIN.name] == (0, 1, 0)
    assert place.double.access.realms == ["NexusAuthenticatingRealm"]


def test_what_nexus_has_against_a_change_is_said(yard: Yard) -> None:
    made = yard.far(Repository("docker-hosted"))
    words = b'[{"id": "FIELD httpPort", "message": "Port is already in use"}]'
    made.main.always("PUT", "/docker/hosted/", Answer(400, words, {"Content-Type": "application/json"}))
    place = Place(f"http://127.0.0.1:{free_port()}", made, made.url, ADMIN)
    with pytest.raises(RegistryError, match="Port is already in use"):
        fixed(place)


NO_CONNECTOR = Repository("docker-hosted", write_policy="ALLOW_ONCE", latest_policy=True)


def test_fix_adds_a_connector_to_a_repository_that_has_none(yard: Yard) -> None:
    made = yard.far(NO_CONNECTOR)
    place = Place(f"http://127.0.0.1:{free_port()}/p", made, made.url, ADMIN)
    port = int(place.mapping.address.registry.rpartition(":")[2])
    said, done = fixed(place, lambda _: False)
    assert (done, made.repository().http_port) == ([], None)
    assert f"docker-hosted has no connector; --fix adds one by HTTP, on port {port}" in said.problems[0].hint
    said, done = fixed(place)
    assert [one.request for one in done] == [
        f"PUT {made.url}/service/rest/v1/repositories/docker/hosted/docker-hosted",
    ]
    assert {one.level for one in said.findings} == {"ok"}
    assert (made.repository().http_port, list(made.contents)) == (port, ["docker-hosted"])
    assert made.repository().settings == NO_CONNECTOR


def test_all_else_of_a_repository_goes_back_as_it_was_read(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixes, "_CONNECTOR_WAIT", 0.2)  # nothing opens: what was sent is what counts here
    made = yard.far(NO_CONNECTOR)
    place = Place(f"http://127.0.0.1:{free_port()}", made, made.url, ADMIN)
    path, sent = "/repositories/docker/hosted/docker-hosted", []
    document = {
        "name": "docker-hosted",
        "url": f"{made.url}/repository/docker-hosted",
        "online": True,
        "storage": {"blobStoreName": "fast", "strictContentTypeValidation": False, "writePolicy": "allow_once"},
        "cleanup": {"policyNames": ["weekly"]},
        "component": {"proprietaryComponents": True},
        "docker": {"v1Enabled": True, "forceBasicAuth": False, "subdomain": None, "not known here": [1]},
        "nor this": "x",
    }
    made.main.always("GET", path, Answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"}))
    made.main.always("PUT", path, lambda request: sent.append(json.loads(request.read())) or Answer(204))
    fixed(place, connector=8082)
    docker = {**document["docker"], "httpPort": 8082}  # type: ignore[dict-item] # a dictionary
    assert sent == [{**document, "docker": docker}]


@pytest.mark.requires("nginx")
def test_fix_adds_the_connector_that_an_ingress_leads_to(yard: Yard) -> None:
    made, inner = yard.far(NO_CONNECTOR), free_port()
    place = yard.ingress(made, f"http://127.0.0.1:{inner}", body_size="0")
    place = replace(place, nexus=made.url, user=ADMIN)
    said, done = fixed(place)
    assert done == []  # the address's port is the Ingress's: nobody said where it leads to
    assert "--fix --connector PORT" in said.problems[0].hint
    said, done = fixed(place, connector=inner)
    assert (len(done), made.repository().http_port) == (1, inner)
    assert {one.level for one in said.findings} == {"ok"}
    assert f"docker-hosted has its connector on port {inner}" in [one.what for one in said.findings]


@pytest.mark.parametrize(
    ("repository", "words"),
    [(HOSTED, "--fix changes none that is there"), (replace(NO_CONNECTOR, path_enabled=True), "path-based routing")],
    ids=["another port", "a path"],
)
@pytest.mark.parametrize("reached", [True, False])
def test_a_way_that_is_there_is_not_changed(yard: Yard, repository: Repository, words: str, reached: bool) -> None:
    made = yard.far(repository)
    before, wanted = made.repository().http_port, free_port()
    url = made.connector().url if repository is HOSTED else f"{made.url}/docker-hosted"
    place = Place(url if reached else f"http://127.0.0.1:{free_port()}", made, made.url, ADMIN)
    said, done = fixed(place, connector=wanted)
    assert done == []
    assert (made.repository().http_port, made.repository().settings) == (before, repository)
    found = [one for one in said.findings if words in one.hint]
    assert [(one.check, one.level) for one in found] == [
        ("connector", "warning") if reached else ("connection", "problem")
    ]


def test_a_user_who_sees_no_connectors_is_told_so(yard: Yard) -> None:
    made = yard.far(NO_CONNECTOR)
    place = Place(f"http://127.0.0.1:{free_port()}", made, made.url, PUSHER)
    said, done = fixed(place)
    assert (done, [one.fix for one in said.findings if one.fix]) == ([], [])
    assert "ask as an administrator" in said.problems[0].hint
