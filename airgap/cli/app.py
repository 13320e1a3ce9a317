# SPDX-License-Identifier: Apache-2.0
"""The click group of all commands; the module of a command is imported when it is called."""

from __future__ import annotations

import importlib

import click

from airgap import __version__

#: The commands in the order of ``--help``, each with its one-line help, so that ``--help`` imports none of them.
COMMANDS = {
    "images": "List the images that resource files name, and where.",
    "export": "Pull the images and write one bundle.",
    "inspect": "Show what a bundle holds.",
    "verify": "Check a bundle byte for byte.",
    "import": "Push a bundle into a registry and rewrite its YAML.",
    "rewrite": "Rewrite YAML so that its images point at a registry.",
    "inventory": "Ask a registry what it holds, for the next export.",
    "diff": "Show what changes from one bundle to the next.",
    "serve": "Serve a bundle or a layout folder as a registry.",
    "migrate": "Copy one registry into another, without a bundle.",
    "hosts": "Configure nodes so that they can pull from a registry.",
    "doctor": "Check a registry, or explain what a failed pull says.",
    "login": "Sign in to a registry and keep the credential.",
    "logout": "Forget a registry's credential.",
    "demo": "Show the whole journey on this machine.",
}


class _LazyGroup(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module_name = "import_" if name == "import" else name
        module = importlib.import_module(f"airgap.cli.commands.{module_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
            import difflib

            similar = difflib.get_close_matches(arguments[0], COMMANDS, 1)
            hint = f"Did you mean {similar[0]!r}?" if similar else "See 'airgap --help'."
            raise click.UsageError(f"No such command {arguments[0]!r}. {hint}", context)
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run 'airgap COMMAND --help' for each command's options and an example.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Carry the images that Kubernetes YAML names into a closed network.

    On a connected machine `airgap export` writes one bundle; on the far side `airgap import` pushes it into
    Nexus or any registry and writes the YAML back with its images pointing there.
    """
