# SPDX-License-Identifier: Apache-2.0
"""The line of text that an event is shown as."""

from __future__ import annotations

import click

from airgap.cli.formatting.printable import printable
from airgap.cli.formatting.summary import summary
from airgap.events import Event, Finished, ImageFailed, Noted, Retrying, Warned
from airgap.i18n import tr


def event_text(event: Event) -> str:
    """Return the line for ``event``, with colours; an empty string for an event that is not shown."""
    if isinstance(event, Noted):
        return printable(event.text)
    if isinstance(event, Warned):
        return f"{click.style('warning:', fg='yellow')} {printable(event.text)}"
    if isinstance(event, Retrying):
        return tr(
            "trying again in {delay:.1f} s ({what}: {reason})",
            delay=event.delay,
            what=printable(event.what),
            reason=printable(event.reason),
        )
    if isinstance(event, ImageFailed):
        return f"{click.style('failed:', fg='red')} {printable(event.reason)}"
    if isinstance(event, Finished):
        return printable(summary(event))
    return ""
