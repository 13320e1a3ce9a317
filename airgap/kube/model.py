# SPDX-License-Identifier: Apache-2.0
"""The words of this room: sites, near misses, scalars and changes. Plain values, no parsing.

All offsets are bytes from the beginning of the file, a byte order mark included; lines end at LF and
count from 1, columns count characters from 1.
"""

from __future__ import annotations

from typing import NamedTuple

from airgap.oci import Reference
from airgap.records import Record

#: How sure a rule is: a typed field; name and shape agree; shape only.
CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"
#: Why a template's or a variable's place was not taken.
PLACEHOLDER = "it holds a placeholder, so no image is named yet"


class Scalar(NamedTuple):
    """The YAML or JSON scalar that holds a site, as it stands in the file.

    ``start``/``end`` enclose its text without anchor and tag, quotes included. ``style`` is ``""`` (plain),
    ``'``, ``"``, ``|``, ``>``, ``json``, or ``text`` for a value that is read line by line; ``flow`` says that it
    stands inside ``[]`` or ``{}``. Inside a document that is itself a value, ``outer`` is the scalar that holds the
    document and the offsets are bytes of ``document``, that scalar's value.
    """

    start: int
    end: int
    style: str
    flow: bool
    outer: Scalar | None = None
    document: str = ""


#: What a part of a reference is: all of it, one of its pieces, the place where a new name
#: is put in, or a name that only selects and stays.
WHOLE, REGISTRY, NAME, TAG, DIGEST, INSERT, SELECTOR = (
    "whole", "registry", "name", "tag", "digest", "insert", "selector"
)  # fmt: skip


class SitePart(NamedTuple):
    """One piece of a reference: ``text`` is what stands at ``span`` of the file, ``value`` the same with escapes and
    folds undone, ``value_span`` its place in ``scalar``'s value."""

    role: str
    span: tuple[int, int]
    value_span: tuple[int, int]
    text: str
    value: str
    scalar: Scalar
    line: int
    #: The span in the scalar's own document: the same as ``span`` unless that is a value itself.
    local: tuple[int, int]


class Site(NamedTuple):
    """One place in a resource file that names an image.

    A reference that is split over keys has several ``parts``, the one that holds the name first; ``line``,
    ``column``, ``text`` and ``path`` are that one's. Documents count from 1.
    """

    file: str
    document: int
    path: str
    line: int
    column: int
    parts: tuple[SitePart, ...]
    reference: Reference
    kind: str
    rule: str
    confidence: str

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        return tuple(part.span for part in self.parts)

    @property
    def text(self) -> str:
        return self.parts[0].text

    @property
    def value(self) -> str:
        return self.parts[0].value

    @property
    def value_span(self) -> tuple[int, int]:
        return self.parts[0].value_span

    @property
    def scalar(self) -> Scalar:
        return self.parts[0].scalar


class NearMiss(Record):
    """Something that stands where an image could, or looks like one, and was not taken; ``reason`` in words."""

    file: str
    line: int
    column: int
    path: str
    text: str
    reason: str


class Scan(Record):
    """What one file holds, sites in the order of the file."""

    sites: tuple[Site, ...]
    misses: tuple[NearMiss, ...]


class Edit(Record):
    """One replaced span of a file: ``before`` became ``after``, at byte ``offset`` of the *new* content."""

    file: str
    line: int
    offset: int
    before: str
    after: str


class Rewritten(Record):
    """The new content, and what turns it back."""

    content: bytes
    edits: tuple[Edit, ...]
