# SPDX-License-Identifier: Apache-2.0
"""Lists of Nexus's REST API, page after page: each page asked once, by its token as it came."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from airgap.errors import RegistryError
from airgap.registry import Credentials, Registries
from airgap.registry.client import RegistryClient
from airgap.targets import Mapping, TargetAddress
from airgap.targets.doctor.nexus_settings import check_components
from airgap.targets.nexus.components import ComponentLister
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.rest import NexusRest
from tests.doubles.registry import Answer, Request, double

_JSON = {"Content-Type": "application/json"}
SIZE = 100


def component(number: int) -> dict[str, Any]:
    asset = {"checksum": {"sha256": f"{number:064x}"}, "contentType": "application/json"}
    return {"name": f"team/app{number}", "version": "1", "assets": [asset]}


def page(items: object, token: str | None) -> Answer:
    return Answer(200, json.dumps({"items": items, "continuationToken": token}).encode(), _JSON)


def listing(count: int) -> Callable[[Request], Answer]:
    """``count`` pages of 100 components, made beforehand: the double costs what sending them does."""
    made = {
        f"t{number}" if number else "": page(
            [component(SIZE * number + one) for one in range(SIZE)], f"t{number + 1}" if number + 1 < count else None
        )
        for number in range(count)
    }
    return lambda request: made[request.query.get("continuationToken", [""])[0]]


@pytest.fixture
def client(services: contextlib.ExitStack) -> Callable[[Callable[[Request], Answer]], RegistryClient]:
    """A Community Edition of one repository whose components are as the given handler says."""

    def make(components: Callable[[Request], Answer]) -> RegistryClient:
        there = services.enter_context(double())
        repositories = [{"name": "docker-hosted", "format": "docker", "type": "hosted"}]
        there.always("GET", "/repositories", Answer(200, json.dumps(repositories).encode(), _JSON))
        there.always("GET", "/v1/status", Answer(200))
        there.always("GET", "/components", components)
        there.always("GET", "/v2/", Answer(200, b"{}", {**_JSON, "Server": "Nexus/3.96.3-01 (COMMUNITY)"}))
        return services.enter_context(Registries(credentials=Credentials({}, {}), environment={})).client(there.address)

    return make


def test_four_hundred_pages_are_four_hundred_requests(client: Any) -> None:
    asked: list[str] = []
    serve = listing(400)

    def answer(request: Request) -> Answer:
        asked.append(request.query.get("continuationToken", [""])[0])
        return serve(request)

    there = client(answer)
    listed = ComponentLister(NexusRest(there), "docker-hosted").components()
    first = next(listed)
    assert (first.image, first.tag, len(asked)) == ("team/app0", "1", 1)  # nothing is held back until the end
    rest = [one.image for one in listed]
    assert rest == [f"team/app{number}" for number in range(1, 400 * SIZE)]
    assert asked == ["", *(f"t{number}" for number in range(1, 400))]
    asked.clear()
    assert NexusRest(there).count_components(limit=1_000_000) == 400 * SIZE
    assert len(asked) == 400
    asked.clear()
    assert NexusRest(there).count_components(limit=2_001) == 2_100  # counts no further than is asked for
    assert len(asked) == 21
    asked.clear()
    assert NexusRest(there).count_components(limit=1_000_000, max_pages=7) is None
    assert len(asked) == 7


def test_a_push_is_not_outdone_by_the_count_before_it(client: Any) -> None:
    """Small pages: the count ends where it would take more than a tenth of the requests of the push."""
    asked: list[str] = []
    small = {f"t{number}" if number else "": page([component(number)], f"t{number + 1}") for number in range(1_000)}

    def answer(request: Request) -> Answer:
        asked.append(request.query.get("continuationToken", [""])[0])
        return small[asked[-1]]

    there = client(answer)
    probe = NexusProbe(there, Mapping(TargetAddress.parse(there.registry)), NexusRest(there), new_tags=1_500)
    assert check_components(probe) == []
    assert len(asked) == 450


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (page([component(1)], "again"), "leads back to itself"),
        (Answer(200, b'{"items": 7}', _JSON), "is unreadable"),
    ],
    ids=["a circle", "no page"],
)
def test_a_list_that_makes_no_sense_ends(client: Any, answer: Answer, words: str) -> None:
    there = client(lambda _: answer)
    with pytest.raises(RegistryError, match=words) as caught:
        list(ComponentLister(NexusRest(there), "docker-hosted").components())
    assert (caught.value.where or "").endswith("/service/rest/v1/components")
    probe = NexusProbe(there, Mapping(TargetAddress.parse(there.registry)), NexusRest(there))
    said = check_components(probe)
    assert [one.level for one in said] == ["warning"]
    assert words in said[0].what
