# SPDX-License-Identifier: Apache-2.0
"""Prints errors on standard error: as text, or as the last JSON line with ``--progress json``."""

from __future__ import annotations

import json

import click

from airgap.cli.formatting.printable import printable
from airgap.errors import AirgapError, Failures
from airgap.events import Failed, Noted, as_json
from airgap.i18n import tr
from airgap.records import Record


class ErrorReporter(Record, frozen=False):
    """Prints the errors of one run. Commands reach it as click's ``obj``; ``--progress json`` sets ``json``."""

    json: bool = False

    def report(self, error: AirgapError) -> None:
        """Print a paragraph for each error of ``error``, with its hint; with ``json``, one object for all."""
        errors = error.errors if isinstance(error, Failures) else (error,)
        if self.json:
            first, *others = errors
            more = tuple(
                {"code": other.exit_code, "what": other.what, "where": other.where, "hint": other.hint}
                for other in others
            )
            self._print_json(Failed(error.exit_code, first.what, first.where, first.hint, more))
            return
        for single_error in errors:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {printable(str(single_error))}", err=True)
            if single_error.hint:
                click.echo(f"  {printable(single_error.hint)}", err=True)

    def report_usage_error(self, error: click.ClickException) -> None:
        """Print an error that click found in the command line."""
        if self.json:
            self._print_json(Failed(error.exit_code, error.format_message(), None, None))
        else:
            error.show()

    def report_bug(self, error: Exception, debug_variable: str) -> None:
        """Print an unexpected exception. ``debug_variable`` names the environment variable that shows its traceback."""
        what = tr("this should not have happened: {name}: {error}", name=type(error).__name__, error=error)
        hint = tr("please report it; {debug_variable}=1 shows where it was", debug_variable=debug_variable)
        if self.json:
            self._print_json(Failed(1, what, None, hint))
        else:
            click.echo(tr("error: {what}\n  {hint}", what=printable(what), hint=hint), err=True)

    def format(self, message: AirgapError | Noted) -> str:
        """Return the text that would be printed for one error or note, without colour, with its line ends."""
        if self.json:
            event = message if isinstance(message, Noted) else _failed(message)
            return f"{json.dumps(as_json(event), ensure_ascii=False)}\n"
        if isinstance(message, Noted):
            return f"{message.text}\n"
        return tr("error: {message}\n", message=printable(str(message))) + (
            f"  {printable(message.hint)}\n" if message.hint else ""
        )

    def _print_json(self, event: Failed) -> None:
        click.echo(json.dumps(as_json(event), ensure_ascii=False), err=True)


def _failed(error: AirgapError) -> Failed:
    return Failed(error.exit_code, error.what, error.where, error.hint)
