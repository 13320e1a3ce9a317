# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from airgap.cli import options
from airgap.cli.formatting.printable import printable
from airgap.errors import NotReady, UsageError
from airgap.records import as_dict

if TYPE_CHECKING:
    from airgap.flows.doctor import Diagnosis
    from airgap.targets.doctor.fixes import SettingChange


@click.command("doctor")
@click.argument("target", metavar="[TARGET]", required=False)
@click.option(
    "--explain", "text", metavar="TEXT", help="What a message of docker, kubelet, helm or Nexus means; - reads it."
)
@click.option(
    "--fix", is_flag=True, help="Make what an API can mend: repository, connector, realm, licence, Harbor's project."
)
@click.option("--yes", is_flag=True, help="With --fix: ask nothing.")
@click.option(
    "--repository",
    metavar="NAME",
    default="docker-hosted",
    show_default=True,
    help="With --fix: the hosted repository to make in Nexus, or to give a connector to.",
)
@click.option(
    "--connector",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=0,
    help="With --fix: its connector port, where a NodePort or proxy shows it under another. [default: TARGET's port]",
)
@options.as_json
@options.nexus
@options.target_network
@options.config
def command(
    target: str | None,
    text: str | None,
    fix: bool,
    yes: bool,
    repository: str,
    connector: int,
    as_json: bool,
    nexus: str,
    access: options.Access,
    config: str | None,
) -> None:
    """Look at a target from the outside in, and say what is wrong and how to mend it; or explain a message.

    Name, connection, certificate, registry, sign-in (tried once), Nexus's settings, and an upload that is called off:
    the first problem is the cause. Ends with 51 where there is one.

    TEXT is a message as it was printed, or all of the output around it. The address is taken from it, or from TARGET.

    \b
    airgap doctor http://10.100.0.102:32415/my-docker-image
    airgap doctor https://nexus.corp:8443 --nexus https://nexus.corp --username admin --password-stdin
    airgap doctor --explain "http: server gave HTTP response to HTTPS client"
    kubectl describe pod web-0 | airgap doctor --explain -
    """
    if text is not None:
        from airgap.cli.formatting.explanation import explain

        said = options.stdin_bytes().decode("utf-8", "replace") if text == "-" else text
        return explain(said, target, as_json=as_json)
    if yes and not fix:
        raise click.UsageError("--yes goes with --fix")
    if fix and not yes and not sys.stdin.isatty():
        raise UsageError("--fix asks before it changes anything, and there is nobody to ask", hint="add --yes")

    from airgap.config import airgap_yaml as project
    from airgap.config.connections import connect, target_of
    from airgap.events import ignore
    from airgap.flows.doctor import DoctorRequest, examine_and_fix

    read = project.load(config)
    if not (target or read.target):
        raise UsageError("what is to be looked at?", hint='give a TARGET, or a message: --explain "MESSAGE"')
    goal = target_of(read, target, None)
    network = access.network(goal.address.registry)
    request = DoctorRequest(goal, nexus, repository, connector)
    diagnosis, done = examine_and_fix(
        request,
        lambda: connect(read, network, ignore, target=goal.address),
        (lambda change: _agreed(change, yes)) if fix else lambda _: False,
    )
    if as_json:
        _json(str(goal.address), diagnosis, done)
    else:
        _print(diagnosis, done, fix=fix)
    problems = diagnosis.problems
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise NotReady(f"{problems[0].check}: {problems[0].what}{more}", where=str(goal.address))
    return None


def _agreed(change: SettingChange, yes: bool) -> bool:
    click.echo(f"to do: {printable(change.what)}", err=True)
    click.echo(f"  {change.request}", err=True)
    click.echo(f"  {printable(json.dumps(change.document, ensure_ascii=False))}", err=True)
    return yes or click.confirm("Do it?", default=False, err=True)


_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "problem": ("PROBLEM", "red")}


def _print(diagnosis: Diagnosis, done: list[SettingChange], *, fix: bool) -> None:
    for change in done:
        click.echo(f"done: {printable(change.what)}")
    for finding in diagnosis.findings:
        word, colour = _MARKS[finding.level]
        mark = click.style(f"{word:<8}", fg=colour, bold=finding.level == "problem")
        click.echo(f"{mark} {finding.check:<12} {printable(finding.what)}")
        if finding.hint:
            click.echo(f"{'':21} {printable(finding.hint)}")
        for line in finding.run:
            click.echo(f"{'':23} {printable(line)}")
    if diagnosis.changes and not fix:
        click.echo(f"\n--fix would {'; '.join(printable(change.what) for change in diagnosis.changes)}")


def _json(target: str, diagnosis: Diagnosis, done: list[SettingChange]) -> None:
    def of(change: SettingChange) -> dict[str, object]:
        return {"what": change.what, "request": change.request, "document": change.document}

    document = {
        "target": target,
        "ready": not diagnosis.problems,
        "findings": [as_dict(finding) for finding in diagnosis.findings],
        "done": [of(change) for change in done],
        "changes": [of(change) for change in diagnosis.changes],
    }
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
