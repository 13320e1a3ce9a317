# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor``."""

from __future__ import annotations

import click

from airgap.cli import options
from airgap.errors import UsageError


@click.command("doctor")
@click.argument("target", metavar="[TARGET]", required=False)
@click.option(
    "--explain", "text", metavar="TEXT", help="What a message of docker, kubelet, helm or Nexus means; - reads it."
)
@options.as_json
def command(target: str | None, text: str | None, as_json: bool) -> None:
    """Explain what a failed pull or push says: the cause, and the commands that mend it.

    TEXT is the message as it was printed, or all of the output around it. The address is taken from it, or from TARGET.

    \b
    airgap doctor --explain "http: server gave HTTP response to HTTPS client"
    kubectl describe pod web-0 | airgap doctor --explain -
    """
    if text is None:
        raise UsageError(
            "looking at a target is not built yet" if target else "what is to be explained?",
            hint='airgap doctor --explain "MESSAGE"',
        )
    from airgap.cli.explaining import explain

    if text == "-":
        text = options.stdin_bytes().decode("utf-8", "replace")
    explain(text, target, as_json=as_json)
