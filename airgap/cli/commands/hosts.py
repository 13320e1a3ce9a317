# SPDX-License-Identifier: Apache-2.0
"""``airgap hosts``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from airgap.cli import options
from airgap.cli.formatting.printable import printable
from airgap.cli.progress.display import display
from airgap.config import airgap_yaml as project
from airgap.config.connections import credential_from, target_of
from airgap.errors import UsageError
from airgap.events import Noted, Sink, Warned
from airgap.flows import hosts
from airgap.nodes import RUNTIMES, Setup, setup_for
from airgap.nodes import files as placing

_SECRET, _DAEMONSET = "pull-secret.yaml", "daemonset.yaml"


@click.command("hosts")
@click.argument("target", metavar="TARGET")
@click.option("--for", "runtime", type=click.Choice(list(RUNTIMES)), required=True, help="What pulls on the nodes.")
@click.option(
    "--from",
    "source",
    metavar="BUNDLE|RECEIPT",
    help="Mirror the registries that its images came from, so that YAML which was not rewritten pulls too.",
)
@options.mapping
@options.ca_file
@click.option("--plain-http", is_flag=True, help="Nodes speak plain HTTP to the target, as http:// before it does.")
@click.option("--insecure", is_flag=True, help="Nodes trust any certificate of the target.")
@click.option("-o", "--output", metavar="DIR", help="Write the files there, under the paths that they have on a node.")
@click.option("--root", metavar="DIR", help="Change this node itself: / or where its root is mounted.")
@click.option("--pull-secret", metavar="NAME", help="With --output: an imagePullSecret too, readable by you alone.")
@click.option("--namespace", default="default", show_default=True, help="Of the imagePullSecret.")
@click.option("--username", metavar="NAME", help="For --pull-secret; or AIRGAP_USERNAME, or airgap login.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; or AIRGAP_PASSWORD.")
@click.option(
    "--daemonset", metavar="IMAGE", help="With --output: a DaemonSet too, which lays the files on every node."
)
@click.option("--diff", is_flag=True, help="Print a unified diff and write nothing.")
@options.dry_run
@options.config
def command(
    target: str,
    runtime: str,
    source: str | None,
    mapping: str | None,
    ca_file: str | None,
    plain_http: bool,
    insecure: bool,
    output: str | None,
    root: str | None,
    pull_secret: str | None,
    namespace: str,
    username: str | None,
    password_stdin: bool,
    daemonset: str | None,
    diff: bool,
    dry_run: bool,
    config: str | None,
) -> None:
    """Configure nodes so that they can pull from TARGET. Asks no registry.

    Without --output and --root the files are printed, each under its path on a node. Files that are there are merged
    and a copy of them is kept. What must be restarted is said.

    \b
    airgap hosts http://172.25.0.84:30018 --for containerd --output nodes/
    airgap hosts https://172.25.0.84:30443 --for podman --ca-file ca.pem --root / --diff
    airgap hosts http://172.25.0.84:30018 --for containerd --from bundle.tar --mapping path -o nodes/
    """
    if output and root:
        raise click.UsageError("choose one of --output and --root")
    if (pull_secret or daemonset) and not output:
        raise click.UsageError("--pull-secret and --daemonset go with --output")
    if (username or password_stdin) and not pull_secret:
        raise click.UsageError("--username and --password-stdin go with --pull-secret")
    if mapping and not source:
        raise click.UsageError("--mapping goes with --from")
    read = project.load(config)
    goal = target_of(read, target, mapping)
    endpoint = hosts.endpoint_of(read, goal.address, plain_http=plain_http, insecure=insecure, ca_file=ca_file or "")
    moved = hosts.moved_of(source, goal, policy=mapping) if source else []
    setup = setup_for(runtime, endpoint, moved)
    with display("plain") as emit:
        for warning in setup.warnings:
            emit(Warned(warning))
        if not (output or root):
            if not (diff or dry_run):
                _print(setup)
                _tell(setup, emit)
                return
            raise UsageError("there is nothing to compare with", hint="add --output DIR, or --root / on a node itself")
        folder = Path(output or root or "")
        changes = placing.plan(setup, folder, node=bool(root))
        if pull_secret or daemonset:
            from airgap.nodes import objects

            if pull_secret:
                credential = _credential(goal.address.registry, username, password_stdin)
                content = objects.pull_secret(goal.address.registry, pull_secret, namespace, credential)
                changes.append(placing.plain(folder, _SECRET, content, secret=True))
            if daemonset:
                changes.append(placing.plain(folder, _DAEMONSET, objects.daemonset(runtime, setup.files, daemonset)))
        if diff:
            _diff(changes)
        elif dry_run:
            for change in changes:
                what = "keep" if not change.needed else "make" if change.before is None else "change"
                emit(Noted(f"would {what} {change.path}"))
        else:
            for path, backup in placing.write(changes):
                emit(Noted(f"wrote {path}" + (f"; what was there is in {backup.name}" if backup else "")))
            if not any(change.needed for change in changes):
                emit(Noted("everything is there already"))
        _tell(setup, emit)


def _print(setup: Setup) -> None:
    files = {file.path: file.content for file in setup.files if not (file.node_only or file.merged_only)}
    for name, content in {**files, **setup.snippets}.items():
        click.echo(click.style(f"# {name}", bold=True))
        click.echo(content.decode())


def _tell(setup: Setup, emit: Sink) -> None:
    for note in setup.notes:
        emit(Noted(note))
    emit(Noted(f"restart: {setup.restart}"))


def _diff(changes: Sequence[placing.Change]) -> None:
    import difflib

    for change in changes:
        if change.secret:
            if change.needed:
                click.echo(
                    f"{change.path} would {'be made' if change.before is None else 'change'} (not shown)", err=True
                )
            continue
        name = str(change.path).lstrip("/")
        before, after = ((text or b"").decode("utf-8", "replace").splitlines(keepends=True)
                         for text in (change.before, change.after))  # fmt: skip
        head = "/dev/null" if change.before is None else f"a/{name}"
        for line in difflib.unified_diff(before, after, head, f"b/{name}"):
            shown = printable(line, lines=True)
            click.echo(shown if shown.endswith("\n") else f"{shown}\n\\ No newline at end of file\n", nl=False)


def _credential(registry: str, username: str | None, password_stdin: bool) -> tuple[str, str] | None:
    """What was given for the target, else what login keeps for it; ``None`` where there is neither."""
    given = credential_from(os.environ, username, options.read_password() if password_stdin else None)
    if given is None:
        from airgap.registry import Credentials

        given = Credentials(os.environ).find(registry)
    return (given.username, given.password) if given is not None and given.username and given.password else None
