# SPDX-License-Identifier: Apache-2.0
"""Asks for a password on a terminal, in one place for all commands."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from airgap.cli.error_reporter import current_reporter
from airgap.formatting import escaped
from airgap.i18n import tr

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
