# SPDX-License-Identifier: Apache-2.0
"""Lists that do not end: tags, repositories, referrers, and components of Nexus."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airgap import limits
from airgap.errors import RegistryError
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.registry.pagination import ListGuard, list_repositories
from airgap.targets.nexus.rest import read_pages
from tests.doubles.registry import Answer, Double, Request
from tests.registry.tools import Network

Read = Callable[[Network, Double], object]


def tags(network: Network, peer: Double) -> object:
    return network.repository(peer.address).tags()


def catalog(network: Network, peer: Double) -> object:
    return list_repositories(network.registries().client(peer.address))


def referrers(network: Network, peer: Double) -> object:
    return network.repository(peer.address).indexed_referrers(digests.of(b"x"))


LISTS: dict[str, Read] = {"tags": tags, "repositories": catalog, "referrers": referrers}


def page(kind: str, names: list[str], next_: str = "") -> Answer:
    headers = {"Link": f'<?{next_}>; rel="next"'} if next_ else {}
    if kind != "referrers":
        return Answer(200, json.dumps({kind: names}).encode(), headers)
    entries = [{"mediaType": manifests.OCI_MANIFEST, "digest": digests.of(name.encode()), "size": 1} for name in names]
    document = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": entries}
    return Answer(200, json.dumps(document).encode(), {**headers, "Content-Type": manifests.OCI_INDEX})


def endless(kind: str, peer: Double, count: int, *, last: int | None = None) -> None:
    """Pages of ``count`` fresh entries, without end or up to page ``last``."""

    def answer(request: Request) -> Answer:
        number = int((request.query.get("page") or ["0"])[0])
        names = [f"{number}-{one}" for one in range(count)]
        return page(kind, names, "" if number == last else f"page={number + 1}")

    peer.always("GET", "", answer)


@pytest.mark.parametrize("kind", LISTS)
def test_fresh_pages_without_end(network: Network, peer: Double, kind: str) -> None:
    with limits.changed({"list-pages": 5}):
        endless(kind, peer, 1, last=4)
        assert len(LISTS[kind](network, peer)) == 5  # type: ignore[arg-type] # lists, all of them
        endless(kind, peer, 1)
        with pytest.raises(RegistryError, match=f"the list of {kind} has more than 5 pages") as caught:
            LISTS[kind](network, peer)
    assert "AIRGAP_LIMITS=list-pages=NUMBER" in (caught.value.hint or "")
    assert caught.value.exit_code == 20
    assert peer.count("GET", "page=5") == 0


@pytest.mark.parametrize("kind", LISTS)
def test_entries_without_end(network: Network, peer: Double, kind: str) -> None:
    with limits.changed({"list-entries": 12}):
        endless(kind, peer, 4, last=2)
        assert len(LISTS[kind](network, peer)) == 12  # type: ignore[arg-type] # lists, all of them
        endless(kind, peer, 4)
        with pytest.raises(RegistryError, match=f"the list of {kind} has more than 12 entries"):
            LISTS[kind](network, peer)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("names", [[], ["a", "b"]], ids=["empty", "repeated"])
def test_pages_that_bring_nothing_new(network: Network, peer: Double, kind: str, names: list[str]) -> None:
    def answer(request: Request) -> Answer:
        number = int((request.query.get("page") or ["0"])[0])
        return page(kind, names if number else ["a", "b"], f"page={number + 1}")

    peer.always("GET", "", answer)
    with pytest.raises(RegistryError, match=f"the list of {kind} has a page that brings nothing new"):
        LISTS[kind](network, peer)
    assert len(peer.requests) == 2


@pytest.mark.parametrize("kind", LISTS)
def test_lists_that_lead_back(network: Network, peer: Double, kind: str) -> None:
    def answer(request: Request) -> Answer:
        number = int((request.query.get("page") or ["0"])[0])
        return page(kind, [str(len(peer.requests))], f"page={(number + 1) % 3}")

    peer.always("GET", "", answer)
    with pytest.raises(RegistryError, match=f"the list of {kind} leads back to itself"):
        LISTS[kind](network, peer)
    assert len(peer.requests) == 4


def test_the_last_page_may_be_empty(network: Network, peer: Double) -> None:
    peer.always("GET", "", lambda request: page("tags", [] if request.query else ["a"], "" if request.query else "b=1"))
    assert tags(network, peer) == ["a"]


def test_characters_and_time() -> None:
    now = [0.0]
    with limits.changed({"list-characters": 10, "list-time": 60}):
        guard = ListGuard("tags", clock=lambda: now[0])
        guard.check_page(["12345", "67890"], "2")
        with pytest.raises(RegistryError, match="have more than 10 characters"):
            guard.check_page(["1"], "3")
        guard = ListGuard("tags", clock=lambda: now[0])
        now[0] = 60.0
        guard.check_page(["1"], "2")
        now[0] = 61.0
        with pytest.raises(RegistryError, match="was not complete after 60 s"):
            guard.check_page(["2"], "3")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n: {"items": [{"id": str(n)}], "continuationToken": str(n)}, "has more than 9 pages"),
        (lambda n: {"items": [{"id": f"{n} {m}"} for m in range(5)], "continuationToken": str(n)}, "than 20 entries"),
        (lambda n: {"items": [], "continuationToken": str(n)}, "nothing new"),
        (lambda n: {"items": [{"id": "1"}], "continuationToken": str(n)}, "nothing new"),
        (lambda n: {"items": [{"id": str(n)}], "continuationToken": str(n % 2)}, "leads back"),
    ],
    ids=["pages", "entries", "empty", "repeated", "circle"],
)
def test_pages_of_nexus(answer: Callable[[int], object], words: str) -> None:
    asked: list[dict[str, str]] = []

    def read(query: dict[str, str]) -> object:
        asked.append(query)
        return answer(len(asked))

    with limits.changed({"list-pages": 9, "list-entries": 20}), pytest.raises(RegistryError, match=words):
        list(read_pages(read, "docker-hosted", what="components"))
    assert len(asked) <= 10
