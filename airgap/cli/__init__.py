# SPDX-License-Identifier: Apache-2.0
"""The command line: options in, events rendered, errors turned into exit codes.

The only room that prints, exits or knows a terminal. Each command is a module of its own under
``commands`` and is imported when it is called, so that ``--version`` and ``--help`` start at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and exit with its documented code (``airgap.errors``)."""
    from airgap.cli.run import run

    sys.exit(run(arguments))
