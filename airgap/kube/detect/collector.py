# SPDX-License-Identifier: Apache-2.0
"""What was found in one file: references parsed, their spans in the file told, near misses with their reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from airgap.errors import AirgapError, InvalidReference, ResourceError, raise_all
from airgap.kube import model
from airgap.kube.detect.custom_rules import Custom
from airgap.kube.detect.document_view import Text
from airgap.kube.detect.rule import TAGGED, Rule
from airgap.kube.detect.split_references import Piece
from airgap.kube.detect.walker import Leaf
from airgap.kube.model import CERTAIN, PLACEHOLDER, POSSIBLE, Miss, Part, Scan, Site
from airgap.kube.parse import scalars
from airgap.kube.parse.source import Source
from airgap.oci import Reference

#: No reference holds these; templates, variables and unfilled blanks do. ``ko://`` names source code to be built.
_PLACEHOLDER = re.compile(r"[{}$<>%]|ko://")
#: An untagged name that ends so is a picture or a disk's image.
_FILE = re.compile(r"[^:@]*\.(?:png|jpe?g|svg|gif|ico|webp|iso|qcow2|vmdk|vhdx?|img|raw)(?:\.[gx]z)?", re.IGNORECASE)


class Place(NamedTuple):
    """Where a spot stands; its path is made only when it is asked for."""

    text: Text
    document: int
    path: Callable[[], str]


class Finds:
    """Collects the sites, misses and errors of one file."""

    def __init__(self, root: Source, custom: Custom) -> None:
        self.root = root
        self.custom = custom
        self.sites: dict[tuple[int, int], Site] = {}
        self.misses: dict[tuple[int, str], Miss] = {}
        self.errors: list[AirgapError] = []
        self._taken: set[int] = set()

    def verdict(self) -> Scan:
        """All that was found, in the order of the file; raises what must not pass."""
        raise_all(self.errors)
        sites = sorted(self.sites.values(), key=lambda site: site.spans)
        # An anchored value may be passed over where it stands and taken where an alias uses it.
        misses = [miss for (start, _), miss in self.misses.items() if start not in self._taken]
        return Scan(tuple(sites), tuple(sorted(misses, key=lambda miss: (miss.line, miss.column, miss.text))))

    def take(
        self,
        place: Place,
        rule: Rule,
        text: str,
        pieces: Sequence[Piece],
        *,
        span: tuple[int, int] | None = None,
        sure: bool = True,
        embedded: bool = False,
    ) -> None:
        """Add a site, or the reason why it is none. ``text`` is the whole reference; ``span`` is its place in the
        value of the only piece, otherwise each piece is its whole value."""
        leaf = pieces[0].leaf
        if (reference := self._parsed(place, leaf, rule, text, embedded)) is None:
            return
        if self.custom.ignore and (why := self.custom.ignored(reference)):
            self.miss(place, leaf, f"ignored by airgap.yaml: {why}", text)
            return
        parts = []
        for piece in pieces:
            part = self._part(place, piece, span)
            if part is None:
                return
            parts.append(part)
        at = parts[0].span
        if at in self.sites:  # an alias of what was found where its anchor stands
            return
        line, column = self.root.place(at[0] - self.root.base)
        self.sites[at] = Site(
            self.root.file,
            place.document,
            place.path(),
            line,
            column,
            tuple(parts),
            reference,
            "embedded" if embedded else rule.kind,
            rule.id,
            rule.confidence if sure else POSSIBLE,
        )

    def _parsed(self, place: Place, leaf: Leaf, rule: Rule, text: str, embedded: bool) -> Reference | None:
        """The reference that ``text`` is, or ``None`` with the reason noted."""
        if ":" in text and "/" in leaf.value and (usual := Reference.parse_common(text)) is not None:
            return usual  # with a tag, port or digest it is no picture, and with a slash no number
        if _PLACEHOLDER.search(text):
            self.miss(place, leaf, PLACEHOLDER, text)
            return None
        if rule.confidence != CERTAIN and _FILE.fullmatch(text):
            self.miss(place, leaf, "its ending is that of a picture or a disk", text)
            return None
        try:
            if leaf.is_plain and scalars.NOT_TEXT.fullmatch(leaf.value):
                raise InvalidReference(f"{leaf.value} is no text in YAML; put it in quotes if it is meant as an image")
            reference = Reference.parse(text)
            if rule.shape == TAGGED and not re.search("[:@/]", text):
                raise InvalidReference(f"{text!r} has neither path nor tag nor digest")
        except InvalidReference as error:
            if rule.confidence == CERTAIN and not embedded:
                where = self.root.where(place.text.byte(leaf.start))
                self.errors.append(ResourceError(error.what, where=where))
            else:
                self.miss(place, leaf, error.what, text)
            return None
        return reference

    def weaken(self, rule: Rule) -> None:
        """All of this is what ``rule`` says, which is less: no longer an error, nor more sure than the rule."""
        self.errors.clear()
        for key, site in self.sites.items():
            self.sites[key] = site._replace(rule=rule.id, confidence=rule.confidence)

    def merge(self, other: Finds) -> None:
        """Add what a document inside a value holds."""
        for key, site in other.sites.items():
            self.sites.setdefault(key, site)
        self.misses.update(other.misses)
        self.errors += other.errors
        self._taken |= other._taken

    def miss(self, place: Place, leaf: Leaf, reason: str, text: str | None = None) -> None:
        shown = (leaf.value if text is None else text).encode(errors="backslashreplace").decode()  # lone surrogates
        start = self._begin(place.text, leaf)
        if (start, shown) not in self.misses:
            line, column = self.root.place(start - self.root.base)
            self.misses[start, shown] = Miss(self.root.file, line, column, place.path(), shown, reason)

    def _part(self, place: Place, piece: Piece, span: tuple[int, int] | None) -> Part | None:
        leaf = piece.leaf
        if piece.role == model.INSERT:
            at = place.text.up(*[place.text.byte(leaf.key_start)] * 2)
            scalar = model.Scalar(*at, "json" if leaf.style == "json" else "", leaf.flow)
            return Part(piece.role, at, (0, 0), "", "", scalar, self.root.line(at[0] - self.root.base), at)
        read = place.text.read(leaf)
        if read is None:
            what = "this value is written in a way whose place in the file cannot be told; write it on one line"
            if place.text.outer is None:
                self.errors.append(ResourceError(what, where=self.root.where(place.text.byte(leaf.start))))
            else:
                self.miss(place, leaf, what)
            return None
        begin, end = piece.span or span or _stripped(leaf.value)
        local = place.text.span(read, begin, end)
        at = place.text.up(*local)
        self._taken.add(self._begin(place.text, leaf))
        content = self.root.body[at[0] - self.root.base : at[1] - self.root.base]
        line, base = self.root.line(at[0] - self.root.base), place.text.source.base
        return Part(
            piece.role,
            at,
            (begin, end),
            content.decode(),
            leaf.value[begin:end],
            read.scalar,
            line,
            (local[0] + base, local[1] + base),
        )

    def _begin(self, text: Text, leaf: Leaf) -> int:
        """The byte of the file at which ``leaf`` begins; one character, or the end of the file."""
        first = text.byte(leaf.start)
        if text.outer is None:
            return text.source.base + first
        last = min(first + 1, len(text.source.body))
        return text.up(min(first, last - 1), last)[0] if last else text.up(0, 0)[0]


def _stripped(value: str) -> tuple[int, int]:
    lead = len(value) - len(value.lstrip())
    return lead, lead + len(value.strip())
