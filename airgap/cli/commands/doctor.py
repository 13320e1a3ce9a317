# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor``."""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING

import click

from airgap.cli import options
from airgap.cli.error_reporter import current_reporter
from airgap.cli.folding import terminal_columns
from airgap.cli.formatting.columns import left
from airgap.cli.printing import Styled, note, say, say_json
from airgap.cli.prompts import ask_for_missing, asked_credentials
from airgap.errors import AirgapError, NotReady, UsageError
from airgap.i18n import tr
from airgap.records import as_dict, replace

if TYPE_CHECKING:
    from airgap.config.airgap_yaml import ProjectSettings
    from airgap.flows.doctor import Diagnosis
    from airgap.targets.doctor.fixes import SettingChange


@click.command("doctor")
@click.argument("target", metavar="[TARGET]", required=False)
@click.option(
    "--explain",
    "text",
    metavar="TEXT",
    help=tr("Explain this message of docker, kubelet, helm or Nexus; - reads standard input."),
)
@click.option(
    "--fix",
    is_flag=True,
    help=tr("Fix what an API can change: repository, connector, realm, licence, Harbor's project. Asks first."),
)
@click.option("--yes", is_flag=True, help=tr("With --fix: do not ask."))
@click.option(
    "--repository",
    metavar="NAME",
    default="docker-hosted",
    show_default=True,
    help=tr("With --fix: the hosted repository to create in Nexus, or to add a connector to."),
)
@click.option(
    "--connector",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=0,
    help=tr("With --fix: the connector's port, if a NodePort or proxy maps it to another. [default: TARGET's port]"),
)
@click.option(
    "--artifacts-to",
    multiple=True,
    metavar="FORMAT=URL",
    help=tr("Check this repository of artifacts instead of a registry. Repeatable."),
)
@options.as_json
@options.nexus
@options.target_options
@options.config
def command(
    target: str | None,
    text: str | None,
    fix: bool,
    yes: bool,
    repository: str,
    connector: int,
    artifacts_to: tuple[str, ...],
    as_json: bool,
    nexus: str,
    connection: options.TargetConnection,
    config: str | None,
) -> None:
    """Check a target and report what is wrong and how to fix it; or explain a message.

    Checks DNS, connection, TLS, registry, login (one attempt), Nexus's settings and a test upload, in this order. The
    first problem is the cause of the later ones. The exit code is 51 if there is a problem.

    TEXT is a message as it was printed, alone or within other output. The address is taken from TEXT, or from TARGET.

    \b
    airgap doctor http://10.100.0.102:32415/my-docker-image
    airgap doctor https://nexus.corp:8443 --nexus https://nexus.corp --username admin --password-stdin
    airgap doctor --explain "http: server gave HTTP response to HTTPS client"
    kubectl describe pod web-0 | airgap doctor --explain -
    """
    if text is not None:
        message = options.read_stdin().decode("utf-8", "replace") if text == "-" else text
        return _explain(message, target, as_json=as_json)
    if yes and not fix:
        raise click.UsageError(tr("--yes goes with --fix"))
    if fix and not yes and not sys.stdin.isatty():
        raise UsageError(tr("--fix asks before it changes anything, and there is nobody to ask"), hint=tr("add --yes"))

    from airgap.config.airgap_yaml import load_project
    from airgap.config.connections import open_registries, target_mapping
    from airgap.events import ignore
    from airgap.flows.doctor import DoctorRequest, examine_and_fix

    project = load_project(config)
    if artifacts_to:
        if target or fix:
            raise UsageError(
                tr("--artifacts-to checks repositories of artifacts alone"), hint=tr("leave TARGET and --fix out")
            )
        return _examine_artifacts(artifacts_to, project, nexus, connection, as_json=as_json)
    if not (target or project.target):
        raise UsageError(tr("what is to be looked at?"), hint=tr('give a TARGET, or a message: --explain "MESSAGE"'))
    mapping = target_mapping(project, target, None, plain_http=connection.plain_http)
    connection_options = connection.options(mapping.address.registry)
    request = DoctorRequest(mapping, nexus, repository, connector)
    while True:
        options_of_run = replace(connection_options, asked=asked_credentials())
        diagnosis, done_changes = examine_and_fix(
            request,
            functools.partial(open_registries, project, options_of_run, ignore, target=mapping.address),
            (lambda change: _confirm(change, yes)) if fix else lambda _: False,
        )
        if diagnosis.missing is None or not ask_for_missing(diagnosis.missing, current_reporter()):
            break
    return _report(str(mapping.address), diagnosis, done_changes, as_json=as_json, fix=fix)


def _report(target: str, diagnosis: Diagnosis, done_changes: list[SettingChange], *, as_json: bool, fix: bool) -> None:
    """Print the findings. Raises :class:`NotReady` if there is a problem."""
    if as_json:
        _print_json(target, diagnosis, done_changes)
    else:
        _print_findings(diagnosis, done_changes, fix=fix)
    problems = diagnosis.problems
    if problems:
        more = tr(", and {problems_count} more", problems_count=len(problems) - 1) if len(problems) > 1 else ""
        check = _CHECKS.get(problems[0].check, problems[0].check)
        raise NotReady(f"{check}: {problems[0].what}{more}", where=target)


