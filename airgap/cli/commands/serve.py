# SPDX-License-Identifier: Apache-2.0
"""``airgap serve``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.printing import note, say
from airgap.cli.progress.display import open_display
from airgap.cli.prompts import ask_password, can_ask
from airgap.cli.release_folder import bundle_in
from airgap.errors import UsageError
from airgap.events import Event, Warned
from airgap.flows.serve import collect_layout_garbage, create_server, parse_limits
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.registry.settings import is_loopback


@click.command("serve")
@click.argument("path", metavar="BUNDLE|RELEASE|LAYOUT")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:5000",
    show_default=True,
    help=tr("Address to listen on; 0.0.0.0:5000 is every address of this machine."),
)
@click.option(
    "--writable", is_flag=True, help=tr("Accept pushes into a layout folder, which is created if it does not exist.")
)
@click.option("--sparse", is_flag=True, help=tr("With --writable: accept indexes of which not all images are pushed."))
@click.option("--user", metavar="NAME", help=tr("Require this user and a password."))
@click.option("--password-stdin", is_flag=True, help=tr("Read that password from standard input instead of asking."))
@click.option("--tls-cert", metavar="PEM", help=tr("Serve HTTPS with this certificate and its chain."))
@click.option("--tls-key", metavar="PEM", help=tr("The key of the certificate."))
@click.option(
    "--gc", "collect", is_flag=True, help=tr("Remove blobs of a layout that no image needs, then end; serve nothing.")
)
@click.option("--dry-run", is_flag=True, help=tr("With --gc: print how much would be freed, and remove nothing."))
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
    sparse: bool,
    user: str | None,
    password_stdin: bool,
    tls_cert: str | None,
    tls_key: str | None,
    collect: bool,
    dry_run: bool,
    limit_settings: tuple[str, ...],
) -> None:
    """Serve a bundle as a read-only registry, without unpacking it, or a layout folder that also accepts pushes.

    Of a release folder the full bundle is served.

    An image of a bundle has its full name (127.0.0.1:5000/quay.io/jetstack/x:v1) and its path alone
    (127.0.0.1:5000/jetstack/x:v1), so that the address also works as a mirror. Of a differential bundle, only complete
    images are served.

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
    host, port = _parse_address(listen)
    credentials = _credentials(user, password_stdin, listen)
    if sparse and not writable:
        raise UsageError(tr("--sparse goes with --writable"))
    if bool(tls_cert) != bool(tls_key):
        raise UsageError(tr("--tls-cert and --tls-key go together"), hint=tr("add the other one"))
    notes: list[Event] = []
    if writable and not user and not is_loopback(listen):
        notes.append(
            Warned(
                tr(
                    "everybody who reaches {listen} can push and replace images; --user NAME asks for a password",
                    listen=listen,
                )
            )
        )
    server = create_server(
        Path(bundle_in(path)),
        host,
        port,
        writable=writable,
        credentials=credentials,
        tls=(Path(tls_cert), Path(tls_key)) if tls_cert and tls_key else None,
        on_request=lambda method, url, status: note(f"{status} {method} {url}"),
        limits=parse_limits(limit_settings),
        sparse=sparse,
        emit=notes.append,
    )
    server.start()
    try:
        note(tr("{path} is served at {url}; Ctrl-C ends it", path=path, url=server.url))
        with open_display("plain") as show:  # after the address, which programs wait for
            for noted in notes:
                show(noted)
        server.serve_forever()
    except KeyboardInterrupt:
        note(tr("stopped"))
    finally:
        server.stop()


def _parse_address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    # isdecimal and isascii: isdigit also accepts "\u00b2", which int() refuses.
    if not colon or not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535:
        raise UsageError(
            tr("{listen!r} is no address to listen on", listen=listen),
            hint=tr("write it as HOST:PORT, such as 0.0.0.0:5000"),
        )
    return host or "0.0.0.0", int(port)


def _credentials(user: str | None, password_stdin: bool, listen: str) -> tuple[str, str] | None:
    """User and password that clients need; asks for the password on a terminal. ``None`` without a user."""
    if not user:
        if password_stdin:
            raise UsageError(tr("--user and --password-stdin go together"), hint=tr("add --user NAME"))
        return None
    if password_stdin:
        return user, options.read_password()
    if not can_ask():
        raise UsageError(
            tr("--user and --password-stdin go together"), hint=tr("there is no terminal to ask for the password at")
        )
    return user, ask_password(tr("{user} at {listen}", user=user, listen=listen))


def _collect_garbage(path: Path, dry_run: bool) -> None:
    collected = collect_layout_garbage(path, dry_run=dry_run)
    size, blobs = collected.size, counted(collected.blobs, "blob")
    if dry_run:
        say(tr("would free {size:,} bytes: {blobs} that no image needs", size=size, blobs=blobs))
    else:
        say(tr("freed {size:,} bytes: {blobs} that no image needs", size=size, blobs=blobs))
