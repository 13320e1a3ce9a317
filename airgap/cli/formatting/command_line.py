# SPDX-License-Identifier: Apache-2.0
"""The command of this run, written so that a shell runs it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from airgap.formatting import quoted

#: An address with a user in it.
_USER = re.compile(r"://[^/@\s]+@")
#: What the key of ``--set KEY=VALUE`` has in it where the value is a secret of a chart.
_SECRET_KEY = re.compile(r"pass|secret|token|credential|key", re.IGNORECASE)
#: Options that would discard what the run has kept.
_DISCARDING = ("--restart",)


def command_line(arguments: Sequence[str], *, without: str = "") -> str:
    """Return the command, without the option ``without`` and its value.

    Empty if it cannot be pasted: it reads standard input, writes to standard output, or has a secret or an unprintable
    name in it.
    """
    kept = [argument for argument in _without(arguments, without) if argument not in _DISCARDING]
    if "-" in kept or not "".join(kept).isprintable() or any(map(_has_secret, kept)):
        return ""
    command = " ".join(["airgap", *map(quoted, kept)])
    return f'echo "$PASSWORD" | {command}' if "--password-stdin" in kept else command


def _has_secret(argument: str) -> bool:
    keys, _, _ = argument.rpartition("=")
    return _USER.search(argument) is not None or _SECRET_KEY.search(keys) is not None


def _without(arguments: Sequence[str], option: str) -> Iterator[str]:
    is_value = False
    for argument in arguments:
        if is_value:
            is_value = False
        elif option and argument == option:
            is_value = True
        elif not (option and argument.startswith(f"{option}=")):
            yield argument
