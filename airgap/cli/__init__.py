# SPDX-License-Identifier: Apache-2.0
"""The command line: options in, events rendered, errors turned into exit codes.

The only room that prints, exits or knows a terminal. Each command is a module of its own under
``commands`` and is imported when it is called, so that ``--version`` and ``--help`` start at once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import NoReturn

from airgap import __version__


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and exit with its documented code (``airgap.errors``)."""
    if list(sys.argv[1:] if arguments is None else arguments) == ["--version"]:
        # Scripts ask often; importing click would take twice as long as all the rest.
        print(f"airgap {__version__}")  # noqa: T201 - this room is the one that prints
        sys.exit(0)
    # Modules are objects that stay: looking through them for garbage again and again is a twentieth of start-up.
    gc.set_threshold(50_000, 20, 100)
    try:
        from airgap.cli.run import run

        sys.exit(run(arguments))
    except KeyboardInterrupt:  # while modules are still being read
        sys.exit(130)
