# SPDX-License-Identifier: Apache-2.0
"""The command line: parses options, prints events and results, and turns errors into exit codes.

Only this package prints, exits or uses a terminal. Each command is a module of ``commands``, imported when it is
called, so that ``--version`` and ``--help`` start fast. ``formatting`` turns results into text, ``progress`` shows
events while a command runs.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from airgap import __version__


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``arguments``, by default those of the process, and exit with the code of :mod:`airgap.errors`."""
    if list(sys.argv[1:] if arguments is None else arguments) == ["--version"]:
        # Scripts often ask for the version. Importing click would take twice as long as everything else.
        with suppress(OSError, AttributeError):  # of a full disk, or without standard output, run() tells
            print(f"airgap {__version__}", flush=True)  # noqa: T201 - this package prints
            sys.stdout.flush()
            sys.exit(0)
    # Collect garbage less often: during start-up it finds none and takes 5 % of the time.
    gc.set_threshold(50_000, 20, 100)
    try:
        from airgap.cli.language import use_project_language

        use_project_language(sys.argv[1:] if arguments is None else arguments)
        from airgap.cli.run import run

        sys.exit(run(arguments))
    except KeyboardInterrupt:  # while modules are imported, before run() handles it
        sys.exit(130)
