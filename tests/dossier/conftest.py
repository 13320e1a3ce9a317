# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry
from tests.cli.fixtures import *  # noqa: F403 - fixtures that tests of commands share
from tests.dossier.samples import SCANNER, Office, prepare


@pytest.fixture(scope="package")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A bundle as an office gets it, with hostile names in it, and its dossier; tests only read them."""
    folder = tmp_path_factory.mktemp("office")
    with Registry() as registry:
        airgap = Airgap(folder, folder)
        prepare(airgap, registry)
        airgap.run("export", "deploy/api.yaml", "-o", "old.tar")
        attached = ("--attach", "trivy <i>.json", "--attach", "공문.txt")
        airgap.run("export", "deploy", "-o", "bundle.tar", *attached, "--dossier", "planned", "--dry-run")
        airgap.run("export", "deploy", "-o", "bundle.tar", *attached)
        airgap.run("scan", "bundle.tar", "--command", f"sh {airgap.write('scanner.sh', SCANNER)} {{}}", code=44)
        airgap.run("dossier", "bundle.tar", "-o", "dossier", "--since", "old.tar")
        yield Office(airgap, folder / "bundle.tar", folder / "dossier")


@pytest.fixture
def page(office: Office) -> Path:
    return office.folder / "bundle.html"
