# SPDX-License-Identifier: Apache-2.0
"""Prints errors on standard error: as text, or as the last JSON line with ``--progress json``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from airgap.cli.formatting.columns import display_width
from airgap.cli.formatting.command_line import command_line
from airgap.cli.formatting.message import Message, MessageLimits, messages
from airgap.cli.printing import Line, Styled, ansi, note, note_json
from airgap.errors import AirgapError, Failures
from airgap.events import Failed, Noted, as_json
from airgap.formatting import escaped, json_text
from airgap.i18n import tr
from airgap.records import Record

_PREFIX = tr("error: ")


class ErrorReporter(Record, frozen=False):
    """Prints the errors of one run. Commands reach it as click's ``obj``.

    ``--progress json`` sets ``json``, and ``--verbose`` sets ``verbose``, which shows messages of any length.
    ``arguments`` are those of the command, which errors print if the same command continues.
    """

    json: bool = False
    verbose: bool = False
    arguments: Sequence[str] = ()

    @property
    def limits(self) -> MessageLimits:
        """How long messages on standard error may be."""
        return MessageLimits.of_terminal(verbose=self.verbose)

    def command(self, *, without: str = "") -> str:
        """Return the command that runs, as :func:`command_line` does."""
        return command_line(self.arguments, without=without) if self.arguments else ""

    def report(self, error: AirgapError) -> None:
        """Print a paragraph for each cause in ``error``, with its hint; with ``json``, one object for all errors."""
        errors = error.errors if isinstance(error, Failures) else (error,)
        if self.json:
            first, *others = errors
            more = tuple(
                {"code": other.exit_code, "what": other.what, "where": other.where, "hint": self._hint(other)}
                for other in others
            )
            self._print_json(Failed(error.exit_code, first.what, first.where, self._hint(first), more))
            return
        for message in messages(errors, verbose=self.verbose):
            self._print(message)
        if any(cause.again for cause in errors):
            note(f"  {self._continuation}")

    def report_usage_error(self, error: click.ClickException) -> None:
        """Print an error that click found in the command line, with the usage of the command as its hint."""
        context: click.Context | None = getattr(error, "ctx", None)  # click sets it where it knows the command
        name = context.command_path if context else " ".join(["airgap", *self.arguments[:1]])
        what = " ".join(error.format_message().split())
        hint = tr("{name} --help lists commands and options", name=name)
        if context:
            hint = f"{' '.join(context.get_usage().split())}; {hint}"
        if self.json:
            self._print_json(Failed(error.exit_code, what, None, hint))
        elif isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # click 8.2 and later
            note(error.format_message(), lines=True)
        else:
            self._print(Message(what, hint))

    def report_bug(self, error: Exception, debug_variable: str) -> None:
        """Print an unexpected exception. ``debug_variable`` names the environment variable that shows its traceback."""
        what = tr("this should not have happened: {name}: {error}", name=type(error).__name__, error=error)
        hint = tr("please report it; {debug_variable}=1 shows where it was", debug_variable=debug_variable)
        if self.json:
            self._print_json(Failed(1, what, None, hint))
        else:
            self._print(Message(what, hint))

    def format(self, message: AirgapError | Noted) -> str:
        """Return the text that would be printed for one error or note, without colour, with its line ends."""
        if self.json:
            event = message if isinstance(message, Noted) else self._failed(message)
            return f"{json_text(as_json(event))}\n"
        if isinstance(message, Noted):
            return f"{message.text}\n"
        lines = self._lines(Message(str(message), message.hint or ""))
        lines += [(f"  {self._continuation}",)] if message.again else []
        return click.unstyle("".join(f"{ansi(*line)}\n" for line in lines))

    @property
    def _continuation(self) -> str:
        """The line that says how to continue. A command is never shortened."""
        if command := self.command():
            return tr("to continue: {same_command}", same_command=command)
        return tr("to continue, run the same command again")

    def _hint(self, error: AirgapError) -> str | None:
        parts = (error.hint, self._continuation if error.again else "")
        return "; ".join(part for part in parts if part) or None

    def _failed(self, error: AirgapError) -> Failed:
        return Failed(error.exit_code, error.what, error.where, self._hint(error))

    def _print(self, message: Message) -> None:
        for line in self._lines(message):
            note(*line)

    def _lines(self, message: Message) -> list[Line]:
        printed = Message(escaped(message.text), escaped(message.hint))
        shown = self.limits.message(printed, used=display_width(_PREFIX))
        first: Line = (Styled(_PREFIX.rstrip(), "red", bold=True), f" {shown.text}")
        return [first, (f"  {shown.hint}",)] if shown.hint else [first]

    def _print_json(self, event: Failed) -> None:
        note_json(as_json(event))


def current_reporter() -> ErrorReporter:
    """Return the reporter of the command that runs; one with the defaults outside of a command."""
    context = click.get_current_context(silent=True)
    reporter = context.find_object(ErrorReporter) if context else None
    return reporter or ErrorReporter()
