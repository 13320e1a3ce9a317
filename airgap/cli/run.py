# SPDX-License-Identifier: Apache-2.0
"""From whatever ends a command to one clear message and an exit code; never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

import click

from airgap.cli import stopping
from airgap.cli.app import cli
from airgap.cli.errors import Teller
from airgap.errors import AirgapError, Interrupted, OutputError

DEBUG = "AIRGAP_DEBUG"


def run(arguments: Sequence[str] | None) -> int:
    """The exit code. ``AIRGAP_DEBUG=1`` shows the traceback of what should not have happened."""
    teller = Teller()
    stopping.listen(teller)
    try:
        code = cli.main(args=arguments, prog_name="airgap", standalone_mode=False, obj=teller)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        teller.usage(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _stopped(Interrupted("stopped"), teller)
    except Interrupted as error:
        return _stopped(error, teller)
    except AirgapError as error:
        return _tell(error, teller)
    except BrokenPipeError:
        _drop(sys.stdout)  # whoever read our output has had enough
        return 1
    except OSError as error:
        where = str(error.filename)[:200] if error.filename else None
        return _tell(OutputError(error.strerror or str(error), where=where), teller)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        teller.bug(error, DEBUG)
        return 1


def _stopped(error: Interrupted, teller: Teller) -> int:
    code = _tell(error, teller)
    stopping.block()
    return code


def _tell(error: AirgapError, teller: Teller) -> int:
    """Tell the error and return its exit code, which holds even where standard error cannot be written."""
    try:
        teller.tell(error)
    except OSError:
        _drop(sys.stderr)
    return error.exit_code


def _drop(stream: TextIO) -> None:
    """Python writes what is left in ``stream`` while it ends, and would complain again: send that nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
