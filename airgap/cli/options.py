# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, each defined once."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from airgap.errors import UsageError
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.bundle import BundleReader
    from airgap.config.connections import Network

F = TypeVar("F", bound=Callable[..., Any])


def _together(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


config = click.option("--config", metavar="FILE", help="Project file instead of ./airgap.yaml.")


def _progress(context: click.Context, _: click.Parameter, value: str) -> str:
    from airgap.cli.errors import Teller

    if isinstance(context.obj, Teller):
        context.obj.json = value == "json"
    return value


progress = click.option(
    "--progress",
    is_eager=True,  # before whatever else of the command line may be wrong
    callback=_progress,
    type=click.Choice(["auto", "bar", "plain", "json", "none"]),
    default="auto",
    show_default=True,
    help="How to tell what happens, on standard error.",
)


jobs = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    show_default="4 for blobs, 8 for small requests",
    help="Requests at the same time, of any kind.",
)

force = click.option("--force", is_flag=True, help="Replace files that are already there.")

dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")

ca_file = click.option("--ca-file", metavar="PEM", help="Certificates to trust beside the system's own.")

as_json = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")

source_network = _together(
    ca_file,
    click.option(
        "--plain-http", multiple=True, metavar="REGISTRY", help="Speak plain HTTP to this registry. Repeatable."
    ),
    click.option(
        "--insecure", multiple=True, metavar="REGISTRY", help="Trust any certificate of this registry. Repeatable."
    ),
)

_target_network = _together(
    ca_file,
    click.option("--plain-http", is_flag=True, help="Speak plain HTTP to the target, as http:// before it does."),
    click.option("--insecure", is_flag=True, help="Trust any certificate of the target."),
    click.option("--via", metavar="URL", default="", help="Reach the target here instead of where nodes pull from."),
    click.option("--username", metavar="NAME", help="User at the target; or AIRGAP_USERNAME, or airgap login."),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input; or AIRGAP_PASSWORD."),
)

nexus = click.option(
    "--nexus",
    metavar="URL",
    default="",
    help="Nexus's own address, that of its pages: its settings and limits are looked at too.",
)

mapping = click.option(
    "--mapping",
    type=click.Choice(["basename", "path", "full"]),
    help="How images are named under the target: quay.io/jetstack/x becomes x, jetstack/x or quay.io/jetstack/x. "
    "[default: basename]",
)


_chart = _together(
    click.option("-f", "--values", multiple=True, metavar="FILE", help="For a chart, as helm takes it. Repeatable."),
    click.option("--set", "set_", multiple=True, metavar="K=V", help="For a chart, as helm takes it. Repeatable."),
    click.option("--set-string", multiple=True, metavar="K=V", help="For a chart, as helm takes it. Repeatable."),
    click.option("--namespace", metavar="NAME", default="", help="For a chart: the namespace it is installed in."),
    click.option("--kube-version", metavar="VERSION", default="", help="For a chart: the cluster's version."),
    click.option(
        "--api-versions", multiple=True, metavar="API", help="For a chart: what the cluster knows. Repeatable."
    ),
)


def chart(function: F) -> F:
    """The options that are passed on to helm, as one argument ``rendering``."""

    @functools.wraps(function)
    def gathered(
        values: tuple[str, ...],
        set_: tuple[str, ...],
        set_string: tuple[str, ...],
        namespace: str,
        kube_version: str,
        api_versions: tuple[str, ...],
        **others: Any,
    ) -> Any:
        from airgap.kube.render.programs import Rendering

        made = Rendering(values, set_, set_string, namespace, kube_version, api_versions)
        return function(rendering=made, **others)

    return _chart(cast("F", gathered))


def source(ca_file: str | None, plain_http: tuple[str, ...], insecure: tuple[str, ...]) -> Network:
    """The network of a command that only pulls."""
    from airgap.config.connections import Network

    return Network(ca_file or "", insecure, plain_http)


class Access(Record):
    """How the target is reached, as :func:`target_network` gathers it."""

    ca_file: str | None
    plain_http: bool
    insecure: bool
    via: str
    username: str | None
    password_stdin: bool

    @property
    def given(self) -> bool:
        """Whether anything was said of a target at all."""
        return any((self.ca_file, self.plain_http, self.insecure, self.via, self.username, self.password_stdin))

    def network(self, registry: str) -> Network:
        """The network of a command that pushes to ``registry``; the password is read now."""
        from airgap.config.connections import Network, credential_from

        password = read_password() if self.password_stdin else None
        return Network(
            self.ca_file or "",
            (registry,) if self.insecure else (),
            (registry,) if self.plain_http else (),
            self.via,
            credential_from(os.environ, self.username, password),
        )


def target_network(function: F) -> F:
    """The options by which the target is reached, as one argument ``access``."""

    @functools.wraps(function)
    def gathered(
        ca_file: str | None,
        plain_http: bool,
        insecure: bool,
        via: str,
        username: str | None,
        password_stdin: bool,
        **others: Any,
    ) -> Any:
        return function(access=Access(ca_file, plain_http, insecure, via, username, password_stdin), **others)

    return _target_network(cast("F", gathered))


def read_password() -> str:
    """One line of standard input, without its line end."""
    if sys.stdin.isatty():
        raise UsageError(
            "--password-stdin wants the password on standard input, and that is a terminal",
            hint='echo "$PASSWORD" | airgap … --password-stdin',
        )
    return sys.stdin.readline().rstrip("\r\n")


def stdin_bytes() -> bytes:
    """What ``-`` reads."""
    if sys.stdin.isatty():
        raise UsageError("- reads standard input, and that is a terminal", hint="kubectl get deploy -o json | airgap …")
    return sys.stdin.buffer.read()


def opened(bundles: tuple[str, ...], password_stdin: bool) -> BundleReader:
    """The bundle in a file, in standard input or in volumes; on a terminal a missing volume is asked for."""
    from airgap.bundle import open_bundle

    if "-" in bundles:
        if len(bundles) > 1:
            raise UsageError("standard input is one bundle, and more are named", hint="give - alone")
        if password_stdin:
            raise UsageError(
                "standard input cannot be both the bundle and the password",
                hint="AIRGAP_USERNAME and AIRGAP_PASSWORD in the environment carry credentials too",
            )
        if sys.stdin.isatty():
            raise UsageError("- reads standard input, and that is a terminal", hint="ssh … cat bundle.tar | airgap …")
    return open_bundle(bundles[0], more=bundles[1:], ask=_ask_for_volume if sys.stdin.isatty() else None)


def _ask_for_volume(expected: Path) -> Path | None:
    """Where a volume now is, after its medium was put in; ``None`` to give up."""
    click.echo(f"{expected} is not there.", err=True)
    said = click.prompt(
        "Put its medium in and press Enter, or say where it lies (q gives up)", default="", show_default=False, err=True
    ).strip()
    if said == "q":
        return None
    place = Path(said) if said else expected
    return place / expected.name if place.is_dir() else place
