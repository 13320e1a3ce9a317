# SPDX-License-Identifier: Apache-2.0
"""Collect what a scan finds in one file: sites with their spans, near misses with their reasons, and errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from airgap.errors import AirgapError, InvalidReference, ResourceError, raise_all
from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.detect.nodes import ScalarToken
from airgap.kube.detect.rule import QUALIFIED, Rule
from airgap.kube.detect.split_references import SplitPart
from airgap.kube.detect.walker import Candidate
from airgap.kube.model import CERTAIN, PLACEHOLDER, POSSIBLE, NearMiss, Scan, Site, SitePart
from airgap.kube.parse import scalars
from airgap.kube.parse.budget import MISS, SITE, Budget
from airgap.kube.parse.source import Source
from airgap.oci import Reference

#: Characters of templates and variables, which no reference has; ``ko://`` names source code to build.
_PLACEHOLDER = re.compile(r"[{}$<>%]|ko://")
#: An untagged name with such an ending is a picture or a disk image.
_FILE = re.compile(r"[^:@]*\.(?:png|jpe?g|svg|gif|ico|webp|iso|qcow2|vmdk|vhdx?|img|raw)(?:\.[gx]z)?", re.IGNORECASE)


#: Anything but white space.
_VISIBLE = re.compile(r"\S")
#: A tuple of a named type without the call of its constructor, for the types of which a file gives thousands.
_tuple = tuple.__new__


class ScannedDocument(Protocol):
    """The document that a find stands in. Its paths are asked for only where one is needed."""

    view: DocumentView

    def path(self, candidate: Candidate) -> str:
        """Return the candidate's path in the file."""
        ...


