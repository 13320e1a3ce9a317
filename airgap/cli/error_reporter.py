# SPDX-License-Identifier: Apache-2.0
"""How an error is told, on standard error: in words, or as the last JSON line where the command tells everything so."""

from __future__ import annotations

import json

import click

from airgap.cli.formatting.printable import printable
from airgap.errors import AirgapError, Failures
from airgap.events import Failed, Noted, as_json
from airgap.records import Record


class Teller(Record, frozen=False):
    """One run's way of telling errors; commands find it as click's ``obj``. ``json`` follows ``--progress json``."""

    json: bool = False

    def tell(self, error: AirgapError) -> None:
        """One paragraph for each error: where and what, then the next step; or one object with all of them."""
        errors = error.errors if isinstance(error, Failures) else (error,)
        if self.json:
            first, *rest = errors
            more = tuple(
                {"code": one.exit_code, "what": one.what, "where": one.where, "hint": one.hint} for one in rest
            )
            self._line(Failed(error.exit_code, first.what, first.where, first.hint, more))
            return
        for one in errors:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {printable(str(one))}", err=True)
            if one.hint:
                click.echo(f"  {printable(one.hint)}", err=True)

    def usage(self, error: click.ClickException) -> None:
        """What click itself found wrong with the command line."""
        if self.json:
            self._line(Failed(error.exit_code, error.format_message(), None, None))
        else:
            error.show()

    def bug(self, error: Exception, debug: str) -> None:
        """An exception that nobody foresaw."""
        what = f"this should not have happened: {type(error).__name__}: {error}"
        hint = f"please report it; {debug}=1 shows where it was"
        if self.json:
            self._line(Failed(1, what, None, hint))
        else:
            click.echo(f"error: {printable(what)}\n  {hint}", err=True)

    def line(self, what: AirgapError | Noted) -> str:
        """A single error or note as the text that is written, without colour and with its line ends."""
        if self.json:
            event = Failed(what.exit_code, what.what, what.where, what.hint) if isinstance(what, AirgapError) else what
            return f"{json.dumps(as_json(event), ensure_ascii=False)}\n"
        if isinstance(what, Noted):
            return f"{what.text}\n"
        return f"error: {printable(str(what))}\n" + (f"  {printable(what.hint)}\n" if what.hint else "")

    def _line(self, event: Failed) -> None:
        click.echo(json.dumps(as_json(event), ensure_ascii=False), err=True)
