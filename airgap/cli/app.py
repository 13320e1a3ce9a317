# SPDX-License-Identifier: Apache-2.0
"""The click group of all commands; the module of a command is imported when it is called."""

from __future__ import annotations

import importlib
import inspect
import os

import click

from airgap import __version__
from airgap.cli.error_reporter import ErrorReporter
from airgap.cli.formatting.help import TerminalFormatter
from airgap.cli.printing import say
from airgap.i18n import tr

#: The commands in the order of ``--help``, each with its one-line help, so that ``--help`` imports none of them.
COMMANDS = {
    "init": tr("Write a commented airgap.yaml for a folder."),
    "images": tr("List the images that resource files name, and where."),
    "export": tr("Pull the images and write one bundle."),
    "release": tr("Make one folder with all that a version needs to cross."),
    "inspect": tr("Show the contents of a bundle, or an image at a registry."),
    "verify": tr("Check a bundle byte for byte."),
    "repair": tr("Make lost and damaged volumes again from parity."),
    "expand": tr("Make the plain bundle of a recoded one."),
    "scan": tr("Scan everything in a bundle for malware, file by file."),
    "import": tr("Push a bundle into a registry and rewrite its YAML."),
    "keygen": tr("Make a key to sign bundles with."),
    "sign": tr("Sign a bundle with a key or a certificate."),
    "trust": tr("Add, list or remove the keys that are trusted here."),
    "dossier": tr("Write what an office reads before it approves a bundle."),
    "approve": tr("Sign the dossier of a bundle, and so approve it."),
    "history": tr("List what was imported, and check that list."),
    "rewrite": tr("Rewrite YAML so that its images point at a registry."),
    "inventory": tr("List what a registry has, for the next export."),
    "prune": tr("Delete from a registry what no kept release needs."),
    "diff": tr("Show what changes from one bundle to the next."),
    "serve": tr("Serve a bundle or a layout folder as a registry."),
    "migrate": tr("Copy one registry into another, without a bundle."),
    "hosts": tr("Configure nodes so that they can pull from a registry."),
    "prove": tr("Prove that nodes would get every image."),
    "doctor": tr("Check a registry, or explain the message of a failed pull."),
    "login": tr("Sign in to a registry and save the credential."),
    "logout": tr("Remove the saved credential of a registry."),
    "state": tr("List or remove what stopped runs left for the next one."),
    "completion": tr("Print a completion script for bash, zsh or fish."),
    "demo": tr("Run the whole procedure on this machine."),
}


def _set_verbose(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and isinstance(context.obj, ErrorReporter):
        context.obj.verbose = True


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    if isinstance(context.obj, ErrorReporter) and context.obj.verbose:
        from airgap.cli.formatting.versions import version_lines

        for line in version_lines():
            say(line)
    else:
        say(f"airgap {__version__}")
    context.exit()


def _verbose_option() -> click.Option:
    """``--verbose``, which every command has: what a message of four lines has no room for is printed too."""
    return click.Option(
        ["--verbose"],
        is_flag=True,
        is_eager=True,  # so that errors in other options are already reported in full
        expose_value=False,
        callback=_set_verbose,
        help=tr("Print messages in full, and each failure by itself."),
    )


#: Set by the completion scripts when they ask for completions.
_COMPLETING = "_AIRGAP_COMPLETE"
#: The metavars of parameters that take a path; other words of the shell cannot be completed.
_FILES = {"RELEASE", "PATH", "BUNDLE", "RECEIPT", "LAYOUT", "FILE", "PEM", "OLD", "NEW", "KEY", "PUB"}
_FOLDERS = {"DIR"}


def _complete_paths(command: click.Command) -> None:
    """Give every parameter that takes a path a type by which shells complete file names."""
    for parameter in command.params:
        kinds = {word.strip("[].") for word in (parameter.metavar or "").split("|")}
        if parameter.type is click.STRING and kinds & (_FILES | _FOLDERS):
            parameter.type = click.Path(file_okay=not kinds <= _FOLDERS)


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
        if all(parameter.name != "verbose" for parameter in command.params):
            command.params.append(_verbose_option())
        if _COMPLETING in os.environ:
            _complete_paths(command)
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
        with formatter.section(tr("Commands")):
            formatter.write_dl(list(COMMANDS.items()))

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        self.help = tr(inspect.cleandoc(self.help or ""))
        super().format_help_text(context, formatter)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=tr("Run 'airgap COMMAND --help' for each command's options and an example."),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=False,  # so that --verbose has its effect wherever it stands
    expose_value=False,
    callback=_print_version,
    help=tr("Print the version; with --verbose also those of everything that airgap is made of."),
)
def cli() -> None:
    """Carry the images that Kubernetes YAML names into a closed network.

    On a connected machine, `airgap export` pulls the images and writes one bundle. In the closed network, `airgap
    import` pushes it into Nexus or any registry, and writes the YAML with the new image addresses.
    """


cli.params.append(_verbose_option())
click.Context.formatter_class = TerminalFormatter
