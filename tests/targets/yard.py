# SPDX-License-Identifier: Apache-2.0
"""Set-ups for ``airgap doctor``: an address with what stands behind it, built for a test and torn down after it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from airgap import records
from airgap.config.airgap_yaml import ProjectSettings
from airgap.config.connections import ConnectionOptions, open_registries
from airgap.events import ignore
from airgap.flows.doctor import Diagnosis, DoctorRequest, examine
from airgap.registry import Credential, Registries
from airgap.targets import Mapping, TargetAddress
from tests.doubles.nexus import ADMIN, PUSHER, Nexus, Repository, Settings, User, nexus
from tests.doubles.registry import Answer
from tests.parts.certificates import Authority, Pair
from tests.parts.listener import Listener
from tests.parts.nginx import nginx

HOSTED = Repository("docker-hosted", connector="http")
SECURE = Repository("docker-hosted", connector="https")


@dataclass
class Place:
    """A set-up: what to give to doctor, and the double whose sign-ins are counted."""

    target: str
    double: Nexus | None = None
    nexus: str = ""
    user: User | None = PUSHER
    password: str = ""
    options: ConnectionOptions = field(default_factory=ConnectionOptions)

    @property
    def mapping(self) -> Mapping:
        return Mapping(TargetAddress.parse(self.target))

    def examine(self) -> Diagnosis:
        with self.connect() as registries:
            return examine(DoctorRequest(self.mapping, self.nexus), registries)

    def connect(self) -> Registries:
        credential = Credential(self.user.name, self.password or self.user.password) if self.user else None
        options = records.replace(self.options, credential=credential)
        return open_registries(ProjectSettings(), options, ignore, target=self.mapping.address)


@dataclass
class Yard:
    """Where set-ups are built, and torn down after the test."""

    stack: contextlib.ExitStack
    folder: Path
    authority: Authority
    monkeypatch: pytest.MonkeyPatch

    def far(self, *repositories: Repository, tls: Pair | None = None, **more: object) -> Nexus:
        settings = Settings(repositories=repositories or (HOSTED,), **more)  # type: ignore[arg-type] # switches
        return self.stack.enter_context(nexus(settings, tls=tls))

    def plain(self, *repositories: Repository, admin: bool = False, **more: object) -> Place:
        """A connector on plain HTTP; with ``admin`` its REST too."""
        made = self.far(*repositories, **more)  # type: ignore[arg-type] # switches
        target = f"http://{made.connector().address}/p"
        return Place(target, made, made.url if admin else "", ADMIN if admin else PUSHER)

    def secure(self, pair: Pair, *, ca: bool = True, host: str = "127.0.0.1") -> Place:
        made = self.far(SECURE, tls=pair)
        options = ConnectionOptions(ca_file=str(self.authority.ca)) if ca else ConnectionOptions()
        return Place(f"https://{host}:{made.connector().port}", made, options=options)

    def ingress(self, made: Nexus, url: str = "", **more: object) -> Place:
        """nginx before a connector; with ``tls=True`` by HTTPS that our authority vouches for."""
        pair = self.authority.good() if more.pop("tls", False) else None
        front = self.stack.enter_context(
            nginx(self.folder / "nginx", {"/": url or made.connector().url}, tls=pair, **more)  # type: ignore[arg-type]
        )
        options = ConnectionOptions(ca_file=str(self.authority.ca)) if pair else ConnectionOptions()
        return Place(front.url, made, options=options)

    def talker(self, words: bytes) -> Place:
        """A server that says ``words`` to whoever comes, and hangs up."""
        listener = Listener(lambda connection, _: connection.sendall(words) if words else None)
        listener.start()
        self.stack.callback(listener.stop)
        return Place(f"http://{listener.address}", user=None)

    def silent_proxy(self) -> Place:
        """A proxy repository whose refusal says nothing but the status."""
        made = self.far(
            Repository("all", kind="proxy", connector="http", remote="docker-hosted"), Repository("docker-hosted")
        )
        made.connector("all").always("POST", "", Answer(405, b""))
        return Place(f"http://{made.connector('all').address}", made)