class SiteCollector:
    """The sites, near misses and errors of one file, whose bytes are ``root``.

    Without ``strict``, a value in a certain place that is no reference is a near miss and no error.
    """

    def __init__(self, root: Source, custom: CustomRules, budget: Budget, *, strict: bool = True) -> None:
        self.root = root
        self.custom = custom
        self.budget = budget
        self.strict = strict
        self.sites: dict[tuple[int, int], Site] = {}
        self.near_misses: dict[tuple[int, str], NearMiss] = {}
        self.errors: list[AirgapError] = []
        #: The offsets in the file of scalars that hold nothing but a site.
        self._whole_scalars: set[int] = set()

    def result(self) -> Scan:
        """Return everything in the order of the file. Raises the collected errors."""
        raise_all(self.errors)
        sites = [self.sites[span] for span in sorted(self.sites)]
        # An anchored value may be a near miss at its anchor and a site at an alias.
        near_misses: list[NearMiss] = []
        if self.near_misses:
            used = self._whole_scalars | {part.span[0] for site in sites for part in site.parts}
            near_misses = [miss for (start, _), miss in self.near_misses.items() if start not in used]
        near_misses.sort(key=lambda miss: (miss.line, miss.column, miss.text))
        return Scan(tuple(sites), tuple(near_misses))

    def add(
        self,
        document: ScannedDocument,
        candidate: Candidate,
        rule: Rule,
        text: str,
        common: Reference | None,
        parts: Sequence[SplitPart],
        sure: bool,
        embedded: bool,
    ) -> None:
        """Add a site, or a near miss or an error if ``text``, the whole reference, is not acceptable.

        ``common`` is what :meth:`Reference.parse_common` made of ``text``.
        """
        token = parts[0].token
        # With a tag, port or digest it is not a picture, and with a slash it is not a number.
        reference = common if ":" in text and "/" in token.value else None
        if reference is None:
            reference = self._parse_reference(document, candidate, token, rule, text, embedded)
        if reference is None:
            return
        if self.custom.ignore and (reason := self.custom.ignore_reason(reference)):
            ignored = tr("ignored by airgap.yaml: {reason}", reason=reason)
            self.add_near_miss(document, candidate, token, ignored, text)
            return
        first = self._site_part(document, candidate, parts[0])
        if first is None:
            return
        site_parts: tuple[SitePart, ...] = (first,)
        for part in parts[1:]:
            site_part = self._site_part(document, candidate, part)
            if site_part is None:
                return
            site_parts += (site_part,)
        root, file_span = self.root, first.span
        if file_span in self.sites:  # an alias of a site at its anchor
            return
        line, column = root.line_and_column(file_span[0] - root.bom_length)
        self.budget.keep(SITE * len(site_parts), root.last_where)
        fields = (
            root.file, candidate.document, document.path(candidate), line, column, site_parts, reference,
            "embedded" if embedded else rule.kind, rule.id, rule.confidence if sure else POSSIBLE,
        )  # fmt: skip
        self.sites[file_span] = _tuple(Site, fields)

    def _parse_reference(
        self, document: ScannedDocument, candidate: Candidate, token: ScalarToken, rule: Rule, text: str, embedded: bool
    ) -> Reference | None:
        """Parse ``text``; if it is not acceptable, add a near miss or an error and return ``None``."""
        if _PLACEHOLDER.search(text):
            self.add_near_miss(document, candidate, token, PLACEHOLDER, text)
            return None
        if rule.confidence != CERTAIN and _FILE.fullmatch(text):
            self.add_near_miss(document, candidate, token, tr("its ending is that of a picture or a disk"), text)
            return None
        try:
            if token.is_plain and scalars.NOT_TEXT.fullmatch(token.value):
                raise InvalidReference(
                    tr("{value} is no text in YAML; put it in quotes if it is meant as an image", value=token.value)
                )
            reference = Reference.parse(text)
            if rule.shape == QUALIFIED and not re.search("[:@/]", text):
                raise InvalidReference(tr("{text!r} has neither path nor tag nor digest", text=text))
        except InvalidReference as error:
            if rule.confidence != CERTAIN or embedded:
                self.add_near_miss(document, candidate, token, error.what, text)
            elif self.strict:
                self._add_error(document.view, token, error.what, error.hint)
            else:
                self.add_near_miss(document, candidate, token, error.what, text, certain=True)
            return None
        return reference

    def downgrade(self, rule: Rule) -> None:
        """Give all sites ``rule`` and its confidence, and drop the errors."""
        self.errors.clear()
        for key, site in self.sites.items():
            self.sites[key] = site._replace(rule=rule.id, confidence=rule.confidence)

    def merge(self, other: SiteCollector) -> None:
        """Add everything that ``other`` collected in an embedded document."""
        for key, site in other.sites.items():
            self.sites.setdefault(key, site)
        self.near_misses.update(other.near_misses)
        self.errors += other.errors
        self._whole_scalars |= other._whole_scalars

    def add_near_miss(
        self,
        document: ScannedDocument,
        candidate: Candidate,
        token: ScalarToken,
        reason: str,
        text: str | None = None,
        span: tuple[int, int] | None = None,
        *,
        certain: bool = False,
    ) -> None:
        """Add a near miss for ``text``, which stands at ``span`` of the token's value, or for the whole value.

        ``certain`` is for the place of an image.
        """
        shown = (token.value if text is None else text).encode(errors="backslashreplace").decode()  # lone surrogates
        view = document.view
        start = self._file_offset(view, token)
        if span is not None and (scalar_view := view.scalar_view(token)) is not None:
            start = view.file_span(*view.span(scalar_view, *span))[0]
        if (start, shown) not in self.near_misses:
            line, column = self.root.line_and_column(start - self.root.bom_length)
            self.budget.keep(MISS + len(shown), lambda: f"{self.root.file}:{line}")
            self.near_misses[start, shown] = NearMiss(
                self.root.file, line, column, document.path(candidate), shown, reason, certain
            )

    def _add_error(self, view: DocumentView, token: ScalarToken, problem: str, hint: str | None = None) -> None:
        where = self.root.where(view.byte_offset_of(token.start))
        self.budget.keep(MISS + len(problem), lambda: where)
        self.errors.append(ResourceError(problem, where=where, hint=hint))

    def _site_part(self, document: ScannedDocument, candidate: Candidate, part: SplitPart) -> SitePart | None:
        """The part with its spans; ``None``, with an error or a near miss, if they cannot be determined."""
        role, token, span = part
        view = document.view
        if role == model.INSERT:
            return self._insertion_point(view, part)
        root, source, value, first = self.root, view.source, token.value, token.start
        if (
            not token.style  # a plain word in ASCII, where characters are bytes, as most are
            and source.ascii
            and token.end - first == len(value)
            and source.body[first : token.end].decode("ascii") == value
        ):
            begin, end = value_span = span or (0, len(value))
            start, stop = first + begin, first + end
            bom_length, outer = source.bom_length, view.holder
            scalar = _tuple(
                model.Scalar,
                (first + bom_length, token.end + bom_length, "", token.flow, outer and outer.scalar, view.holder_value),
            )
            if outer is None:  # the document is the file
                if begin or end != len(value):
                    value = value[begin:end]
                file_span = start + bom_length, stop + bom_length
                line = root.line_and_column(start)[0]
                return _tuple(SitePart, (role, file_span, value_span, value, value, scalar, line, file_span))
        else:
            scalar_view = view.scalar_view(token)
            if scalar_view is None:
                self._add_unmapped(document, candidate, token)
                return None
            scalar = scalar_view.scalar
            begin, end = value_span = span or _stripped(value)
            start, stop = view.span(scalar_view, begin, end)
            # Most texts of many lines begin with what can be seen.
            is_first = not begin or (value[0].isspace() and _VISIBLE.search(value, 0, begin) is None)
            if is_first and _VISIBLE.search(value, end) is None:
                self._whole_scalars.add(self._file_offset(view, token))
        if begin or end != len(value):
            value = value[begin:end]
        bom_length = root.bom_length
        file_span = document_span = start + source.bom_length, stop + source.bom_length
        if view.outer is not None:
            file_span = view.file_span(start, stop)
            start, stop = file_span[0] - bom_length, file_span[1] - bom_length
        text = root.body[start:stop].decode()
        line = root.line_and_column(start)[0]
        return _tuple(SitePart, (role, file_span, value_span, text, value, scalar, line, document_span))

    def _add_unmapped(self, document: ScannedDocument, candidate: Candidate, token: ScalarToken) -> None:
        """Add an error or a near miss for a scalar whose text does not decode to its value."""
        problem = tr("this value is written in a way whose place in the file cannot be told; write it on one line")
        view = document.view
        if view.outer is None and self.strict:
            self._add_error(view, token, problem)
        else:
            self.add_near_miss(document, candidate, token, problem, certain=view.outer is None)

    def _insertion_point(self, view: DocumentView, part: SplitPart) -> SitePart:
        """The empty span before the key of the token, where a new entry is inserted."""
        token = part.token
        key_offset = view.byte_offset_of(token.key_start)
        span = view.file_span(key_offset, key_offset)
        scalar = model.Scalar(*span, "json" if token.style == "json" else "", token.flow)
        return SitePart(part.role, span, (0, 0), "", "", scalar, self.root.line(span[0] - self.root.bom_length), span)

    def _file_offset(self, view: DocumentView, token: ScalarToken) -> int:
        """The byte of the file at which ``token`` begins."""
        if view.outer is None:
            return view.source.bom_length + (token.start if view.byte_units else view.source.byte_offset(token.start))
        first = view.byte_offset_of(token.start)
        # An offset in an embedded document is mapped as the start of a one-byte span. An empty token at the end of
        # the document is mapped to the document's last byte.
        size = len(view.source.body)
        if size == 0:
            return view.file_span(0, 0)[0]
        start = min(first, size - 1)
        return view.file_span(start, start + 1)[0]


def _stripped(value: str) -> tuple[int, int]:
    """The span of ``value`` without the white space around it."""
    if value and not value[0].isspace() and not value[-1].isspace():
        return 0, len(value)
    lead = len(value) - len(value.lstrip())
    return lead, lead + len(value.strip())
