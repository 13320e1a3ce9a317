# SPDX-License-Identifier: Apache-2.0
"""Registries that lead elsewhere: redirects, token servers and upload locations."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from airgap.config.airgap_yaml import load_project
from airgap.errors import RegistryError, Unauthorized
from airgap.registry import Credential, RegistrySettings
from airgap.registry.http.addresses import AddressRule, ForbiddenAddress
from airgap.registry.http.errors import RefusedAddress
from airgap.store.readers import bytes_opener
from tests.cli.command import Airgap, pod
from tests.doubles.registry import Answer, Double, Request, Shelf, double
from tests.parts.images import Images
from tests.parts.proxy import http_proxy
from tests.parts.terminal import on_terminal
from tests.registry.tools import ELSEWHERE, Network

PUBLIC = AddressRule.for_registry_at("8.8.8.8")
PRIVATE = AddressRule.for_registry_at("10.0.0.5")
LOCAL = AddressRule.for_registry_at("127.0.0.1")
METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
LINK_LOCAL = ["169.254.1.1", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "2002:a9fe:101::"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "x.localhost"]
PRIVATES = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
OPEN = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "cdn.example.com"]


@pytest.mark.parametrize(
    ("rule", "refused", "allowed"),
    [
        (PUBLIC, [*METADATA, *LINK_LOCAL, *LOOPBACK, *PRIVATES, "metadata.google.internal"], OPEN),
        (PRIVATE, [*METADATA, *LINK_LOCAL, *LOOPBACK], [*OPEN, *PRIVATES]),
        (LOCAL, [*METADATA, *LINK_LOCAL], [*OPEN, *PRIVATES, *LOOPBACK]),
        (AddressRule.for_registry_at(""), [*METADATA, *LINK_LOCAL, *LOOPBACK, *PRIVATES], OPEN),
    ],
    ids=["public", "private", "local", "behind a proxy"],
)
def test_where_a_registry_may_lead(rule: AddressRule, refused: list[str], allowed: list[str]) -> None:
    for address in refused:
        with pytest.raises(ForbiddenAddress):
            rule.check(address)
    for address in allowed:
        rule.check(address)


def redirects(location: str) -> Answer:
    return Answer(307, b"", {"Location": location})


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://0.0.0.0/"]
)
def test_no_registry_leads_to_metadata(airgap: Airgap, address: str) -> None:
    with double(lambda _: redirects(address)) as there:
        airgap.write("pod.yaml", pod(f"{there.address}/team/app:v1"))
        result = airgap.run("export", "pod.yaml", "-o", "b.tar", code=24)
    assert "nothing was sent there" in result.stderr
    assert f'"{there.address}": {{redirects: [' in result.stderr


@pytest.fixture
def inside() -> Any:
    """What a public registry must not reach: a server on this machine."""
    with double(lambda _: Answer(200, b"secret")) as server:
        yield server


def public(network: Network, there: Double, proxy: Any, **more: Any) -> Any:
    """A registry that plays a public one: it is behind a proxy, and its address is not known here."""
    settings = {ELSEWHERE: RegistrySettings(plain_http=True, **more)}
    environment = {"HTTP_PROXY": proxy.url, "NO_PROXY": "rebound.test"}
    return network.registries(settings, environment=environment, explicit={ELSEWHERE: Credential("me", "pass-word")})


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "rebound.test"])
def test_a_public_registry_does_not_lead_here(
    network: Network, inside: Double, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a name either: the address that is connected to is the one that is checked."""
    resolve = socket.getaddrinfo

    def resolved(host: str, port: int, *more: Any) -> Any:
        return resolve("127.0.0.1" if host == "rebound.test" else host, port, *more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with (
        double(lambda _: redirects(f"http://{name}:{inside.port}/x")) as there,
        http_proxy(routes={f"{ELSEWHERE}:80": there.address}) as proxy,
    ):
        client = public(network, there, proxy).client(ELSEWHERE)
        with pytest.raises(RefusedAddress, match="nothing was sent there") as caught:
            client.request("GET", "/v2/", scopes=())
        assert caught.value.hint == (
            "if that is right, allow it in airgap.yaml: registries: "
            f'{{{ELSEWHERE}: {{redirects: ["{name}:{inside.port}"]}}}}'
        )
        assert inside.connections == 0
        allowed = public(network, there, proxy, redirects=(name,)).client(ELSEWHERE)
        assert allowed.request("GET", "/v2/", scopes=()).body == b"secret"


def test_a_registry_on_this_machine_may_lead_here(network: Network, inside: Double) -> None:
    with double(lambda _: redirects(f"{inside.url}/x")) as there:
        assert network.registries().client(there.address).request("GET", "/v2/", scopes=()).body == b"secret"


def test_a_public_registry_names_no_token_server_here(network: Network, inside: Double) -> None:
    """Without a password too: the request alone may do harm."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{inside.url}/token",service="x"'}
    with (
        double(lambda _: Answer(401, b"", challenge)) as there,
        http_proxy(routes={f"{ELSEWHERE}:80": there.address}) as proxy,
    ):
        settings = {ELSEWHERE: RegistrySettings(plain_http=True)}
        client = network.registries(settings, environment={"HTTP_PROXY": proxy.url}).client(ELSEWHERE)
        with pytest.raises(RefusedAddress) as caught:
            client.request("GET", "/v2/", scopes=("registry:catalog:*",))
        assert "realms: [" in (caught.value.hint or "")
        assert inside.connections == 0


def test_the_settings_are_lists_of_hosts(tmp_path: Any) -> None:
    path = tmp_path / "airgap.yaml"
    path.write_text('registries: {r.test: {redirects: [cdn.corp, "10.0.0.5:9000"], realms: [auth.corp]}}\n')
    entry = load_project(str(path)).registries["r.test"]
    assert (entry.redirects, entry.realms) == (("cdn.corp", "10.0.0.5:9000"), ("auth.corp",))


# The password


def foreign(there: Double, realm: str) -> None:
    def answer(request: Request) -> Answer:
        if request.authorization == "Bearer one":
            return Answer(200, b"{}")
        return Answer(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})

    there.always("GET", "", answer)


def test_a_password_for_a_stranger(network: Network, peer: Double, inside: Double) -> None:
    """Refused where nobody can be asked; asked once elsewhere; sent if the settings allow it."""
    inside.always("GET", "", Answer(200, b'{"token":"one"}'))
    realm = f"http://localhost:{inside.port}/token"
    foreign(peer, realm)
    me = {peer.address: Credential("me", "pass-word")}
    refusing = network.registries(explicit=me).client(peer.address)
    with pytest.raises(
        Unauthorized, match=f"password sent to localhost:{inside.port}, which is not of its domain"
    ) as no:
        refusing.ping()
    assert no.value.hint == (
        f'if that is right, allow it in airgap.yaml: registries: {{"{peer.address}": '
        f'{{realms: ["localhost:{inside.port}"]}}}}'
    )
    assert inside.requests == []
    allowed = {peer.address: RegistrySettings(realms=("localhost",))}
    network.registries(allowed, explicit=me).client(peer.address).ping()
    assert inside.requests[-1].authorization.startswith("Basic ")


@pytest.mark.parametrize("agrees", [True, False])
def test_the_user_is_asked_once(network: Network, peer: Double, inside: Double, agrees: bool) -> None:
    from airgap.registry import Credentials, Registries

    inside.always("GET", "", Answer(200, b'{"token":"one"}'))
    foreign(peer, f"http://localhost:{inside.port}/token")
    asked: list[str] = []

    def confirm(question: str, is_stopped: Any) -> bool:
        asked.append(question)
        return agrees

    credentials = Credentials({"HOME": "/nonexistent"}, {peer.address: Credential("me", "pass-word")})
    with Registries(credentials=credentials, environment={}, confirm=confirm) as registries:
        client = registries.client(peer.address)
        for _ in range(2):
            if agrees:
                client.request("GET", "/v2/", scopes=(f"repository:{len(asked)}:pull",))
            else:
                with pytest.raises(Unauthorized):
                    client.ping()
    assert asked == [
        f"{peer.address} wants its password sent to localhost:{inside.port}, which is not of its domain. Send it?"
    ]


# Locations of uploads


@pytest.mark.parametrize(
    "path",
    [
        "/service/rest/v1/security/users",
        "/v2/../service/rest",
        "/v2/team/app/blobs/uploads/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/service/rest",
        "/v2/team/app/blobs/uploads/..%2f..%2f..%2f..%2f..%2fservice",
        "/v2/team/app/blobs/uploads/%252e%252e/x",
        "/v2/team/app/blobs/uploads/..%5c..%5cx",
        "/v2/team/app/blobs/uploads/..;/x",
        "http://127.0.0.1:1/service/rest",
    ],
)
def test_uploads_stay_in_the_registry(network: Network, peer: Double, shelf: Shelf, path: str) -> None:
    peer.always("POST", "/blobs/uploads/", Answer(202, b"", {"Location": path}))
    images = Images(5)
    blob = images.blob(b"x" * 100)
    with pytest.raises(RegistryError, match="which is no address of uploads"):
        network.repository(peer.address).push(blob, bytes_opener(images.content[blob.digest]))
    assert {request.method for request in peer.requests} <= {"POST"}


@pytest.mark.parametrize(("answers", "code"), [([b"y\n"], 0), ([b"what\n", b"n\n"], 21)], ids=["yes", "no"])
def test_the_question_on_a_terminal(
    airgap: Airgap, inside: Double, peer: Double, answers: list[bytes], code: int
) -> None:
    inside.always("GET", "", Answer(200, b'{"token":"one"}'))
    foreign(peer, f"http://localhost:{inside.port}/token")
    catalog = Answer(200, b'{"repositories":[]}')
    peer.always("GET", "/_catalog", lambda request: catalog if request.authorization else None)
    environment = airgap.whole_environment({"AIRGAP_USERNAME": "me", "AIRGAP_PASSWORD": "pass-word"})
    command = airgap.command("inventory", peer.address, "-o", "held.json")
    ended, said = on_terminal(command, 200, 24, environment=environment, folder=airgap.folder, answers=answers)
    assert ended == code, said
    question = f"{peer.address} wants its password sent to localhost:{inside.port}, which is not of its domain."
    assert said.count(f"{question} Send it? [y/n]: ") == len(answers)
    assert bool(inside.requests) == (code == 0)
