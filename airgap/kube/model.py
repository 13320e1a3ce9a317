# SPDX-License-Identifier: Apache-2.0
"""The words of this room: sites, near misses, scalars and changes. Plain values, no parsing.

All offsets are bytes from the beginning of the file, a byte order mark included; lines end at LF and
count from 1, columns count characters from 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from airgap.oci import Reference

#: How sure a rule is: a typed field; name and shape agree; shape only.
CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"


@dataclass(frozen=True, slots=True)
class Scalar:
    """The YAML or JSON scalar that holds a site, as it stands in the file.

    ``start``/``end`` enclose its text without anchor and tag, quotes included. ``style`` is ``""`` (plain),
    ``'``, ``"``, ``|``, ``>`` or ``json``; ``flow`` says that it stands inside ``[]`` or ``{}``.
    """

    start: int
    end: int
    style: str
    flow: bool


@dataclass(frozen=True, slots=True)
class Site:
    """One place in a resource file that names an image.

    ``text`` is what stands at ``spans`` (one span today; a reference split over keys has several), ``value`` the
    same with escapes and folds undone, ``value_span`` its place in the scalar's value. Documents count from 1.
    """

    file: str
    document: int
    path: str
    line: int
    column: int
    spans: tuple[tuple[int, int], ...]
    value_span: tuple[int, int]
    text: str
    value: str
    reference: Reference
    kind: str
    rule: str
    confidence: str
    scalar: Scalar


@dataclass(frozen=True, slots=True)
class Miss:
    """Something that stands where an image could, or looks like one, and was not taken; ``reason`` in words."""

    file: str
    line: int
    column: int
    path: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What one file holds, sites in the order of the file."""

    sites: tuple[Site, ...]
    misses: tuple[Miss, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One splice: at byte ``offset`` of the *new* content stands ``after`` where ``before`` stood."""

    file: str
    line: int
    offset: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The new content, and what turns it back."""

    content: bytes
    changes: tuple[Change, ...]
