# SPDX-License-Identifier: Apache-2.0
"""The click group of all commands; the module of a command is imported when it is called."""

from __future__ import annotations

import importlib
import inspect

import click

from airgap import __version__
from airgap.i18n import tr

#: The commands in the order of ``--help``, each with its one-line help, so that ``--help`` imports none of them.
COMMANDS = {
    "images": tr("List the images that resource files name, and where."),
    "export": tr("Pull the images and write one bundle."),
    "inspect": tr("Show what a bundle holds."),
    "verify": tr("Check a bundle byte for byte."),
    "import": tr("Push a bundle into a registry and rewrite its YAML."),
    "rewrite": tr("Rewrite YAML so that its images point at a registry."),
    "inventory": tr("Ask a registry what it holds, for the next export."),
    "diff": tr("Show what changes from one bundle to the next."),
    "serve": tr("Serve a bundle or a layout folder as a registry."),
    "migrate": tr("Copy one registry into another, without a bundle."),
    "hosts": tr("Configure nodes so that they can pull from a registry."),
    "doctor": tr("Check a registry, or explain what a failed pull says."),
    "login": tr("Sign in to a registry and keep the credential."),
    "logout": tr("Forget a registry's credential."),
    "demo": tr("Show the whole journey on this machine."),
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
        command.help = tr(inspect.cleandoc(command.help or ""))
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
            import difflib

            similar = difflib.get_close_matches(arguments[0], COMMANDS, 1)
            hint = tr("Did you mean {similar!r}?", similar=similar[0]) if similar else tr("See 'airgap --help'.")
            raise click.UsageError(
                tr("No such command {arguments!r}. {hint}", arguments=arguments[0], hint=hint), context
            )
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        self.help = tr(inspect.cleandoc(self.help or ""))
        super().format_help_text(context, formatter)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=tr("Run 'airgap COMMAND --help' for each command's options and an example."),
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Carry the images that Kubernetes YAML names into a closed network.

    On a connected machine `airgap export` writes one bundle; on the far side `airgap import` pushes it into
    Nexus or any registry and writes the YAML back with its images pointing there.
    """
