# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airgap.errors import Unavailable, UsageError
from airgap.registry import Credential, RegistrySettings
from airgap.registry.http.proxy import Proxy, proxy_for_url
from airgap.server import Server
from airgap.store import MemoryStore
from tests.parts.certificates import Authority
from tests.parts.proxy import http_proxy
from tests.registry.tools import ELSEWHERE, Network, file_opener
from tests.suites.store_suite import described, noise, read_all

THROUGH = Proxy("proxy.test", 3128)


@pytest.mark.parametrize(
    ("rules", "url", "direct"),
    [
        ("example.com", "https://example.com/v2/", True),
        ("example.com", "https://a.b.example.com", True),
        ("example.com", "https://notexample.com", False),
        (".example.com", "https://a.example.com", True),
        ("*.example.com", "https://a.example.com", True),
        ("other.com, example.com ,", "https://EXAMPLE.com", True),
        ("Example.COM", "https://example.com", True),
        ("example.com:8443", "https://example.com:8443", True),
        ("example.com:8443", "https://example.com", False),
        ("example.com:443", "https://example.com", True),
        ("10.0.0.0/8", "https://10.1.2.3:5000", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.7", "https://10.0.0.7:5000", True),
        ("10.0.0.7:5000", "https://10.0.0.7:5000", True),
        ("10.0.0.7:5001", "https://10.0.0.7:5000", False),
        ("fd00::/8", "https://[fd00::1]:5000", True),
        ("[fd00::1]:5000", "https://[fd00::1]:5000", True),
        ("*", "https://anything.test", True),
        ("", "https://example.com", False),
        ("com", "https://example.com", True),
    ],
)
def test_no_proxy(rules: str, url: str, direct: bool) -> None:
    environment = {"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": rules}
    assert proxy_for_url(url, environment) == (None if direct else THROUGH)


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "127.9.9.9", "localhost:80", "a.localhost", "[::1]:5000"])
def test_loopback_goes_through_no_proxy(host: str) -> None:
    environment = {"HTTPS_PROXY": "http://proxy.test:3128", "HTTP_PROXY": "http://proxy.test:3128"}
    assert proxy_for_url(f"http://{host}/v2/", environment) is None
    assert proxy_for_url(f"https://{host}/v2/", environment) is None


def test_which_variable() -> None:
    environment = {"HTTPS_PROXY": "http://s.test:1", "HTTP_PROXY": "p.test:2", "ALL_PROXY": "http://all.test:3"}
    assert proxy_for_url("https://r.test", environment) == Proxy("s.test", 1)
    assert proxy_for_url("http://r.test", environment) == Proxy("p.test", 2)
    assert proxy_for_url("http://r.test", {"all_proxy": "http://all.test"}) == Proxy("all.test", 80)
    assert proxy_for_url("https://r.test", {"https_proxy": "http://low.test:1", **environment}) == Proxy("low.test", 1)
    assert proxy_for_url("https://r.test", {}) is None


def test_a_password_in_the_address() -> None:
    found = proxy_for_url("https://r.test", {"HTTPS_PROXY": "http://us%40er:p%3Aw@proxy.test:3128"})
    assert found is not None
    assert found.headers == {"Proxy-Authorization": "Basic " + base64.b64encode(b"us@er:p:w").decode()}


