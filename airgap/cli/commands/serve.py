# SPDX-License-Identifier: Apache-2.0
"""``airgap serve``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.formatting.printable import printable
from airgap.cli.progress.display import open_display
from airgap.errors import UsageError
from airgap.events import Event
from airgap.flows.serve import collect_layout_garbage, create_server, parse_limits
from airgap.formatting import counted
from airgap.i18n import tr


@click.command("serve")
@click.argument("path", metavar="BUNDLE|LAYOUT")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:5000",
    show_default=True,
    help=tr("Where to answer; 0.0.0.0:5000 is every address of this machine."),
)
@click.option("--writable", is_flag=True, help=tr("Take pushes into a layout folder, made where there is none."))
@click.option("--user", metavar="NAME", help=tr("Ask for this user and a password."))
@click.option("--password-stdin", is_flag=True, help=tr("Read that password from standard input."))
@click.option("--tls-cert", metavar="PEM", help=tr("Certificate (with its chain) to serve HTTPS with."))
@click.option("--tls-key", metavar="PEM", help=tr("Its key."))
@click.option(
    "--gc", "collect", is_flag=True, help=tr("Remove blobs of a layout that no image needs, then end; serve nothing.")
)
@click.option("--dry-run", is_flag=True, help=tr("With --gc: say how much would be freed, remove nothing."))
@click.option(
    "--limit",
    "limit_settings",
    metavar="NAME=NUMBER",
    multiple=True,
    help=tr("Change a limit, such as uploads=100; a wrong name lists them all."),
)
def command(
    path: str,
    listen: str,
    writable: bool,
    user: str | None,
    password_stdin: bool,
    tls_cert: str | None,
    tls_key: str | None,
    collect: bool,
    dry_run: bool,
    limit_settings: tuple[str, ...],
) -> None:
    """Serve a bundle as a read-only registry, as it lies, or a layout folder that also takes pushes.

    An image of a bundle is found under its full name (127.0.0.1:5000/quay.io/jetstack/x:v1) and under its path alone
    (127.0.0.1:5000/jetstack/x:v1), so that the address also works as a mirror. Of a differential bundle only the images
    that are whole are served.

    \b
    airgap serve bundle.tar
    airgap serve layout/ --writable --listen 0.0.0.0:5000
    airgap serve layout/ --gc

    --gc keeps what was pushed or asked for within the last hour, so it may run beside a server.
    """
    if dry_run and not collect:
        raise UsageError(tr("--dry-run goes with --gc"))
    if collect:
        _collect_garbage(Path(path), dry_run)
        return
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(
            tr("{listen!r} is no address to listen on", listen=listen),
            hint=tr("write it as HOST:PORT, such as 0.0.0.0:5000"),
        )
    if bool(user) != password_stdin:
        raise UsageError(tr("--user and --password-stdin go together"))
    if bool(tls_cert) != bool(tls_key):
        raise UsageError(tr("--tls-cert and --tls-key go together"))
    notes: list[Event] = []
    server = create_server(
        Path(path),
        host or "0.0.0.0",
        int(port),
        writable=writable,
        credentials=(user, options.read_password()) if user else None,
        tls=(Path(tls_cert), Path(tls_key)) if tls_cert and tls_key else None,
        on_request=lambda method, url, status: click.echo(printable(f"{status} {method} {url}"), err=True),
        limits=parse_limits(limit_settings),
        emit=notes.append,
    )
    server.start()
    click.echo(tr("{path} is served at {url}; Ctrl-C ends it", path=path, url=server.url), err=True)
    with open_display("plain") as show:  # after the address, which programs wait for
        for note in notes:
            show(note)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        server.stop()


def _collect_garbage(path: Path, dry_run: bool) -> None:
    collected = collect_layout_garbage(path, dry_run=dry_run)
    size, blobs = collected.size, counted(collected.blobs, "blob")
    if dry_run:
        click.echo(tr("would free {size:,} bytes: {blobs} that no image needs", size=size, blobs=blobs))
    else:
        click.echo(tr("freed {size:,} bytes: {blobs} that no image needs", size=size, blobs=blobs))
