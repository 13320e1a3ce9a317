# SPDX-License-Identifier: Apache-2.0
"""Counts and sizes as people read them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 image``, ``2 images``; ``plural`` where it is not the noun with an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def human(count: float) -> str:
    """A number of bytes in decimal units, as disks are sold: ``1.4 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
