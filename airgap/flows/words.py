# SPDX-License-Identifier: Apache-2.0
"""Numbers as people say them, for what flows and commands tell."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 image``, ``2 images``; ``plural`` where it is not made by an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def human(count: float) -> str:
    """``1.4 GB``: decimal units, as disks and media are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
