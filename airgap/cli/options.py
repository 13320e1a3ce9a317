# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and what they stand for.

A decorator such as ``target_options`` adds several options and passes them to the command as one argument.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from airgap.cli.error_reporter import ErrorReporter
from airgap.cli.prompts import ask_for_volume, asked_credentials, confirm_prompt, password_prompt
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record, replace

if TYPE_CHECKING:
    from airgap.bundle import BundleReader
    from airgap.bundle.media.sealed import Unseal
    from airgap.config.connections import ConnectionOptions
    from airgap.kube.cluster import ClusterScope
    from airgap.kube.render.programs import Rendering
    from airgap.kube.walk.reader import WalkOptions

F = TypeVar("F", bound=Callable[..., Any])


def _combine(*options: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator that adds ``options`` in the given order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


config = click.option("--config", metavar="FILE", help=tr("Project file instead of ./airgap.yaml."))


def _set_error_format(context: click.Context, _: click.Parameter, value: str) -> str:
    if isinstance(context.obj, ErrorReporter):
        context.obj.json = value == "json"
    return value


progress = click.option(
    "--progress",
    is_eager=True,  # so that errors in other options are already reported in this format
    callback=_set_error_format,
    type=click.Choice(["auto", "bar", "plain", "json", "none"]),
    default="auto",
    show_default=True,
    help=tr("How to show progress, on standard error."),
)


jobs = click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(1, 64),
    help=tr("Number of requests at the same time, of any kind. [default: 4 for blobs, 8 for small requests]"),
)

limit_rate = click.option(
    "--limit-rate",
    metavar="RATE",
    help=tr("Send and receive at most this much a second, over all connections together: 2MB, 500kB, 20Mbit."),
)

force = click.option("--force", is_flag=True, help=tr("Replace files that exist."))

dry_run = click.option("--dry-run", is_flag=True, help=tr("Show what would be done, and change nothing."))

ca_file = click.option("--ca-file", metavar="PEM", help=tr("Trust these certificates too, besides the system's."))

as_json = click.option("--json", "as_json", is_flag=True, help=tr("Print JSON."))

source_options = _combine(
    ca_file,
    click.option(
        "--plain-http", multiple=True, metavar="REGISTRY", help=tr("Use plain HTTP for this registry. Repeatable.")
    ),
    click.option(
        "--insecure",
        multiple=True,
        metavar="REGISTRY",
        help=tr("Do not verify this registry's certificate. Repeatable."),
    ),
)

_target_options = _combine(
    ca_file,
    click.option("--plain-http", is_flag=True, help=tr("Use plain HTTP for the target, like http:// before it.")),
    click.option("--insecure", is_flag=True, help=tr("Do not verify the target's certificate.")),
    click.option("--via", metavar="URL", default="", help=tr("Push to this address, if nodes pull from another.")),
    click.option(
        "--username", metavar="NAME", help=tr("User at the target. [default: AIRGAP_USERNAME, or airgap login]")
    ),
    click.option(
        "--password-stdin", is_flag=True, help=tr("Read the password from standard input. [default: AIRGAP_PASSWORD]")
    ),
)

nexus = click.option(
    "--nexus",
    metavar="URL",
    default="",
    help=tr("Address of Nexus's own web pages: also check its settings and limits."),
)

mapping = click.option(
    "--mapping",
    "policy",
    # The policies and the default of airgap.targets.mapping, whose import would slow down --help.
    type=click.Choice(["basename", "path", "full"]),
    help=tr(
        "Names of the images under the target: quay.io/jetstack/x becomes x, jetstack/x or quay.io/jetstack/x. "
        "[default: basename]"
    ),
)


_chart_options = _combine(
    click.option(
        "-f", "--values", multiple=True, metavar="FILE", help=tr("For a chart: passed on to helm. Repeatable.")
    ),
    click.option("--set", "set_", multiple=True, metavar="K=V", help=tr("For a chart: passed on to helm. Repeatable.")),
    click.option("--set-string", multiple=True, metavar="K=V", help=tr("For a chart: passed on to helm. Repeatable.")),
    click.option(
        "-n",
        "--namespace",
        metavar="NAME",
        default="",
        help=tr("For a chart: the namespace of the release. With --cluster: only this one."),
    ),
    click.option("--kube-version", metavar="VERSION", default="", help=tr("For a chart: the cluster's version.")),
    click.option(
        "--api-versions", multiple=True, metavar="API", help=tr("For a chart: an API of the cluster. Repeatable.")
    ),
    click.option("--no-tests", is_flag=True, help=tr("For a chart: leave out what only helm test runs.")),
)


def chart_options(function: F) -> F:
    """Add the options that are passed on to helm; the command gets them as one argument ``rendering``."""

    @functools.wraps(function)
    def with_one_argument(
        values: tuple[str, ...],
        set_: tuple[str, ...],
        set_string: tuple[str, ...],
        namespace: str,
        kube_version: str,
        api_versions: tuple[str, ...],
        no_tests: bool,
        **others: Any,
    ) -> Any:
        from airgap.kube.render.programs import Rendering

        rendering = Rendering(values, set_, set_string, namespace, kube_version, api_versions, no_tests)
        return function(rendering=rendering, **others)

    return _chart_options(cast("F", with_one_argument))


_walk_options = _combine(
    click.option("--strict", is_flag=True, help=tr("Name each file of a folder that cannot be read, and end with 10.")),
    click.option("--walk", is_flag=True, help=tr("Read a chart's or kustomization's folder file by file.")),
    click.option("--render", is_flag=True, help=tr("Render each chart inside of a folder once, with its own values.")),
)


