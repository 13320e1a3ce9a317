# SPDX-License-Identifier: Apache-2.0
"""The filters of ``airgap migrate``: patterns of names, a date, and the newest tags of each repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from airgap.errors import UsageError
from airgap.flows.migrate.registry_view import Tag
from airgap.i18n import tr
from airgap.oci import dates
from airgap.oci.signature_tags import subject_digest
from airgap.records import Record

#: Reproducible builds write a date near the Unix epoch, which says nothing about the image's age.
_EARLIEST_DATE = datetime(1981, 1, 1, tzinfo=timezone.utc)


class TagPattern(Record):
    """``REPOSITORY[:TAG]``. ``*`` matches one or more path elements or a part of one; in a tag, any characters."""

    text: str

    @property
    def repository(self) -> str:
        """The part before the tag."""
        return self.text.partition(":")[0]

    @property
    def has_tag(self) -> bool:
        """Whether the pattern also restricts the tag."""
        return ":" in self.text

    @property
    def is_literal(self) -> bool:
        """Whether the pattern names exactly one repository."""
        return "*" not in self.repository

    def matches_repository(self, name: str) -> bool:
        """Whether the pattern matches a repository, whatever the tag."""
        expression = re.escape(self.repository).replace(r"\*", "[^/]+(?:/[^/]+)*")
        return re.fullmatch(expression, name) is not None

    def matches(self, name: str, tag: str) -> bool:
        """Whether the pattern matches a tag of a repository."""
        tag_pattern = self.text.partition(":")[2]
        expression = re.escape(tag_pattern).replace(r"\*", ".*") if tag_pattern else ".*"
        return self.matches_repository(name) and re.fullmatch(expression, tag) is not None


class TagFilter(Record):
    """Which tags to migrate. An empty ``include`` matches everything; ``exclude`` wins over it.

    ``newest`` is the number of tags to keep of each repository, 0 for all.
    """

    include: tuple[TagPattern, ...] = ()
    exclude: tuple[TagPattern, ...] = ()
    newest: int = 0
    since: datetime | None = None

    @classmethod
    def parse(cls, include: Iterable[str], exclude: Iterable[str], newest: int, since: str | None) -> TagFilter:
        """Make a filter of command-line values. Raises :class:`UsageError` for an invalid pattern or date."""
        for text in (*include, *exclude):
            if not re.fullmatch(r"[^:\s]+(:[^:\s]+)?", text):
                raise UsageError(
                    tr("{text!r} is no pattern", text=text),
                    hint=tr("REPOSITORY or REPOSITORY:TAG, with * for one or more path elements: 'team/*', '*:v1.*'"),
                )
        day = dates.parse(since) if since else None
        if since and day is None:
            raise UsageError(
                tr("--since {since!r} is no date", since=since[:40]),
                hint=tr("write it as 2026-01-31 or 2026-01-31T12:00Z"),
            )
        return cls(tuple(map(TagPattern, include)), tuple(map(TagPattern, exclude)), newest, day)

    @property
    def needs_dates(self) -> bool:
        """Whether :meth:`select` needs the dates of the tags."""
        return bool(self.newest or self.since)

    def matches_repository(self, name: str) -> bool:
        """Whether the filter may match a tag of this repository."""
        if any(not pattern.has_tag and pattern.matches_repository(name) for pattern in self.exclude):
            return False
        return not self.include or any(pattern.matches_repository(name) for pattern in self.include)

    def matches(self, name: str, tag: str) -> bool:
        """Whether the patterns match a tag. Of a referrer's tag only the repository counts here: :meth:`select` later
        keeps it together with its image."""
        if subject_digest(tag):
            return self.matches_repository(name)
        if any(pattern.matches(name, tag) for pattern in self.exclude):
            return False
        return not self.include or any(pattern.matches(name, tag) for pattern in self.include)

    def select(self, tags: Sequence[Tag]) -> tuple[list[Tag], list[Tag]]:
        """The tags of one repository to migrate, and those of them that are kept only because they have no date.

        Referrers' tags (``sha256-….sig``) are kept together with their images and do not count for ``newest``.
        """
        if not self.needs_dates and not any(pattern.has_tag for pattern in (*self.include, *self.exclude)):
            return list(tags), []
        selected = [tag for tag in tags if not subject_digest(tag.name)]
        undated: list[Tag] = []
        if self.needs_dates:
            undated = [tag for tag in selected if tag.date is None]
            selected = [tag for tag in selected if tag.date is not None and (not self.since or tag.date >= self.since)]
        if self.newest:
            # Tags of one image have the same date: the higher version counts as newer.
            selected.sort(key=lambda tag: (tag.date or _EARLIEST_DATE, _version_key(tag.name)), reverse=True)
            selected = selected[: self.newest]
        selected += undated
        digests = {tag.digest for tag in selected} - {""}
        return [*selected, *(tag for tag in tags if subject_digest(tag.name) in digests)], undated


def is_referrers_tag(tag: str) -> bool:
    """Whether a tag lists an image's referrers (distribution-spec "Referrers Tag Schema")."""
    return bool(subject_digest(tag)) and "." not in tag


def real_date(date: datetime | None) -> datetime | None:
    """The date, or ``None`` for the placeholder date of a reproducible build."""
    return date if date is None or date >= _EARLIEST_DATE else None


def _version_key(name: str) -> list[tuple[int, int | str]]:
    return [(1, int(part)) if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part]