@pytest.mark.parametrize(
    "address",
    ["socks5://u:hidden@p.test:1080", "https://u:hidden@p.test", "http://u:hidden@p.test:port", "http://u:hidden@[x"],
)
def test_proxies_that_cannot_be_used(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        proxy_for_url("https://r.test", {"HTTPS_PROXY": address})
    assert "hidden" not in f"{caught.value!s}{caught.value.hint}"


@example("http://p.test:1", ":²")
@example("http://p.test:1", "r.test:" + "9" * 5000)
@given(st.text(max_size=40), st.text(max_size=40))
def test_odd_environments_are_usage_errors_at_most(address: str, rules: str) -> None:
    with contextlib.suppress(UsageError):
        proxy_for_url("https://r.test:5000/v2/", {"HTTPS_PROXY": address, "NO_PROXY": rules})


@pytest.mark.parametrize("secure", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("password", ["", "prox1-word"], ids=["open", "password"])
def test_everything_goes_through(
    network: Network, authority: Authority, tmp_path: Path, secure: bool, password: str
) -> None:
    """A registry whose name only the proxy knows: control and bodies, both ways, signed in."""
    content = noise(1_500_000)
    blob, file = described(content), tmp_path / "blob"
    file.write_bytes(content)
    pair = authority.good(f"DNS:{ELSEWHERE}")
    tls = (pair.certificate, pair.key) if secure else None
    store = MemoryStore()
    user = "corp" if password else ""
    with (
        Server(store, writable=True, tls=tls, credentials=("me", "reg-word")) as server,
        http_proxy(user=user, password=password, routes={f"{ELSEWHERE}:5000": server.address}) as proxy,
    ):
        name = f"{ELSEWHERE}:5000"
        settings = RegistrySettings(plain_http=not secure, ca_file=str(authority.ca))
        environment = {"HTTPS_PROXY" if secure else "HTTP_PROXY": proxy.url_with_password}
        registries = network.registries(
            default=settings, environment=environment, explicit={name: Credential("me", "reg-word")}
        )
        repository = registries.repository(name, "team/app", push=True)
        repository.push(blob, file_opener(file, blob))
        assert store.exists(blob)
        assert read_all(repository.open(blob)) == content
        seen = proxy.connects if secure else proxy.requests
        assert set(seen) == {name}
        assert proxy.refused == 0
        heads = "\n".join(proxy.heads)
        assert ("Authorization: Basic" in heads.replace("Proxy-Authorization", "")) != secure
        if secure:
            assert all(head.startswith("CONNECT ") for head in proxy.heads)
    assert network.recorder.retries == []


@pytest.mark.parametrize("secure", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("given", ["", "corp:wr0ng-word@"], ids=["none", "wrong"])
def test_407(network: Network, secure: bool, given: str) -> None:
    with http_proxy(user="corp", password="prox1-word") as proxy:
        environment = {"HTTPS_PROXY" if secure else "HTTP_PROXY": proxy.url.replace("://", f"://{given}")}
        registries = network.registries(default=RegistrySettings(plain_http=not secure), environment=environment)
        with pytest.raises(Unavailable, match=r"the proxy wants a user and password") as caught:
            registries.repository(ELSEWHERE, "team/app").resolve("v1")
        assert proxy.refused == 1
    shown = f"{caught.value!s}{caught.value!r}{caught.value.hint}"
    assert "407" in shown
    assert "HTTPS_PROXY" in shown
    assert "wr0ng-word" not in shown


def test_no_proxy_is_kept(network: Network) -> None:
    """Nothing of a request that NO_PROXY excepts arrives at the proxy, though the name then is unknown."""
    with http_proxy() as proxy:
        environment = {"HTTPS_PROXY": proxy.url, "NO_PROXY": ELSEWHERE}
        registries = network.registries(environment=environment)
        with pytest.raises(Unavailable, match="unknown"):
            registries.repository(ELSEWHERE, "team/app").resolve("v1")
        assert proxy.heads == []


@pytest.mark.parametrize("secure", [True, False], ids=["tls", "plain"])
def test_a_proxy_that_is_not_there(network: Network, secure: bool) -> None:
    from tests.parts.service import free_port

    address = f"127.0.0.1:{free_port()}"
    environment = {"HTTPS_PROXY" if secure else "HTTP_PROXY": f"http://u:prox1-word@{address}"}
    registries = network.registries(default=RegistrySettings(plain_http=not secure), environment=environment)
    with pytest.raises(Unavailable) as caught:
        registries.repository(ELSEWHERE, "team/app").resolve("v1")
    shown = f"{caught.value!s}{caught.value.hint}"
    assert f"proxy {address}" in shown
    assert "prox1-word" not in shown
    assert network.recorder.sleeps == []


def test_a_certificate_behind_a_proxy(network: Network, authority: Authority) -> None:
    """The names in it are found out through the proxy too: nothing else leads there."""
    pair = authority.wrong_host()
    with (
        Server(MemoryStore(), tls=(pair.certificate, pair.key)) as server,
        http_proxy(routes={f"{ELSEWHERE}:443": server.address}) as proxy,
    ):
        settings = RegistrySettings(ca_file=str(authority.ca))
        registries = network.registries(default=settings, environment={"HTTPS_PROXY": proxy.url})
        with pytest.raises(Unavailable, match=r"elsewhere\.example"):
            registries.repository(ELSEWHERE, "team/app").resolve("v1")
