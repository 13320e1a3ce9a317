# SPDX-License-Identifier: Apache-2.0
"""What every step of one run shares."""

from __future__ import annotations

from airgap.events import Noted, Sink, Warned, ignore
from airgap.records import Record, field
from airgap.transfer.pool import CancelToken, Jobs


class Context(Record):
    """How many requests run at once, where events go, and how the run is cancelled.

    Made once for each command and passed to every flow and step.
    """

    jobs: Jobs = Jobs()
    emit: Sink = ignore
    cancel: CancelToken = field(default_factory=CancelToken)

    def note(self, text: str) -> None:
        """Emit ``text`` as a step of the work."""
        self.emit(Noted(text))

    def warn(self, text: str) -> None:
        """Emit ``text`` as a warning."""
        self.emit(Warned(text))
