# SPDX-License-Identifier: Apache-2.0
"""``airgap hosts``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from airgap.artifacts.formats import CLIENTS
from airgap.cli import options
from airgap.cli.formatting.unified_diff import unified_diff
from airgap.cli.printing import Styled, note, say
from airgap.cli.progress.display import open_display
from airgap.cli.prompts import password_prompt
from airgap.cli.release_folder import bundle_in
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import target_credential, target_mapping
from airgap.errors import UsageError
from airgap.events import Noted, Sink, Warned
from airgap.flows import hosts
from airgap.flows.clients import client_setup
from airgap.i18n import tr
from airgap.nodes import RUNTIMES, Create, NodeSetup, setup_for
from airgap.nodes.files import FileChange, new_file, plan_changes, write_changes
from airgap.records import replace

_PULL_SECRET_FILE, _DAEMONSET_FILE = "pull-secret.yaml", "daemonset.yaml"


@click.command("hosts")
@click.argument("target", metavar="TARGET")
@click.option(
    "--for",
    "runtime",
    type=click.Choice([*RUNTIMES, *CLIENTS]),
    required=True,
    help=tr("The container runtime of the nodes, or a client of another format; TARGET is then its repository."),
)
@click.option(
    "--from",
    "source",
    metavar="BUNDLE|RECEIPT",
    help=tr("Also mirror the registries of its images, so that nodes can pull by the original names."),
)
@options.mapping
@options.ca_file
@click.option("--plain-http", is_flag=True, help=tr("Nodes use plain HTTP for the target, like http:// before it."))
@click.option("--insecure", is_flag=True, help=tr("Nodes do not verify the target's certificate."))
@click.option(
    "-o", "--output", metavar="DIR", help=tr("Write the files into this folder, under their paths on a node.")
)
@click.option("--root", metavar="DIR", help=tr("Change this node: / or the folder where its root is mounted."))
@click.option(
    "--pull-secret", metavar="NAME", help=tr("With --output: also write an imagePullSecret, readable only by you.")
)
@click.option("--namespace", default="default", show_default=True, help=tr("Namespace of the imagePullSecret."))
@click.option(
    "--username", metavar="NAME", help=tr("User for --pull-secret. [default: AIRGAP_USERNAME, or airgap login]")
)
@click.option("--password-stdin", is_flag=True, help=tr("Read the password from standard input; or AIRGAP_PASSWORD."))
@click.option(
    "--daemonset",
    metavar="IMAGE",
    help=tr("With --output: also write a DaemonSet that copies the files to every node."),
)
@click.option("--diff", is_flag=True, help=tr("Print a unified diff and write nothing."))
@options.dry_run
@options.config
def command(
    target: str,
    runtime: str,
    source: str | None,
    policy: str | None,
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
    """Configure nodes so that they can pull from TARGET. Sends no requests to it.

    Without --output and --root, the files are printed, each with its path on a node. Existing files are merged, and a
    copy of them is kept. The last line says what must be restarted.

    \b
    airgap hosts http://172.25.0.84:30018 --for containerd --output nodes/
    airgap hosts https://172.25.0.84:30443 --for podman --ca-file ca.pem --root / --diff
    airgap hosts http://172.25.0.84:30018 --for containerd --from bundle.tar --mapping path -o nodes/
    airgap hosts http://172.25.0.84:8081/repository/pypi-hosted --for pip --root /
    """
    if output and root:
        raise click.UsageError(tr("choose one of --output and --root"))
    if (pull_secret or daemonset) and not output:
        raise click.UsageError(tr("--pull-secret and --daemonset go with --output"))
    if (username or password_stdin) and not pull_secret:
        raise click.UsageError(tr("--username and --password-stdin go with --pull-secret"))
    if policy and not source:
        raise click.UsageError(tr("--mapping goes with --from"))
    if runtime in CLIENTS:
        if source or ca_file or plain_http or insecure or pull_secret or daemonset:
            raise click.UsageError(
                tr(
                    "--from, --ca-file, --plain-http, --insecure, --pull-secret and --daemonset "
                    "are for container runtimes"
                )
            )
        setup, mapping = client_setup(runtime, target), None
    else:
        project = load_project(config)
        mapping = target_mapping(project, target, policy, plain_http=plain_http)
        endpoint = hosts.pull_endpoint(
            project, mapping.address, plain_http=plain_http, insecure=insecure, ca_file=ca_file or ""
        )
        mirrors = hosts.mirrors_from_file(bundle_in(source), mapping, policy=policy) if source else []
        setup = setup_for(runtime, endpoint, mirrors)
    with open_display("plain") as emit:
        for warning in setup.warnings:
            emit(Warned(warning))
        if not (output or root):
            if not (diff or dry_run):
                _print_files(setup)
                _print_notes(setup, emit, on_node=False)
                return
            raise UsageError(
                tr("there is nothing to compare with"), hint=tr("add --output DIR, or --root / on a node itself")
            )
        folder = Path(output or root or "")
        changes = plan_changes(setup, folder, on_node=bool(root))
        if mapping is not None and (pull_secret or daemonset):
            from airgap.nodes import objects

            if pull_secret:
                credential = _pull_credential(mapping.address.registry, username, password_stdin)
                login = replace(mapping.address, prefix="").argument
                content = objects.pull_secret(
                    mapping.address.registry, pull_secret, namespace, credential, login_address=login
                )
                changes.append(new_file(folder, _PULL_SECRET_FILE, content, secret=True))
            if daemonset:
                changes.append(new_file(folder, _DAEMONSET_FILE, objects.daemonset(runtime, setup.files, daemonset)))
        if diff:
            _print_diff(changes)
        elif dry_run:
            for change in changes:
                if not change.needed:
                    text = tr("would keep {path}", path=change.path)
                elif change.before is None:
                    text = tr("would make {path}", path=change.path)
                else:
                    text = tr("would change {path}", path=change.path)
                emit(Noted(text))
        else:
            for path, backup in write_changes(changes):
                emit(
                    Noted(
                        tr("wrote {path}", path=path)
                        + (tr("; what was there is in {name}", name=backup.name) if backup else "")
                    )
                )
            if not any(change.needed for change in changes):
                emit(Noted(tr("everything is there already")))
        _print_notes(setup, emit, on_node=bool(root))


def _print_files(setup: NodeSetup) -> None:
    files = {file.path: file.content for file in setup.files if file.create is Create.ALWAYS}
    for name, content in {**files, **setup.snippets}.items():
        say(Styled(f"# {name}", bold=True))
        say(content.decode(), lines=True)


def _print_notes(setup: NodeSetup, emit: Sink, *, on_node: bool) -> None:
    for text in setup.notes if on_node else (*setup.copying_notes, *setup.notes):
        emit(Noted(text))
    if setup.restart:
        emit(Noted(tr("restart: {restart}", restart=setup.restart)))


def _print_diff(changes: Sequence[FileChange]) -> None:
    for change in changes:
        if change.secret:
            if change.needed:
                note(
                    tr(
                        "{path} would {change} (not shown)",
                        path=change.path,
                        change=tr("be made") if change.before is None else tr("change"),
                    )
                )
            continue
        for line in unified_diff(str(change.path).lstrip("/"), change.before, change.after):
            say(line, lines=True, end="")


def _pull_credential(registry: str, username: str | None, password_stdin: bool) -> tuple[str, str] | None:
    """User and password from the options, else those that login saved; ``None`` without either."""
    password = options.read_password() if password_stdin else None
    credential = target_credential(os.environ, username, password, registry=registry, ask=password_prompt())
    if credential is None:
        from airgap.registry import Credentials

        credential = Credentials(os.environ).find(registry)
    if credential is None or not credential.username or not credential.password:
        return None
    return credential.username, credential.password
