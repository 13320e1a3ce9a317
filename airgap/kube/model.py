# SPDX-License-Identifier: Apache-2.0
"""The values that this package exchanges: sites, near misses, scalars and edits.

Offsets are bytes from the beginning of the file, including a byte order mark. Lines end at LF. Lines, columns
(characters) and documents count from 1.
"""

from __future__ import annotations

from typing import NamedTuple

from airgap.i18n import tr
from airgap.oci import Reference
from airgap.records import Record

#: How sure a rule is: a typed field, a name and a shape that agree, or a shape only.
CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"
#: The reason of a near miss that is a template's or a script's placeholder.
PLACEHOLDER = tr("it holds a placeholder, so no image is named yet")


class Scalar(NamedTuple):
    """The YAML or JSON scalar that holds a site.

    ``start`` and ``end`` enclose its text with quotes, without anchor and tag. ``style`` is ``""`` (plain), ``'``,
    ``"``, ``|``, ``>`` or ``json``; ``flow`` is true inside ``[]`` or ``{}``. In an embedded document, ``outer`` is
    the scalar that holds the document, and the offsets are bytes of ``document``, that scalar's value.
    """

    start: int
    end: int
    style: str
    flow: bool
    outer: Scalar | None = None
    document: str = ""


#: The role of a site's part: the whole reference, one of its parts, the place where a new name is inserted, or a name
#: that only selects images and does not change. An organisation stands between registry and name.
WHOLE, REGISTRY, ORGANISATION, NAME, TAG, DIGEST, INSERT, SELECTOR = (
    "whole", "registry", "organisation", "name", "tag", "digest", "insert", "selector"
)  # fmt: skip


class SitePart(NamedTuple):
    """One part of a reference.

    ``text`` are the characters at ``span`` of the file, ``value`` the same with escapes and folds decoded, and
    ``value_span`` is its place in the value of ``scalar``. ``document_span`` is the span in the scalar's own document:
    equal to ``span``, unless that document is embedded.
    """

    role: str
    span: tuple[int, int]
    value_span: tuple[int, int]
    text: str
    value: str
    scalar: Scalar
    line: int
    document_span: tuple[int, int]


class Site(NamedTuple):
    """One place in a resource file that names an image.

    A reference that is split over keys has several ``parts``, the name first; ``line``, ``column``, ``text`` and
    ``path`` are those of the name. ``rule`` is the id of the rule that found it.
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
        """The span of each part in the file."""
        return tuple(part.span for part in self.parts)

    @property
    def text(self) -> str:
        """The text of the first part in the file."""
        return self.parts[0].text

    @property
    def value(self) -> str:
        """The first part with escapes and folds decoded."""
        return self.parts[0].value

    @property
    def value_span(self) -> tuple[int, int]:
        """The place of the first part in its scalar's value."""
        return self.parts[0].value_span

    @property
    def scalar(self) -> Scalar:
        """The scalar that holds the first part."""
        return self.parts[0].scalar


class NearMiss(Record):
    """A value that looks like an image or has an image's place, and is not taken; ``reason`` is text for the user.

    ``certain`` is true for a value in a typed field of images that is no reference.
    """

    file: str
    line: int
    column: int
    path: str
    text: str
    reason: str
    certain: bool = False


class Scan(Record):
    """The sites and near misses of one file, in the order of the file."""

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
    """The new content of a file, and the edits that revert it."""

    content: bytes
    edits: tuple[Edit, ...]
