# SPDX-License-Identifier: Apache-2.0
"""Combines ``airgap.yaml``, options and environment variables into registries and target mappings.

Options override environment variables, and these override the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from airgap.config.airgap_yaml import ProjectSettings
from airgap.durable import require_file
from airgap.errors import UsageError
from airgap.events import Sink
from airgap.i18n import tr
from airgap.oci.reference import registry_problem
from airgap.records import Record, field, replace
from airgap.registry import RegistrySettings
from airgap.registry.settings import is_loopback, parse_rate

if TYPE_CHECKING:
    from airgap.registry import Credential, Registries
    from airgap.registry.registries import Confirm
    from airgap.targets import Mapping as TargetMapping
    from airgap.targets import TargetAddress


class ConnectionOptions(Record):
    """The options of a command line that say how registries are reached.

    ``insecure`` and ``plain_http`` are names of registries. ``via`` is the address at which the target is reached, if
    it is not the one in references. ``credential`` is the target's. ``limit_rate`` is as the user wrote it.
    """

    ca_file: str = ""
    insecure: Sequence[str] = ()
    plain_http: Sequence[str] = ()
    via: str = ""
    credential: Credential | None = None
    #: The registry to copy from, for commands that have one beside the target, and its credential.
    source: TargetAddress | None = None
    source_credential: Credential | None = None
    #: Asks the user whether a password may go to another host; ``None`` where nobody can be asked.
    confirm: Confirm | None = None
    limit_rate: str | None = None
    #: Credentials by registry that the user was asked for.
    asked: Mapping[str, Credential] = field(default_factory=dict)

    def with_source(self, source: TargetAddress, credential: Credential | None, *, insecure: bool) -> ConnectionOptions:
        """Return these options with a registry to copy from. Its address says whether it uses plain HTTP."""
        insecure_sources = (source.registry,) if insecure else ()
        return replace(self, source=source, source_credential=credential, insecure=(*self.insecure, *insecure_sources))


def open_registries(
    project: ProjectSettings, options: ConnectionOptions, emit: Sink, *, target: TargetAddress | None = None
) -> Registries:
    """Return the registries of one run with all their settings; sends nothing yet. The caller closes them.

    Credentials in ``options`` are offered only to the registries that they are for. Raises :class:`UsageError` for a
    certificate file that does not exist, an invalid registry name or rate, or options that contradict each other.
    """
    from airgap.registry import Credentials, Registries

    settings = dict(project.registries)
    # Check now: over plain HTTP the file would never be read, and the mistake would show only later.
    for ca_file in {options.ca_file, *(entry.ca_file for entry in settings.values())} - {""}:
        require_file(ca_file)
        if not os.path.isfile(ca_file):
            raise UsageError(
                tr("this is no file with certificates"), where=ca_file, hint=tr("--ca-file takes a PEM file")
            )
    for registry in (*options.plain_http, *options.insecure):
        if reason := registry_problem(registry):
            raise UsageError(reason, hint=tr("name the registry as it stands in references, such as 10.0.0.5:5000"))
    for registry in options.plain_http:
        settings[registry] = replace(settings.get(registry, RegistrySettings()), plain_http=True)
    for registry in options.insecure:
        settings[registry] = replace(settings.get(registry, RegistrySettings()), insecure=True)
    if options.ca_file:
        settings = {name: replace(entry, ca_file=options.ca_file) for name, entry in settings.items()}
    credentials = dict(options.asked)
    if target is not None:
        # A mirror is only for pulling.
        entry = replace(settings.get(target.registry, RegistrySettings(ca_file=options.ca_file)), mirror="")
        if target.plain_http is not None:
            entry = replace(entry, plain_http=target.plain_http)
        if options.ca_file:
            entry = replace(entry, ca_file=options.ca_file)
        if options.via:
            entry = replace(entry, endpoint=options.via)
        settings[target.registry] = entry
        if options.credential is not None:
            credentials[target.registry] = options.credential
    if options.source is not None:
        _add_source(options, options.source, target, settings, credentials)
    return Registries(
        settings,
        default=RegistrySettings(ca_file=options.ca_file),
        credentials=Credentials(os.environ, credentials),
        rate=0 if options.limit_rate is None else parse_rate(options.limit_rate),
        emit=emit,
        confirm=options.confirm,
    )


def _add_source(
    options: ConnectionOptions, source: TargetAddress, target: TargetAddress | None,
    settings: dict[str, RegistrySettings], credentials: dict[str, Credential],
) -> None:  # fmt: skip
    if target is not None and source.registry == target.registry:
        if source.prefix == target.prefix:
            raise UsageError(
                tr("source and target are the same"), where=str(source), hint=tr("give another address as TARGET")
            )
        if options.source_credential is not None:
            raise UsageError(
                tr("source and target are one registry, so one user does for both"),
                hint=tr("leave --source-username out"),
            )
    elif source.plain_http is not None or source.registry not in settings:
        entry = settings.get(source.registry, RegistrySettings(ca_file=options.ca_file))
        settings[source.registry] = replace(entry, plain_http=source.plain_http)
    if options.source_credential is not None:
        credentials[source.registry] = options.source_credential


def helm_options(project: ProjectSettings, options: ConnectionOptions) -> Callable[[str], list[str]]:
    """Return a function from a registry to the options with which ``helm pull`` reaches it as airgap would.

    A loopback address uses plain HTTP unless ``airgap.yaml`` says otherwise.
    """

    def helm_arguments(registry: str) -> list[str]:
        entry = project.registries.get(registry, RegistrySettings())
        plain = is_loopback(registry) if entry.plain_http is None else entry.plain_http
        arguments = ["--plain-http"] if plain or registry in options.plain_http else []
        if entry.insecure or registry in options.insecure:
            arguments.append("--insecure-skip-tls-verify")
        if ca_file := entry.ca_file or options.ca_file:
            arguments.append(f"--ca-file={ca_file}")
        return arguments

    return helm_arguments


def target_mapping(
    project: ProjectSettings, to: str | None, policy: str | None, *, plain_http: bool = False
) -> TargetMapping:
    """Return the mapping to the target ``to`` or that of the project. Raises :class:`UsageError` without either.

    If the address has no scheme, ``plain_http`` (the option) and then ``airgap.yaml`` say whether it is plain HTTP.
    """
    from airgap.targets import DEFAULT_POLICY, TargetAddress
    from airgap.targets import Mapping as TargetMapping

    text = to or project.target
    if not text:
        raise UsageError(
            tr("where should the images go?"), hint=tr("give --to HOST:PORT/PREFIX, or target: in airgap.yaml")
        )
    address = TargetAddress.parse(text)
    if address.plain_http is None:
        configured = project.registries.get(address.registry, RegistrySettings()).plain_http
        address = replace(address, plain_http=True if plain_http else configured)
    return TargetMapping(address, policy or project.policy or DEFAULT_POLICY, project.overrides)


def target_credential(
    environment: Mapping[str, str],
    username: str | None,
    password: str | None,
    *,
    registry: str,
    ask: Callable[[str], str] | None = None,
) -> Credential | None:
    """Return the credential of the target ``registry`` from the options, else from the environment.

    The variables are ``AIRGAP_USERNAME`` and ``AIRGAP_PASSWORD``. ``ask`` is called for a password that is missing.
    ``None`` if there is no credential at all. Raises :class:`UsageError` for a password without a user, and without
    ``ask`` for a user without a password.
    """
    username = username or environment.get("AIRGAP_USERNAME")
    password = password if password is not None else environment.get("AIRGAP_PASSWORD")
    if not username and password is None:
        return None
    if username and password is None and ask is not None:
        password = ask(tr("{username} at {registry}", username=username, registry=registry))
    if not username or password is None:
        raise UsageError(
            tr("a user without a password, or a password without a user"),
            hint=tr("give --username with --password-stdin, or both AIRGAP_USERNAME and AIRGAP_PASSWORD"),
        )
    from airgap.registry import Credential

    return Credential(username, password)


def source_credential(
    environment: Mapping[str, str],
    username: str | None,
    source: TargetAddress,
    *,
    ask: Callable[[str], str] | None = None,
) -> Credential | None:
    """Return the credential of the source from ``--source-username`` and ``AIRGAP_SOURCE_PASSWORD``.

    ``ask`` is called for a password that is missing. ``None`` without a user. Raises :class:`UsageError` for a user
    without a password, and without ``ask``.
    """
    if not username:
        return None
    password = environment.get("AIRGAP_SOURCE_PASSWORD")
    if password is None and ask is not None:
        password = ask(tr("{username} at {registry}", username=username, registry=source.registry))
    if password is None:
        host = replace(source, prefix="").argument
        raise UsageError(
            tr("a user at the source without a password"),
            hint=tr("put it into AIRGAP_SOURCE_PASSWORD, or sign in once: airgap login {host}", host=host),
        )
    from airgap.registry import Credential

    return Credential(username, password)
