# SPDX-License-Identifier: Apache-2.0
"""From whatever ends a command to one clear message and an exit code; never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from airgap.cli import stopping
from airgap.cli.app import cli
from airgap.cli.telling import Teller
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
        teller.tell(error)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = str(error.filename)[:200] if error.filename else None
        teller.tell(OutputError(error.strerror or str(error), where=where))
        return OutputError.exit_code
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        teller.bug(error, DEBUG)
        return 1


def _stopped(error: Interrupted, teller: Teller) -> int:
    teller.tell(error)
    stopping.block()
    return error.exit_code