context = click.option(
    "--context", metavar="NAME", default="", help=tr("With --cluster: this context of the kubeconfig.")
)

cluster_options = _combine(
    click.option("--cluster", is_flag=True, help=tr("Read what a running cluster needs, by kubectl, instead of PATH.")),
    context,
)


def cluster_scope(
    cluster: bool, context: str, paths: tuple[str, ...], rendering: Rendering
) -> tuple[ClusterScope | None, Rendering]:
    """Return what to read of the cluster, and the helm options without its namespace.

    Raises :class:`UsageError` for options that contradict each other.
    """
    if not cluster:
        if context:
            raise UsageError(tr("--context goes with --cluster"))
        return None, rendering
    if paths:
        raise UsageError(
            tr("either PATH or --cluster is read"), hint=tr("make two lists, or give what kubectl prints as PATH -")
        )
    from airgap.kube.cluster import ClusterScope

    return ClusterScope(context, rendering.namespace), replace(rendering, namespace="")


class Walking(Record):
    """The options about folders, as :func:`walk_options` passes them."""

    strict: bool
    options: WalkOptions


def walk_options(function: F) -> F:
    """Add the options about folders; the command gets them as one argument ``walking``."""

    @functools.wraps(function)
    def with_one_argument(strict: bool, walk: bool, render: bool, **others: Any) -> Any:
        from airgap.kube.walk.reader import WalkOptions

        return function(walking=Walking(strict, WalkOptions(walk, render)), **others)

    return _walk_options(cast("F", with_one_argument))


def source_connection(ca_file: str | None, plain_http: tuple[str, ...], insecure: tuple[str, ...]) -> ConnectionOptions:
    """Return the connection options of a command that only pulls, from its ``source_options``."""
    from airgap.config.connections import ConnectionOptions

    return ConnectionOptions(ca_file or "", insecure, plain_http, asked=asked_credentials(), confirm=confirm_prompt())


class TargetConnection(Record):
    """The options about the target's connection, as :func:`target_options` passes them."""

    ca_file: str | None
    plain_http: bool
    insecure: bool
    via: str
    username: str | None
    password_stdin: bool

    @property
    def given(self) -> bool:
        """Whether the user gave any of the options."""
        return any((self.ca_file, self.plain_http, self.insecure, self.via, self.username, self.password_stdin))

    def options(self, registry: str) -> ConnectionOptions:
        """Return the connection options if ``registry`` is the target.

        Reads the password from standard input, or asks for it on a terminal, if it is missing.
        """
        from airgap.config.connections import ConnectionOptions, target_credential

        password = read_password() if self.password_stdin else None
        return ConnectionOptions(
            self.ca_file or "",
            (registry,) if self.insecure else (),
            (registry,) if self.plain_http else (),
            self.via,
            target_credential(os.environ, self.username, password, registry=registry, ask=password_prompt()),
            asked=asked_credentials(),
            confirm=confirm_prompt(),
        )


def target_options(function: F) -> F:
    """Add the options about the target's connection; the command gets them as one argument ``connection``."""

    @functools.wraps(function)
    def with_one_argument(
        ca_file: str | None,
        plain_http: bool,
        insecure: bool,
        via: str,
        username: str | None,
        password_stdin: bool,
        **others: Any,
    ) -> Any:
        connection = TargetConnection(ca_file, plain_http, insecure, via, username, password_stdin)
        return function(connection=connection, **others)

    return _target_options(cast("F", with_one_argument))


def read_password() -> str:
    """Return one line of standard input, without its line end. Raises :class:`UsageError` for a terminal."""
    if sys.stdin.isatty():
        raise UsageError(
            tr("--password-stdin wants the password on standard input, and that is a terminal"),
            hint=tr('echo "$PASSWORD" | airgap … --password-stdin'),
        )
    return sys.stdin.readline().rstrip("\r\n")


def read_stdin() -> bytes:
    """Return all of standard input, for the path ``-``. Raises :class:`UsageError` for a terminal.

    Raises OverBudget past the limit of a resource file.
    """
    if sys.stdin.isatty():
        raise UsageError(
            tr("- reads standard input, and that is a terminal"), hint=tr("kubectl get deploy -o json | airgap …")
        )
    from airgap.kube.parse.budget import read_bounded

    return read_bounded(sys.stdin.buffer, "-")


def open_bundle(bundles: tuple[str, ...], password_stdin: bool, unseal: Unseal | None = None) -> BundleReader:
    """Open the bundle in a file, in standard input (``-``), in volumes, or the full one of a release folder. On a
    terminal, asks for a missing volume.

    ``unseal`` gets the key of a sealed bundle.
    """
    from airgap.bundle import open_bundle as open_

    if "-" in bundles:
        if len(bundles) > 1:
            raise UsageError(tr("standard input is one bundle, and more are named"), hint=tr("give - alone"))
        if password_stdin:
            raise UsageError(
                tr("standard input cannot be both the bundle and the password"),
                hint=tr("AIRGAP_USERNAME and AIRGAP_PASSWORD in the environment carry credentials too"),
            )
        if sys.stdin.isatty():
            raise UsageError(
                tr("- reads standard input, and that is a terminal"), hint=tr("ssh … cat bundle.tar | airgap …")
            )
    from airgap.cli.release_folder import bundle_in

    path = bundle_in(bundles[0]) if len(bundles) == 1 else bundles[0]
    return open_(path, more=bundles[1:], ask=ask_for_volume(), unseal=unseal)
