# SPDX-License-Identifier: Apache-2.0
"""Asks for users and passwords, volumes, or yes or no, on a terminal, in one place for all commands."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airgap.cli.error_reporter import ErrorReporter, current_reporter
from airgap.cli.printing import note
from airgap.errors import AirgapError, Failures
from airgap.formatting import escaped
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.registry import Credential
    from airgap.registry.registries import Confirm

#: Seconds after which a question looks whether it is still to be answered.
_CHECK_SECONDS = 0.2

AskPassword = Callable[[str], str]
"""Gets whose password is wanted, such as ``admin at nexus.corp:8443``, and returns it."""

#: The credentials that were asked for, by registry. They are kept until the process ends, and nowhere else.
_asked: dict[str, Credential] = {}


def can_ask(reporter: ErrorReporter | None = None) -> bool:
    """Whether somebody can read a question and answer it: never with ``--progress json``, and never in a script."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not (reporter or current_reporter()).json


def password_prompt() -> AskPassword | None:
    """Return a function that asks for a password, or ``None`` where nobody can be asked."""
    return ask_password if can_ask() else None


def use_own_input() -> None:
    """Have click read visible answers by a function of ours.

    ``input`` drops the KeyboardInterrupt of a Ctrl-C that arrives while it prints the question
    (``builtin_input_impl`` of CPython clears errors of ``flush``), and then waits for an answer.
    """
    click.termui.visible_prompt_func = _read_answer


def _read_answer(question: str) -> str:
    """Ask on standard error. Raises :class:`EOFError` where there is no answer."""
    note(question.rstrip(), end=" ")
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def ask_user() -> str:
    """Ask for the name of a user. Check :func:`can_ask` first."""
    return str(click.prompt(tr("Username"), err=True))


def ask_password(owner: str) -> str:
    """Ask for the password of ``owner`` without showing it. Check :func:`can_ask` first."""
    password: str = click.prompt(escaped(tr("Password for {owner}", owner=owner)), hide_input=True, err=True)
    return password


def asked_credentials() -> Mapping[str, Credential]:
    """Return the credentials that :func:`ask_for_missing` has asked for, by registry."""
    return dict(_asked)


def ask_for_missing(error: AirgapError, reporter: ErrorReporter) -> bool:
    """Ask for the users and passwords that a command lacked, and return whether to run it again with them.

    That is so if ``error`` is nothing but :class:`airgap.registry.auth.missing.CredentialMissing`, somebody can be
    asked, and nobody was asked for these registries yet. Raises :class:`click.Abort` if the user gives up.
    """
    from airgap.registry import Credential
    from airgap.registry.auth.missing import CredentialMissing

    missing: dict[str, CredentialMissing] = {}
    for cause in error.errors if isinstance(error, Failures) else (error,):
        if not isinstance(cause, CredentialMissing) or cause.registry in _asked:
            return False
        missing[cause.registry] = cause
    if not can_ask(reporter):
        return False
    for registry, cause in missing.items():
        note(
            tr(
                "{registry} wants a user and password. They are used for this run only; to keep them: "
                "airgap login {login_arguments}",
                registry=registry,
                login_arguments=cause.login_arguments,
            )
        )
        user = ask_user()
        _asked[registry] = Credential(
            user, ask_password(tr("{username} at {registry}", username=user, registry=registry))
        )
    return True


def confirm_prompt() -> Confirm | None:
    """Return a function that asks yes or no, or ``None`` where nobody can be asked."""
    return _confirm if can_ask() else None


def _confirm(question: str, is_stopped: Callable[[], bool]) -> bool:
    """Ask until the answer is y or n. Called by any thread: Ctrl-C reaches the main one, and then ``is_stopped``."""
    while True:
        note(question, " [y/n]:", end=" ")
        while not select.select([sys.stdin], [], [], _CHECK_SECONDS)[0]:
            if is_stopped():
                return False
        answer = sys.stdin.readline()
        if answer.strip().lower() in ("y", "yes"):
            return True
        if not answer or answer.strip().lower() in ("n", "no"):
            return False


def ask_for_volume() -> Callable[[Path], Path | None] | None:
    """Return what asks the user for a volume on another medium; ``None`` where nobody can be asked."""
    return _ask_for_volume if sys.stdin.isatty() else None


def _ask_for_volume(expected: Path) -> Path | None:
    """Ask the user for a volume on another medium, and return its path; ``None`` if the user gives up."""
    note(tr("{expected} is not there.", expected=expected))
    answer = click.prompt(
        tr("Put its medium in and press Enter, or say where it lies (q gives up)"),
        default="",
        show_default=False,
        err=True,
    ).strip()
    if answer == "q":
        return None
    path = Path(answer) if answer else expected
    return path / expected.name if path.is_dir() else path
