# SPDX-License-Identifier: Apache-2.0
"""``airgap login``."""

from __future__ import annotations

import sys

import click

from airgap.cli import options
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import ConnectionOptions, open_registries
from airgap.errors import UsageError
from airgap.flows.login import login
from airgap.i18n import tr
from airgap.registry import Credential
from airgap.targets import TargetAddress


@click.command("login")
@click.argument("registry", metavar="REGISTRY")
@click.option("--username", "-u", metavar="NAME", help=tr("Asked for where it is not given."))
@click.option("--password-stdin", is_flag=True, help=tr("Read the password from standard input instead of asking."))
@click.option("--plain-http", is_flag=True, help=tr("Speak plain HTTP, as http:// before REGISTRY does."))
@click.option("--insecure", is_flag=True, help=tr("Trust any certificate."))
@options.ca_file
@options.config
def command(
    registry: str,
    username: str | None,
    password_stdin: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    config: str | None,
) -> None:
    """Sign in to a registry once, and keep the credential in docker's file for docker, podman and airgap alike.

    \b
    airgap login http://10.100.0.102:32415 -u admin
    echo "$PASSWORD" | airgap login nexus.corp:8443 -u admin --password-stdin
    """
    address = TargetAddress.parse(registry)
    if address.prefix:
        raise UsageError(
            tr("{registry!r} has a path", registry=registry),
            hint=tr("sign in to {registry}", registry=address.registry),
        )
    if password_stdin and not username:
        raise UsageError(tr("--password-stdin goes with --username"))
    if not password_stdin and not sys.stdin.isatty():
        raise UsageError(
            tr("there is no terminal to ask for the password at"), hint=tr("add --username and --password-stdin")
        )
    username = username or click.prompt(tr("Username"), err=True)
    password = options.read_password() if password_stdin else click.prompt(tr("Password"), hide_input=True, err=True)
    credential = Credential(username, password)
    connection_options = ConnectionOptions(
        ca_file or "",
        (address.registry,) if insecure else (),
        (address.registry,) if plain_http else (),
        credential=credential,
    )
    with (
        open_display("plain") as emit,
        open_registries(load_project(config), connection_options, emit, target=address) as registries,
    ):
        path = login(address.registry, credential, registries, emit=emit)
    click.echo(
        tr(
            "signed in to {registry} as {username}; kept in {path}",
            registry=address.registry,
            username=username,
            path=path,
        ),
        err=True,
    )
