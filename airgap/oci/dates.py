# SPDX-License-Identifier: Apache-2.0
"""Moments as image configs and registries write them (RFC 3339, ISO 8601, HTTP dates), always in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def read(text: str) -> datetime | None:
    """A moment in UTC, or ``None`` for what says none. A day is its first moment; fractions beyond microseconds, as
    Go writes them, are cut."""
    if not 0 < len(text) <= 64:
        return None
    plain = re.sub(r"\.(\d{1,6})\d*", lambda match: f".{match[1].ljust(6, '0')}", text.strip())
    plain = re.sub(r"[Zz]$", "+00:00", plain)
    plain = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", plain) if "T" in plain else plain
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        try:
            found = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
    aware = found.replace(tzinfo=timezone.utc) if found.tzinfo is None else found
    try:
        return aware.astimezone(timezone.utc)
    except OverflowError:
        return None
