# SPDX-License-Identifier: Apache-2.0
"""Asks for a password, or yes or no, on a terminal, in one place for all commands."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from airgap.cli.error_reporter import current_reporter
from airgap.cli.printing import note
from airgap.formatting import escaped
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.registry.registries import Confirm

#: Seconds after which a question looks whether it is still to be answered.
_CHECK_SECONDS = 0.2

AskPassword = Callable[[str], str]
"""Gets whose password is wanted, such as ``admin at nexus.corp:8443``, and returns it."""


def can_ask() -> bool:
    """Whether somebody can read a question and answer it: never with ``--progress json``, and never in a script."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not current_reporter().json


def password_prompt() -> AskPassword | None:
    """Return a function that asks for a password, or ``None`` where nobody can be asked."""
    return ask_password if can_ask() else None


def ask_password(owner: str) -> str:
    """Ask for the password of ``owner`` without showing it. Check :func:`can_ask` first."""
    password: str = click.prompt(escaped(tr("Password for {owner}", owner=owner)), hide_input=True, err=True)
    return password


def confirm_prompt() -> Confirm | None:
    """Return a function that asks yes or no, or ``None`` where nobody can be asked."""
    return _confirm if can_ask() else None


def _confirm(question: str, is_stopped: Callable[[], bool]) -> bool:
    """Ask until the answer is y or n. Called by any thread: Ctrl-C reaches the main one, and then ``is_stopped``."""
    while True:
        note(question, " [y/n]")
        while not select.select([sys.stdin], [], [], _CHECK_SECONDS)[0]:
            if is_stopped():
                return False
        answer = sys.stdin.readline()
        if answer.strip().lower() in ("y", "yes"):
            return True
        if not answer or answer.strip().lower() in ("n", "no"):
            return False
