# SPDX-License-Identifier: Apache-2.0
"""Formatting of counts and sizes in messages."""

from __future__ import annotations

from airgap.i18n import plural as plural_form


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 image`` or ``2 images``. ``plural`` is for nouns whose plural is not formed with an s."""
    return plural_form(f"{{number}} {noun}", f"{{number}} {plural or f'{noun}s'}", number)


def human(count: float) -> str:
    """Return a number of bytes in decimal units: ``1.4 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
