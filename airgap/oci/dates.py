# SPDX-License-Identifier: Apache-2.0
"""Dates as image configs and registries write them: RFC 3339, ISO 8601 and HTTP dates."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def parse(text: str) -> datetime | None:
    """Parse a date and time; return it in UTC, or ``None`` if ``text`` is not a date.

    A day without a time is its midnight. Fractions finer than microseconds, as Go writes them, are cut off.
    """
    if not 0 < len(text) <= 64:
        return None
    normalized = re.sub(r"\.(\d{1,6})\d*", lambda match: f".{match[1].ljust(6, '0')}", text.strip())
    normalized = re.sub(r"[Zz]$", "+00:00", normalized)
    normalized = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", normalized) if "T" in normalized else normalized
    try:
        moment = datetime.fromisoformat(normalized)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
    aware = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment
    try:
        return aware.astimezone(timezone.utc)
    except OverflowError:
        return None
