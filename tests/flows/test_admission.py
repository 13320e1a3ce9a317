# SPDX-License-Identifier: Apache-2.0
"""A signed bundle whose volumes are put into one drive in turn: when its signature is read, and which volumes are asked
for."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.bundle.media import AskForVolume
from airgap.errors import SignatureFailure
from airgap.events import Event, Noted
from airgap.flows.admission import Demand, admit, verify_signed
from airgap.flows.sign import key_signer
from airgap.transfer import Context, Jobs
from airgap.trust.policy import Policy
from airgap.trust.secret_key import SecretKey
from tests.bundle.mutations import entry, make


class Drive:
    """A folder with the first of the volumes; each other one lies in another folder until it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.key = SecretKey.generate()
        # The head fits into the first volume, as it does outside of tests.
        make(folder / "drive", "volumes", key_signer(self.key), volume_size=16384)
        self.first = entry(folder / "drive", "volumes")
        self._shelf = folder / "shelf"
        self._shelf.mkdir()
        for volume in self._volumes():
            if volume != self.first:
                volume.rename(self._shelf / volume.name)
        self.asked: list[str] = []

    def _volumes(self) -> list[Path]:
        return sorted(self.first.parent.glob("*.tar.[0-9]*"))

    @property
    def ask(self) -> AskForVolume:
        def put_in(path: Path) -> Path:
            self.asked.append(path.name)
            for volume in self._volumes():
                volume.rename(self._shelf / volume.name)
            (self._shelf / path.name).rename(path)
            return path

        return put_in


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    return Drive(tmp_path)


def test_verify_reads_the_signature_after_the_blobs(drive: Drive) -> None:
    events: list[Event] = []
    policy = Policy(keys=[drive.key.public_key])
    with open_bundle(drive.first, ask=drive.ask) as bundle:
        verify_signed(bundle, Demand(policy), Context(Jobs.of(1), events.append))
    # The manifests, which are in the first volumes, are read once more when all blobs are known to be whole.
    assert drive.asked[:2] == ["b.tar.002", "b.tar.003"], "the blobs in order, then the signature"
    assert any(isinstance(event, Noted) and drive.key.public_key.id in event.text for event in events)


def test_verify_refuses_another_key(drive: Drive) -> None:
    policy = Policy(keys=[SecretKey.generate().public_key])
    with open_bundle(drive.first, ask=drive.ask) as bundle, pytest.raises(SignatureFailure, match="not signed with"):
        verify_signed(bundle, Demand(policy), Context(Jobs.of(1)))


def test_an_import_that_demands_nothing_asks_for_no_volume(drive: Drive) -> None:
    with open_bundle(drive.first, ask=drive.ask) as bundle:
        already = list(drive.asked)
        admit(bundle, Demand(), Context(Jobs.of(1)))
    assert drive.asked == already


def test_an_import_that_demands_a_signature_reads_it_first(drive: Drive) -> None:
    with open_bundle(drive.first, ask=drive.ask) as bundle:
        already = len(drive.asked)
        with pytest.raises(SignatureFailure, match="not signed with"):
            admit(bundle, Demand(Policy(keys=[SecretKey.generate().public_key])), Context(Jobs.of(1)))
        refused_after = drive.asked[already:]
        admit(bundle, Demand(Policy(keys=[drive.key.public_key])), Context(Jobs.of(1)))
    assert len(refused_after) == 1, "only the last volume is read before the refusal"
    assert set(refused_after) < set(drive.asked)