def _examine_artifacts(
    artifacts_to: tuple[str, ...], project: ProjectSettings, nexus: str, connection: options.TargetConnection, *,
    as_json: bool,
) -> None:  # fmt: skip
    from airgap.cli.artifact_options import ArtifactChoice, ArtifactTargets
    from airgap.cli.commands.import_artifacts import artifact_opener, connect_to
    from airgap.config.connections import open_registries
    from airgap.events import ignore
    from airgap.flows.doctor import Diagnosis
    from airgap.flows.doctor_artifacts import examine_artifacts

    chosen = ArtifactTargets(ArtifactChoice(only=True, none=False), artifacts_to, create=False)
    targets = chosen.by_format(replace(project, artifact_targets=[]))
    connection_options = connect_to(targets, nexus, connection)
    with open_registries(project, connection_options, ignore) as registries:
        credential = connection_options.credential
        opener = artifact_opener(registries, targets, chosen, nexus, credential, "", dry_run=True)
        findings = examine_artifacts(targets, opener)
    _report(", ".join(map(str, targets.values())), Diagnosis(tuple(findings), ()), [], as_json=as_json, fix=False)


def _explain(text: str, target: str | None, *, as_json: bool) -> None:
    """Print the known messages in ``text``. Raises :class:`AirgapError` if there are none (exit code 1)."""
    from airgap.cli.formatting.explanation import explanation_json, explanation_lines
    from airgap.explain import find_matches
    from airgap.targets import TargetAddress

    if not text.strip():
        raise UsageError(tr("there is no text to explain"), hint=tr("give the message as it was printed"))
    address = TargetAddress.parse(target) if target else None
    matches = find_matches(
        text,
        host=address.registry if address else "",
        plain_http=address.plain_http if address else None,
    )
    if as_json:
        say_json([explanation_json(match) for match in matches])
    if not matches:
        raise AirgapError(
            tr("no message that airgap knows is in this text"),
            hint=tr(
                "give all of it: kubectl describe pod POD | airgap doctor --explain -, or on the node journalctl -u "
                "containerd -n 200 | airgap doctor --explain -; if it stays unknown, report that output with "
                "the versions "
                "of client and registry, without passwords"
            ),
        )
    if not as_json:
        if matches[0].certainty == "near":
            note(tr("No known message stands there word for word; these resemble it."))
        for line in explanation_lines(matches):
            say(*line)


def _confirm(change: SettingChange, yes: bool) -> bool:
    """Print a change and ask whether to make it; ``yes`` answers for the user."""
    note(tr("to do: {what}", what=change.what))
    note(f"  {change.request}")
    note(f"  {json.dumps(change.document, ensure_ascii=False)}")
    return yes or click.confirm(tr("Do it?"), default=False, err=True)


#: The word and the colour for each level of a finding.
_MARKS = {"ok": (tr("ok"), "green"), "warning": (tr("warning"), "yellow"), "problem": (tr("PROBLEM"), "red")}
#: What the checks are called. Those of formats, and Nexus's own words, have one name in all languages.
_CHECKS = {
    "name": tr("name"),
    "connection": tr("connection"),
    "protocol": tr("protocol"),
    "certificate": tr("certificate"),
    "registry": tr("registry"),
    "challenge": tr("challenge"),
    "sign-in": tr("sign-in"),
    "licence": tr("licence"),
    "writable": tr("writable"),
    "repository": tr("repository"),
    "project": tr("project"),
    "quota": tr("quota"),
    "components": tr("components"),
    "nodes": tr("nodes"),
}


#: Columns before the text of a finding: its level and the check. A terminal that has no room for them three times gets
#: hints at its margin.
_INDENT = 22


def _print_findings(diagnosis: Diagnosis, done_changes: list[SettingChange], *, fix: bool) -> None:
    for change in done_changes:
        say(tr("done: {what}", what=change.what))
    indent = " " * (_INDENT if terminal_columns(sys.stdout) not in range(1, 3 * _INDENT) else 2)
    for finding in diagnosis.findings:
        word, colour = _MARKS[finding.level]
        mark = Styled(left(word, 8), colour, bold=finding.level == "problem")
        say(mark, f" {left(_CHECKS.get(finding.check, finding.check), 12)} {finding.what}")
        if finding.hint:
            say(indent, finding.hint)
        for line in finding.run:
            say(f"{indent}  {line}")
    if diagnosis.changes and not fix:
        say()
        say(tr("--fix would {changes}", changes="; ".join(change.what for change in diagnosis.changes)))


def _print_json(target: str, diagnosis: Diagnosis, done_changes: list[SettingChange]) -> None:
    def change_json(change: SettingChange) -> dict[str, object]:
        return {"what": change.what, "request": change.request, "document": change.document}

    document = {
        "target": target,
        "ready": not diagnosis.problems,
        "findings": [as_dict(finding) for finding in diagnosis.findings],
        "done": [change_json(change) for change in done_changes],
        "changes": [change_json(change) for change in diagnosis.changes],
    }
    say_json(document)
