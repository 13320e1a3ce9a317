# SPDX-License-Identifier: Apache-2.0
"""What was found in one file: references parsed, their spans in the file told, near misses with their reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from airgap.errors import AirgapError, InvalidReference, ResourceError, raise_all
from airgap.kube import model
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.detect.rule import TAGGED, Rule
from airgap.kube.detect.split_references import SplitPart
from airgap.kube.detect.walker import ScalarToken
from airgap.kube.model import CERTAIN, PLACEHOLDER, POSSIBLE, NearMiss, Scan, Site, SitePart
from airgap.kube.parse import scalars
from airgap.kube.parse.source import Source
from airgap.oci import Reference

#: No reference holds these; templates, variables and unfilled blanks do. ``ko://`` names source code to be built.
_PLACEHOLDER = re.compile(r"[{}$<>%]|ko://")
#: An untagged name that ends so is a picture or a disk's image.
_FILE = re.compile(r"[^:@]*\.(?:png|jpe?g|svg|gif|ico|webp|iso|qcow2|vmdk|vhdx?|img|raw)(?:\.[gx]z)?", re.IGNORECASE)


class Location(NamedTuple):
    """Where a spot stands; its path is made only when it is asked for."""

    view: DocumentView
    document: int
    path: Callable[[], str]


class SiteCollector:
    """Collects the sites, misses and errors of one file."""

    def __init__(self, root: Source, custom: CustomRules) -> None:
        self.root = root
        self.custom = custom
        self.sites: dict[tuple[int, int], Site] = {}
        self.near_misses: dict[tuple[int, str], NearMiss] = {}
        self.errors: list[AirgapError] = []
        self._used_offsets: set[int] = set()

    def result(self) -> Scan:
        """All that was found, in the order of the file; raises what must not pass."""
        raise_all(self.errors)
        sites = sorted(self.sites.values(), key=lambda site: site.spans)
        # An anchored value may be passed over where it stands and taken where an alias uses it.
        near_misses = [
            near_miss for (start, _), near_miss in self.near_misses.items() if start not in self._used_offsets
        ]
        return Scan(
            tuple(sites),
            tuple(sorted(near_misses, key=lambda near_miss: (near_miss.line, near_miss.column, near_miss.text))),
        )

    def add(
        self,
        location: Location,
        rule: Rule,
        text: str,
        split_parts: Sequence[SplitPart],
        *,
        span: tuple[int, int] | None = None,
        sure: bool = True,
        embedded: bool = False,
    ) -> None:
        """Add a site, or the reason why it is none. ``text`` is the whole reference; ``span`` is its place in the
        value of the only piece, otherwise each piece is its whole value."""
        token = split_parts[0].token
        if (reference := self._parse_reference(location, token, rule, text, embedded)) is None:
            return
        if self.custom.ignore and (reason := self.custom.ignore_reason(reference)):
            self.add_near_miss(location, token, f"ignored by airgap.yaml: {reason}", text)
            return
        parts = []
        for part in split_parts:
            site_part = self._site_part(location, part, span)
            if site_part is None:
                return
            parts.append(site_part)
        file_span = parts[0].span
        if file_span in self.sites:  # an alias of what was found where its anchor stands
            return
        line, column = self.root.line_and_column(file_span[0] - self.root.bom_length)
        self.sites[file_span] = Site(
            self.root.file,
            location.document,
            location.path(),
            line,
            column,
            tuple(parts),
            reference,
            "embedded" if embedded else rule.kind,
            rule.id,
            rule.confidence if sure else POSSIBLE,
        )

    def _parse_reference(
        self, location: Location, token: ScalarToken, rule: Rule, text: str, embedded: bool
    ) -> Reference | None:
        """The reference that ``text`` is, or ``None`` with the reason noted."""
        if ":" in text and "/" in token.value and (usual := Reference.usual(text)) is not None:
            return usual  # with a tag, port or digest it is no picture, and with a slash no number
        if _PLACEHOLDER.search(text):
            self.add_near_miss(location, token, PLACEHOLDER, text)
            return None
        if rule.confidence != CERTAIN and _FILE.fullmatch(text):
            self.add_near_miss(location, token, "its ending is that of a picture or a disk", text)
            return None
        try:
            if token.is_plain and scalars.NOT_TEXT.fullmatch(token.value):
                raise InvalidReference(f"{token.value} is no text in YAML; put it in quotes if it is meant as an image")
            reference = Reference.parse(text)
            if rule.shape == TAGGED and not re.search("[:@/]", text):
                raise InvalidReference(f"{text!r} has neither path nor tag nor digest")
        except InvalidReference as error:
            if rule.confidence == CERTAIN and not embedded:
                where = self.root.where(location.view.byte_offset_of(token.start))
                self.errors.append(ResourceError(error.what, where=where))
            else:
                self.add_near_miss(location, token, error.what, text)
            return None
        return reference

    def downgrade(self, rule: Rule) -> None:
        """All of this is what ``rule`` says, which is less: no longer an error, nor more sure than the rule."""
        self.errors.clear()
        for key, site in self.sites.items():
            self.sites[key] = site._replace(rule=rule.id, confidence=rule.confidence)

    def merge(self, other: SiteCollector) -> None:
        """Add what a document inside a value holds."""
        for key, site in other.sites.items():
            self.sites.setdefault(key, site)
        self.near_misses.update(other.near_misses)
        self.errors += other.errors
        self._used_offsets |= other._used_offsets

    def add_near_miss(self, location: Location, token: ScalarToken, reason: str, text: str | None = None) -> None:
        shown = (token.value if text is None else text).encode(errors="backslashreplace").decode()  # lone surrogates
        start = self._file_offset(location.view, token)
        if (start, shown) not in self.near_misses:
            line, column = self.root.line_and_column(start - self.root.bom_length)
            self.near_misses[start, shown] = NearMiss(self.root.file, line, column, location.path(), shown, reason)

    def _site_part(self, location: Location, part: SplitPart, span: tuple[int, int] | None) -> SitePart | None:
        token = part.token
        if part.role == model.INSERT:
            file_span = location.view.file_span(*[location.view.byte_offset_of(token.key_start)] * 2)
            scalar = model.Scalar(*file_span, "json" if token.style == "json" else "", token.flow)
            return SitePart(
                part.role,
                file_span,
                (0, 0),
                "",
                "",
                scalar,
                self.root.line(file_span[0] - self.root.bom_length),
                file_span,
            )
        scalar_view = location.view.scalar_view(token)
        if scalar_view is None:
            what = "this value is written in a way whose place in the file cannot be told; write it on one line"
            if location.view.outer is None:
                self.errors.append(
                    ResourceError(what, where=self.root.where(location.view.byte_offset_of(token.start)))
                )
            else:
                self.add_near_miss(location, token, what)
            return None
        begin, end = part.span or span or _stripped(token.value)
        local = location.view.span(scalar_view, begin, end)
        file_span = location.view.file_span(*local)
        self._used_offsets.add(self._file_offset(location.view, token))
        content = self.root.body[file_span[0] - self.root.bom_length : file_span[1] - self.root.bom_length]
        line, base = self.root.line(file_span[0] - self.root.bom_length), location.view.source.bom_length
        return SitePart(
            part.role,
            file_span,
            (begin, end),
            content.decode(),
            token.value[begin:end],
            scalar_view.scalar,
            line,
            (local[0] + base, local[1] + base),
        )

    def _file_offset(self, view: DocumentView, token: ScalarToken) -> int:
        """The byte of the file at which ``leaf`` begins; one character, or the end of the file."""
        first = view.byte_offset_of(token.start)
        if view.outer is None:
            return view.source.bom_length + first
        last = min(first + 1, len(view.source.body))
        return view.file_span(min(first, last - 1), last)[0] if last else view.file_span(0, 0)[0]


def _stripped(value: str) -> tuple[int, int]:
    lead = len(value) - len(value.lstrip())
    return lead, lead + len(value.strip())
