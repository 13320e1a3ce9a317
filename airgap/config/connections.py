# SPDX-License-Identifier: Apache-2.0
"""From project, flags and environment to the registries of one run: flags win over the file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from airgap.config.airgap_yaml import Project
from airgap.errors import UsageError
from airgap.events import Sink
from airgap.oci.reference import registry_problem
from airgap.records import Record, replace
from airgap.registry import RegistrySettings
from airgap.registry.settings import is_loopback

if TYPE_CHECKING:
    from airgap.registry import Credential, Registries
    from airgap.targets import Mapping as TargetMapping
    from airgap.targets import TargetAddress


class Network(Record):
    """What the command line said. ``plain_http`` names registries; ``via`` is an address to push to instead."""

    ca_file: str = ""
    insecure: Sequence[str] = ()
    plain_http: Sequence[str] = ()
    via: str = ""
    credential: Credential | None = None
    #: The registry that is copied from, where there is one beside the target, and what is offered to it alone.
    source: TargetAddress | None = None
    source_credential: Credential | None = None

    def with_source(self, source: TargetAddress, credential: Credential | None, *, insecure: bool) -> Network:
        """The network of a command that reads ``source`` and pushes elsewhere; plain HTTP is as its address says."""
        trusted = (source.registry,) if insecure else ()
        return replace(self, source=source, source_credential=credential, insecure=(*self.insecure, *trusted))


def connect(project: Project, network: Network, emit: Sink, *, target: TargetAddress | None = None) -> Registries:
    """Registries with everything that was said of them; the target's credential is offered to the target alone."""
    from airgap.registry import Credentials, Registries

    settings = dict(project.registries)
    for ca_file in {network.ca_file, *(entry.ca_file for entry in settings.values())} - {""}:
        # On plain HTTP nobody would read it, and the mistake would show later.
        if not os.path.isfile(ca_file):
            raise UsageError("there is no such file with certificates", where=ca_file)
    for registry in (*network.plain_http, *network.insecure):
        if reason := registry_problem(registry):
            raise UsageError(reason, hint="name the registry as it stands in references, such as 10.0.0.5:5000")
    for registry in network.plain_http:
        settings[registry] = replace(settings.get(registry, RegistrySettings()), plain_http=True)
    for registry in network.insecure:
        settings[registry] = replace(settings.get(registry, RegistrySettings()), insecure=True)
    if network.ca_file:
        settings = {name: replace(entry, ca_file=network.ca_file) for name, entry in settings.items()}
    explicit: dict[str, Credential] = {}
    if target is not None:
        # A mirror is only ever pulled from.
        entry = replace(settings.get(target.registry, RegistrySettings(ca_file=network.ca_file)), mirror="")
        if target.plain_http is not None:
            entry = replace(entry, plain_http=target.plain_http)
        if network.ca_file:
            entry = replace(entry, ca_file=network.ca_file)
        if network.via:
            entry = replace(entry, endpoint=network.via)
        settings[target.registry] = entry
        if network.credential is not None:
            explicit[target.registry] = network.credential
    if network.source is not None:
        _add_source(network, network.source, target, settings, explicit)
    return Registries(
        settings,
        default=RegistrySettings(ca_file=network.ca_file),
        credentials=Credentials(os.environ, explicit),
        emit=emit,
    )


def _add_source(
    network: Network, source: TargetAddress, target: TargetAddress | None,
    settings: dict[str, RegistrySettings], explicit: dict[str, Credential],
) -> None:  # fmt: skip
    if target is not None and source.registry == target.registry:
        if source.prefix == target.prefix:
            raise UsageError("source and target are the same", where=str(source))
        if network.source_credential is not None:
            raise UsageError(
                "source and target are one registry, so one user does for both",
                hint="leave --source-username out",
            )
    elif source.plain_http is not None or source.registry not in settings:
        entry = settings.get(source.registry, RegistrySettings(ca_file=network.ca_file))
        settings[source.registry] = replace(entry, plain_http=source.plain_http)
    if network.source_credential is not None:
        explicit[source.registry] = network.source_credential


def helm_options(project: Project, network: Network) -> Callable[[str], list[str]]:
    """What ``helm pull`` must be told of a registry to reach it as :func:`connect` would; loopback is plain HTTP."""

    def options(registry: str) -> list[str]:
        entry = project.registries.get(registry, RegistrySettings())
        plain = is_loopback(registry) if entry.plain_http is None else entry.plain_http
        made = ["--plain-http"] if plain or registry in network.plain_http else []
        if entry.insecure or registry in network.insecure:
            made.append("--insecure-skip-tls-verify")
        if ca_file := entry.ca_file or network.ca_file:
            made.append(f"--ca-file={ca_file}")
        return made

    return options


def target_of(project: Project, to: str | None, policy: str | None) -> TargetMapping:
    """The mapping to ``--to`` or the project's target; raise :class:`UsageError` where neither is given."""
    from airgap.targets import Mapping as TargetMapping
    from airgap.targets import TargetAddress

    text = to or project.target
    if not text:
        raise UsageError("where should the images go?", hint="give --to HOST:PORT/PREFIX, or target: in airgap.yaml")
    return TargetMapping(TargetAddress.parse(text), policy or project.policy or "basename", project.overrides)


def credential_from(environment: Mapping[str, str], username: str | None, password: str | None) -> Credential | None:
    """``AIRGAP_USERNAME`` and ``AIRGAP_PASSWORD``, overridden by what was given on the command line and read
    from standard input."""
    username = username or environment.get("AIRGAP_USERNAME")
    password = password if password is not None else environment.get("AIRGAP_PASSWORD")
    if not username and password is None:
        return None
    if not username or password is None:
        raise UsageError(
            "a user without a password, or a password without a user",
            hint="give --username with --password-stdin, or both AIRGAP_USERNAME and AIRGAP_PASSWORD",
        )
    from airgap.registry import Credential

    return Credential(username, password)


def source_credential(environment: Mapping[str, str], username: str | None) -> Credential | None:
    """``--source-username`` with ``AIRGAP_SOURCE_PASSWORD``; nothing else of the environment is the source's."""
    if not username:
        return None
    password = environment.get("AIRGAP_SOURCE_PASSWORD")
    if password is None:
        raise UsageError(
            "a user at the source without a password",
            hint="put it into AIRGAP_SOURCE_PASSWORD, or sign in once with airgap login",
        )
    from airgap.registry import Credential

    return Credential(username, password)
