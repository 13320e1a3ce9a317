# SPDX-License-Identifier: Apache-2.0
"""A wrong password is sent to a Nexus once by every command that signs in: it locks accounts after a few failures."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.command import Airgap
from tests.doubles.nexus import PUSHER, Nexus, Repository, Settings, nexus

HOSTED = Repository("docker-hosted", connector="http")
#: TARGET is the connector of the Nexus that refuses, PAGES its pages, OTHER the connector of another one.
COMMANDS = {
    "import": "import BUNDLE --to TARGET/p",
    "import with the pages": "import BUNDLE --to TARGET/p --nexus PAGES",
    "import --dry-run": "import BUNDLE --to TARGET/p --dry-run",
    "verify": "verify BUNDLE --against TARGET/p",
    "inventory": "inventory TARGET -o held.json",
    "inventory with the pages": "inventory TARGET -o held.json --nexus PAGES",
    "doctor": "doctor TARGET/p",
    "doctor with the pages": "doctor TARGET/p --nexus PAGES",
    "doctor --fix": "doctor TARGET/p --nexus PAGES --fix --yes",
    "login": "login TARGET -u carrier --password-stdin",
    "migrate to it": "migrate OTHER TARGET --source-username carrier",
    "migrate to it with the pages": "migrate OTHER TARGET --source-username carrier --nexus PAGES",
    "migrate from it": "migrate TARGET OTHER --source-username carrier",
    "migrate from it with the pages": "migrate TARGET OTHER --source-username carrier --nexus-source PAGES",
    "migrate from its pages": "migrate PAGES OTHER --source-username carrier",
    "migrate from below /repository": "migrate PAGES/repository/docker-hosted OTHER --source-username carrier",
}


@pytest.fixture
def sides(services: contextlib.ExitStack, basic: bool) -> tuple[Nexus, Nexus]:
    settings = Settings(repositories=(replace(HOSTED, force_basic=basic),))
    refusing, other = (services.enter_context(nexus(settings)) for _ in range(2))
    return refusing, other


@pytest.mark.parametrize("basic", [True, False], ids=["Basic", "tokens"])
@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_sent_once(airgap: Airgap, bundle: Path, sides: tuple[Nexus, Nexus], name: str) -> None:
    refusing, other = sides
    places = {
        "BUNDLE": str(bundle),
        "TARGET": f"http://{refusing.connector().address}",
        "OTHER": f"http://{other.connector().address}",
        "PAGES": refusing.url,
    }
    command = COMMANDS[name]
    for word, place in places.items():
        command = command.replace(word, place)
    is_source = " from " in name
    airgap.environment = {
        "AIRGAP_USERNAME": PUSHER.name,
        "AIRGAP_PASSWORD": PUSHER.password if is_source else "wrong-word",
        "AIRGAP_SOURCE_PASSWORD": "wrong-word" if is_source else PUSHER.password,
    }
    said = airgap.run(*command.split(), stdin=b"wrong-word\n", code=51 if name.startswith("doctor") else 21)
    assert refusing.tries == {PUSHER.name: (0, 1, 0)}
    assert "wrong-word" not in said.stderr + said.text
