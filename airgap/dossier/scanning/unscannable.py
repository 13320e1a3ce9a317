# SPDX-License-Identifier: Apache-2.0
"""What cannot be scanned, and why."""

from __future__ import annotations

from typing import Literal

from airgap.errors import ContentError

#: Why something was not scanned: it exceeds a limit of the engine, is encrypted, is an archive in too many others, is
#: no archive that can be unpacked, exceeds a limit of this program, or the engine failed with it.
Reason = Literal["too-large", "encrypted", "too-deep", "damaged", "limit", "engine"]


class Unscannable(ContentError):
    """This file cannot be scanned."""

    def __init__(self, reason: Reason, what: str) -> None:
        super().__init__(what)
        self.reason = reason

    @classmethod
    def content(cls, reason: Reason, what: str) -> _Refused:
        """Return the content of an entry that raises this error when it is read."""
        return _Refused(cls(reason, what))


class _Refused:
    def __init__(self, error: Unscannable) -> None:
        self._error = error

    def read(self, count: int, /) -> bytes:
        raise self._error
