# SPDX-License-Identifier: Apache-2.0
"""The command of this run, written so that a shell runs it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from airgap.formatting import quoted

#: An address with a user in it, and ``--set KEY=VALUE`` of a chart whose key names a secret.
_SECRET = re.compile(r"://[^/@\s]+@|(pass|secret|token|credential|key)[^=]*=", re.IGNORECASE)
#: Options that would discard what the run has kept.
_DISCARDING = ("--restart",)


def command_line(arguments: Sequence[str], *, without: str = "") -> str:
    """Return the command, without the option ``without`` and its value.

    Empty if it cannot be pasted: it reads standard input, writes to standard output, or has a secret or an unprintable
    name in it.
    """
    kept = [argument for argument in _without(arguments, without) if argument not in _DISCARDING]
    if "-" in kept or not "".join(kept).isprintable() or any(_SECRET.search(argument) for argument in kept):
        return ""
    command = " ".join(["airgap", *map(quoted, kept)])
    return f'echo "$PASSWORD" | {command}' if "--password-stdin" in kept else command


def _without(arguments: Sequence[str], option: str) -> Iterator[str]:
    is_value = False
    for argument in arguments:
        if is_value:
            is_value = False
        elif option and argument == option:
            is_value = True
        elif not (option and argument.startswith(f"{option}=")):
            yield argument
