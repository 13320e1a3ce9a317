# SPDX-License-Identifier: Apache-2.0
"""Runs a command line; turns whatever ends it into one message and an exit code, never into a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from airgap import limits
from airgap.cli import click_words, printing, stopping
from airgap.cli.app import cli
from airgap.cli.error_reporter import ErrorReporter
from airgap.cli.prompts import ask_for_missing, use_own_input
from airgap.errors import AirgapError, Failures, Interrupted, OutputError, Unauthorized
from airgap.i18n import tr

DEBUG_VARIABLE = "AIRGAP_DEBUG"


def run(arguments: Sequence[str] | None) -> int:
    """Run ``arguments``, by default those of the process, and return the exit code.

    With ``AIRGAP_DEBUG=1`` an unexpected exception is raised instead of reported.
    """
    reporter = ErrorReporter(arguments=tuple(sys.argv[1:] if arguments is None else arguments))
    stopping.listen(reporter)
    try:
        limits.use_environment(os.environ)
        click_words.use_language()
        use_own_input()
        printing.prepare()
        code = _run_command(arguments, reporter)
        printing.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        reporter.report_usage_error(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _report_interrupted(Interrupted(tr("stopped")), reporter)
    except Interrupted as error:
        return _report_interrupted(error, reporter)
    except AirgapError as error:
        return _report(error, reporter)
    except SystemExit:  # click's own way to end where the reader of --help is gone
        return 0
    except OSError as error:
        where = str(error.filename)[:200] if error.filename else None
        return _report(OutputError(error.strerror or str(error), where=where), reporter)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        reporter.report_bug(error, DEBUG_VARIABLE)
        return 1


def _run_command(arguments: Sequence[str] | None, reporter: ErrorReporter) -> object:
    """Run a command; if it lacks users and passwords, ask for them on a terminal and run it again."""
    while True:
        try:
            return cli.main(args=arguments, prog_name="airgap", standalone_mode=False, obj=reporter)
        except (Unauthorized, Failures) as error:
            if not ask_for_missing(error, reporter):
                raise


def _report_interrupted(error: Interrupted, reporter: ErrorReporter) -> int:
    code = _report(error, reporter)
    stopping.block()
    return code


def _report(error: AirgapError, reporter: ErrorReporter) -> int:
    """Report the error and return its exit code, even if standard error cannot be written."""
    try:
        reporter.report(error)
    except (OSError, OutputError):
        printing.discard(sys.stderr)
    return error.exit_code
