# SPDX-License-Identifier: Apache-2.0
"""Which tags are wanted: by patterns of names, by date, the newest of each repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from airgap.errors import UsageError
from airgap.flows.migrate.registry_view import Tag
from airgap.oci import dates
from airgap.records import Record

#: Tags by which signatures and the like are found: ``sha256-…`` alone (the specification's), or with a suffix (cosign).
_COMPANION = re.compile(r"(sha256)-([0-9a-f]{64})(\..+)?")
#: Builders that want the same bytes each time write a date from before images were.
_NO_DATE_BEFORE = datetime(1981, 1, 1, tzinfo=timezone.utc)


class Pattern(Record):
    """``REPOSITORY[:TAG]``; ``*`` is one or more path elements or a part of one, in a tag any characters."""

    text: str

    @property
    def repository(self) -> str:
        return self.text.partition(":")[0]

    @property
    def literal(self) -> bool:
        """Whether it names one repository."""
        return "*" not in self.repository

    def takes_repository(self, name: str) -> bool:
        expression = re.escape(self.repository).replace(r"\*", "[^/]+(?:/[^/]+)*")
        return re.fullmatch(expression, name) is not None

    def takes(self, name: str, tag: str) -> bool:
        wanted = self.text.partition(":")[2]
        expression = re.escape(wanted).replace(r"\*", ".*") if wanted else ".*"
        return self.takes_repository(name) and re.fullmatch(expression, tag) is not None


class Choice(Record):
    """No ``include`` is everything; ``exclude`` wins. ``newest`` 0 is all of them."""

    include: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    newest: int = 0
    since: datetime | None = None

    @classmethod
    def of(cls, include: Iterable[str], exclude: Iterable[str], newest: int, since: str | None) -> Choice:
        """Raise :class:`UsageError` for a pattern or a date that is none."""
        for text in (*include, *exclude):
            if not re.fullmatch(r"[^:\s]+(:[^:\s]+)?", text):
                raise UsageError(
                    f"{text!r} is no pattern",
                    hint="REPOSITORY or REPOSITORY:TAG, with * for one or more path elements: 'team/*', '*:v1.*'",
                )
        day = dates.parse(since) if since else None
        if since and day is None:
            raise UsageError(f"--since {since[:40]!r} is no date", hint="write it as 2026-01-31 or 2026-01-31T12:00Z")
        return cls(tuple(map(Pattern, include)), tuple(map(Pattern, exclude)), newest, day)

    @property
    def needs_dates(self) -> bool:
        return bool(self.newest or self.since)

    def takes_repository(self, name: str) -> bool:
        """Whether any tag of it may be wanted."""
        if any(":" not in one.text and one.takes_repository(name) for one in self.exclude):
            return False
        return not self.include or any(one.takes_repository(name) for one in self.include)

    def takes(self, name: str, tag: str) -> bool:
        """What only accompanies an image is judged by its repository; :meth:`narrow` asks for its image then."""
        if subject_of(tag):
            return self.takes_repository(name)
        if any(one.takes(name, tag) for one in self.exclude):
            return False
        return not self.include or any(one.takes(name, tag) for one in self.include)

    @property
    def _by_tag(self) -> bool:
        return self.needs_dates or any(":" in one.text for one in (*self.include, *self.exclude))

    def narrow(self, tags: Sequence[Tag]) -> tuple[list[Tag], list[Tag]]:
        """Of one repository's tags those that are wanted, and among them those kept because nothing tells their date.

        What only accompanies an image (``sha256-….sig``) goes where the image goes, and counts for nothing.
        """
        if not self._by_tag:
            return list(tags), []
        images = [tag for tag in tags if not subject_of(tag.name)]
        dated = [tag for tag in images if tag.date is not None]
        undated = [tag for tag in images if tag.date is None]
        if not self.needs_dates:
            dated, undated = images, []
        kept = [tag for tag in dated if self.since is None or (tag.date is not None and tag.date >= self.since)]
        if self.newest:
            # Tags of one image have one date: its name decides then, the higher version first.
            kept.sort(key=lambda tag: (tag.date or _NO_DATE_BEFORE, _natural(tag.name)), reverse=True)
            kept = kept[: self.newest]
        kept += undated
        digests = {tag.digest for tag in kept}
        companions = [tag for tag in tags if (subject := subject_of(tag.name)) and subject in digests]
        return [*kept, *companions], undated


def subject_of(tag: str) -> str:
    """The digest that a tag such as ``sha256-<hex>.sig`` speaks of; empty for other tags."""
    match = _COMPANION.fullmatch(tag)
    return f"{match[1]}:{match[2]}" if match else ""


def lists_referrers(tag: str) -> bool:
    """Whether this is the tag under which a registry without the referrers API lists them."""
    match = _COMPANION.fullmatch(tag)
    return match is not None and not match[3]


def meant(moment: datetime | None) -> datetime | None:
    """``None`` for a date that only stands for having none."""
    return moment if moment is None or moment >= _NO_DATE_BEFORE else None


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(1, int(part)) if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part]
