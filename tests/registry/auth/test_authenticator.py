# SPDX-License-Identifier: Apache-2.0
"""Signing in: who is asked, how often, with what, and what is never sent where."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from airgap.errors import AirgapError, RegistryError, Unauthorized
from airgap.registry import Credential, Credentials, RegistrySettings, Repository
from airgap.registry.auth.authenticator import Authenticator
from airgap.registry.auth.realms import TokenServers
from airgap.registry.http.transport import Headers, Response
from airgap.store.readers import bytes_opener
from tests.doubles.registry import Answer, Double, Request, Shelf, double
from tests.doubles.registry.shelf import asks_basic, basic, error
from tests.registry.tools import Network, together
from tests.suites.store_suite import described, noise, read_all

ME = Credential("me", "s3cret-word")
ROBOT = Credential("", "", "an-identity-token")


class Tokens:
    """A token server, and the guard of the registry that believes in its tokens."""

    def __init__(self) -> None:
        self.server = Double(self.issue)
        self.realm = f"{self.server.url}/token?lang=en"
        self.users: set[str] = {basic("me", "s3cret-word")}
        self.anonymous = False
        self.life: int | None = None
        self.good: set[str] = set()
        self._count = 0

    def issue(self, request: Request) -> Answer:
        if request.method == "POST":
            form = parse_qs(request.read().decode())
            known = form.get("refresh_token") == ["an-identity-token"] and form["grant_type"] == ["refresh_token"]
            scopes, key = form["scope"][0].split(" "), "access_token"
        else:
            known = request.authorization in self.users or (self.anonymous and not request.authorization)
            scopes, key = request.query.get("scope", []), "token"
        if not known:
            return error(401, "UNAUTHORIZED", "no such user")
        self._count += 1
        token = f"token{self._count}." + ".".join(scopes)
        self.good.add(token)
        document: dict[str, object] = {key: token}
        if self.life is not None:
            document["expires_in"] = self.life
        return Answer(200, json.dumps(document).encode())

    def guard(self, request: Request) -> Answer | None:
        kind, _, token = request.authorization.partition(" ")
        if kind == "Bearer" and token in self.good:
            return None
        challenge = f'Bearer realm="{self.realm}",service="the registry"'
        return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})


@pytest.fixture
def tokens(shelf: Shelf) -> Iterator[Tokens]:
    made = Tokens()
    shelf.guard = made.guard
    yield made
    made.server.stop()


def repository(
    network: Network, peer: Double, credential: Credential | None = ME, name: str = "team/app"
) -> Repository:
    explicit = {peer.address: credential} if credential else None
    return network.registries(explicit=explicit).repository(peer.address, name, push=True)


# Basic


def test_basic(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.guard = asks_basic("me", "s3cret-word", 'bAsIc REALM="x"')
    store = repository(network, peer)
    digest = store.resolve("v1").digest
    assert store.resolve("v1").digest == digest
    assert [r.authorization for r in peer.requests] == ["", *[basic("me", "s3cret-word")] * 2]


@pytest.mark.parametrize("count", [1, 6])
def test_a_wrong_password_is_tried_once(network: Network, peer: Double, shelf: Shelf, count: int) -> None:
    """Registries lock accounts: whatever many workers ask for, they offer it once."""
    shelf.guard = asks_basic("me", "another")
    peer.delay = 0.1
    registries = network.registries(explicit={peer.address: ME})
    outcomes = together(count, lambda n: registries.repository(peer.address, f"team/app{n}").resolve("v1"))
    assert all(isinstance(outcome, Unauthorized) for outcome in outcomes), outcomes
    for outcome in outcomes:
        assert isinstance(outcome, Unauthorized)
        assert outcome.exit_code == 21
        assert "airgap login" in (outcome.hint or "")
        assert "s3cret-word" not in f"{outcome!s}{outcome!r}{outcome.hint}{outcome.where}"
    assert len([r for r in peer.requests if r.authorization]) == 1
    with pytest.raises(Unauthorized):
        registries.repository(peer.address, "team/more").tags()
    assert len([r for r in peer.requests if r.authorization]) == 1


def test_a_right_password_serves_many_at_once(network: Network, peer: Double, shelf: Shelf) -> None:
    """Only its first use is alone: afterwards requests go side by side."""
    shelf.guard = asks_basic("me", "s3cret-word")
    registries = network.registries(explicit={peer.address: ME})
    registries.repository(peer.address, "team/app").resolve("v1")
    meeting = threading.Barrier(4)

    def meet(_: Request) -> None:
        meeting.wait(60)

    peer.always("HEAD", "", meet)
    outcomes = together(4, lambda _: registries.repository(peer.address, "team/app").resolve("v1").digest)
    assert len(set(outcomes)) == 1, outcomes


def test_no_password_known(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.guard = asks_basic("me", "s3cret-word")
    with pytest.raises(Unauthorized, match="none is known") as caught:
        repository(network, peer, None).resolve("v1")
    assert caught.value.hint == f"sign in once: airgap login {peer.address}"


def test_a_password_revoked_in_the_middle(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.guard = asks_basic("me", "s3cret-word")
    store = repository(network, peer)
    store.resolve("v1")
    shelf.guard = asks_basic("me", "another")
    offered = len([r for r in peer.requests if r.authorization])
    for _ in range(3):
        with pytest.raises(Unauthorized):
            store.resolve("v1")
    assert len([r for r in peer.requests if r.authorization]) == offered + 1


def test_401_without_a_challenge_ends(network: Network, peer: Double) -> None:
    peer.always("", "", error(401, "DENIED", "no such user"))
    with pytest.raises(Unauthorized, match="401"):
        repository(network, peer).resolve("v1")
    assert len(peer.requests) == 1


def test_bearer_is_preferred_to_basic(network: Network, peer: Double, tokens: Tokens, shelf: Shelf) -> None:
    def both(request: Request) -> Answer | None:
        refused = tokens.guard(request)
        if refused is not None:
            refused.more = [("WWW-Authenticate", refused.headers.pop("WWW-Authenticate"))]
            refused.more.insert(0, ("WWW-Authenticate", 'Basic realm="x"'))
        return refused

    shelf.guard = both
    repository(network, peer).resolve("v1")
    assert [r.authorization.partition(" ")[0] for r in peer.requests] == ["", "Bearer"]


# Bearer


def test_a_token_from_another_address(network: Network, peer: Double, tokens: Tokens) -> None:
    repository(network, peer).resolve("v1")
    (asked,) = tokens.server.requests
    assert asked.method == "GET"
    assert asked.query == {"lang": ["en"], "service": ["the registry"], "scope": ["repository:team/app:pull,push"]}
    assert asked.authorization == basic("me", "s3cret-word")
    assert [r.authorization.partition(".")[0] for r in peer.requests] == ["", "Bearer token1"]


def test_a_token_for_nobody(network: Network, peer: Double, tokens: Tokens) -> None:
    tokens.anonymous = True
    repository(network, peer, None).resolve("v1")
    assert [r.authorization for r in tokens.server.requests] == [""]


def test_an_identity_token(network: Network, peer: Double, tokens: Tokens) -> None:
    repository(network, peer, ROBOT).resolve("v1")
    (asked,) = tokens.server.requests
    form = parse_qs(bytes(asked.body).decode())
    assert asked.method == "POST"
    assert form["scope"] == ["repository:team/app:pull,push"]
    assert form["service"] == ["the registry"]
    assert form["client_id"] == ["airgap"]
    assert "an-identity-token" not in asked.target


def test_one_token_for_many_threads(network: Network, peer: Double, tokens: Tokens) -> None:
    tokens.server.delay = 0.1
    store = repository(network, peer)
    outcomes = together(8, lambda _: store.resolve("v1").digest)
    assert len(set(outcomes)) == 1, outcomes
    assert len(tokens.server.requests) == 1


def test_tokens_are_kept_by_scope(network: Network, peer: Double, tokens: Tokens, shelf: Shelf) -> None:
    registries = network.registries(explicit={peer.address: ME})
    content = noise(100)
    shelf.blobs["team/base"] = {described(content).digest: content}
    for _ in range(2):
        registries.repository(peer.address, "team/app").resolve("v1")
        registries.repository(peer.address, "team/app", push=True).resolve("v1")
    assert registries.repository(peer.address, "team/app", push=True).mount(described(content), "team/base")
    scopes = [r.query["scope"] for r in tokens.server.requests]
    assert scopes == [
        ["repository:team/app:pull"],
        ["repository:team/app:pull,push"],
        ["repository:team/app:pull,push", "repository:team/base:pull"],
    ]


def test_a_scope_that_the_registry_names_otherwise_is_asked_for_too(
    network: Network, peer: Double, tokens: Tokens, shelf: Shelf
) -> None:
    """Some registries know a repository under a longer name than its path."""

    def guard(request: Request) -> Answer | None:
        if "repository:docker-hosted/team/app:pull" in request.authorization:
            return None
        challenge = f'Bearer realm="{tokens.realm}",scope="repository:docker-hosted/team/app:pull"'
        return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})

    shelf.guard = guard
    repository(network, peer).resolve("v1")
    assert len(tokens.server.requests) == 1


def test_a_token_that_ran_out_is_replaced(network: Network, peer: Double, tokens: Tokens) -> None:
    store = repository(network, peer)
    store.resolve("v1")
    tokens.good.clear()
    store.resolve("v1")
    assert len(tokens.server.requests) == 2
    assert [r.authorization.partition(".")[0] for r in peer.requests] == [
        "",
        "Bearer token1",
        "Bearer token1",
        "Bearer token2",
    ]


def test_a_token_that_runs_out_under_an_upload(network: Network, peer: Double, tokens: Tokens, shelf: Shelf) -> None:
    store, content = repository(network, peer), noise(300_000)

    def expire(_: Request) -> None:
        tokens.good.clear()

    peer.on("PUT", "/blobs/uploads/", expire)
    store.push(described(content), bytes_opener(content))
    assert shelf.blobs["team/app"][described(content).digest] == content
    assert peer.count("PUT") == 2
    assert peer.count("POST") == 2  # the first was for the challenge


def test_401_for_ever_ends(network: Network, peer: Double, tokens: Tokens, shelf: Shelf) -> None:
    shelf.guard = lambda request: tokens.guard(Request("GET", "/", Headers(), 0, request.file))
    with pytest.raises(Unauthorized):
        repository(network, peer).resolve("v1")
    assert len(peer.requests) <= 3
    assert len(tokens.server.requests) <= 2


@pytest.mark.parametrize("count", [1, 6])
def test_a_wrong_password_is_told_the_token_server_once(
    network: Network, peer: Double, tokens: Tokens, count: int
) -> None:
    tokens.users.clear()
    tokens.server.delay = 0.05
    registries = network.registries(explicit={peer.address: ME})
    outcomes = together(count, lambda n: registries.repository(peer.address, f"team/app{n}").resolve("v1"))
    assert all(isinstance(outcome, Unauthorized) for outcome in outcomes), outcomes
    assert len(tokens.server.requests) == 1
    assert all("s3cret-word" not in f"{outcome!s}{outcome!r}" for outcome in outcomes)


def test_what_nobody_may_see_does_not_hide_the_rest(network: Network, peer: Double, tokens: Tokens) -> None:
    """Some token servers answer 401 or 403 for one private or missing repository: the others are still there."""
    tokens.anonymous = True
    tokens.server.on("GET", "private", error(403, "DENIED"), error(401, "DENIED"))
    registries = network.registries()
    for _ in range(2):
        with pytest.raises(Unauthorized):
            registries.repository(peer.address, "team/private").resolve("v1")
    assert registries.repository(peer.address, "team/app").resolve("v1").digest


def test_403_for_one_repository_keeps_the_password_for_others(network: Network, peer: Double, tokens: Tokens) -> None:
    tokens.server.on("GET", "private", error(403, "DENIED"))
    registries = network.registries(explicit={peer.address: ME})
    with pytest.raises(Unauthorized):
        registries.repository(peer.address, "team/private").resolve("v1")
    assert registries.repository(peer.address, "team/app").resolve("v1").digest


def test_a_token_server_that_is_busy_is_waited_for(network: Network, peer: Double, tokens: Tokens) -> None:
    tokens.server.on("GET", "", Answer(503, headers={"Retry-After": "7"}))
    repository(network, peer).resolve("v1")
    assert network.recorder.sleeps == [7.0]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"token":5}', b'{"token":""}', b'{"token":"a\\nb"}', b'{"token":"x","expires_in":"soon"}'],
)
def test_nonsense_from_the_token_server(network: Network, peer: Double, tokens: Tokens, body: bytes) -> None:
    tokens.server.always("GET", "", Answer(200, body))
    with pytest.raises(RegistryError, match="no token"):
        repository(network, peer).resolve("v1")


def test_a_stranger_s_challenge_is_not_answered(network: Network, peer: Double, shelf: Shelf, tokens: Tokens) -> None:
    """A host that a blob is redirected to may not send our password to a token server of its own choice."""
    shelf.guard = asks_basic("me", "s3cret-word")
    blob = described(shelf.blobs["team/app"].copy().popitem()[1])
    challenge = f'Bearer realm="{tokens.realm}"'
    stranger = error(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})
    with double(lambda _: stranger) as elsewhere:
        peer.always("GET", "/blobs/", Answer(307, headers={"Location": f"{elsewhere.url}/there"}))
        with pytest.raises(Unauthorized):
            read_all(repository(network, peer).open(blob))
        assert all(not r.authorization for r in elsewhere.requests)
    assert tokens.server.requests == []


# Which token servers are believed


class Scripted:
    """The authenticator alone, its exchanges answered from a list."""

    def __init__(self, base_url: str, credential: Credential | None, now: list[float] | None = None) -> None:
        self.sent: list[tuple[str, str]] = []
        credentials = Credentials({"HOME": "/nonexistent"}, {"r.test": credential} if credential else None)
        self.clock = now or [0.0]
        self.answer = b'{"token":"one"}'
        self.auth = Authenticator(
            "r.test",
            base_url,
            credentials,
            self._send,
            "r.test",
            TokenServers("r.test", base_url),
            lambda: self.clock[0],
        )

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Response:
        self.sent.append((url, headers.get("Authorization", "")))
        return Response(200, "OK", Headers(), self.answer, url)

    def challenge(self, realm: str) -> None:
        headers = Headers()
        headers["WWW-Authenticate"] = f'Bearer realm="{realm}"'
        self.auth.handle_challenge(Response(401, "", headers, b"", "https://r.test/v2/"), SCOPES, "")


SCOPES = ("repository:team/app:pull",)


@pytest.mark.parametrize(
    ("base", "realm", "with_password", "believed"),
    [
        ("https://r.test", "https://auth.test/token", True, False),
        ("https://r.test", "https://auth.test/token", False, True),
        ("https://r.corp.test", "https://auth.corp.test/token", True, True),
        ("https://r.corp.test", "https://corp.test/token", True, True),
        ("https://r.corp.test", "https://auth.othercorp.test/token", True, False),
        ("https://a.co.kr", "https://b.co.kr/token", True, False),
        ("https://r.a.co.kr", "https://auth.a.co.kr/token", True, True),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", True, True),
        ("https://10.0.0.5", "https://9.0.0.5/token", True, False),
        ("https://one.azurecr.io", "https://two.azurecr.io/token", True, False),
        ("https://r.test", "http://auth.test/token", True, False),
        ("https://r.test", "http://r.test/token", True, False),
        ("https://r.test", "http://auth.test/token", False, True),
        ("http://r.test", "https://r.test/service/token", True, True),
        ("http://r.test:80", "http://r.test:8081/token", True, True),
        ("http://r.test", "http://auth.test/token", True, False),
        ("https://r.test", "http://127.0.0.1:5001/token", True, False),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", True, True),
        ("https://r.test", "ftp://auth.test/token", True, False),
        ("https://r.test", "/token", True, False),
        ("https://r.test", "http://[bad", True, False),
    ],
)
def test_where_a_password_goes(base: str, realm: str, with_password: bool, believed: bool) -> None:
    made = Scripted(base, ME if with_password else None)
    made.challenge(realm)
    if believed:
        assert made.auth.header(SCOPES) == "Bearer one"
        assert bool(made.sent[0][1]) == with_password
        return
    with pytest.raises(RegistryError):
        made.auth.header(SCOPES)
    assert made.sent == []


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        (b'{"token":"one","expires_in":300}', 300.0),
        (b'{"token":"one"}', 60.0),
        (b'{"token":"one","expires_in":NaN}', 60.0),
    ],
)
def test_tokens_end_with_the_clock(answer: bytes, life: float) -> None:
    made = Scripted("https://r.test", ME)
    made.answer = answer
    made.challenge("https://r.test/token")
    made.auth.header(SCOPES)
    made.clock[0] = life * 0.85
    made.auth.header(SCOPES)
    assert len(made.sent) == 1
    made.clock[0] = life
    made.auth.header(SCOPES)
    assert len(made.sent) == 2


def test_secrets_are_in_no_repr(network: Network, peer: Double, tokens: Tokens) -> None:
    registries = network.registries(explicit={peer.address: ME})
    store = registries.repository(peer.address, "team/app")
    store.resolve("v1")
    shown = f"{ME!r}{ME!s}{ROBOT!r}{store!r}{store.client._auth._tokens!r}"
    for secret in ("s3cret-word", "an-identity-token", "token1"):
        assert secret not in shown


def test_a_mirror_never_gets_the_registry_s_password(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.guard = asks_basic("me", "s3cret-word")
    registries = network.registries(
        {"registry.test": RegistrySettings(mirror=peer.url)}, explicit={"registry.test": ME}
    )
    with pytest.raises(Unauthorized):
        registries.repository("registry.test", "team/app").resolve("v1")
    assert all(not r.authorization for r in peer.requests)
    registries = network.registries({"registry.test": RegistrySettings(mirror=peer.url)}, explicit={peer.address: ME})
    assert registries.repository("registry.test", "team/app").resolve("v1").digest


def test_another_endpoint_gets_it(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.guard = asks_basic("me", "s3cret-word")
    settings = {"registry.test": RegistrySettings(endpoint=peer.url)}
    registries = network.registries(settings, explicit={"registry.test": ME})
    assert registries.repository("registry.test", "team/app").resolve("v1").digest


def test_ping_says_what_is_wrong(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.guard = asks_basic("me", "another")
    client = network.registries(explicit={peer.address: ME}).client(peer.address)
    with pytest.raises(Unauthorized):
        client.ping()
    peer.always("GET", "/v2/", Answer(404))
    with pytest.raises(AirgapError, match="no registry"):
        network.registries().client(peer.address).ping()
