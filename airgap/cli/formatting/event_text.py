# SPDX-License-Identifier: Apache-2.0
"""The line of text that an event is shown as, as parts for :func:`airgap.cli.printing.note`."""

from __future__ import annotations

from airgap.cli.formatting.message import MessageLimits
from airgap.cli.formatting.summary import summary
from airgap.cli.printing import Line, Styled
from airgap.events import Event, Finished, ImageFailed, Noted, Retrying, Warned
from airgap.formatting import escaped
from airgap.i18n import tr


def event_text(event: Event, limits: MessageLimits) -> Line:
    """Return the line for ``event``; nothing for an event that is not shown. Only that of a result has line ends.

    A text that is longer than ``limits`` allow is cut.
    """
    if isinstance(event, Noted):
        return (limits.line(escaped(event.text)),)
    if isinstance(event, Warned):
        return warning_text(event.text, limits)
    if isinstance(event, Retrying):
        text = tr(
            "trying again in {delay:.1f} s ({what}: {reason})", delay=event.delay, what=event.what, reason=event.reason
        )
        return (limits.line(escaped(text)),)
    if isinstance(event, ImageFailed):
        return failure_text(event.reason, limits)
    if isinstance(event, Finished):
        return (summary(event),)
    return ()


def failure_text(text: str, limits: MessageLimits) -> Line:
    """Return the line for an image that failed."""
    return Styled("failed:", "red"), f" {limits.line(escaped(text), used=8)}"


def warning_text(text: str, limits: MessageLimits) -> Line:
    """Return the line for a warning."""
    return Styled("warning:", "yellow"), f" {limits.line(escaped(text), used=9)}"
