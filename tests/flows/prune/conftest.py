# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry
from tests.cli.fixtures import *  # noqa: F403 - fixtures that tests of commands share
from tests.flows.prune.releases import Site, World, documents


@pytest.fixture(scope="session")
def prune_documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return documents(tmp_path_factory.mktemp("releases"))


@pytest.fixture
def far() -> Iterator[Registry]:
    """The site's registry, with three releases in it."""
    with Registry() as registry:
        World().fill_site(registry)
        registry.requests()
        yield registry


@pytest.fixture
def site(airgap: Airgap, far: Registry, prune_documents: dict[str, bytes]) -> Site:
    """The site and the machine that imported: bundles, receipts and history are there."""
    for name, content in prune_documents.items():
        path = Path(airgap.folder).parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Site(airgap, far.url, World())
