# SPDX-License-Identifier: Apache-2.0
"""The line of text that an event is shown as."""

from __future__ import annotations

import click

from airgap.cli.formatting.message import MessageLimits
from airgap.cli.formatting.printable import printable
from airgap.cli.formatting.summary import summary
from airgap.events import Event, Finished, ImageFailed, Noted, Retrying, Warned
from airgap.i18n import tr


def event_text(event: Event, limits: MessageLimits) -> str:
    """Return the line for ``event``, with colours; an empty string for an event that is not shown.

    A text that is longer than ``limits`` allow is cut.
    """
    if isinstance(event, Noted):
        return limits.line(printable(event.text))
    if isinstance(event, Warned):
        return warning_text(event.text, limits)
    if isinstance(event, Retrying):
        return limits.line(
            tr(
                "trying again in {delay:.1f} s ({what}: {reason})",
                delay=event.delay,
                what=printable(event.what),
                reason=printable(event.reason),
            )
        )
    if isinstance(event, ImageFailed):
        return f"{click.style('failed:', fg='red')} {limits.line(printable(event.reason), used=8)}"
    if isinstance(event, Finished):
        return printable(summary(event), lines=True)
    return ""


def warning_text(text: str, limits: MessageLimits) -> str:
    """Return the line for a warning."""
    return f"{click.style('warning:', fg='yellow')} {limits.line(printable(text), used=9)}"
