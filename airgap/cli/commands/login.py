# SPDX-License-Identifier: Apache-2.0
"""``airgap login``."""

from __future__ import annotations

import click

from airgap.cli import options
from airgap.cli.printing import note
from airgap.cli.progress.display import open_display
from airgap.cli.prompts import ask_password, ask_user, can_ask, confirm_prompt
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import ConnectionOptions, open_registries
from airgap.errors import UsageError
from airgap.flows.login import login
from airgap.i18n import tr
from airgap.records import replace
from airgap.registry import Credential
from airgap.targets import TargetAddress


@click.command("login")
@click.argument("registry", metavar="REGISTRY")
@click.option("--username", "-u", metavar="NAME", help=tr("The user. [default: ask]"))
@click.option("--password-stdin", is_flag=True, help=tr("Read the password from standard input instead of asking."))
@click.option("--plain-http", is_flag=True, help=tr("Use plain HTTP, like http:// before REGISTRY."))
@click.option("--insecure", is_flag=True, help=tr("Do not verify the certificate."))
@click.option("--via", metavar="URL", default="", help=tr("Connect to this address instead of the registry's own."))
@options.ca_file
@options.config
def command(
    registry: str,
    username: str | None,
    password_stdin: bool,
    plain_http: bool,
    insecure: bool,
    via: str,
    ca_file: str | None,
    config: str | None,
) -> None:
    """Sign in to a registry, and save the credential in docker's file, which docker, podman and airgap read.

    \b
    airgap login http://10.100.0.102:32415 -u admin
    echo "$PASSWORD" | airgap login nexus.corp:8443 -u admin --password-stdin
    """
    address = TargetAddress.parse(registry)
    if address.prefix:
        host = replace(address, prefix="").argument
        raise UsageError(
            tr("{registry!r} has a path", registry=registry),
            hint=tr("sign in to the registry itself: airgap login {host}", host=host),
        )
    if password_stdin and not username:
        raise UsageError(tr("--password-stdin goes with --username"))
    if not password_stdin and not can_ask():
        raise UsageError(
            tr("there is no terminal to ask for the password at"), hint=tr("add --username and --password-stdin")
        )
    username = username or ask_user()
    password = (
        options.read_password()
        if password_stdin
        else ask_password(tr("{username} at {registry}", username=username, registry=address.registry))
    )
    credential = Credential(username, password)
    connection_options = ConnectionOptions(
        ca_file or "",
        (address.registry,) if insecure else (),
        (address.registry,) if plain_http else (),
        via,
        credential,
        confirm=confirm_prompt(),
    )
    with (
        open_display("plain") as emit,
        open_registries(load_project(config), connection_options, emit, target=address) as registries,
    ):
        path = login(address.registry, credential, registries, emit=emit)
    note(
        tr(
            "signed in to {registry} as {username}; kept in {path}",
            registry=address.registry,
            username=username,
            path=path,
        )
    )
